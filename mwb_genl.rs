// SPDX-License-Identifier: GPL-2.0

//! The generic-netlink family: what `uapi/mwb.yaml` specifies.

#![forbid(unsafe_code)]

use crate::{
    mwb_attrs as attrs,
    mwb_config::{
        self,
        Config,
        Marks, //
    },
    mwb_event,
    mwb_explain::Explain,
    mwb_genl_policy::*,
    mwb_instance::Instance,
    mwb_nf,
    mwb_wan::{
        Setting,
        Wans, //
    },
    rust::{
        genetlink::{
            Answer,
            Do,
            Dump,
            Op,
            Policy,
            Request, //
        },
        netdev::{
            self,
            Held, //
        }, //
    },
    uapi, //
};
use core::{
    net::IpAddr,
    sync::atomic::Ordering::Relaxed, //
};
use kernel::{
    prelude::*,
    str::CString, //
};

/// The operations, in the order of their numbers.
pub(crate) static OPS: [Op; 16] = [
    Op::admin::<WanAdd>(uapi::CMD_WAN_ADD),
    Op::admin::<WanSet>(uapi::CMD_WAN_SET),
    Op::admin::<WanDel>(uapi::CMD_WAN_DEL),
    Op::read::<WanGet>(uapi::CMD_WAN_GET),
    Op::dump::<WanGet>(uapi::CMD_WAN_GET, &attrs::WAN_GET_DUMP),
    Op::admin::<GroupSet>(uapi::CMD_GROUP_SET),
    Op::admin::<GroupDel>(uapi::CMD_GROUP_DEL),
    Op::dump::<GroupGet>(uapi::CMD_GROUP_GET, &attrs::GROUP_GET_DUMP),
    Op::admin::<PolicyAdd>(uapi::CMD_POLICY_ADD),
    Op::admin::<PolicyDel>(uapi::CMD_POLICY_DEL),
    Op::dump::<PolicyGet>(uapi::CMD_POLICY_GET, &attrs::POLICY_GET_DUMP),
    Op::admin::<PolicyReplace>(uapi::CMD_POLICY_REPLACE),
    Op::admin::<ConfigSet>(uapi::CMD_CONFIG_SET),
    Op::read::<ConfigGet>(uapi::CMD_CONFIG_GET),
    Op::read::<StatsGet>(uapi::CMD_STATS_GET),
    Op::read::<Explain>(uapi::CMD_EXPLAIN),
];

/// The name of a WAN or group.
pub(crate) fn name<'a>(request: &'a Request<'_>, id: u16) -> Result<&'a CStr> {
    let name = request
        .string(id)
        .ok_or_else(|| request.missing(id, c"a name is required"))?;
    let is_odd = |b: u8| b <= b' ' || b == 0x7f || b == b'/' || b == b',';
    if name.to_bytes().is_empty() || name.to_bytes().iter().any(|b| is_odd(*b)) {
        let why = c"a name has no white space, control character, slash or comma, and is not empty";
        return Err(request.fail(EINVAL, id, why));
    }
    if name == c"main" {
        return Err(request.fail(EINVAL, id, c"main is the name of the main table"));
    }
    Ok(name)
}

fn no_such_wan(request: &Request<'_>) -> Error {
    request.fail(ENOENT, uapi::A_WAN_NAME, c"no WAN has this name")
}

/// A gateway that was given; the outer None if nothing was said, the inner one if it is to be learned.
fn gateway(request: &Request<'_>, dev: Option<&Held>) -> Result<Option<Option<IpAddr>>> {
    let fail = |why| request.fail(EINVAL, uapi::A_WAN_GATEWAY4, why);
    let Some(gateway) = request.ipv4(uapi::A_WAN_GATEWAY4) else {
        return Ok(None);
    };
    if gateway.is_unspecified() {
        return Ok(Some(None));
    }
    if gateway.is_multicast() || gateway.is_broadcast() || gateway.is_loopback() {
        return Err(fail(c"the gateway is not a unicast address"));
    }
    // Without an address there is no link yet to be on.
    if dev.is_some_and(|dev| dev.has_ipv4_address() && !dev.is_onlink(gateway)) {
        return Err(fail(c"the gateway is in none of the device's networks"));
    }
    Ok(Some(Some(IpAddr::V4(gateway))))
}

/// The name of the device that was given, which need not exist.
fn device<'a>(request: &'a Request<'_>) -> Result<Option<&'a CStr>> {
    let fail = |why| request.fail(EINVAL, uapi::A_WAN_DEV, why);
    let Some(dev) = request.string(uapi::A_WAN_DEV) else {
        return Ok(None);
    };
    if !netdev::is_valid_name(dev) {
        return Err(fail(c"no device can have this name"));
    }
    if dev == c"lo" {
        return Err(fail(c"the loopback device is no WAN"));
    }
    Ok(Some(dev))
}

const RULES_CHANGE: &CStr =
    c"others change rules or routes all the time: nobody knows which numbers they use";

fn same_device(request: &Request<'_>) -> Error {
    request.fail(EBUSY, uapi::A_WAN_DEV, c"another WAN has this device")
}

struct WanAdd;

impl Do for WanAdd {
    type Instance = Instance;
    const POLICY: &'static [Policy] = &attrs::WAN_ADD;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        use uapi::*;
        let name = name(request, A_WAN_NAME)?;
        let dev = device(request)?;
        let dev = dev.ok_or_else(|| request.missing(A_WAN_DEV, c"a device is required"))?;
        let held = Held::by_name(instance.net(), dev);
        let mut new = Setting::new(CString::try_from(name)?, CString::try_from(dev)?);
        new.id = u8::try_from(request.u32(A_WAN_ID).unwrap_or(0))?;
        new.ifindex = held.as_ref().map_or(0, |dev| dev.ifindex());
        new.gateway = gateway(request, held.as_ref())?.flatten();
        new.status.gateway = new.gateway;
        drop(held);
        change(request, &mut new);
        let tell = |why: &CStr| _ = request.fail_with(EADDRINUSE, A_WAN_NAME, why);
        instance.add(new, tell).map_err(|e| match e {
            EEXIST => request.fail(e, A_WAN_NAME, c"a WAN or group with this name exists"),
            EALREADY => request.fail(e, A_WAN_ID, c"another WAN has this id"),
            EBUSY => same_device(request),
            ENOSPC => {
                let why = c"there are 250 WANs, or the mark mask has no room for one more id, nor for one that high";
                request.fail(e, A_WAN_ID, why)
            }
            EOPNOTSUPP => request.fail(e, A_WAN_NAME, c"connection tracking is not available"),
            EAGAIN => request.fail(e, A_WAN_NAME, RULES_CHANGE),
            e => e,
        })
    }
}

/// Takes over what needs no checking.
fn change(request: &Request<'_>, setting: &mut Setting) {
    use uapi::*;
    let set = |to: &mut u32, id| *to = request.u32(id).unwrap_or(*to);
    set(&mut setting.tier, A_WAN_TIER);
    set(&mut setting.weight, A_WAN_WEIGHT);
    set(&mut setting.admin, A_WAN_ADMIN);
    set(&mut setting.health, A_WAN_HEALTH);
    let set = |to: &mut u64, id| *to = request.u64(id).unwrap_or(*to);
    set(&mut setting.up_capacity_bps, A_WAN_UP_CAPACITY_BPS);
    set(&mut setting.down_capacity_bps, A_WAN_DOWN_CAPACITY_BPS);
}

struct WanSet;

impl Do for WanSet {
    type Instance = Instance;
    const POLICY: &'static [Policy] = &attrs::WAN_SET;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request, uapi::A_WAN_NAME)?;
        let dev = device(request)?;
        let of_wan = || {
            instance
                .with_wans(|wans| {
                    let settings = wans.settings();
                    let at = settings.position(name)?;
                    settings.wans.get(at)?.device(instance.net())
                })
                .flatten()
        };
        let held = match dev {
            Some(dev) => Held::by_name(instance.net(), dev),
            None => of_wan(),
        };
        let gateway = gateway(request, held.as_ref())?;
        drop(held);
        let change = |setting: &mut Setting| {
            if let Some(gateway) = gateway {
                setting.gateway = gateway;
            }
            change(request, setting);
        };
        instance.change(name, dev, change).map_err(|e| match e {
            ENOENT => no_such_wan(request),
            EBUSY => same_device(request),
            e => e,
        })
    }
}

struct WanDel;

impl Do for WanDel {
    type Instance = Instance;
    const POLICY: &'static [Policy] = &attrs::WAN_DEL;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request, uapi::A_WAN_NAME)?;
        instance.remove(name).map_err(|e| match e {
            ENOENT => no_such_wan(request),
            EBUSY => request.fail(e, uapi::A_WAN_NAME, c"a policy leads to this WAN"),
            e => e,
        })
    }
}

pub(crate) struct WanGet;

impl Do for WanGet {
    type Instance = Instance;
    const POLICY: &'static [Policy] = &attrs::WAN_GET;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request, uapi::A_WAN_NAME)?;
        let config = instance.config();
        instance
            .with_wans(|wans| {
                let settings = wans.settings();
                let setting = settings.position(name).and_then(|i| settings.wans.get(i))?;
                Some(request.reply(|answer| write_wan(&config, wans, setting, answer)))
            })
            .flatten()
            .ok_or_else(|| no_such_wan(request))?
    }
}

impl Dump for WanGet {
    type Instance = Instance;
    type Held = ();

    fn hold(_instance: &Instance, _is_admin: bool) -> Result {
        Ok(())
    }

    fn generation(instance: &Instance) -> u32 {
        instance
            .with_wans(|wans| wans.settings().generation)
            .unwrap_or(0)
    }

    fn next(
        instance: &Instance,
        _held: &(),
        after: u32,
        answer: &mut Answer,
    ) -> Result<Option<u32>> {
        let config = instance.config();
        instance
            .with_wans(|wans| {
                let settings = wans.settings();
                let next = settings.wans.iter().find(|w| u32::from(w.id) > after);
                next.map(|setting| {
                    write_wan(&config, wans, setting, answer)?;
                    Ok(u32::from(setting.id))
                })
                .transpose()
            })
            .unwrap_or(Ok(None))
    }
}

fn write_wan(config: &Config, wans: &Wans, setting: &Setting, answer: &mut Answer) -> Result {
    use uapi::*;
    let reading = wans.read(setting.id).ok_or(ENOENT)?;
    mwb_event::write(answer, setting)?;
    let ids = [A_WAN_UP_CAPACITY_BPS, A_WAN_DOWN_CAPACITY_BPS];
    for (id, capacity) in ids.into_iter().zip(&setting.capacities) {
        match capacity.known_bps() {
            0 => {}
            bps => answer.u64(id, bps, A_WAN_PAD)?,
        }
    }
    if setting.up_capacity_bps == 0 || setting.down_capacity_bps == 0 {
        answer.flag(A_WAN_CAPACITY_LEARNED)?;
    }
    answer.u32(A_WAN_MARK, config.marks.of(setting.id))?;
    answer.u32(A_WAN_MARK_MASK, config.marks.mask())?;
    answer.u32(A_WAN_TABLE, config.table(setting.id))?;
    answer.u64(A_WAN_UP_BPS, reading.up.rate_bps, A_WAN_PAD)?;
    answer.u64(A_WAN_DOWN_BPS, reading.down.rate_bps, A_WAN_PAD)?;
    if setting.countable.is_partial {
        answer.flag(A_WAN_RATES_PARTIAL)?;
    }
    if setting.countable.is_mixed {
        answer.flag(A_WAN_RATES_MIXED)?;
    }
    answer.u64(A_WAN_UP_CREDIT_BPS, reading.up.credit_bps, A_WAN_PAD)?;
    answer.u64(A_WAN_DOWN_CREDIT_BPS, reading.down.credit_bps, A_WAN_PAD)?;
    answer.u64(A_WAN_UP_RECKONED_BPS, reading.up.capacity_bps, A_WAN_PAD)?;
    answer.u64(
        A_WAN_DOWN_RECKONED_BPS,
        reading.down.capacity_bps,
        A_WAN_PAD,
    )?;
    answer.u64(A_WAN_CONNECTIONS, reading.connections, A_WAN_PAD)
}

struct ConfigSet;

impl Do for ConfigSet {
    type Instance = Instance;
    const POLICY: &'static [Policy] = &attrs::CONFIG_SET;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        use uapi::*;
        let marks = request.u32(A_CONFIG_MARK_MASK).map(|mask| {
            Marks::new(mask).ok_or_else(|| {
                let why = c"a mark mask has three bits at least, and no gap";
                request.fail(EINVAL, A_CONFIG_MARK_MASK, why)
            })
        });
        let marks = marks.transpose()?;
        let numbers = [A_CONFIG_MARK_MASK, A_CONFIG_RULE_PREF, A_CONFIG_TABLE_BASE];
        let number = numbers.into_iter().find(|id| request.flag(*id));
        let number = number.unwrap_or(A_CONFIG_MARK_MASK);
        let tell = |why: &CStr| _ = request.fail_with(EADDRINUSE, number, why);
        let change = |config: &mut Config| {
            let set = |to: &mut u32, id| *to = request.u32(id).unwrap_or(*to);
            set(&mut config.granularity, A_CONFIG_GRANULARITY);
            set(&mut config.pair_timeout_s, A_CONFIG_PAIR_TIMEOUT);
            let mode = request.u32(A_CONFIG_MODE).and_then(mwb_config::mode);
            let choice = &mut config.choice;
            choice.mode = mode.unwrap_or(choice.mode);
            set(&mut choice.interval_ms, A_CONFIG_INTERVAL_MS);
            set(&mut choice.average_ms, A_CONFIG_AVERAGE_MS);
            set(&mut choice.enter_percent, A_CONFIG_THRESHOLD_PERCENT);
            set(&mut choice.exit_percent, A_CONFIG_EXIT_PERCENT);
            set(&mut choice.credit_cap_percent, A_CONFIG_CREDIT_CAP_PERCENT);
            set(&mut config.last_resort, A_CONFIG_LAST_RESORT);
            set(&mut config.on_down, A_CONFIG_ON_DOWN);
            set(&mut config.failback, A_CONFIG_FAILBACK);
            set(&mut config.rule_pref, A_CONFIG_RULE_PREF);
            set(&mut config.table_base, A_CONFIG_TABLE_BASE);
            config.marks = marks.unwrap_or(config.marks);
        };
        instance.configure(change, tell).map_err(|e| match e {
            EBUSY => request.fail(
                e,
                number,
                c"marks, rules and tables can be changed only while there is no WAN",
            ),
            EDOM => {
                let why = c"the exit is above the threshold";
                request.fail(EINVAL, A_CONFIG_EXIT_PERCENT, why)
            }
            EAGAIN => request.fail(e, number, RULES_CHANGE),
            e => e,
        })
    }
}

struct ConfigGet;

impl Do for ConfigGet {
    type Instance = Instance;
    const POLICY: &'static [Policy] = &attrs::CONFIG_GET;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let config = instance.config();
        request.reply(|answer| mwb_event::write_config(answer, &config))
    }
}

struct StatsGet;

impl Do for StatsGet {
    type Instance = Instance;
    const POLICY: &'static [Policy] = &attrs::STATS_GET;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        use uapi::*;
        let stats = instance.stats();
        let hits = stats.sum::<{ mwb_nf::HITS }>();
        let lookups = stats.sum::<{ mwb_nf::LOOKUPS }>();
        let alone = stats.sum::<{ mwb_nf::ALONE }>();
        let counters = [
            (
                A_STATS_PACKETS,
                hits.wrapping_add(lookups).wrapping_add(alone),
            ),
            (A_STATS_DST_HITS, hits),
            (A_STATS_DST_LOOKUPS, lookups),
            (A_STATS_DST_OBSOLETE, stats.sum::<{ mwb_nf::OBSOLETE }>()),
            (A_STATS_CONNECTIONS, stats.sum::<{ mwb_nf::CONNECTIONS }>()),
            (A_STATS_INBOUND, stats.sum::<{ mwb_nf::INBOUND }>()),
            (
                A_STATS_NOT_BALANCED,
                stats.sum::<{ mwb_nf::NOT_BALANCED }>(),
            ),
            (A_STATS_BY_POLICY, stats.sum::<{ mwb_nf::BY_POLICY }>()),
            (A_STATS_UNREACHABLE, stats.sum::<{ mwb_nf::UNREACHABLE }>()),
            (A_STATS_ENDED, stats.sum::<{ mwb_nf::ENDED }>()),
            (A_STATS_RESETS, stats.sum::<{ mwb_nf::RESETS }>()),
            (A_STATS_RELEASED, stats.sum::<{ mwb_nf::RELEASED }>()),
        ];
        let (mut pairs, mut pair_hits, mut pair_evictions) = (0, 0, 0);
        instance.with_router(|router| {
            if let Some(router) = router {
                router.path().chooser.with_pairs(|kept| {
                    pairs = kept.kept();
                    pair_hits = kept.hits();
                    pair_evictions = kept.evictions();
                });
            }
        });
        let (cache, slots, syncs) = instance.with_router(|router| match router {
            Some(router) => {
                let entries = &router.path().entries;
                let sync = router.sync();
                let syncs = [&sync.passes, &sync.changes, &sync.spent_ns].map(|n| n.load(Relaxed));
                (entries.state(), entries.kept(), syncs)
            }
            None => (CACHE_IDLE, 0, [0; 3]),
        });
        let outlook = instance.with_wans(Wans::outlook).unwrap_or_default();
        let (up, down) = (outlook.up, outlook.down);
        let expected = [
            (A_STATS_EXPECTED_UP_BPS, up.own_bps),
            (A_STATS_EXPECTED_DOWN_BPS, down.own_bps),
            (A_STATS_CREDIT_UP_BPS, up.credit_bps),
            (A_STATS_CREDIT_DOWN_BPS, down.credit_bps),
        ];
        request.reply(|answer| {
            answer.u32(A_STATS_UPLOAD_DECIDES, outlook.is_upload.into())?;
            for (id, value) in counters {
                answer.u64(id, value, A_STATS_PAD)?;
            }
            for (id, bps) in expected {
                answer.u64(id, bps, A_STATS_PAD)?;
            }
            answer.u32(A_STATS_PAIRS, pairs)?;
            answer.u64(A_STATS_PAIR_HITS, pair_hits, A_STATS_PAD)?;
            answer.u64(A_STATS_PAIR_EVICTIONS, pair_evictions, A_STATS_PAD)?;
            answer.u32(A_STATS_CACHE, cache)?;
            answer.u32(A_STATS_DST_SLOTS, slots)?;
            let [passes, changes, spent_ns] = syncs;
            answer.u64(A_STATS_ROUTE_SYNCS, passes, A_STATS_PAD)?;
            answer.u64(A_STATS_ROUTE_CHANGES, changes, A_STATS_PAD)?;
            answer.u64(A_STATS_ROUTE_SYNC_NS, spent_ns, A_STATS_PAD)
        })
    }
}

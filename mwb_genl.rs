// SPDX-License-Identifier: GPL-2.0

//! The generic-netlink family: what `uapi/mwb.yaml` specifies.

#![forbid(unsafe_code)]

use crate::{
    mwb_main::Instance,
    mwb_nf,
    mwb_pick::Load,
    mwb_policy as policy,
    mwb_wan::{
        self,
        Setting,
        Wans,
        MARK_MASK, //
    },
    rust::{
        genetlink::{
            Answer,
            Do,
            Dump,
            Op,
            Request, //
        },
        netdev::Held, //
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
pub(crate) static OPS: [Op; 5] = [
    Op::admin::<WanAdd>(uapi::CMD_WAN_ADD, &policy::WAN_ADD),
    Op::admin::<WanDel>(uapi::CMD_WAN_DEL, &policy::WAN_DEL),
    Op::read::<WanGet>(uapi::CMD_WAN_GET, &policy::WAN_GET),
    Op::dump::<WanGet>(uapi::CMD_WAN_GET, &policy::WAN_GET_DUMP),
    Op::read::<StatsGet>(uapi::CMD_STATS_GET, &policy::STATS_GET),
];

fn name<'a>(request: &'a Request<'_>) -> Result<&'a CStr> {
    let name = request
        .string(uapi::A_WAN_NAME)
        .ok_or_else(|| request.missing(uapi::A_WAN_NAME, c"a WAN name is required"))?;
    let is_odd = |b: u8| b <= b' ' || b == 0x7f || b == b'/';
    if name.to_bytes().is_empty() || name.to_bytes().iter().any(|b| is_odd(*b)) {
        return Err(request.fail(
            EINVAL,
            uapi::A_WAN_NAME,
            c"a WAN name has no white space, control character or slash, and is not empty",
        ));
    }
    Ok(name)
}

fn no_such_wan(request: &Request<'_>) -> Error {
    request.fail(ENOENT, uapi::A_WAN_NAME, c"no WAN has this name")
}

struct WanAdd;

impl Do for WanAdd {
    type Instance = Instance;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request)?;
        let dev = request
            .string(uapi::A_WAN_DEV)
            .ok_or_else(|| request.missing(uapi::A_WAN_DEV, c"a device is required"))?;
        let gateway = request.ipv4(uapi::A_WAN_GATEWAY4);
        let Some(held) = Held::by_name(instance.net(), dev) else {
            return Err(request.fail(ENODEV, uapi::A_WAN_DEV, c"no device has this name"));
        };
        if held.is_loopback() {
            let why = c"the loopback device is no WAN";
            return Err(request.fail(EINVAL, uapi::A_WAN_DEV, why));
        }
        match gateway {
            Some(gateway)
                if gateway.is_unspecified() || gateway.is_multicast() || gateway.is_broadcast() =>
            {
                let why = c"the gateway is not a unicast address";
                return Err(request.fail(EINVAL, uapi::A_WAN_GATEWAY4, why));
            }
            // Without an address there is no link yet to be on.
            Some(gateway) if held.has_ipv4_address() && !held.is_onlink(gateway) => {
                let why = c"the gateway is in none of the device's networks";
                return Err(request.fail(EINVAL, uapi::A_WAN_GATEWAY4, why));
            }
            None if !held.is_point_to_point() => {
                let why = c"a gateway is required, the device is not point-to-point";
                return Err(request.missing(uapi::A_WAN_GATEWAY4, why));
            }
            _ => {}
        }
        let new = Setting::new(
            CString::try_from(name)?,
            CString::try_from(dev)?,
            held.ifindex(),
            gateway.map(IpAddr::V4),
            request.u64(uapi::A_WAN_UP_CAPACITY_BPS).unwrap_or(0),
            request.u64(uapi::A_WAN_DOWN_CAPACITY_BPS).unwrap_or(0),
        );
        drop(held);
        instance.add(new).map_err(|e| match e {
            EEXIST => request.fail(e, uapi::A_WAN_NAME, c"a WAN with this name exists"),
            EBUSY => request.fail(e, uapi::A_WAN_DEV, c"another WAN has this device"),
            ENOSPC => request.fail(e, uapi::A_WAN_NAME, c"there are 250 WANs already"),
            EOPNOTSUPP => {
                request.fail(e, uapi::A_WAN_NAME, c"connection tracking is not available")
            }
            e => e,
        })
    }
}

struct WanDel;

impl Do for WanDel {
    type Instance = Instance;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request)?;
        instance.remove(name).map_err(|e| match e {
            ENOENT => no_such_wan(request),
            e => e,
        })
    }
}

struct WanGet;

impl Do for WanGet {
    type Instance = Instance;

    fn handle(instance: &Instance, request: &Request<'_>) -> Result {
        let name = name(request)?;
        instance
            .with_wans(|wans| {
                let settings = wans.settings();
                let setting = settings.position(name).and_then(|i| settings.wans.get(i))?;
                Some(request.reply(|answer| write_wan(wans, setting, answer)))
            })
            .flatten()
            .ok_or_else(|| no_such_wan(request))?
    }
}

impl Dump for WanGet {
    type Instance = Instance;

    fn generation(instance: &Instance) -> u32 {
        instance
            .with_wans(|wans| wans.settings().generation)
            .unwrap_or(0)
    }

    fn next(instance: &Instance, after: u32, answer: &mut Answer) -> Result<Option<u32>> {
        instance
            .with_wans(|wans| {
                let settings = wans.settings();
                let next = settings.wans.iter().find(|w| u32::from(w.id) > after);
                next.map(|setting| {
                    write_wan(wans, setting, answer)?;
                    Ok(u32::from(setting.id))
                })
                .transpose()
            })
            .unwrap_or(Ok(None))
    }
}

fn write_wan(wans: &Wans, setting: &Setting, answer: &mut Answer) -> Result {
    use uapi::*;
    let reading = wans.read(setting.id).ok_or(ENOENT)?;
    answer.string(A_WAN_NAME, &setting.name)?;
    answer.u32(A_WAN_ID, u32::from(setting.id))?;
    answer.string(A_WAN_DEV, &setting.dev)?;
    answer.u32(A_WAN_IFINDEX, setting.ifindex)?;
    if let Some(IpAddr::V4(gateway)) = setting.gateway {
        answer.ipv4(A_WAN_GATEWAY4, gateway)?;
    }
    let mut capacity = |id, load: &Load| match load.capacity_bps {
        0 => Ok(()),
        bps => answer.u64(id, bps, A_WAN_PAD),
    };
    capacity(A_WAN_UP_CAPACITY_BPS, &reading.up)?;
    capacity(A_WAN_DOWN_CAPACITY_BPS, &reading.down)?;
    if setting.up_capacity_bps == 0 || setting.down_capacity_bps == 0 {
        answer.flag(A_WAN_CAPACITY_LEARNED)?;
    }
    answer.u32(A_WAN_STATE, setting.state)?;
    answer.u32(A_WAN_MARK, mwb_wan::mark(setting.id))?;
    answer.u32(A_WAN_MARK_MASK, MARK_MASK)?;
    answer.u32(A_WAN_TABLE, setting.table())?;
    answer.u64(A_WAN_UP_BPS, reading.up.rate_bps, A_WAN_PAD)?;
    answer.u64(A_WAN_DOWN_BPS, reading.down.rate_bps, A_WAN_PAD)?;
    answer.u64(A_WAN_CONNECTIONS, reading.connections, A_WAN_PAD)
}

struct StatsGet;

impl Do for StatsGet {
    type Instance = Instance;

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
        ];
        let (cache, slots, passes, changes) = instance.with_router(|router| match router {
            Some(router) => {
                let entries = &router.path().entries;
                let sync = router.sync();
                let (passes, changes) = (sync.passes.load(Relaxed), sync.changes.load(Relaxed));
                (entries.state(), entries.kept(), passes, changes)
            }
            None => (CACHE_IDLE, 0, 0, 0),
        });
        request.reply(|answer| {
            for (id, value) in counters {
                answer.u64(id, value, A_STATS_PAD)?;
            }
            answer.u32(A_STATS_CACHE, cache)?;
            answer.u32(A_STATS_DST_SLOTS, slots)?;
            answer.u64(A_STATS_ROUTE_SYNCS, passes, A_STATS_PAD)?;
            answer.u64(A_STATS_ROUTE_CHANGES, changes, A_STATS_PAD)
        })
    }
}

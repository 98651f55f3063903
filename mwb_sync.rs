// SPDX-License-Identifier: GPL-2.0

//! The reconciler: brings rules and routes to what [`crate::mwb_route`] wants, and the WANs to the state
//! that follows. The only code that writes routes.
//!
//! Lock order: `Sync::desk`, then RTNL (by requests, or for a moment), then the settings of the WANs. With RTNL
//! held, only the last of these may be taken.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_event,
    mwb_nf::Path,
    mwb_nlmsg::{
        answers,
        Answer,
        Message,
        Messages,
        Said, //
    },
    mwb_policy::Wans as Ids,
    mwb_route::{
        self,
        Inputs,
        Object,
        Op,
        Route,
        Rule,
        Uplink, //
    },
    mwb_rtnl,
    mwb_wan::{
        Link,
        Setting,
        Status, //
    },
    rust::{
        netfilter,
        netns::Owner,
        rtnetlink::{
            number::*,
            Hear,
            Socket, //
        },
        sort::sort_by,
        time,
        work::Task, //
    },
    uapi, //
};
use core::{
    net::IpAddr,
    sync::atomic::{
        AtomicBool,
        AtomicU32,
        AtomicU64,
        Ordering::{
            Acquire,
            Relaxed,
            Release, //
        }, //
    }, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    },
    time::{
        delay::fsleep,
        Delta, //
    }, //
};

/// Groups whose messages may mean that a pass is due.
const GROUPS: &[u32] = &[
    RTNLGRP_LINK,
    RTNLGRP_IPV4_IFADDR,
    RTNLGRP_IPV4_ROUTE,
    RTNLGRP_IPV4_RULE,
    // When rp_filter changes.
    RTNLGRP_IPV4_NETCONF,
];

/// As much as the kernel puts into one datagram of a dump.
const BUFFER_LEN: usize = 32 << 10;

/// Long enough for the other messages of one change to arrive, short enough for nobody to wait.
const SETTLE_MS: u32 = 20;
const SETTLE_MAX_MS: u32 = 1000;

/// When a pass failed, or met a dump that changed under it.
const RETRY_MS: u32 = 500;

/// How long a learned gateway is used that main has no more: DHCP clients take the old route away before they
/// put the new one there.
const GRACE_MS: u32 = 2000;

/// When a pass found all in order: should a message be lost, nothing is wrong for longer than this.
const REPEAT_MS: u32 = 30_000;

/// Connected routes of main that the table of each WAN has a copy of. Others are found in main.
const MAX_CONNECTED: usize = 1024;

/// Datagrams that one unread answer can consist of.
const MAX_LEFT: u32 = 10_000;

/// What a pass found of a WAN.
#[derive(Clone, Copy)]
struct State {
    id: u8,
    ifindex: u32,
    is_tunnel: bool,
    /// The kernel drops what it receives, unless it is the first.
    is_strict: bool,
    tier: u32,
    status: Status,
}

impl State {
    fn uplink(&self) -> Uplink {
        Uplink {
            id: self.id,
            tier: self.tier,
            is_spare: !self.status.is_up(),
            ifindex: self.ifindex,
            gateway: self.status.gateway,
        }
    }

    fn with(mut self, state: u32, reason: u32) -> Self {
        self.status.state = state;
        self.status.reason = reason;
        self
    }
}

/// When states are announced: WANs go down before their routes do, and come up after them.
enum When<'a> {
    /// Before gateways are known to be still the same.
    AtOnce,
    Before,
    /// `failed` are the tables that lack a route.
    After {
        failed: &'a [u32],
    },
}

/// A gateway that main has for a device.
#[derive(Clone, Copy)]
struct Learned {
    ifindex: u32,
    gateway: IpAddr,
    /// Since when it has it no more.
    lost_ns: Option<u64>,
}

/// What a pass could not add, and goes on without.
struct Lacking {
    /// Tables without their default route.
    tables: KVec<u32>,
    /// Whether memory was wanting for anything else.
    is_short: bool,
}

/// What there is, as far as nobody has said that it changed.
struct Known {
    /// Ours, sorted.
    actual: KVVec<Object>,
    /// The connected routes of main, sorted.
    connected: KVVec<Route>,
}

/// Who asks the kernel.
struct Client {
    socket: Socket,
    buffer: KVVec<u8>,
}

impl Client {
    fn new(net: Owner) -> Result<Self> {
        Ok(Self {
            socket: Socket::client(net)?,
            buffer: KVVec::from_elem(0u8, BUFFER_LEN, GFP_KERNEL_ACCOUNT)?,
        })
    }

    fn request(&mut self, message: Message) -> Result {
        self.dump(message, |_, _| Ok(()))
    }

    /// Sends a request, and calls `f` for each object of the answer.
    fn dump(&mut self, mut request: Message, mut f: impl FnMut(u16, &[u8]) -> Result) -> Result {
        // An answer that was not read to its end is none of this request's.
        for _ in 0..MAX_LEFT {
            if self
                .socket
                .recv(&mut self.buffer)
                .is_err_and(|e| e == EAGAIN)
            {
                break;
            }
        }
        self.socket.send(request.finish()?)?;
        let mut outcome = Ok(());
        loop {
            // Read to the end also after an error, or the next answer would begin with the rest.
            for answer in answers(self.socket.recv(&mut self.buffer)?) {
                match answer {
                    Answer::Object(kind, body) => outcome = outcome.and_then(|()| f(kind, body)),
                    Answer::Interrupted => outcome = Err(EAGAIN),
                    Answer::End(end) => return outcome.and(end),
                }
            }
        }
    }

    /// All rules and routes of ours.
    fn ours(&mut self) -> Result<KVVec<Object>> {
        let mut all = KVVec::new();
        for request in [mwb_rtnl::dump_rules()?, mwb_rtnl::dump_ours()?] {
            self.dump(request, |kind, body| {
                if let Some(object) = Object::parse(kind, body) {
                    all.push(object, GFP_KERNEL_ACCOUNT)?;
                }
                Ok(())
            })?;
        }
        sort(&mut all);
        Ok(all)
    }

    /// The connected routes of main, no more than `MAX_CONNECTED` of them.
    fn connected(&mut self) -> Result<KVVec<Route>> {
        let mut all = KVVec::new();
        for protocol in mwb_rtnl::CONNECTED {
            let dumped = self.dump(mwb_rtnl::dump_connected(protocol)?, |kind, body| {
                if let Some(route) = mwb_rtnl::parse_connected(kind, body) {
                    if all.len() < MAX_CONNECTED {
                        all.push(route, GFP_KERNEL_ACCOUNT)?;
                    }
                }
                Ok(())
            });
            match dumped {
                // There is no main table before it has a route.
                Err(ENOENT) => {}
                other => other?,
            }
        }
        sort(&mut all);
        let mut last = None;
        all.retain(|route| last.replace(*route) != Some(*route));
        Ok(all)
    }

    /// The gateway of the best default route that main has through a device.
    fn gateway(&mut self, oif: u32) -> Result<Option<IpAddr>> {
        let mut best: Option<Route> = None;
        let dumped = self.dump(mwb_rtnl::dump_through(oif)?, |kind, body| {
            let route = mwb_rtnl::parse_default(kind, body);
            if let Some(route) = route.filter(|r| matches!(r.gateway, Some(IpAddr::V4(_)))) {
                if best.is_none_or(|best| route.metric < best.metric) {
                    best = Some(route);
                }
            }
            Ok(())
        });
        match dumped {
            Err(ENOENT) => {}
            other => other?,
        }
        Ok(best.and_then(|route| route.gateway))
    }
}

/// Most of what is sorted here is in order already.
fn sort<T: Ord>(all: &mut [T]) {
    if !all.is_sorted() {
        sort_by(all, T::cmp);
    }
}

/// What a pass works with.
struct Desk {
    client: Client,
    known: Option<Known>,
    learned: KVec<Learned>,
    /// Of the settings that `learned` is for.
    generation: Option<u32>,
}

/// The reconciler of an instance.
#[pin_data]
pub(crate) struct Sync {
    net: Owner,
    path: Arc<Path>,
    listener: Socket,
    #[pin]
    desk: Mutex<Desk>,
    /// Where our own requests come from.
    portid: u32,
    /// Somebody may have changed what is known.
    is_stale: AtomicBool,
    /// A gateway is used that may not come back.
    is_waiting: AtomicBool,
    /// There are WANs, but none of them is up.
    is_last_resort: AtomicBool,
    /// How long the last pass took, and when it ended.
    last_ms: AtomicU32,
    ended_ns: AtomicU64,
    /// Passes so far.
    pub(crate) passes: AtomicU64,
    /// Time that they have taken.
    pub(crate) spent_ns: AtomicU64,
    /// Rules and routes added or removed so far.
    pub(crate) changes: AtomicU64,
}

impl Sync {
    pub(crate) fn new(net: Owner, path: Arc<Path>) -> Result<Arc<Self>> {
        let listener = Socket::listener(net, GROUPS)?;
        let client = Client::new(net)?;
        let portid = client.socket.portid();
        Arc::pin_init(
            pin_init!(Self {
                net,
                path,
                listener,
                desk <- kernel::new_mutex!(Desk {
                    client,
                    known: None,
                    learned: KVec::new(),
                    generation: None,
                }),
                portid,
                is_stale: AtomicBool::new(true),
                is_waiting: AtomicBool::new(false),
                is_last_resort: AtomicBool::new(false),
                last_ms: AtomicU32::new(0),
                ended_ns: AtomicU64::new(0),
                passes: AtomicU64::new(0),
                spent_ns: AtomicU64::new(0),
                changes: AtomicU64::new(0),
            }),
            GFP_KERNEL,
        )
    }

    /// One pass. EAGAIN when something changed meanwhile.
    pub(crate) fn pass(&self) -> Result {
        let mut desk = self.desk.lock();
        let start_ns = time::monotonic_ns();
        let outcome = self.pass_at(&mut desk);
        if outcome.is_err() {
            self.is_stale.store(true, Relaxed);
        }
        self.path.catch_up();
        let now_ns = time::monotonic_ns();
        let took_ns = now_ns.saturating_sub(start_ns);
        self.ended_ns.store(now_ns, Relaxed);
        self.passes.fetch_add(1, Relaxed);
        self.spent_ns.fetch_add(took_ns, Relaxed);
        let took_ms = u32::try_from(took_ns / 1_000_000).unwrap_or(u32::MAX);
        self.last_ms.store(took_ms, Relaxed);
        outcome
    }

    /// How long the next pass still has to wait, a second at most, for no more than half of all time to go into them.
    fn rest_ms(&self) -> u32 {
        let since_ns = time::monotonic_ns().saturating_sub(self.ended_ns.load(Relaxed));
        let since_ms = u32::try_from(since_ns / 1_000_000).unwrap_or(u32::MAX);
        let last_ms = self.last_ms.load(Relaxed);
        let rest_ms = last_ms.saturating_add(1).clamp(SETTLE_MS, SETTLE_MAX_MS);
        rest_ms.saturating_sub(since_ms)
    }

    /// How long after a pass that found all in order the next one is due.
    pub(crate) fn repeat_ms(&self) -> u32 {
        if self.is_waiting.load(Relaxed) {
            GRACE_MS
        } else {
            REPEAT_MS
        }
    }

    fn pass_at(&self, desk: &mut Desk) -> Result {
        let config = self.path.config();
        let is_stale = self.is_stale.swap(false, Acquire);
        // Nothing is placed from here on on a WAN whose routes are about to go. That waits for no dump.
        self.announce(&config, &self.assess(&desk.learned)?, &When::AtOnce)?;
        let generation = self.path.wans.settings().generation;
        if is_stale || desk.generation != Some(generation) {
            self.learn(desk)?;
            desk.generation = Some(generation);
        }
        let states = self.assess(&desk.learned)?;
        self.announce(&config, &states, &When::Before)?;
        let known = match desk.known.take() {
            Some(known) if !is_stale => known,
            _ => Known {
                connected: desk.client.connected()?,
                actual: desk.client.ours()?,
            },
        };
        let mut uplinks = KVec::with_capacity(states.len(), GFP_KERNEL)?;
        for state in states.iter().filter(|s| s.status.is_routed()) {
            uplinks.push(state.uplink(), GFP_KERNEL)?;
        }
        let inputs = Inputs {
            config: &config,
            uplinks: &uplinks,
            connected: &known.connected,
        };
        let mut desired = KVVec::with_capacity(known.actual.len(), GFP_KERNEL_ACCOUNT)?;
        mwb_route::desired(&inputs, |object| desired.push(object, GFP_KERNEL_ACCOUNT))?;
        sort(&mut desired);
        let Lacking { tables, is_short } = self.apply(&mut desk.client, &known.actual, &desired)?;

        self.announce(&config, &states, &When::After { failed: &tables })?;
        if is_short || !tables.is_empty() {
            return Err(EAGAIN);
        }
        desk.known = Some(Known {
            actual: desired,
            connected: known.connected,
        });
        Ok(())
    }

    /// Takes away every rule and route of ours. Nothing is placed from here on.
    fn clear(&self) {
        self.path.wans.take_down();
        if self.is_last_resort.swap(false, Relaxed) {
            mwb_event::last_resort(&self.net, &self.path.config(), false);
        }
        let mut desk = self.desk.lock();
        // Dumps are interrupted by others' changes, and those end; so does a want of memory, mostly.
        for i in 0..10 {
            fsleep(Delta::from_millis(i * 10));
            let cleared = desk
                .client
                .ours()
                .and_then(|actual| self.apply(&mut desk.client, &actual, &[]));
            // What is in a namespace that ends goes with it.
            if cleared.is_ok() || !self.net.is_alive() {
                return;
            }
        }
        pr_warn!(
            "rules or routes of protocol {} may be left\n",
            mwb_route::PROTOCOL
        );
    }

    /// Learns the gateways that were not given.
    fn learn(&self, desk: &mut Desk) -> Result {
        let mut wanted = KVec::new();
        for setting in self.path.wans.settings().wans.iter() {
            let dev = setting.device(&self.net);
            if let Some(dev) = dev.filter(|d| setting.gateway.is_none() && !d.is_point_to_point()) {
                wanted.push(dev.ifindex(), GFP_KERNEL)?;
            }
        }
        let now_ns = time::monotonic_ns();
        let mut learned = KVec::with_capacity(wanted.len(), GFP_KERNEL)?;
        for ifindex in wanted {
            let now = desk.client.gateway(ifindex)?.map(|gateway| Learned {
                ifindex,
                gateway,
                lost_ns: None,
            });
            let before = desk.learned.iter().find(|l| l.ifindex == ifindex);
            let lost = before.map(|l| Learned {
                lost_ns: l.lost_ns.or(Some(now_ns)),
                ..*l
            });
            let lost = lost.filter(|l| {
                let for_ns = now_ns.saturating_sub(l.lost_ns.unwrap_or(0));
                for_ns < u64::from(GRACE_MS) * 1_000_000
            });
            if let Some(known) = now.or(lost) {
                learned.push(known, GFP_KERNEL)?;
            }
        }
        let is_waiting = learned.iter().any(|l| l.lost_ns.is_some());
        self.is_waiting.store(is_waiting, Relaxed);
        desk.learned = learned;
        Ok(())
    }

    /// The state that each WAN could have with the routes that are wanted for it.
    fn assess(&self, learned: &[Learned]) -> Result<KVec<State>> {
        let settings = self.path.wans.settings();
        let mut states: KVec<State> = KVec::with_capacity(settings.wans.len(), GFP_KERNEL)?;
        for setting in settings.wans.iter() {
            let mut state = self.state_of(setting, learned);
            let is_same = |s: &State| s.ifindex == state.ifindex;
            if state.ifindex != 0 && states.iter().any(is_same) {
                state = state.with(uapi::WAN_STATE_DOWN, uapi::WAN_REASON_OTHER_WAN);
                state.ifindex = 0;
            }
            states.push(state, GFP_KERNEL)?;
        }
        let routed = states.iter().filter(|s| s.status.is_routed());
        let first = routed.min_by_key(|s| s.uplink().metric()).map(|s| s.id);
        for state in states.iter_mut() {
            if state.is_strict && state.status.is_routed() && first != Some(state.id) {
                *state = state.with(uapi::WAN_STATE_FILTERED, uapi::WAN_REASON_RP_FILTER);
            }
        }
        Ok(states)
    }

    fn state_of(&self, setting: &Setting, learned: &[Learned]) -> State {
        use uapi::*;
        let mut state = State {
            id: setting.id,
            ifindex: 0,
            is_tunnel: false,
            is_strict: false,
            tier: setting.tier,
            status: Status {
                state: WAN_STATE_UP,
                reason: WAN_REASON_READY,
                gateway: setting.gateway,
            },
        };
        let dev = setting.device(&self.net);
        if let Some(dev) = &dev {
            state.ifindex = dev.ifindex();
            state.is_tunnel = dev.is_tunnel();
            state.is_strict = dev.is_strict() && !dev.checks_mark();
            if setting.gateway.is_none() {
                let of_dev = learned.iter().find(|l| l.ifindex == dev.ifindex());
                state.status.gateway = of_dev.map(|l| l.gateway);
            }
        }
        if setting.admin == WAN_ADMIN_DISABLED {
            return state.with(WAN_STATE_DISABLED, WAN_REASON_REQUEST);
        }
        let Some(dev) = dev else {
            return state.with(WAN_STATE_DOWN, WAN_REASON_NO_DEVICE);
        };
        if !dev.is_up() {
            state.with(WAN_STATE_DOWN, WAN_REASON_DEVICE_DOWN)
        } else if !dev.is_running() {
            state.with(WAN_STATE_NO_CARRIER, WAN_REASON_CARRIER)
        } else if !dev.has_ipv4_address() {
            state.with(WAN_STATE_NO_ADDRESS, WAN_REASON_ADDRESS)
        } else if matches!(setting.gateway, Some(IpAddr::V4(g)) if !dev.is_onlink(g)) {
            state.with(WAN_STATE_NO_GATEWAY, WAN_REASON_OFF_LINK)
        } else if state.status.gateway.is_none() && !dev.is_point_to_point() {
            state.with(WAN_STATE_NO_GATEWAY, WAN_REASON_GATEWAY)
        } else if setting.health == WAN_HEALTH_DEAD {
            state.with(WAN_STATE_DEAD, WAN_REASON_HEALTH)
        } else if setting.admin == WAN_ADMIN_DRAIN {
            state.with(WAN_STATE_DRAIN, WAN_REASON_REQUEST)
        } else {
            state
        }
    }

    /// Tells the WANs their states; those that are to have routes have them only with these in place. Then
    /// sees to the connections of those that went down, or came up.
    fn announce(&self, config: &Config, states: &[State], when: &When<'_>) -> Result {
        let mut went = Ids::default();
        let mut came = KVec::with_capacity(states.len(), GFP_KERNEL)?;
        let (mut is_better, mut is_worse) = (false, false);
        let mut settings = self.path.wans.settings();
        for new in states {
            // It may have been removed meanwhile.
            let Some(setting) = settings.wans.iter_mut().find(|w| w.id == new.id) else {
                continue;
            };
            let old = setting.status;
            // Another device of this name is another line.
            let is_other = old.is_alive() && new.ifindex != setting.ifindex;
            let goes = new.status.is_less_than(old);
            let state = match when {
                // It may have got the name in this very pass.
                When::AtOnce | When::Before if is_other => {
                    new.with(uapi::WAN_STATE_DOWN, uapi::WAN_REASON_NO_DEVICE)
                }
                When::AtOnce | When::Before if !goes => continue,
                When::AtOnce if new.status.state >= uapi::WAN_STATE_NO_GATEWAY => continue,
                When::After { failed } if failed.contains(&config.table(new.id)) => {
                    new.with(uapi::WAN_STATE_NO_GATEWAY, uapi::WAN_REASON_ROUTE)
                }
                _ => *new,
            };
            let status = state.status;
            if status.is_less_than(old) {
                went.insert(new.id);
            } else if status.is_alive() && !old.is_alive() {
                came.push(new.id, GFP_KERNEL)?;
            }
            is_better |= status.is_up() && !old.is_up();
            is_worse |= old.is_up() && !status.is_up();
            if let When::After { .. } = when {
                setting.ifindex = new.ifindex;
            }
            self.path.wans.set_link(
                new.id,
                Link {
                    // Until its connections are seen to, what was its device still is.
                    ifindex: setting.ifindex,
                    is_tunnel: new.is_tunnel,
                    is_routed: status.is_routed(),
                    is_open: status.is_up(),
                },
            );
            if status != old {
                setting.status = status;
                setting.changed_ns = time::real_ns();
                mwb_event::changed(&self.net, setting, old);
            }
        }
        self.path.wans.reckon(&settings);
        // WANs that were never up may be so at the end of the pass.
        if is_worse || matches!(when, When::After { .. }) {
            let is_any_up = settings.wans.iter().any(|w| w.status.is_up());
            let is_now = !is_any_up && !settings.wans.is_empty();
            if is_now != self.is_last_resort.swap(is_now, Relaxed) {
                mwb_event::last_resort(&self.net, config, is_now);
            }
        }
        drop(settings);
        if went != Ids::default() {
            self.path.release(&went);
            // And what was placed there just before.
            netfilter::synchronize();
            self.path.release(&went);
        }
        for id in came {
            self.path.adopt(id);
        }
        if is_better && config.failback == uapi::FAILBACK_ALL {
            self.path.fail_back();
        }
        Ok(())
    }

    /// Brings what is to `desired`.
    fn apply(&self, client: &mut Client, actual: &[Object], desired: &[Object]) -> Result<Lacking> {
        let mut lacking = Lacking {
            tables: KVec::new(),
            is_short: false,
        };
        for (op, object) in mwb_route::difference(actual, desired) {
            // Who ends the namespace waits for this.
            if !self.net.is_alive() {
                return Err(ENODEV);
            }
            let outcome = client.request(object.request(op)?);
            match (outcome, op, object) {
                (Ok(()), ..) => _ = self.changes.fetch_add(1, Relaxed),
                // A dump is no snapshot: it was there all the time.
                (Err(EEXIST), Op::Add, _) => {}
                // It went by itself, with its device or address.
                (Err(ESRCH | ENOENT | ENODEV), Op::Remove, _) => {}
                (Err(e), Op::Remove, _) => return Err(e),
                // Without a default route a WAN carries nothing. Without a copy of a connected one it is none
                // the worse: the rule in front of all finds that in main.
                (Err(_), Op::Add, Object::Route(route)) if route.is_default() => {
                    lacking.tables.push(route.table, GFP_KERNEL)?
                }
                (Err(e), Op::Add, Object::Route(_)) => {
                    lacking.is_short |= e == ENOMEM || e == ENOBUFS
                }
                (Err(e), Op::Add, Object::Rule(_)) => return Err(e),
            }
        }
        Ok(lacking)
    }

    /// Whether a message may mean that a pass is due.
    fn concerns(&self, said: &Said<'_>) -> bool {
        match said.kind {
            RTM_NEWROUTE | RTM_DELROUTE | RTM_NEWRULE | RTM_DELRULE => {
                // The rest of what is in main, thousands of routes maybe, is none of our business.
                said.portid != self.portid
                    && (mwb_rtnl::is_near_ours(said.kind, said.body, &self.path.config())
                        || mwb_rtnl::parse_default(said.kind, said.body).is_some()
                        || mwb_rtnl::parse_connected(said.kind, said.body).is_some())
            }
            _ => true,
        }
    }
}

impl Hear for Sync {
    fn socket(&self) -> &Socket {
        &self.listener
    }

    fn hear(&self, datagram: Option<&[u8]>) -> Option<u32> {
        let Some(datagram) = datagram else {
            self.is_stale.store(true, Release);
            return Some(SETTLE_MS);
        };
        let mut due = None;
        for said in Messages(datagram).filter(|said| self.concerns(said)) {
            self.is_stale.store(true, Release);
            let ifindex = mwb_rtnl::parse_ifindex(said.kind, said.body);
            let is_of_wan = ifindex.is_some_and(|i| self.path.wans.by_ifindex(i).is_some());
            // What comes in bursts, and passes that take long, leave the processor to others.
            let last_ms = self.last_ms.load(Relaxed);
            let delay_ms = if is_of_wan {
                self.rest_ms()
            } else {
                last_ms.saturating_mul(4).clamp(SETTLE_MS, SETTLE_MAX_MS)
            };
            due = Some(due.map_or(delay_ms, |due: u32| due.min(delay_ms)));
        }
        due
    }
}

/// Who else uses one of the numbers that are to be ours, in a sentence. `net` must be in use.
pub(crate) fn find_user(net: Owner, config: &Config) -> Result<Option<CString>> {
    let mut client = Client::new(net)?;
    let mut user = None;
    client.dump(mwb_rtnl::dump_rules()?, |kind, body| {
        if let (None, Some((protocol, rule))) = (&user, mwb_rtnl::parse_foreign_rule(kind, body)) {
            user = used_by(config, &rule, Protocol(protocol))?;
        }
        Ok(())
    })?;
    for id in 1..=config.marks.max_id() {
        if user.is_some() {
            break;
        }
        let table = config.table_base.saturating_add(id);
        let dumped = client.dump(mwb_rtnl::dump_table(table)?, |kind, body| {
            if let (None, Some(protocol)) = (&user, mwb_rtnl::parse_foreign_route(kind, body)) {
                let by = Protocol(protocol);
                user = sentence(fmt!("table {table} has a route already{by}"))?;
            }
            Ok(())
        });
        match dumped {
            Ok(()) | Err(ENOENT) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(user)
}

fn sentence(text: kernel::fmt::Arguments<'_>) -> Result<Option<CString>> {
    Ok(Some(CString::try_from_fmt(text)?))
}

/// Whether somebody else's rule uses one of our numbers.
fn used_by(config: &Config, rule: &Rule, by: Protocol) -> Result<Option<CString>> {
    let (pref, table, ours) = (rule.preference, rule.table, config.marks.mask());
    // A mark without a mask is for what has no mark of ours, unless it is one itself.
    let is_plain = rule.mask == u32::MAX && rule.mark & ours == 0;
    // Or it asks what has a mark of ours, and knows how those are made.
    let id = u32::from(config.marks.id(rule.mark));
    let is_of_wan =
        rule.mask & ours == config.marks.id_mask() && (1..=config.marks.max_id()).contains(&id);
    if rule.mask & ours != 0 && !is_plain && !is_of_wan {
        let (mark, mask) = (rule.mark, rule.mask);
        return sentence(fmt!(
            "rule {pref}{by} uses bits of the mark: fwmark {mark:#x}/{mask:#x}"
        ));
    }
    if (config.rule_pref..=config.preference_last_resort()).contains(&pref) {
        return sentence(fmt!("preference {pref} is that of a rule already{by}"));
    }
    let last = config.table_base.saturating_add(config.marks.max_id());
    if table > config.table_base && table <= last {
        return sentence(fmt!("table {table} is that of rule {pref} already{by}"));
    }
    Ok(None)
}

/// Who has made a rule or a route, in brackets, if he says so (`rtm_protocol`).
#[derive(Clone, Copy)]
struct Protocol(u8);

impl kernel::fmt::Display for Protocol {
    fn fmt(&self, f: &mut kernel::fmt::Formatter<'_>) -> kernel::fmt::Result {
        let name = match self.0 {
            0 => return Ok(()),
            RTPROT_KERNEL => "kernel",
            RTPROT_BOOT => "boot",
            RTPROT_STATIC => "static",
            RTPROT_DHCP => "dhcp",
            RTPROT_BGP => "bgp",
            RTPROT_OSPF => "ospf",
            other => return f.write_fmt(fmt!(" ({other})")),
        };
        f.write_fmt(fmt!(" ({name})"))
    }
}

/// What the reconciler has written stays for as long as this does.
pub(crate) struct Written(Arc<Sync>);

impl Written {
    pub(crate) fn by(sync: Arc<Sync>) -> Self {
        Self(sync)
    }
}

impl core::ops::Deref for Written {
    type Target = Sync;

    fn deref(&self) -> &Sync {
        &self.0
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        // What is in a namespace that ends goes with it.
        if self.net.is_alive() {
            self.clear();
        }
    }
}

impl Task for Sync {
    /// Whatever it was that it runs for, it looks at everything anew.
    fn run(&self) -> Option<u32> {
        // What happened while the last pass was under way did not know when it would end.
        let rest_ms = self.rest_ms();
        if rest_ms > 0 {
            return Some(rest_ms);
        }
        self.is_stale.store(true, Release);
        // After a loss the first one says so, and the second one that there is nothing.
        for _ in 0..2 {
            _ = self.listener.recv(&mut []);
        }
        Some(self.pass().map_or(RETRY_MS, |()| self.repeat_ms()))
    }
}

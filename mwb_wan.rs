// SPDX-License-Identifier: GPL-2.0

//! The WANs: what was configured, what state they are in, what they carry.
//!
//! The packet path reads [`Wan`], which is made of atomics; everything else is in [`Settings`], behind
//! a mutex that the packet path never takes.
//!
//! Lock order: `Wans::ranks` is a leaf.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::Config,
    mwb_pick::{
        self,
        Candidate,
        Expectation,
        Expected,
        Load,
        Mode,
        Outlook,
        Standing, //
    },
    mwb_ranking::{
        Fit,
        Ranking, //
    },
    mwb_rate::{
        Capacity,
        Countable,
        Meter,
        Sample, //
        Stack,
    },
    rust::{
        netdev::{
            self,
            Device,
            Held,
            Traffic, //
        },
        netns::{
            Net,
            Owner, //
        },
        rcu::Shared,
        time, //
    },
    uapi, //
};
use core::{
    net::{
        IpAddr,
        Ipv4Addr, //
    },
    sync::atomic::{
        AtomicBool,
        AtomicU32,
        AtomicU64,
        Ordering::Relaxed, //
    }, //
};
use kernel::{
    prelude::*,
    str::CString,
    sync::{
        Arc,
        Mutex, //
    }, //
};

/// What a weight of one stands for.
const WEIGHT_BPS: u64 = 1_000_000;

/// One direction of a WAN, as the packet path sees it.
struct Direction {
    rate_bps: AtomicU64,
    /// The same without what it was taken to carry when it joined.
    measured_bps: AtomicU64,
    /// What it is taken to carry at least.
    least_bps: AtomicU64,
    credit_bps: AtomicU64,
    capacity_bps: AtomicU64,
}

impl Direction {
    fn new() -> Self {
        Self {
            rate_bps: AtomicU64::new(0),
            measured_bps: AtomicU64::new(0),
            least_bps: AtomicU64::new(0),
            credit_bps: AtomicU64::new(0),
            capacity_bps: AtomicU64::new(0),
        }
    }

    /// As the choice sees it.
    fn presumed(&self) -> Load {
        let load = self.load();
        Load {
            rate_bps: load.rate_bps.max(self.least_bps.load(Relaxed)),
            ..load
        }
    }

    /// As people see it.
    fn measured(&self) -> Load {
        Load {
            rate_bps: self.measured_bps.load(Relaxed),
            ..self.load()
        }
    }

    fn load(&self) -> Load {
        Load {
            rate_bps: self.rate_bps.load(Relaxed),
            credit_bps: self.credit_bps.load(Relaxed),
            capacity_bps: self.capacity_bps.load(Relaxed),
        }
    }

    fn store(&self, load: Load) {
        self.rate_bps.store(load.rate_bps, Relaxed);
        self.credit_bps.store(load.credit_bps, Relaxed);
        self.capacity_bps.store(load.capacity_bps, Relaxed);
    }

    fn set_capacity(&self, bps: u64) {
        self.capacity_bps.store(bps, Relaxed);
    }

    /// Takes connections from now on, as do others that carry `all`; it may carry more already.
    fn join(&self, all: Load) {
        let now = self.load();
        let fresh = Load::fresh(now.capacity_bps, all);
        self.store(Load {
            rate_bps: now.rate_bps.max(fresh.rate_bps),
            credit_bps: now.credit_bps.max(fresh.credit_bps),
            ..now
        });
    }

    /// Carries nothing.
    fn rest(&self) {
        self.rate_bps.store(0, Relaxed);
        self.measured_bps.store(0, Relaxed);
        self.credit_bps.store(0, Relaxed);
    }

    /// Carries at least as much as `all` do, in proportion.
    fn presume(&self, all: Load) {
        let least = Load::fresh(self.load().capacity_bps, all);
        self.least_bps.store(least.rate_bps, Relaxed);
    }

    fn place(&self, expected: Expected) {
        if expected.credit_bps != 0 {
            self.credit_bps.fetch_add(expected.credit_bps, Relaxed);
        }
    }

    /// Takes a sample in, and returns the bytes.
    fn sample(
        &self,
        settings: &mwb_pick::Settings,
        capacity: &mut Capacity,
        sample: Option<Sample>,
    ) -> u64 {
        let Some(sample) = sample else {
            return 0;
        };
        let load = self.load();
        let next = load.sampled(settings, sample);
        self.rate_bps.store(next.rate_bps, Relaxed);
        let measured = self.measured().sampled(settings, sample);
        self.measured_bps.store(measured.rate_bps, Relaxed);
        // Subtracted, not stored: connections are placed meanwhile.
        let faded = load.credit_bps.saturating_sub(next.credit_bps);
        let fade = |credit_bps: u64| Some(credit_bps.saturating_sub(faded));
        let _ = self.credit_bps.fetch_update(Relaxed, Relaxed, fade);
        capacity.learn(sample);
        self.set_capacity(capacity.bps());
        sample.bytes
    }
}

/// What connections are expected to bring in one direction, as the packet path sees it.
struct Prospect {
    own_bps: AtomicU64,
    credit_bps: AtomicU64,
}

impl Prospect {
    fn new() -> Self {
        Self {
            own_bps: AtomicU64::new(0),
            credit_bps: AtomicU64::new(0),
        }
    }

    fn load(&self) -> Expected {
        Expected {
            own_bps: self.own_bps.load(Relaxed),
            credit_bps: self.credit_bps.load(Relaxed),
        }
    }

    fn store(&self, expected: Expected) {
        self.own_bps.store(expected.own_bps, Relaxed);
        self.credit_bps.store(expected.credit_bps, Relaxed);
    }
}

/// A WAN as the packet path sees it.
pub(crate) struct Wan {
    /// Index of its device; 0 while the WAN or the device does not exist.
    ifindex: AtomicU32,
    /// Its routes are in place.
    is_routed: AtomicBool,
    /// It takes new connections.
    is_open: AtomicBool,
    tier: AtomicU32,
    /// What it sends goes out once more, by another WAN.
    is_tunnel: AtomicBool,
    up: Direction,
    down: Direction,
    /// 0 if it is not given.
    weight: AtomicU32,
    /// When it is next, in weighted mode.
    turn: AtomicU64,
    /// Connections for which it was picked; of all that it got, others went the way of their pair or came in.
    picked: AtomicU64,
    connections: AtomicU64,
}

impl Wan {
    fn candidate(&self, id: u8) -> Candidate {
        Candidate {
            id,
            tier: self.tier.load(Relaxed),
            up: self.up.presumed(),
            down: self.down.presumed(),
            turn: self.turn.load(Relaxed),
        }
    }
}

/// A WAN as it was configured, with what only process context needs.
pub(crate) struct Setting {
    /// 0 for the lowest free one, when it is added.
    pub(crate) id: u8,
    pub(crate) name: CString,
    pub(crate) dev: CString,
    /// None to learn it.
    pub(crate) gateway: Option<IpAddr>,
    /// In bits per second; 0 when unknown.
    pub(crate) up_capacity_bps: u64,
    pub(crate) down_capacity_bps: u64,
    pub(crate) tier: u32,
    /// 0 if it is not given.
    pub(crate) weight: u32,
    /// `uapi::WAN_ADMIN_*`
    pub(crate) admin: u32,
    /// `uapi::WAN_HEALTH_*`
    pub(crate) health: u32,
    pub(crate) status: Status,
    pub(crate) changed_ns: u64,
    /// 0 while the device does not exist.
    pub(crate) ifindex: u32,
    /// At the last sample.
    traffic: Option<Traffic>,
    pub(crate) countable: Countable,
    /// Up, down.
    meters: [Meter; 2],
    pub(crate) capacities: [Capacity; 2],
    /// At the last sample.
    picked: u64,
    /// Its upload went above the threshold, and has not been back.
    pub(crate) is_overloaded: bool,
}

impl Setting {
    /// With the defaults for what need not be given.
    pub(crate) fn new(name: CString, dev: CString) -> Self {
        Self {
            id: 0,
            name,
            dev,
            gateway: None,
            up_capacity_bps: 0,
            down_capacity_bps: 0,
            tier: 1,
            weight: 0,
            admin: uapi::WAN_ADMIN_ENABLED,
            health: uapi::WAN_HEALTH_ALIVE,
            status: Status::DOWN,
            changed_ns: time::real_ns(),
            ifindex: 0,
            traffic: None,
            countable: Countable::default(),
            meters: [Meter::default(); 2],
            capacities: [Capacity::new(0); 2],
            picked: 0,
            is_overloaded: false,
        }
    }

    /// What can be asked of a WAN, but for its device.
    pub(crate) fn asked(&self) -> impl PartialEq {
        (
            self.gateway,
            [self.up_capacity_bps, self.down_capacity_bps],
            [self.tier, self.weight, self.admin, self.health],
        )
    }

    /// The device, if it exists.
    pub(crate) fn device(&self, net: &Net) -> Option<Held> {
        Held::by_name(net, &self.dev)
    }

    fn stack(&self) -> Stack {
        self.traffic.map_or(Stack::default(), |traffic| Stack {
            dev: traffic.dev,
            below: traffic.below,
            line: traffic.line,
            is_mixed: traffic.is_mixed,
            is_bypassed: traffic.is_bypassed,
        })
    }

    /// The device that counts what this WAN carries, and its counters.
    fn counters(&self) -> Option<(u32, [u64; 2])> {
        let traffic = self.traffic?;
        Some(if self.countable.by_line {
            (traffic.line, traffic.line_bytes)
        } else {
            (traffic.dev, traffic.bytes)
        })
    }
}

/// What state a WAN is in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status {
    /// `uapi::WAN_STATE_*`
    pub(crate) state: u32,
    /// `uapi::WAN_REASON_*`
    pub(crate) reason: u32,
    /// The gateway that is used, or would be.
    pub(crate) gateway: Option<IpAddr>,
}

impl Status {
    pub(crate) const DOWN: Self = Self {
        state: uapi::WAN_STATE_DOWN,
        reason: uapi::WAN_REASON_REQUEST,
        gateway: None,
    };

    /// It has its rule and its routes.
    pub(crate) fn is_routed(self) -> bool {
        self.state >= uapi::WAN_STATE_DEAD
    }

    /// It keeps the connections that it has.
    pub(crate) fn is_alive(self) -> bool {
        self.state >= uapi::WAN_STATE_DRAIN
    }

    /// It keeps no connections any more, or has lost its routes.
    pub(crate) fn is_less_than(self, old: Self) -> bool {
        old.is_alive() && !self.is_alive() || old.is_routed() && !self.is_routed()
    }

    /// It takes new connections.
    pub(crate) fn is_up(self) -> bool {
        self.state == uapi::WAN_STATE_UP
    }
}

/// All that is configured, in the order of the ids.
pub(crate) struct Settings {
    pub(crate) wans: KVec<Setting>,
    /// Counts the changes.
    pub(crate) generation: u32,
    sampled_ns: u64,
    expect_up: Expectation,
    expect_down: Expectation,
}

impl Settings {
    /// The names of those WANs of which `is_it` says so.
    pub(crate) fn names(
        &self,
        is_it: impl Fn(u8) -> bool + Clone,
    ) -> impl Iterator<Item = &CStr> + Clone {
        let wans = self.wans.iter().filter(move |w| is_it(w.id));
        wans.map(|w| &*w.name)
    }

    pub(crate) fn position(&self, name: &CStr) -> Option<usize> {
        self.wans.iter().position(|w| &*w.name == name)
    }

    /// Whether a WAN, other than the one that is `but`, has this device.
    pub(crate) fn has_dev(&self, dev: &CStr, but: Option<&CStr>) -> bool {
        let mut others = self.wans.iter().filter(|w| Some(&*w.name) != but);
        others.any(|w| &*w.dev == dev)
    }

    /// Reads all counters.
    fn read(&mut self, net: &Net) {
        for wan in self.wans.iter_mut() {
            wan.traffic = Traffic::of(net, &wan.dev);
        }
        for at in 0..self.wans.len() {
            let others = self.wans.iter().enumerate().filter(|(i, _)| *i != at);
            let others = others.map(|(_, other)| other.stack());
            let countable = self.wans.get(at).map(|wan| wan.stack().countable(others));
            if let Some(wan) = self.wans.get_mut(at) {
                wan.countable = countable.unwrap_or_default();
            }
        }
    }

    /// The lowest free id.
    fn free_id(&self) -> Option<u8> {
        let mut taken = self.wans.iter().map(|w| w.id).peekable();
        (1..=u8::MAX).find(|id| taken.next_if_eq(id).is_none())
    }
}

/// The device of a WAN.
#[derive(Clone, Copy, Default)]
pub(crate) struct Link {
    /// 0 while it does not exist.
    pub(crate) ifindex: u32,
    /// What it sends goes out once more, by another WAN.
    pub(crate) is_tunnel: bool,
    /// Its routes are in place.
    pub(crate) is_routed: bool,
    /// It takes new connections.
    pub(crate) is_open: bool,
}

/// What a reader of a WAN sees beside its [`Setting`].
pub(crate) struct Reading {
    pub(crate) up: Load,
    pub(crate) down: Load,
    pub(crate) connections: u64,
}

/// The WANs of an instance.
#[pin_data]
pub(crate) struct Wans {
    net: Owner,
    config: Arc<Shared<Config>>,
    wans: KVec<Wan>,
    ranking: Ranking,
    /// Number of WANs that the packet path has to look at: the highest id in use.
    in_use: AtomicU32,
    /// Id of the WAN whose default route in main comes before all others, when it is up.
    first: AtomicU32,
    /// As [`Outlook`] has them.
    is_upload: AtomicBool,
    is_idle: AtomicBool,
    expect_up: Prospect,
    expect_down: Prospect,
    /// The turn of the last connection, in weighted mode.
    clock: AtomicU64,
    #[pin]
    settings: Mutex<Settings>,
    /// Whoever works out where WANs stand.
    #[pin]
    ranks: Mutex<()>,
}

impl Wans {
    pub(crate) fn new(net: Owner, config: Arc<Shared<Config>>) -> Result<Arc<Self>> {
        let mut wans = KVec::with_capacity(uapi::WAN_MAX as usize, GFP_KERNEL_ACCOUNT)?;
        let ranking = Ranking::new()?;
        for _ in 0..uapi::WAN_MAX {
            wans.push(
                Wan {
                    ifindex: AtomicU32::new(0),
                    is_routed: AtomicBool::new(false),
                    is_open: AtomicBool::new(false),
                    tier: AtomicU32::new(1),
                    is_tunnel: AtomicBool::new(false),
                    up: Direction::new(),
                    down: Direction::new(),
                    weight: AtomicU32::new(0),
                    turn: AtomicU64::new(0),
                    picked: AtomicU64::new(0),
                    connections: AtomicU64::new(0),
                },
                GFP_KERNEL_ACCOUNT,
            )?;
        }
        Arc::pin_init(
            pin_init!(Self {
                net,
                config,
                wans,
                ranking,
                in_use: AtomicU32::new(0),
                first: AtomicU32::new(0),
                is_upload: AtomicBool::new(false),
                is_idle: AtomicBool::new(false),
                expect_up: Prospect::new(),
                expect_down: Prospect::new(),
                clock: AtomicU64::new(0),
                settings <- kernel::new_mutex!(Settings {
                    wans: KVec::new(),
                    // Of no use to a dump that began with the instance's WANs before.
                    generation: time::random_u32(),
                    sampled_ns: time::monotonic_ns(),
                    expect_up: Expectation::UP,
                    expect_down: Expectation::DOWN,
                }),
                ranks <- kernel::new_mutex!(()),
            }),
            GFP_KERNEL,
        )
    }

    pub(crate) fn settings(
        &self,
    ) -> kernel::sync::lock::Guard<'_, Settings, kernel::sync::lock::mutex::MutexBackend> {
        self.settings.lock()
    }

    fn wan(&self, id: u8) -> Option<&Wan> {
        self.wans.get(usize::from(id).checked_sub(1)?)
    }

    fn in_use(&self) -> impl Iterator<Item = (u8, &Wan)> + Clone {
        (1..=u8::MAX)
            .zip(self.wans.iter())
            .take(self.in_use.load(Relaxed) as usize)
    }

    // The packet path.

    /// The WAN that has this device.
    pub(crate) fn by_ifindex(&self, ifindex: u32) -> Option<u8> {
        let mut wans = self.in_use();
        wans.find(|(_, w)| w.ifindex.load(Relaxed) == ifindex)
            .map(|(id, _)| id)
    }

    /// Whether packets with the mark of this WAN have a route.
    #[inline]
    pub(crate) fn is_routed(&self, id: u8) -> bool {
        self.wan(id).is_some_and(|w| w.is_routed.load(Relaxed))
    }

    /// Whether the WAN has this device.
    pub(crate) fn is_at(&self, id: u8, ifindex: u32) -> bool {
        self.wan(id)
            .is_some_and(|w| w.ifindex.load(Relaxed) == ifindex)
    }

    /// Whether the WAN's device has this address.
    pub(crate) fn has_addr(&self, net: &Net, id: u8, addr: Ipv4Addr) -> bool {
        self.wan(id)
            .is_some_and(|w| netdev::has_addr(net, w.ifindex.load(Relaxed), addr))
    }

    /// Whether a connection may be given to this WAN. The carrier is asked for here and now: the event that
    /// takes it away may come late.
    pub(crate) fn is_usable(&self, net: &Net, id: u8) -> bool {
        self.wan(id).is_some_and(|w| {
            w.is_open.load(Relaxed) && netdev::is_running(net, w.ifindex.load(Relaxed))
        })
    }

    /// The WAN whose default route in main comes before all others when it is up, as mostly it is.
    pub(crate) fn first(&self) -> u8 {
        self.first.load(Relaxed) as u8
    }

    /// The tier of a WAN, 0 if there is none.
    pub(crate) fn tier(&self, id: u8) -> u32 {
        self.wan(id).map_or(0, |w| w.tier.load(Relaxed))
    }

    /// A WAN of the lowest tier of those that are usable and `is_fit`.
    pub(crate) fn of_best_tier(&self, net: &Net, is_fit: impl Fn(u8) -> bool) -> Option<u8> {
        self.in_use()
            .filter(|(id, _)| is_fit(*id) && self.is_usable(net, *id))
            .min_by_key(|(_, w)| w.tier.load(Relaxed))
            .map(|(id, _)| id)
    }

    pub(crate) fn is_tunnel(&self, id: u8) -> bool {
        self.wan(id).is_some_and(|w| w.is_tunnel.load(Relaxed))
    }

    /// What the next choice reckons with, beside the loads of the WANs.
    pub(crate) fn outlook(&self) -> Outlook {
        Outlook {
            is_upload: self.is_upload.load(Relaxed),
            is_idle: self.is_idle.load(Relaxed),
            up: self.expect_up.load(),
            down: self.expect_down.load(),
        }
    }

    /// All WANs there may be, as the choice sees them, whether they can take connections or not.
    pub(crate) fn candidates(&self) -> impl Iterator<Item = Candidate> + Clone + '_ {
        self.in_use().map(|(id, w)| w.candidate(id))
    }

    /// The same of one.
    pub(crate) fn candidate(&self, id: u8) -> Option<Candidate> {
        self.wan(id).map(|w| w.candidate(id))
    }

    /// The WAN that a new connection would get, of those that are usable and `fit` for it.
    pub(crate) fn best(
        &self,
        net: &Net,
        settings: &mwb_pick::Settings,
        fit: Fit<'_>,
    ) -> Option<u8> {
        let is_fit = |id| fit.is_none_or(|is_fit| is_fit(id));
        let best = |is_takeable: &dyn Fn(u8) -> bool| {
            let candidates = self
                .candidates()
                .filter(|c| is_fit(c.id) && is_takeable(c.id));
            let clock = self.clock.load(Relaxed);
            mwb_pick::pick(
                settings,
                &self.outlook(),
                clock,
                candidates,
                time::random_u32(),
            )
        };
        let first = if settings.mode == Mode::Rate {
            let in_use = self.in_use.load(Relaxed) as usize;
            self.ranking.lowest(in_use, fit, time::random_u32)
        } else {
            best(&|id| self.wan(id).is_some_and(|w| w.is_open.load(Relaxed)))
        };
        // To ask every device takes longer than all the rest, and hardly ever makes a difference.
        first
            .filter(|id| self.is_usable(net, *id))
            .or_else(|| best(&|id| self.is_usable(net, id)))
    }

    /// Works out where a WAN stands.
    fn standing(&self, id: u8, wan: &Wan) -> Standing {
        if wan.is_open.load(Relaxed) {
            Standing::of(&wan.candidate(id), &self.outlook())
        } else {
            Standing::CLOSED
        }
    }

    /// Something has changed that it depends on where WANs stand.
    fn stand(&self) {
        let _ranks = self.ranks.lock();
        self.ranking.set(self.in_use().map(|(id, wan)| {
            let speed = mwb_pick::speed(wan.down.load().capacity_bps);
            (self.standing(id, wan), speed)
        }));
    }

    /// The WAN that a new connection gets: [`Self::best`], of which the next choice will know.
    pub(crate) fn pick(
        &self,
        net: &Net,
        settings: &mwb_pick::Settings,
        fit: Fit<'_>,
    ) -> Option<u8> {
        let id = self.best(net, settings, fit)?;
        let outlook = self.outlook();
        let wan = self.wan(id)?;
        wan.picked.fetch_add(1, Relaxed);
        wan.up.place(outlook.up);
        wan.down.place(outlook.down);
        match settings.mode {
            Mode::Rate => self.ranking.raise(id, self.standing(id, wan)),
            Mode::TwoChoices => {}
            Mode::Weighted => {
                let turn = wan.turn.load(Relaxed);
                let weight_bps = match wan.weight.load(Relaxed) {
                    0 => wan.down.load().capacity_bps,
                    weight => u64::from(weight).saturating_mul(WEIGHT_BPS),
                };
                let clock = self.clock.load(Relaxed);
                let (clock, turn) = mwb_pick::next_turn(turn, clock, weight_bps);
                self.clock.store(clock, Relaxed);
                wan.turn.store(turn, Relaxed);
            }
        }
        Some(id)
    }

    /// Counts a connection that was given to a WAN.
    pub(crate) fn place(&self, id: u8) {
        if let Some(wan) = self.wan(id) {
            wan.connections.fetch_add(1, Relaxed);
        }
    }

    // Configuration.

    /// The WAN that is configured for a device of this name.
    pub(crate) fn by_device(&self, dev: &Device) -> Option<u8> {
        let settings = self.settings.lock();
        let wan = settings.wans.iter().find(|w| dev.has_name(&w.dev));
        wan.map(|w| w.id)
    }

    /// Adds a WAN, which is down until its routes are in place. ENOSPC for an id above `max_id`, EALREADY for
    /// one that is taken.
    pub(crate) fn insert(
        &self,
        settings: &mut Settings,
        mut new: Setting,
        max_id: u32,
        tell: impl FnOnce(&Setting),
    ) -> Result {
        if new.id == 0 {
            new.id = settings.free_id().ok_or(ENOSPC)?;
        }
        if u32::from(new.id) > max_id {
            return Err(ENOSPC);
        }
        let at = settings.wans.iter().position(|w| w.id >= new.id);
        let at = at.unwrap_or(settings.wans.len());
        if settings.wans.get(at).is_some_and(|w| w.id == new.id) {
            return Err(EALREADY);
        }
        let wan = self.wan(new.id).ok_or(ENOSPC)?;
        settings.wans.reserve(1, GFP_KERNEL)?;
        wan.connections.store(0, Relaxed);
        new.picked = wan.picked.load(Relaxed);
        new.capacities = [new.up_capacity_bps, new.down_capacity_bps].map(Capacity::new);
        for (direction, capacity) in [&wan.up, &wan.down].into_iter().zip(&new.capacities) {
            direction.least_bps.store(0, Relaxed);
            direction.rest();
            direction.store(Load {
                capacity_bps: capacity.bps(),
                ..Load::default()
            });
        }
        wan.tier.store(new.tier, Relaxed);
        wan.weight.store(new.weight, Relaxed);
        tell(&new);
        settings
            .wans
            .insert_within_capacity(at, new)
            .map_err(|_| EINVAL)?;
        self.publish(settings);
        Ok(())
    }

    /// Changes the setting at this position.
    pub(crate) fn change(
        &self,
        settings: &mut Settings,
        at: usize,
        change: impl FnOnce(&mut Setting),
    ) -> Result {
        let setting = settings.wans.get_mut(at).ok_or(ENOENT)?;
        change(setting);
        let wan = self.wan(setting.id).ok_or(ENOENT)?;
        let [up, down] = &mut setting.capacities;
        up.give(setting.up_capacity_bps);
        down.give(setting.down_capacity_bps);
        wan.up.set_capacity(up.bps());
        wan.down.set_capacity(down.bps());
        wan.tier.store(setting.tier, Relaxed);
        wan.weight.store(setting.weight, Relaxed);
        self.publish(settings);
        Ok(())
    }

    /// Removes the WAN at this position, and returns it.
    pub(crate) fn remove(&self, settings: &mut Settings, at: usize) -> Result<Setting> {
        let old = settings.wans.remove(at).map_err(|_| ENOENT)?;
        self.set_link(old.id, Link::default());
        self.publish(settings);
        Ok(old)
    }

    fn publish(&self, settings: &mut Settings) {
        let highest = settings.wans.last().map_or(0, |w| u32::from(w.id));
        self.in_use.store(highest, Relaxed);
        let first = settings.wans.iter().min_by_key(|w| (w.tier, w.id));
        self.first.store(first.map_or(0, |w| w.id.into()), Relaxed);
        settings.generation = settings.generation.wrapping_add(1);
        self.reckon(settings);
    }

    /// Tells the packet path of a WAN's device, and whether its routes are in place.
    pub(crate) fn set_link(&self, id: u8, link: Link) {
        if let Some(wan) = self.wan(id) {
            if link.is_open && !wan.is_open.load(Relaxed) {
                wan.up.join(self.all(|w| &w.up));
                wan.down.join(self.all(|w| &w.down));
                wan.turn.store(self.clock.load(Relaxed), Relaxed);
            }
            wan.ifindex.store(link.ifindex, Relaxed);
            wan.is_tunnel.store(link.is_tunnel, Relaxed);
            wan.is_routed.store(link.is_routed, Relaxed);
            wan.is_open.store(link.is_open, Relaxed);
        }
    }

    /// Nothing more is placed on a WAN.
    pub(crate) fn close(&self, id: u8) {
        if let Some(wan) = self.wan(id) {
            wan.is_open.store(false, Relaxed);
        }
        self.stand();
    }

    /// Nothing more is placed anywhere.
    pub(crate) fn take_down(&self) {
        for (_, wan) in self.in_use() {
            wan.is_open.store(false, Relaxed);
            wan.is_routed.store(false, Relaxed);
        }
        self.stand();
    }

    pub(crate) fn read(&self, id: u8) -> Option<Reading> {
        let wan = self.wan(id)?;
        Some(Reading {
            up: wan.up.measured(),
            down: wan.down.measured(),
            connections: wan.connections.load(Relaxed),
        })
    }

    // Rates.

    /// One direction of all WANs that take connections.
    fn all(&self, direction: fn(&Wan) -> &Direction) -> Load {
        open(self.in_use().map(|(_, w)| w), direction)
    }

    /// Other WANs are open than before, so other things are to be expected.
    pub(crate) fn reckon(&self, settings: &Settings) {
        self.set_expected(&self.choice(), settings);
        self.stand();
    }

    fn choice(&self) -> mwb_pick::Settings {
        self.config.with(|config| config.choice)
    }

    fn set_expected(&self, choice: &mwb_pick::Settings, settings: &Settings) {
        let n = self.in_use().filter(|(_, w)| w.is_open.load(Relaxed));
        let n = n.count() as u64;
        if n == 0 {
            return;
        }
        let (up, down) = (self.all(|w| &w.up), self.all(|w| &w.down));
        let (up, down) = (up.divided(n), down.divided(n));
        self.expect_up
            .store(settings.expect_up.expected(choice, up));
        self.expect_down
            .store(settings.expect_down.expected(choice, down));
    }

    /// A WAN of which part is not counted is taken to be as busy as those together of which all is, or it would
    /// look idle and draw every connection. What it is said to carry stays what was counted, and that is what
    /// the threshold of the upload and a capacity that is learned go by.
    fn presume(&self, settings: &Settings) {
        let of = |is_partial: bool| {
            let wans = settings.wans.iter();
            wans.filter(move |w| w.countable.is_partial == is_partial)
                .filter_map(|w| self.wan(w.id))
        };
        let (up, down) = (open(of(false), |w| &w.up), open(of(false), |w| &w.down));
        for wan in of(false) {
            wan.up.least_bps.store(0, Relaxed);
            wan.down.least_bps.store(0, Relaxed);
        }
        for wan in of(true) {
            wan.up.presume(up);
            wan.down.presume(down);
        }
    }

    /// The upload of a WAN as the threshold sees it, if it does.
    fn upload(&self, setting: &Setting) -> Option<Load> {
        let capacity_bps = setting.up_capacity_bps;
        let wan = self.wan(setting.id)?;
        let is_seen = capacity_bps != 0 && wan.is_open.load(Relaxed);
        is_seen.then(|| Load {
            capacity_bps,
            ..wan.up.measured()
        })
    }

    /// Takes a sample, and calls `tell` with each WAN whose upload went above the threshold by it, or is no longer.
    /// Returns the time until the next one.
    pub(crate) fn sample(&self, tell: impl Fn(&Net, &Setting, u64)) -> u32 {
        let choice = &self.choice();
        let now_ns = time::monotonic_ns();
        let mut guard = self.settings.lock();
        let settings = &mut *guard;
        let elapsed_ns = now_ns.saturating_sub(settings.sampled_ns);
        settings.sampled_ns = now_ns;
        settings.read(&self.net);
        // What connections bring is learned from WANs that are counted in full, if there are such.
        let is_any_full = settings.wans.iter().any(|w| {
            !w.countable.is_partial && self.wan(w.id).is_some_and(|w| w.is_open.load(Relaxed))
        });
        let (mut up_bytes, mut down_bytes, mut picked) = (0u64, 0u64, 0u64);
        for setting in settings.wans.iter_mut() {
            let Some(wan) = self.wan(setting.id) else {
                continue;
            };
            let before = core::mem::replace(&mut setting.picked, wan.picked.load(Relaxed));
            let (turn, clock) = (wan.turn.load(Relaxed), self.clock.load(Relaxed));
            let current = mwb_pick::current_turn(turn, clock);
            // Whoever has chosen it meanwhile has set it.
            let _ = wan.turn.compare_exchange(turn, current, Relaxed, Relaxed);
            let Some((dev, [tx, rx])) = setting.counters() else {
                wan.up.rest();
                wan.down.rest();
                continue;
            };
            let [up, down] = &mut setting.meters;
            let (tx, rx) = (up.sample(dev, tx, now_ns), down.sample(dev, rx, now_ns));
            let is_lesson =
                !(is_any_full && setting.countable.is_partial) && tx.is_some() && rx.is_some();
            let [up, down] = &mut setting.capacities;
            let tx = wan.up.sample(choice, up, tx);
            let rx = wan.down.sample(choice, down, rx);
            if is_lesson {
                picked = picked.saturating_add(setting.picked.wrapping_sub(before));
                up_bytes = up_bytes.saturating_add(tx);
                down_bytes = down_bytes.saturating_add(rx);
            }
        }
        self.presume(settings);
        settings.expect_up.learn(up_bytes, picked, elapsed_ns);
        settings.expect_down.learn(down_bytes, picked, elapsed_ns);
        self.set_expected(choice, settings);
        let up = settings.wans.iter().filter_map(|w| self.upload(w));
        let was = self.is_upload.load(Relaxed);
        self.is_upload
            .store(mwb_pick::is_overloaded(choice, was, up), Relaxed);
        let open = self.in_use().filter(|(_, w)| w.is_open.load(Relaxed));
        let loads = open.flat_map(|(_, w)| [w.up.presumed(), w.down.presumed()]);
        self.is_idle.store(mwb_pick::is_idle(loads), Relaxed);
        self.stand();
        for setting in settings.wans.iter_mut() {
            let up = self.upload(setting);
            let is_overloaded = mwb_pick::is_overloaded(choice, setting.is_overloaded, up);
            if is_overloaded != setting.is_overloaded {
                setting.is_overloaded = is_overloaded;
                let reading = self.read(setting.id);
                tell(&self.net, setting, reading.map_or(0, |r| r.up.rate_bps));
            }
        }
        choice.interval_ms
    }
}

/// One direction of those of these that take connections, together.
fn open<'a>(wans: impl Iterator<Item = &'a Wan>, direction: fn(&Wan) -> &Direction) -> Load {
    wans.filter(|w| w.is_open.load(Relaxed))
        .map(|w| direction(w).load())
        .fold(Load::default(), Load::plus)
}

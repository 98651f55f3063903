// SPDX-License-Identifier: GPL-2.0

//! The choice of a WAN for a new connection.
//!
//! Pure and integer only: the module and the host tests compile this same file. State comes in by value and
//! goes out by value; whoever calls keeps it, in atomics where the packet path needs it.
//!
//! While no WAN's measured upload is above the threshold, the WAN with the least download use gets the
//! connection; once one is above, the WAN with the least upload use, until all are back at the exit
//! threshold. Two things are added, without which that is worse than chance (`docs/choice.md`):
//!
//! - Use is what it would be *with* the connection, or one would fill a small WAN.
//! - It includes a credit, what the connections that were placed lately are about to bring, or between two
//!   samples every connection would go to the same WAN.

#![forbid(unsafe_code)]

use crate::mwb_rate::{
    average,
    keep,
    part,
    scaled,
    Sample,
    ONE, //
};
use core::cmp::Ordering;

/// How a WAN is chosen, of those in the lowest tier that has any.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mode {
    /// The one that is used least: by download, or by upload while that is short anywhere.
    Rate,
    /// The better of two random ones, by the direction that is used more.
    TwoChoices,
    /// In turn, in proportion to the weights, whatever they carry.
    Weighted,
}

/// What can be set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    /// Time between two samples.
    pub(crate) interval_ms: u32,
    /// Time constant of the measured rates; credits fade three times as fast.
    pub(crate) average_ms: u32,
    /// Measured upload use, in per cent of capacity, above which upload decides.
    pub(crate) enter_percent: u32,
    /// Measured upload use that every WAN must be back at for download to decide again.
    pub(crate) exit_percent: u32,
    /// The most credit that one connection gives, in per cent of the mean capacity of the WANs; with 0, none.
    pub(crate) credit_cap_percent: u32,
}

impl Settings {
    pub(crate) const DEFAULT: Self = Self {
        mode: Mode::Rate,
        interval_ms: 200,
        average_ms: 600,
        enter_percent: 85,
        exit_percent: 80,
        credit_cap_percent: 50,
    };

    /// What of the measured rates is kept after a sample over `elapsed_ns`. An average that is shorter than
    /// the interval would be the last sample alone, and follow every accident of it.
    fn keep_rate(&self, elapsed_ns: u64) -> u64 {
        keep(elapsed_ns, self.average_ms.max(self.interval_ms))
    }

    /// What of the credits is kept: they fade while the measured rates take over.
    fn keep_credit(&self, elapsed_ns: u64) -> u64 {
        keep(elapsed_ns, self.average_ms / 3)
    }
}

// What is expected.

/// One direction of a WAN, as the packet path sees it. All in bits per second.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Moving average of what was measured.
    pub(crate) rate_bps: u64,
    /// Expected of the connections that were placed lately.
    pub(crate) credit_bps: u64,
    /// As [`crate::mwb_rate::Capacity`] says.
    pub(crate) capacity_bps: u64,
}

impl Load {
    /// Of a WAN that has just come up: as if it were used as much as `all` together. With nothing, it would
    /// draw every connection until the rates show them.
    pub(crate) fn fresh(capacity_bps: u64, all: Load) -> Self {
        Self {
            rate_bps: scaled(capacity_bps, all.rate_bps, all.capacity_bps),
            credit_bps: scaled(capacity_bps, all.credit_bps, all.capacity_bps),
            capacity_bps,
        }
    }

    /// What each of `n` such WANs has, that have this together.
    pub(crate) fn divided(self, n: u64) -> Self {
        let part = |bps: u64| bps.checked_div(n).unwrap_or(0);
        Self {
            rate_bps: part(self.rate_bps),
            credit_bps: part(self.credit_bps),
            capacity_bps: part(self.capacity_bps),
        }
    }

    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            rate_bps: self.rate_bps.saturating_add(other.rate_bps),
            credit_bps: self.credit_bps.saturating_add(other.credit_bps),
            capacity_bps: self.capacity_bps.saturating_add(other.capacity_bps),
        }
    }

    /// Takes a sample in.
    pub(crate) fn sampled(&self, settings: &Settings, sample: Sample) -> Self {
        Self {
            rate_bps: average(self.rate_bps, sample.bps(), settings.keep_rate(sample.ns)),
            credit_bps: part(self.credit_bps, settings.keep_credit(sample.ns)),
            capacity_bps: self.capacity_bps,
        }
    }

    /// The use that it would have with one more connection.
    fn with(&self, expected: Expected) -> Use {
        Use {
            bps: self
                .rate_bps
                .saturating_add(self.credit_bps)
                .saturating_add(expected.own_bps),
            capacity_bps: self.capacity_bps.max(1),
        }
    }

    /// The use that was measured.
    fn measured(&self) -> Use {
        Use {
            bps: self.rate_bps,
            capacity_bps: self.capacity_bps.max(1),
        }
    }
}

/// Part of a capacity. Where it is not divided out, comparisons are exact.
#[derive(Clone, Copy, Debug)]
struct Use {
    bps: u64,
    capacity_bps: u64,
}

impl Use {
    const NONE: Self = Self {
        bps: 0,
        capacity_bps: 1,
    };

    const HALF: Self = Self {
        bps: 1,
        capacity_bps: 2,
    };

    fn percent(percent: u32) -> Self {
        Self {
            bps: percent.into(),
            capacity_bps: 100,
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        let cross = |a: &Self, b: &Self| u128::from(a.bps).wrapping_mul(b.capacity_bps.into());
        cross(self, other).cmp(&cross(other, self))
    }

    fn max(self, other: Self) -> Self {
        if self.cmp(&other).is_lt() {
            other
        } else {
            self
        }
    }

    /// Divided out, in 2^-32, right to one part in 2^27; sixteen times over is as good as more.
    fn fixed(self) -> u64 {
        const BITS: u32 = 28;
        let shift = (u64::BITS - BITS).saturating_sub(self.capacity_bps.leading_zeros());
        let (bps, capacity_bps) = (self.bps >> shift, self.capacity_bps >> shift);
        let scaled = bps.min(u32::MAX.into()) << 32;
        scaled.checked_div(capacity_bps).unwrap_or(u64::MAX)
    }
}

/// What a new connection is expected to bring, in one direction.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    /// The rate that it adds while it is chosen for.
    pub(crate) own_bps: u64,
    /// The rate that it leaves as a credit.
    pub(crate) credit_bps: u64,
}

/// Learns what connections bring, in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    /// Bytes carried and connections placed lately, the latter in 2^-16.
    bytes: u64,
    connections: u64,
    /// Placed in the last sample: half of them count in the next one, for their bytes come late.
    fresh: u64,
}

impl Expectation {
    const MEMORY_MS: u32 = 20_000;
    /// Small: what comes first is soon believed.
    const FIRST_CONNECTIONS: u64 = 4;

    pub(crate) const UP: Self = Self::first_guess(4 << 10);
    pub(crate) const DOWN: Self = Self::first_guess(64 << 10);

    const fn first_guess(bytes: u64) -> Self {
        Self {
            bytes: bytes * Self::FIRST_CONNECTIONS,
            connections: ONE * Self::FIRST_CONNECTIONS,
            fresh: 0,
        }
    }

    /// Learns from a sample in which `bytes` were carried and `connections` placed, by all WANs of which
    /// there is one.
    pub(crate) fn learn(&mut self, bytes: u64, connections: u64, elapsed_ns: u64) {
        let keep = keep(elapsed_ns, Self::MEMORY_MS);
        self.bytes = part(self.bytes, keep).saturating_add(bytes);
        let halves = self.fresh.saturating_add(connections);
        self.connections =
            part(self.connections, keep).saturating_add(halves.saturating_mul(ONE / 2));
        self.fresh = connections;
    }

    /// Bytes of a mean connection.
    fn mean_bytes(&self) -> u64 {
        // When hardly any comes, each counts as much as all that is carried.
        let connections = self.connections.max(ONE / 16);
        let mean = match self.bytes.checked_mul(ONE) {
            Some(scaled) => scaled.checked_div(connections),
            None => self
                .bytes
                .checked_div(connections)
                .map(|n| n.saturating_mul(ONE)),
        };
        mean.unwrap_or(0)
    }

    /// What one connection brings to WANs that have this load on average.
    ///
    /// As a rate of its own: all its bytes in a twentieth of a second, but no more than an eighth of a WAN; none
    /// when all are full, or it would seem to fill small ones most, and they would wait until they are idle. As a
    /// credit: three tenths of its bytes, over the time in which credits fade. Most of the bytes are those of few
    /// large connections, which the rates show in time.
    pub(crate) fn expected(&self, settings: &Settings, mean: Load) -> Expected {
        const FULL: Use = Use {
            bps: 19,
            capacity_bps: 20,
        };
        let most_bps = if mean.measured().cmp(&FULL).is_lt() {
            mean.capacity_bps / 8
        } else {
            0
        };
        let bits = self.mean_bytes().saturating_mul(8);
        let cap = (mean.capacity_bps / 100).saturating_mul(settings.credit_cap_percent.into());
        let credit_bps = bits
            .saturating_mul(900)
            .checked_div(settings.average_ms.into());
        Expected {
            own_bps: bits.saturating_mul(20).min(most_bps),
            credit_bps: credit_bps.unwrap_or(0).min(cap),
        }
    }
}

// What is chosen.

/// A WAN that may take connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: u8,
    /// Only those with the lowest number among the candidates count.
    pub(crate) tier: u32,
    pub(crate) up: Load,
    pub(crate) down: Load,
    /// When it is next, see [`next_turn`].
    pub(crate) turn: u64,
}

impl Candidate {
    /// Its use with the connection, as it is compared, in hundredths of a per cent: upload, download.
    pub(crate) fn uses(&self, outlook: &Outlook) -> [u64; 2] {
        let uses = [self.up.with(outlook.up), self.down.with(outlook.down)];
        let share = |u: Use| u.bps.saturating_mul(10_000).checked_div(u.capacity_bps);
        uses.map(|u| share(u).unwrap_or(0))
    }
}

/// What all choices have in common until the next sample.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Outlook {
    /// Upload decides.
    pub(crate) is_upload: bool,
    /// No WAN carries anything worth mentioning, so that none is used least.
    pub(crate) is_idle: bool,
    pub(crate) up: Expected,
    pub(crate) down: Expected,
}

/// Whether upload decides, given whether it did before. `up` are the loads of all WANs that are up and whose
/// upload capacity was given, with that one: one that was seen is about as high as the highest load, and says
/// nothing.
pub(crate) fn is_overloaded(
    settings: &Settings,
    was: bool,
    up: impl IntoIterator<Item = Load>,
) -> bool {
    let percent = if was {
        settings.exit_percent
    } else {
        settings.enter_percent
    };
    up.into_iter()
        .any(|load| load.measured().cmp(&Use::percent(percent)).is_gt())
}

/// Whether none of these carries more than a sixteenth of its capacity in any direction.
pub(crate) fn is_idle(loads: impl IntoIterator<Item = Load>) -> bool {
    const LITTLE: Use = Use {
        bps: 1,
        capacity_bps: 16,
    };
    let mut loads = loads.into_iter();
    loads.all(|load| load.measured().cmp(&LITTLE).is_le())
}

/// Where a WAN stands in [`Mode::Rate`]: the one that is lowest gets the connection. It is worked out when something
/// changes, and not for every connection.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Standing(pub(crate) u64);

impl Standing {
    /// Of one that takes no connections.
    pub(crate) const CLOSED: Self = Self(u64::MAX);

    /// By tier; in a tier, by the use that it would have with one more connection.
    pub(crate) fn of(candidate: &Candidate, outlook: &Outlook) -> Self {
        const USE_BITS: u32 = 48;
        let used = if outlook.is_upload {
            candidate.up.with(outlook.up)
        } else {
            candidate.down.with(outlook.down)
        };
        // Of idle WANs, chance takes one, the faster ones more often, unless the connection would fill half of it.
        let least = if outlook.is_idle {
            Use::HALF
        } else {
            Use::NONE
        };
        let used = used.max(least).fixed().min((1 << USE_BITS) - 1);
        Self(u64::from(candidate.tier.min(0xfffe)) << USE_BITS | used)
    }
}

/// Which of these WANs gets the connection in [`Mode::Rate`], by where they stand and their [speeds](speed). Of equals,
/// each gets it with a probability in proportion to its speed.
#[inline]
pub(crate) fn lowest(
    wans: impl Iterator<Item = (Standing, u64)> + Clone,
    random: u32,
) -> Option<usize> {
    let (mut least, mut sum) = (Standing::CLOSED, 0u64);
    let (mut found, mut is_alone) = (0usize, true);
    for (at, (standing, speed)) in wans.clone().enumerate() {
        match standing.cmp(&least) {
            Ordering::Less => (least, sum, found, is_alone) = (standing, speed, at, true),
            Ordering::Equal => (sum, is_alone) = (sum.wrapping_add(speed), false),
            Ordering::Greater => {}
        }
    }
    if least == Standing::CLOSED {
        return None;
    }
    if is_alone {
        return Some(found);
    }
    let mut left = drawn(sum, random);
    for (at, (standing, speed)) in wans.clone().enumerate() {
        if standing == least {
            match left.checked_sub(speed) {
                None => return Some(at),
                Some(rest) => left = rest,
            }
        }
    }
    // They have changed meanwhile.
    let lowest = wans.enumerate().min_by_key(|(_, (standing, _))| *standing);
    lowest.map(|(at, _)| at)
}

/// Where chance falls on equals that lie side by side, each as long as it is fast, and `sum` together.
#[inline]
pub(crate) fn drawn(sum: u64, random: u32) -> u64 {
    (u128::from(sum).wrapping_mul(random.into()) >> 32) as u64
}

/// What counts of a speed: no more than so many that all together are still a number.
pub(crate) fn speed(bps: u64) -> u64 {
    bps.clamp(1, 1 << 55)
}

/// The WAN that gets the connection. `clock` is the turn of the last choice, in [`Mode::Weighted`].
pub(crate) fn pick(
    settings: &Settings,
    outlook: &Outlook,
    clock: u64,
    candidates: impl IntoIterator<Item = Candidate, IntoIter: Clone>,
    random: u32,
) -> Option<u8> {
    if settings.mode == Mode::Rate {
        let mut candidates = candidates.into_iter();
        let stand = |c: Candidate| (Standing::of(&c, outlook), speed(c.down.capacity_bps));
        let at = lowest(candidates.clone().map(stand), random)?;
        return candidates.nth(at).map(|c| c.id);
    }
    let is_of_two = settings.mode == Mode::TwoChoices;
    let mut best: Option<Runner> = None;
    let mut second: Option<Runner> = None;
    for c in candidates {
        let mut runner = Runner {
            id: c.id,
            tier: c.tier,
            used: c.up.with(outlook.up).max(c.down.with(outlook.down)),
            wait: if is_of_two {
                arrival(random, c.id, c.down.capacity_bps)
            } else {
                wait(c.turn, clock)
            },
            speed: c.down.capacity_bps,
            arrival: None,
        };
        let Some(b) = &mut best else {
            best = Some(runner);
            continue;
        };
        if b.tier < runner.tier {
            continue;
        }
        if b.tier > runner.tier || runner.is_before(b, random) {
            second = (b.tier == runner.tier).then_some(*b);
            *b = runner;
        } else if is_of_two && second.as_mut().is_none_or(|s| runner.is_before(s, random)) {
            second = Some(runner);
        }
    }
    let best = best?;
    let other = second.filter(|s| is_of_two && s.used.cmp(&best.used).is_lt());
    Some(other.map_or(best.id, |s| s.id))
}

/// What counts of a candidate, but for [`Mode::Rate`].
#[derive(Clone, Copy)]
struct Runner {
    id: u8,
    tier: u32,
    used: Use,
    /// Until its turn, or its arrival.
    wait: u64,
    speed: u64,
    /// Once it is known.
    arrival: Option<u64>,
}

impl Runner {
    fn arrival(&mut self, random: u32) -> u64 {
        let Self { id, speed, .. } = *self;
        *self
            .arrival
            .get_or_insert_with(|| arrival(random, id, speed))
    }

    /// Whether it goes before another one of its tier. Equals run a race.
    fn is_before(&mut self, other: &mut Self, random: u32) -> bool {
        self.wait
            .cmp(&other.wait)
            .then_with(|| self.arrival(random).cmp(&other.arrival(random)))
            .then(self.id.cmp(&other.id))
            .is_lt()
    }
}

/// How long after `clock` a turn is; turns that have passed are now, so that a WAN that comes back does not
/// make up for its absence.
fn wait(turn: u64, clock: u64) -> u64 {
    let wait = turn.wrapping_sub(clock);
    if wait < 1 << 63 {
        wait
    } else {
        0
    }
}

/// The same turn, no longer ago than `clock`. Half round the numbers after it, it would be taken for one to come.
pub(crate) fn current_turn(turn: u64, clock: u64) -> u64 {
    clock.wrapping_add(wait(turn, clock))
}

/// In [`Mode::Weighted`]: (the clock, the next turn of the WAN) once a WAN of this weight has been chosen.
/// Fair queueing by start times: two CPUs that choose at once may give the same turn twice, which is one
/// connection off and mends itself.
pub(crate) fn next_turn(turn: u64, clock: u64, weight_bps: u64) -> (u64, u64) {
    let start = current_turn(turn, clock);
    let stride = (1u64 << 50)
        .checked_div(weight_bps >> 10)
        .unwrap_or(1 << 50);
    (start, start.wrapping_add(stride.max(1 << 10)))
}

/// A different even distribution over `u32` for each `n`, from one random number.
fn mix(random: u32, n: u32) -> u32 {
    let x = random ^ n.wrapping_mul(0x9e37_79b9);
    let x = (x ^ (x >> 16)).wrapping_mul(0x85eb_ca6b);
    let x = (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35);
    x ^ (x >> 16)
}

/// When a runner with this speed arrives, in a race that each wins with a probability in proportion to its
/// speed: exponentially distributed.
fn arrival(random: u32, id: u8, speed: u64) -> u64 {
    // The logarithm to base 2 of a number in (0, 1], negated and in 2^-16, with a parabola between powers.
    let u = mix(random, id.into()) | 1;
    let zeros = u.leading_zeros();
    let f = u64::from(u.wrapping_shl(zeros).wrapping_shl(1) >> 16);
    let curve = part(part(f, ONE.saturating_sub(f)), 22_518);
    let log = u64::from(zeros)
        .saturating_add(1)
        .saturating_mul(ONE)
        .saturating_sub(f.saturating_add(curve));
    (log << 40).checked_div(speed).unwrap_or(u64::MAX)
}

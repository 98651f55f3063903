// SPDX-License-Identifier: GPL-2.0

//! What a WAN carries and what it can carry, from the counters of its device.
//!
//! Pure and integer only, as is [`crate::mwb_pick`]. Nothing here can overflow, whatever a counter says.

#![forbid(unsafe_code)]

/// No device is faster: a counter that says so was not read right. In bits per second.
const MOST_BPS: u64 = 10_000_000_000_000;

/// Capacity of a WAN of which nothing is known, in bits per second, until it has carried more.
const UNKNOWN_CAPACITY_BPS: u64 = 50_000_000;

/// The devices that the packets of a WAN pass, by their indices; 0 for none.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Stack {
    /// That of the WAN.
    pub(crate) dev: u32,
    /// Right below it, under its VLAN or PPPoE header.
    pub(crate) below: u32,
    /// The lowest one, if it counts what bypasses the others and nothing else is known to use it.
    pub(crate) line: u32,
    /// Devices above the WAN's own have their packets counted there too.
    pub(crate) is_mixed: bool,
    /// A flowtable takes packets from and to the lowest device, past the counters of those above.
    pub(crate) is_bypassed: bool,
}

/// What can be said of a WAN's rates.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Countable {
    /// It is the lowest device that counts all of it, headers included.
    pub(crate) by_line: bool,
    /// Part of what it carries is not counted.
    pub(crate) is_partial: bool,
    /// What others carry is counted with it.
    pub(crate) is_mixed: bool,
}

impl Stack {
    /// What can be counted of this WAN, beside the paths of all others.
    pub(crate) fn countable(&self, mut others: impl Iterator<Item = Stack> + Clone) -> Countable {
        let is = |dev: u32, other: &Stack| dev != 0 && (dev == other.dev || dev == other.below);
        let is_shared = |other: Stack| is(self.below, &other) || is(self.line, &other);
        let by_line = self.line != 0 && !others.clone().any(is_shared);
        Countable {
            by_line,
            is_partial: self.is_bypassed && !by_line,
            is_mixed: self.is_mixed || others.any(|other| self.dev == other.below && self.dev != 0),
        }
    }
}

/// What a direction of a device has carried in some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sample {
    pub(crate) bytes: u64,
    pub(crate) ns: u64,
}

impl Sample {
    pub(crate) fn bps(&self) -> u64 {
        rate_bps(self.bytes, self.ns)
    }
}

/// Makes samples of a device's counter.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Meter {
    /// Device, bytes and time.
    last: Option<(u32, u64, u64)>,
}

impl Meter {
    /// What was carried since the last call; `None` if there is nothing to compare with: another device, or
    /// a counter that was set back.
    pub(crate) fn sample(&mut self, device: u32, bytes: u64, now_ns: u64) -> Option<Sample> {
        let last = self.last;
        if last.is_some_and(|(dev, _, then_ns)| dev == device && now_ns <= then_ns) {
            return None;
        }
        self.last = Some((device, bytes, now_ns));
        let (_, old, then_ns) = last.filter(|(dev, ..)| *dev == device)?;
        let ns = now_ns.saturating_sub(then_ns);
        let sample = Sample {
            bytes: advanced(old, bytes, ns)?,
            ns,
        };
        (sample.bps() <= MOST_BPS).then_some(sample)
    }
}

/// How far a counter has come, which may have passed the end of its 64 or 32 bits.
fn advanced(old: u64, new: u64, ns: u64) -> Option<u64> {
    const NARROW: u64 = 1 << 32;
    /// A device with counters of 32 bits cannot be faster than this, or they could not be read in time.
    const NARROW_MOST_BPS: u64 = 10_000_000_000;
    let wide = new.wrapping_sub(old);
    if wide < 1 << 63 {
        return Some(wide);
    }
    let narrow = wide % NARROW;
    (old < NARROW && rate_bps(narrow, ns) <= NARROW_MOST_BPS).then_some(narrow)
}

/// What a WAN can carry in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Capacity {
    /// 0 when unknown.
    given_bps: u64,
    /// Average over some seconds, and the best that it has been, slowly forgotten.
    sustained_bps: u64,
    best_bps: u64,
}

impl Capacity {
    const SUSTAINED_MS: u32 = 2000;
    const FORGET_NS: u64 = 24 * 3600 * 1_000_000_000;

    pub(crate) const fn new(given_bps: u64) -> Self {
        Self {
            given_bps,
            sustained_bps: 0,
            best_bps: 0,
        }
    }

    /// Another one was given, which says nothing against what was seen.
    pub(crate) fn give(&mut self, given_bps: u64) {
        self.given_bps = given_bps;
    }

    /// What is known of it: given, or seen if that is more; 0 as long as it is next to nothing.
    pub(crate) fn known_bps(&self) -> u64 {
        match self.given_bps {
            0 if self.best_bps < 1_000_000 => 0,
            given_bps => given_bps.max(self.best_bps),
        }
    }

    /// What is given, unless more was seen, up to twice of it: a device may take more than its line carries. When
    /// nothing is given: twice what was seen, or it would never be asked for more.
    pub(crate) fn bps(&self) -> u64 {
        let twice = |bps: u64| bps.saturating_mul(2);
        if self.given_bps == 0 {
            twice(self.best_bps).max(UNKNOWN_CAPACITY_BPS)
        } else {
            self.given_bps.max(self.best_bps.min(twice(self.given_bps)))
        }
    }

    /// Takes a sample in.
    pub(crate) fn learn(&mut self, sample: Sample) {
        let keep = keep(sample.ns, Self::SUSTAINED_MS);
        self.sustained_bps = average(self.sustained_bps, sample.bps(), keep);
        let samples = Self::FORGET_NS.checked_div(sample.ns).unwrap_or(u64::MAX);
        let forgotten = self.best_bps.checked_div(samples).unwrap_or(self.best_bps);
        let left = self.best_bps.saturating_sub(forgotten);
        self.best_bps = left.max(self.sustained_bps);
    }
}

/// Shares are in parts of this.
pub(crate) const ONE: u64 = 1 << 16;

/// `value` times `share`, rounded down.
pub(crate) fn part(value: u64, share: u64) -> u64 {
    (u128::from(value).wrapping_mul(u128::from(share.min(ONE))) >> 16) as u64
}

/// The share that an exponential average keeps of its old value when `elapsed_ns` have passed: e to the power
/// of -`elapsed_ns`/`constant_ms`.
pub(crate) fn keep(elapsed_ns: u64, constant_ms: u32) -> u64 {
    // The same as a power of two, in 2^-16; 2^30 us are a quarter of an hour.
    const LOG2_E: u64 = 94_548;
    let elapsed_us = (elapsed_ns / 1000).min(1 << 30);
    let constant_us = u64::from(constant_ms).saturating_mul(1000);
    let power = elapsed_us.saturating_mul(LOG2_E).checked_div(constant_us);
    // Without a constant, nothing of the old is kept.
    let power = power.unwrap_or(u64::MAX);
    let halvings = power >> 16;
    if halvings > 16 {
        return 0;
    }
    // 2^-f for f < 1, right to a thousandth: 1 - 0.693 f + 0.240 f^2 - 0.047 f^3.
    let f = power & (ONE - 1);
    let inner = 15_743u64.saturating_sub(part(f, 3_087));
    let slope = 45_424u64.saturating_sub(part(f, inner));
    ONE.saturating_sub(part(f, slope)) >> halvings
}

/// The next value of an average that keeps the share `keep` of its old one.
pub(crate) fn average(old: u64, sample: u64, keep: u64) -> u64 {
    let left = part(old, keep);
    let new = part(sample, ONE.saturating_sub(keep));
    let sum = left.saturating_add(new);
    // Both were rounded down; upwards, small rates would never be reached.
    if sample > old {
        sum.saturating_add(2).min(sample)
    } else {
        sum
    }
}

/// `value` times `num`/`den`, right to one part in 2^16 and no more than `value`.
pub(crate) fn scaled(value: u64, num: u64, den: u64) -> u64 {
    let share = match num.checked_mul(ONE) {
        Some(wide) => wide.checked_div(den),
        None => num.checked_div(den / ONE),
    };
    part(value, share.unwrap_or(0))
}

/// Bits per second that `bytes` in `ns` nanoseconds amount to; 0 when no time has passed.
fn rate_bps(bytes: u64, ns: u64) -> u64 {
    let bits = bytes.saturating_mul(8);
    match bits.checked_mul(1_000_000_000) {
        Some(scaled) => scaled.checked_div(ns),
        // More than 2 GB in one sample: microseconds are exact enough.
        None => bits
            .checked_div(ns / 1000)
            .map(|per_us| per_us.saturating_mul(1_000_000)),
    }
    .unwrap_or(0)
}

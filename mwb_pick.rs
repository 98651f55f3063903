// SPDX-License-Identifier: GPL-2.0

//! The choice of a WAN for a new connection.
//!
//! Pure and integer only: the module and the host tests compile this same file.
//!
//! While no WAN's measured upload is above the threshold, the WAN with the least download use gets the
//! connection; once one is above, the WAN with the least upload use, until all are below the exit
//! threshold. Taken literally on sampled rates that herds: between two samples every connection would go
//! to the same WAN. So each connection adds a credit to the rate of its WAN, the rate that an average
//! connection would have brought there, which fades as the measured rate takes over.

#![forbid(unsafe_code)]

/// Measured upload use, in per cent of capacity, above which upload decides.
const UPLOAD_ENTER_PERCENT: u64 = 85;
/// Measured upload use that every WAN must be back at for download to decide again.
const UPLOAD_EXIT_PERCENT: u64 = 80;

/// Weight of a new sample in the moving averages, in tenths.
const ALPHA_TENTHS: u64 = 3;

/// What a connection is expected to carry before any was seen, in bytes.
const FIRST_GUESS_UP_BYTES: u64 = 4 << 10;
const FIRST_GUESS_DOWN_BYTES: u64 = 64 << 10;

/// Capacity of a WAN of which nothing is known, in bits per second, until it has carried more.
const UNKNOWN_CAPACITY_BPS: u64 = 10_000_000;

/// One direction of a WAN. All in bits per second.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Load {
    /// Moving average of what was measured.
    pub(crate) rate_bps: u64,
    /// Expected of the connections that were placed lately.
    pub(crate) credit_bps: u64,
    /// 0 when unknown.
    pub(crate) capacity_bps: u64,
}

impl Load {
    fn capacity(&self) -> u64 {
        if self.capacity_bps == 0 {
            self.rate_bps.max(UNKNOWN_CAPACITY_BPS)
        } else {
            self.capacity_bps
        }
    }

    /// The capacity that can be learned: the highest rate seen, 0 as long as that says little.
    pub(crate) fn learned_bps(&self) -> u64 {
        if self.rate_bps > self.capacity_bps.max(UNKNOWN_CAPACITY_BPS) {
            self.rate_bps
        } else {
            self.capacity_bps
        }
    }

    /// `bps`, or the capacity when that is less: no single connection brings more.
    pub(crate) fn clamp(&self, bps: u64) -> u64 {
        bps.min(self.capacity())
    }

    /// Use in millionths of the capacity, expected connections included.
    fn score(&self) -> u64 {
        const MILLION: u64 = 1_000_000;
        self.rate_bps
            .saturating_add(self.credit_bps)
            .saturating_mul(MILLION)
            / self.capacity().max(1)
    }

    /// Whether the measured rate is above `percent` of the capacity.
    fn is_above(&self, percent: u64) -> bool {
        self.rate_bps.saturating_mul(100) > self.capacity().saturating_mul(percent)
    }
}

/// A WAN that may take connections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) id: u8,
    /// Of the candidates, only those of the lowest tier count.
    pub(crate) tier: u32,
    pub(crate) up: Load,
    pub(crate) down: Load,
}

/// Whether upload decides, given whether it did before. `up` are the loads of all WANs that are up and whose
/// upload capacity was given: a learned one is as high as the highest load, and says nothing.
pub(crate) fn is_overloaded(was: bool, up: impl IntoIterator<Item = Load>) -> bool {
    let percent = if was {
        UPLOAD_EXIT_PERCENT
    } else {
        UPLOAD_ENTER_PERCENT
    };
    up.into_iter().any(|load| load.is_above(percent))
}

/// The WAN that gets the connection; the one among equals that `random` falls on.
pub(crate) fn pick(
    candidates: impl IntoIterator<Item = Candidate>,
    overloaded: bool,
    random: u32,
) -> Option<u8> {
    let mut best: Option<((u32, u64), u8)> = None;
    let mut equals = 0u32;
    for candidate in candidates {
        let load = if overloaded {
            &candidate.up
        } else {
            &candidate.down
        };
        let score = (candidate.tier, load.score());
        match best {
            Some((least, _)) if score > least => continue,
            Some((least, _)) if score == least => equals = equals.wrapping_add(1),
            _ => equals = 1,
        }
        // The nth of the equals replaces the one before with a chance of 1/n.
        if mix(random, equals) % equals.max(1) == 0 {
            best = Some((score, candidate.id));
        } else if let Some((_, id)) = best {
            best = Some((score, id));
        }
    }
    best.map(|(_, id)| id)
}

/// A different even distribution over `u32` for each `n`, from one random number.
fn mix(random: u32, n: u32) -> u32 {
    let x = (random ^ n.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    (x ^ (x >> 15)).wrapping_mul(0xc2b2_ae35) >> 8
}

/// The next value of a moving average.
pub(crate) fn average(old: u64, sample: u64) -> u64 {
    let sum = old
        .saturating_mul(10 - ALPHA_TENTHS)
        .saturating_add(sample.saturating_mul(ALPHA_TENTHS));
    // Rounded up on the way up, or small rates would never be reached.
    let rounding = if sample > old { 9 } else { 0 };
    sum.saturating_add(rounding) / 10
}

/// What is left of a credit after one sample.
pub(crate) fn fade(credit_bps: u64) -> u64 {
    average(credit_bps, 0)
}

/// Bits per second that `bytes` in `ns` nanoseconds amount to; 0 when no time has passed.
pub(crate) fn rate_bps(bytes: u64, ns: u64) -> u64 {
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

/// What new connections bring, in one direction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Expectation {
    /// Bytes of an average connection.
    bytes: u64,
}

impl Expectation {
    pub(crate) const UP: Self = Self {
        bytes: FIRST_GUESS_UP_BYTES,
    };
    pub(crate) const DOWN: Self = Self {
        bytes: FIRST_GUESS_DOWN_BYTES,
    };

    /// Learns from a sample in which `connections` were placed and `bytes` carried.
    pub(crate) fn learn(&mut self, bytes: u64, connections: u64) {
        if let Some(mean) = bytes.checked_div(connections) {
            self.bytes = average(self.bytes, mean);
        }
    }

    /// The credit of one connection, when samples are `interval_ns` apart: its bytes, spread over the time
    /// constant of the averages.
    pub(crate) fn credit_bps(&self, interval_ns: u64) -> u64 {
        rate_bps(self.bytes, interval_ns.saturating_mul(10) / ALPHA_TENTHS)
    }
}

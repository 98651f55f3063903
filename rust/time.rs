// SPDX-License-Identifier: GPL-2.0

//! Clocks and random numbers.

use super::bindings;

/// Jiffies, wrapping.
#[inline]
pub(crate) fn jiffies() -> u32 {
    // SAFETY: The variable is aligned and always there; the timer interrupt writes it whole.
    (unsafe { (&raw const bindings::jiffies).read_volatile() }) as u32
}

/// Seconds since boot, wrapping.
pub(crate) fn seconds() -> u32 {
    // SAFETY: May be called from any context.
    (unsafe { bindings::ktime_get_seconds() }) as u32
}

/// Nanoseconds since boot, without suspended time.
pub(crate) fn monotonic_ns() -> u64 {
    // SAFETY: May be called from any context but NMI.
    (unsafe { bindings::ktime_get() }) as u64
}

/// Nanoseconds since 1970.
pub(crate) fn real_ns() -> u64 {
    // SAFETY: May be called from any context but NMI.
    (unsafe { bindings::ktime_get_with_offset(bindings::tk_offsets_TK_OFFS_REAL) }) as u64
}

/// A random number, not predictable from earlier ones.
pub(crate) fn random_u32() -> u32 {
    // SAFETY: May be called from any context.
    unsafe { bindings::get_random_u32() }
}

/// As many jiffies as there are in `s` seconds.
pub(crate) const fn jiffies_of_s(s: u32) -> u32 {
    s.saturating_mul(bindings::HZ)
}

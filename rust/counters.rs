// SPDX-License-Identifier: GPL-2.0

//! Counters that cost a CPU no shared cache line.
//!
//! C header: [`include/linux/percpu.h`](srctree/include/linux/percpu.h)

use super::bindings;
use core::ptr::NonNull;
use kernel::prelude::*;

/// `N` per-CPU counters.
///
/// # Invariants
///
/// The pointer is that of `N` per-CPU `u64`, which this value owns.
pub(crate) struct Counters<const N: usize>(NonNull<u64>);

// SAFETY: The counters are per CPU; adding is one instruction, and summing only reads.
unsafe impl<const N: usize> Send for Counters<N> {}
// SAFETY: As above.
unsafe impl<const N: usize> Sync for Counters<N> {}

impl<const N: usize> Counters<N> {
    pub(crate) fn new() -> Result<Self> {
        // SAFETY: Sleeping is allowed where instances are made; a failure is a NULL.
        let ptr = unsafe { bindings::mwb_helper_alloc_counters(N) };
        Ok(Self(NonNull::new(ptr).ok_or(ENOMEM)?))
    }

    /// Adds one to the `I`th counter of this CPU: in one instruction, without a call, where that is known how.
    #[inline]
    pub(crate) fn count<const I: usize>(&self) {
        const { assert!(I < N) };
        #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
        // SAFETY: The counter exists, by the type invariant and the assertion; GS leads to those of this CPU.
        unsafe {
            kernel::asm!("incq %gs:{at}({counters})"; counters = in(reg) self.0.as_ptr(), at = const I * size_of::<u64>())
        };
        #[cfg(all(CONFIG_X86_64, not(CONFIG_SMP)))]
        // SAFETY: As above; there is but one CPU, and no interrupt can come in between.
        unsafe {
            kernel::asm!("incq {at}({counters})"; counters = in(reg) self.0.as_ptr(), at = const I * size_of::<u64>())
        };
        #[cfg(any(not(CONFIG_X86_64), all(CONFIG_UML, CONFIG_SMP)))]
        // SAFETY: As above.
        unsafe {
            bindings::mwb_helper_count(self.0.as_ptr(), I)
        };
    }

    /// The sum of the `I`th counter over all CPUs.
    pub(crate) fn sum<const I: usize>(&self) -> u64 {
        const { assert!(I < N) };
        // SAFETY: As in `count`.
        unsafe { bindings::mwb_helper_counter_sum(self.0.as_ptr(), I) }
    }
}

impl<const N: usize> Drop for Counters<N> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant it is ours to free.
        unsafe { bindings::mwb_helper_free_counters(self.0.as_ptr()) };
    }
}

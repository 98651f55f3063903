// SPDX-License-Identifier: GPL-2.0

//! rust/counters.rs as the module compiles it, for a kernel whose configuration the compiler is told by --cfg: it counts
//! where that kernel has the counters of this CPU, and nowhere else.

extern crate self as kernel;

pub mod prelude {
    #[derive(Debug)]
    pub struct Error;
    pub const ENOMEM: Error = Error;
    pub type Result<T = ()> = core::result::Result<T, Error>;
}

#[macro_export]
macro_rules! asm {
    ($text:expr; $($operands:tt)*) => { core::arch::asm!($text, $($operands)*, options(att_syntax)) };
}

#[allow(dead_code, unused_unsafe)]
#[path = "../../rust/counters.rs"]
mod counters;

/// What the kernel's C functions do, with memory that is there all the time.
#[allow(dead_code)]
mod bindings {
    use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

    static MEMORY: [AtomicU64; 16] = [const { AtomicU64::new(0) }; 16];
    /// Where those of this CPU are. GS leads to where they are on a kernel that has several; in a process, as User-Mode
    /// Linux is one, to the beginning of all memory.
    const HERE: usize = if cfg!(CONFIG_SMP) && !cfg!(all(CONFIG_X86_64, not(CONFIG_UML))) {
        8
    } else {
        0
    };

    pub(crate) fn mwb_helper_alloc_counters(_: usize) -> *mut u64 {
        MEMORY[0].as_ptr()
    }

    pub(crate) fn mwb_helper_free_counters(_: *mut u64) {}

    pub(crate) fn mwb_helper_count(_: *mut u64, i: usize) {
        MEMORY[HERE + i].fetch_add(1, Relaxed);
    }

    pub(crate) fn mwb_helper_counter_sum(_: *mut u64, i: usize) -> u64 {
        let elsewhere = (0..MEMORY.len()).filter(|at| !(HERE..HERE + 3).contains(at));
        assert_eq!(
            elsewhere.map(|at| MEMORY[at].load(Relaxed)).sum::<u64>(),
            0,
            "elsewhere"
        );
        MEMORY[HERE + i].load(Relaxed)
    }
}

#[test]
fn each_counter_of_this_cpu_and_no_other() {
    let counters = counters::Counters::<3>::new().unwrap();
    for _ in 0..5 {
        counters.count::<1>();
    }
    counters.count::<2>();
    assert_eq!(
        [
            counters.sum::<0>(),
            counters.sum::<1>(),
            counters.sum::<2>()
        ],
        [0, 5, 1]
    );
}

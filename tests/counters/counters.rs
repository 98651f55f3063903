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

/// How far from their address the counters of this CPU are; with one CPU there, elsewhere not.
const OFFSET: usize = if cfg!(CONFIG_SMP) { 4096 } else { 0 };
const MEMORY: usize = OFFSET / 8 + 8;

mod bindings {
    use super::{MEMORY, OFFSET};

    pub(crate) unsafe fn mwb_helper_alloc_counters(_: usize) -> *mut u64 {
        Box::into_raw(Box::new([0u64; MEMORY])).cast()
    }

    pub(crate) unsafe fn mwb_helper_free_counters(at: *mut u64) {
        // SAFETY: Made above.
        drop(unsafe { Box::from_raw(at.cast::<[u64; MEMORY]>()) });
    }

    pub(crate) unsafe fn mwb_helper_count(at: *mut u64, i: usize) {
        // SAFETY: In the memory made above.
        unsafe { *at.byte_add(OFFSET).add(i) += 1 };
    }

    pub(crate) unsafe fn mwb_helper_counter_sum(at: *mut u64, i: usize) -> u64 {
        // SAFETY: As above.
        let all = unsafe { &*at.cast::<[u64; MEMORY]>() };
        let here = all[OFFSET / 8 + i];
        assert_eq!(
            all.iter().sum::<u64>(),
            all[OFFSET / 8..].iter().sum(),
            "elsewhere"
        );
        here
    }
}

#[path = "../../rust/counters.rs"]
mod counters;

#[test]
fn each_counter_of_this_cpu_and_no_other() {
    // User-Mode Linux is a process, whose GS leads nowhere.
    #[cfg(all(CONFIG_X86_64, CONFIG_SMP, not(CONFIG_UML)))]
    // SAFETY: arch_prctl(ARCH_SET_GS); nothing else of this process uses it.
    unsafe {
        let done: usize;
        core::arch::asm!("syscall", inlateout("rax") 158usize => done, in("rdi") 0x1001, in("rsi") OFFSET,
            out("rcx") _, out("r11") _);
        assert_eq!(done, 0);
    }
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

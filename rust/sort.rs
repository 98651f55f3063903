// SPDX-License-Identifier: GPL-2.0

//! Sorting, with the kernel's heap sort: no memory, no worst case. May sleep.
//!
//! C header: [`include/linux/sort.h`](srctree/include/linux/sort.h)

use super::bindings;
use core::cmp::Ordering;
use kernel::prelude::*;

/// Sorts a slice; equals end in any order.
pub(crate) fn sort_by<T, F: Fn(&T, &T) -> Ordering>(slice: &mut [T], compare: F) {
    unsafe extern "C" fn call<T, F: Fn(&T, &T) -> Ordering>(
        a: *const c_void,
        b: *const c_void,
        compare: *const c_void,
    ) -> c_int {
        // SAFETY: `compare` is the `F` below, the other two are elements of the slice.
        let order = unsafe { (*compare.cast::<F>())(&*a.cast(), &*b.cast()) };
        order as c_int
    }
    // SAFETY: The slice is as long as it says; its elements are swapped as bytes, which moves them. `compare`
    // outlives the call.
    unsafe {
        bindings::sort_r_nonatomic(
            slice.as_mut_ptr().cast(),
            slice.len(),
            size_of::<T>(),
            Some(call::<T, F>),
            None,
            core::ptr::from_ref(&compare).cast(),
        )
    };
}

/// Sorts a slice by what `key` makes of an element.
pub(crate) fn sort_by_key<T, K: Ord>(slice: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(slice, |a, b| key(a).cmp(&key(b)));
}

// SPDX-License-Identifier: GPL-2.0

//! Routing rules, as lookups meet them.
//!
//! C header: [`include/net/fib_rules.h`](srctree/include/net/fib_rules.h)

use super::{
    bindings,
    netns::Net, //
};
use kernel::prelude::*;

/// An IPv4 rule; its addresses, devices, ports and the like cannot be seen.
pub(crate) use bindings::mwb_rule as Rule;

/// Calls `f` for the rules of a namespace, in their order, for as long as it says so. Returns whether it did for all
/// of them. `f` must not sleep.
pub(crate) fn all_rules<F: FnMut(&Rule) -> bool>(net: &Net, mut f: F) -> bool {
    unsafe extern "C" fn call<F: FnMut(&Rule) -> bool>(
        rule: *const Rule,
        data: *mut c_void,
    ) -> bool {
        // SAFETY: `data` is the `F` below, which nobody else uses meanwhile, and `rule` is valid during the call.
        unsafe { (*data.cast::<F>())(&*rule) }
    }
    // SAFETY: `f` outlives the call, which is over when it returns.
    unsafe {
        bindings::mwb_helper_for_each_rule(
            net.as_ptr(),
            Some(call::<F>),
            core::ptr::from_mut(&mut f).cast(),
        )
    }
}

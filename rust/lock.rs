// SPDX-License-Identifier: GPL-2.0

//! Locks that the path of packets and processes both take.
//!
//! C header: [`include/linux/bottom_half.h`](srctree/include/linux/bottom_half.h)

use super::bindings;
use kernel::{
    prelude::*,
    sync::SpinLock,
    types::NotThreadSafe, //
};

/// Bottom halves are off on this CPU: the packet path may take the same lock.
pub(super) struct BhOff(NotThreadSafe);

impl BhOff {
    pub(super) fn new() -> Self {
        // SAFETY: No requirements.
        unsafe { bindings::mwb_helper_bh_disable() };
        Self(NotThreadSafe)
    }
}

impl Drop for BhOff {
    fn drop(&mut self) {
        // SAFETY: Undoes what `new` did, on the same thread.
        unsafe { bindings::mwb_helper_bh_enable() };
    }
}

/// A spinlock that may be taken in hooks, and in process context.
#[pin_data]
pub(crate) struct BhLock<T> {
    #[pin]
    inner: SpinLock<T>,
}

impl<T: Unpin> BhLock<T> {
    pub(crate) fn new(value: T) -> impl PinInit<Self> {
        pin_init!(Self {
            inner <- kernel::new_spinlock!(value),
        })
    }

    /// Calls `f` with what is locked; `f` must not sleep.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        // In this order they are taken, and in the reverse one given back.
        let _bh = BhOff::new();
        let mut guard = self.inner.lock();
        f(&mut guard)
    }
}

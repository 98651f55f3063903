// SPDX-License-Identifier: GPL-2.0

//! Values that packets read while they are replaced.
//!
//! C header: [`include/linux/rcupdate.h`](srctree/include/linux/rcupdate.h)

use core::sync::atomic::{
    AtomicPtr,
    Ordering::{
        AcqRel,
        Acquire, //
    }, //
};
use kernel::{
    prelude::*,
    sync::{
        rcu,
        Arc,
        ArcBorrow, //
    }, //
};

/// A value that is read in any context, and replaced as a whole: a reader meets the old one or the new one.
///
/// # Invariants
///
/// The pointer is that of an `Arc<T>`, which this value owns. It is let go of only after an RCU grace period in
/// which nobody can come by it any more.
pub(crate) struct Shared<T: Send + Sync>(AtomicPtr<T>);

impl<T: Send + Sync> Shared<T> {
    pub(crate) fn new(value: T) -> Result<Self> {
        let new = Arc::new(value, GFP_KERNEL)?.into_raw();
        Ok(Self(AtomicPtr::new(new.cast_mut())))
    }

    /// Calls `f` with the present value; `f` must not sleep.
    #[inline]
    pub(crate) fn with<R>(&self, f: impl FnOnce(&T) -> R) -> R {
        let _guard = rcu::read_lock();
        // SAFETY: By the type invariant it is valid, and stays so while the guard lives.
        f(unsafe { &*self.0.load(Acquire) })
    }

    /// The present value, which outlives its replacement for as long as this is held.
    pub(crate) fn get(&self) -> Arc<T> {
        let _guard = rcu::read_lock();
        // SAFETY: As in `with`; the pointer is that of an `Arc`.
        let value = unsafe { ArcBorrow::from_raw(self.0.load(Acquire)) };
        value.into()
    }

    /// Replaces the value, and waits until nobody reads the old one. ENOMEM changes nothing.
    pub(crate) fn replace(&self, value: T) -> Result {
        self.set(Arc::new(value, GFP_KERNEL)?);
        Ok(())
    }

    /// The same, which cannot fail any more.
    pub(crate) fn set(&self, value: Arc<T>) {
        let old = self.0.swap(value.into_raw().cast_mut(), AcqRel);
        rcu::synchronize_rcu();
        // SAFETY: By the type invariant; nobody can come by the old value, and who had has a reference.
        drop(unsafe { Arc::from_raw(old) });
    }
}

impl<T: Send + Sync> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: By the type invariant; that this is dropped says that nobody reads it.
        drop(unsafe { Arc::from_raw(*self.0.get_mut()) });
    }
}

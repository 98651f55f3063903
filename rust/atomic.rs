// SPDX-License-Identifier: GPL-2.0

//! What `slot` is made of; tests/model has its own.

use core::sync::atomic::{
    AtomicBool,
    AtomicU8,
    AtomicUsize, //
};
pub(crate) use core::sync::atomic::{
    AtomicU32,
    Ordering, //
};

/// A variable that nobody writes while another reads or writes it, which is for its owner to see to. It is
/// read and written whole all the same, so that a fault there stays one of logic.
#[repr(transparent)]
pub(crate) struct Cell<T: Word>(T::Atomic);

/// What fits in a [`Cell`].
pub(crate) trait Word: Copy {
    type Atomic;
    fn atomic(self) -> Self::Atomic;
    fn load(from: &Self::Atomic) -> Self;
    fn store(self, to: &Self::Atomic);
}

impl<T: Word> Cell<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value.atomic())
    }

    #[inline]
    pub(crate) fn get(&self) -> T {
        T::load(&self.0)
    }

    #[inline]
    pub(crate) fn set(&self, value: T) {
        value.store(&self.0)
    }
}

macro_rules! words {
    ($($word:ty: $atomic:ty,)*) => {$(
        impl Word for $word {
            type Atomic = $atomic;

            #[inline]
            fn atomic(self) -> $atomic {
                <$atomic>::new(self)
            }

            #[inline]
            fn load(from: &$atomic) -> Self {
                from.load(Ordering::Relaxed)
            }

            #[inline]
            fn store(self, to: &$atomic) {
                to.store(self, Ordering::Relaxed)
            }
        }
    )*};
}

words! {
    bool: AtomicBool,
    u8: AtomicU8,
    u32: AtomicU32,
    usize: AtomicUsize,
}

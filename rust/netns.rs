// SPDX-License-Identifier: GPL-2.0

//! Network namespaces.
//!
//! C header: [`include/net/net_namespace.h`](srctree/include/net/net_namespace.h)

use super::bindings;
#[cfg(CONFIG_XFRM)]
use core::sync::atomic::{
    AtomicU32,
    AtomicU8,
    Ordering::Relaxed, //
};
use core::{
    cell::UnsafeCell,
    marker::PhantomData,
    ptr::{
        addr_of,
        NonNull, //
    },
    sync::atomic::{
        AtomicI32,
        Ordering::Acquire, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// A network namespace (`struct net`).
///
/// # Invariants
///
/// Whoever has a reference to it got it from the kernel, which keeps the namespace for at least as
/// long.
#[repr(transparent)]
pub(crate) struct Net(Opaque<bindings::net>);

// SAFETY: Everything that is done to a `struct net` here may be done from any context.
unsafe impl Sync for Net {}

impl Net {
    /// # Safety
    ///
    /// `ptr` must be a valid namespace that stays valid for `'a`.
    pub(super) unsafe fn from_ptr<'a>(ptr: *mut bindings::net) -> &'a Self {
        // SAFETY: `Net` is transparent; the rest is the caller's promise.
        unsafe { &*ptr.cast() }
    }

    pub(super) fn as_ptr(&self) -> *mut bindings::net {
        self.0.get()
    }

    /// Whether the namespace is in use; false once its destruction has begun.
    pub(crate) fn is_alive(&self) -> bool {
        // SAFETY: By the type invariant the pointer is valid.
        unsafe { bindings::mwb_helper_check_net(self.as_ptr()) }
    }

    /// Changes with every change of the namespace's IPv4 routes or rules (`rt_genid_ipv4()`).
    #[inline]
    pub(crate) fn genid_ipv4(&self) -> i32 {
        // SAFETY: The offset is that of an `atomic_t` in the valid `struct net`.
        let genid = unsafe {
            AtomicI32::from_ptr(
                self.as_ptr()
                    .byte_add(bindings::MWB_OFFSET_NET_RT_GENID)
                    .cast(),
            )
        };
        // Not after the lookup that it is read for.
        genid.load(Acquire)
    }

    /// Whether IPsec lets everything out as it is: it has no policy for that.
    #[cfg(CONFIG_XFRM)]
    #[inline]
    pub(crate) fn lets_out_plain(&self) -> bool {
        // SAFETY: The offsets are those of an `unsigned int` and a `u8` in the valid `struct net`.
        let (policies, default) = unsafe {
            let at = |offset| self.as_ptr().byte_add(offset);
            (
                AtomicU32::from_ptr(at(bindings::MWB_OFFSET_NET_XFRM_OUT).cast()),
                AtomicU8::from_ptr(at(bindings::MWB_OFFSET_NET_XFRM_OUT_DEFAULT).cast()),
            )
        };
        policies.load(Relaxed) == 0 && default.load(Relaxed) == bindings::MWB_XFRM_USERPOLICY_ACCEPT
    }
}

/// A namespace that an instance belongs to.
///
/// It holds no reference, or the namespace could never end; the kernel ends the instance before the
/// namespace.
///
/// # Invariants
///
/// The pointer is valid for as long as the value exists.
#[derive(Clone, Copy)]
pub(crate) struct Owner(NonNull<Net>);

// SAFETY: A `Net` may be used from any thread.
unsafe impl Send for Owner {}
// SAFETY: As above.
unsafe impl Sync for Owner {}

impl core::ops::Deref for Owner {
    type Target = Net;

    #[inline]
    fn deref(&self) -> &Net {
        // SAFETY: By the type invariant.
        unsafe { self.0.as_ref() }
    }
}

/// What every namespace has one of.
pub(crate) trait Instance: Send + Sync + Sized + 'static {
    /// The place of this type's instances in each namespace.
    fn id() -> &'static Id;

    /// Makes the instance of a namespace. Every copy of `net` must end with the instance.
    fn init(net: Owner) -> Result<Arc<Self>>;

    /// Ends it: the namespace goes, or the module. Its devices still exist. May sleep.
    fn exit(&self);
}

/// The number that the kernel gives to the instances of one type.
pub(crate) struct Id(UnsafeCell<c_uint>);

// SAFETY: Written once, by `register_pernet_subsys()`, before anyone reads it.
unsafe impl Sync for Id {}

impl Id {
    pub(crate) const fn new() -> Self {
        Self(UnsafeCell::new(0))
    }
}

/// An instance in every namespace, present and to come, until this is dropped.
///
/// # Invariants
///
/// `ops` is registered.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: Instance> {
    #[pin]
    ops: Opaque<bindings::pernet_operations>,
    _instance: PhantomData<T>,
}

// SAFETY: There is nothing to do with a registration but to drop it, which may be done anywhere.
unsafe impl<T: Instance> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: Instance> Sync for Registration<T> {}

impl<T: Instance> Registration<T> {
    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            ops <- Opaque::try_ffi_init(|slot: *mut bindings::pernet_operations| {
                // SAFETY: `slot` is valid for writes and pinned until `drop` has unregistered it.
                kernel::error::to_result(unsafe {
                    slot.write(bindings::pernet_operations {
                        init: Some(Self::init),
                        pre_exit: Some(Self::pre_exit),
                        exit: Some(Self::exit),
                        id: T::id().0.get(),
                        size: size_of::<*const T>(),
                        ..core::mem::zeroed()
                    });
                    bindings::register_pernet_subsys(slot)
                })
            }),
            _instance: PhantomData,
        })
    }

    unsafe extern "C" fn init(net: *mut bindings::net) -> c_int {
        // SAFETY: The kernel calls with a valid namespace, which `exit` is called for before it ends.
        let owner = Owner(NonNull::from(unsafe { Net::from_ptr(net) }));
        match T::init(owner) {
            Ok(instance) => {
                // SAFETY: The kernel made room for a pointer, and nobody looks before `init` is through.
                unsafe { *place::<T>(net) = instance.into_raw() };
                0
            }
            Err(e) => e.to_errno(),
        }
    }

    unsafe extern "C" fn pre_exit(net: *mut bindings::net) {
        // SAFETY: `init` has run for this namespace, and `exit` has not.
        unsafe { (**place::<T>(net)).exit() };
    }

    unsafe extern "C" fn exit(net: *mut bindings::net) {
        // SAFETY: `init` has stored an `Arc` there, and this is the last look at it.
        drop(unsafe { Arc::from_raw(place::<T>(net).replace(core::ptr::null())) });
    }
}

#[pinned_drop]
impl<T: Instance> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant it is registered.
        unsafe { bindings::unregister_pernet_subsys(self.ops.get()) };
    }
}

/// # Safety
///
/// `net` must be a valid namespace, and `T` be registered.
unsafe fn place<T: Instance>(net: *mut bindings::net) -> *mut *const T {
    // SAFETY: The caller's promises; the id was written when `T` was registered.
    unsafe { bindings::mwb_helper_net_generic(net, *addr_of!(*T::id().0.get())) }.cast()
}

/// The instance of `net`.
///
/// # Safety
///
/// `T` must be registered, and `net` in use, so that its instance is not about to go.
pub(super) unsafe fn instance<T: Instance>(net: &Net) -> &T {
    // SAFETY: `init` has run for every namespace that is in use.
    unsafe { &**place::<T>(net.as_ptr()) }
}

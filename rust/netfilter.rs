// SPDX-License-Identifier: GPL-2.0

//! Netfilter hooks.
//!
//! C header: [`include/linux/netfilter.h`](srctree/include/linux/netfilter.h)

use super::{
    bindings,
    netns::{
        Net,
        Owner, //
    },
    skb::{
        Incoming,
        Outgoing, //
    }, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// The priority of a hook that runs right after DNAT, of what comes in and of what the router sends.
pub(crate) const PRI_AFTER_NAT_DST: i32 = bindings::MWB_NF_IP_PRI_NAT_DST + 1;

/// Waits until every hook that is running now has returned.
pub(crate) fn synchronize() {
    // SAFETY: May sleep here.
    unsafe { bindings::synchronize_net() };
}

/// What becomes of a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It goes on.
    Accept,
    /// It goes no further; a program that sends it is told why.
    Drop(Error),
}

impl Verdict {
    #[inline]
    fn raw(self) -> c_uint {
        match self {
            Self::Accept => bindings::NF_ACCEPT,
            // NF_DROP_ERR()
            Self::Drop(why) => (why.to_errno().unsigned_abs() << 16) | bindings::NF_DROP,
        }
    }
}

/// A function on the path of packets that come in.
pub(crate) trait Prerouting: Send + Sync + 'static {
    /// The short way of nearly all packets: sees every IPv4 packet that comes in through a device of the
    /// namespace, and says whether that was all. Runs in softirq, under RCU.
    fn passes(&self, net: &Net, packet: &mut Incoming<'_>) -> bool;

    /// Sees all others.
    fn incoming(&self, net: &Net, packet: &mut Incoming<'_>) -> Verdict;
}

/// A function on the path of packets that the router itself sends.
pub(crate) trait LocalOut: Send + Sync + 'static {
    /// Sees every IPv4 packet that is sent in the namespace. Runs in any context but hard interrupts, under
    /// RCU.
    fn outgoing(&self, net: &Net, packet: &mut Outgoing<'_>) -> Verdict;
}

/// A hook of one namespace, until this is dropped.
///
/// # Invariants
///
/// `ops` is registered in `net`, with `data` as its private pointer.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: Send + Sync + 'static> {
    #[pin]
    ops: Opaque<bindings::nf_hook_ops>,
    net: Owner,
    data: Arc<T>,
}

// SAFETY: There is nothing to do with a registration but to drop it, which may be done anywhere.
unsafe impl<T: Send + Sync> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: Send + Sync> Sync for Registration<T> {}

type Hook = unsafe extern "C" fn(
    *mut c_void,
    *mut bindings::sk_buff,
    *const bindings::nf_hook_state,
) -> c_uint;

impl<T: Send + Sync> Registration<T> {
    /// # Safety
    ///
    /// `hook` must be fit for the IPv4 hook `hooknum`, and for `data` as its private pointer.
    unsafe fn register(
        net: Owner,
        hooknum: c_uint,
        priority: i32,
        hook: Hook,
        data: Arc<T>,
    ) -> Result<Pin<KBox<Self>>> {
        let private = core::ptr::from_ref::<T>(&data).cast_mut().cast();
        KBox::try_pin_init(
            try_pin_init!(Self {
                ops <- Opaque::try_ffi_init(|slot: *mut bindings::nf_hook_ops| {
                    // SAFETY: `slot` is valid for writes and pinned until `drop` has unregistered it;
                    // `data` outlives the registration.
                    kernel::error::to_result(unsafe {
                        slot.write(bindings::nf_hook_ops {
                            hook: Some(hook),
                            priv_: private,
                            pf: bindings::NFPROTO_IPV4 as u8,
                            hooknum,
                            priority,
                            ..core::mem::zeroed()
                        });
                        bindings::nf_register_net_hook(net.as_ptr(), slot)
                    })
                }),
                net,
                data,
            }? Error),
            GFP_KERNEL,
        )
    }
}

impl<T: Prerouting> Registration<T> {
    pub(crate) fn prerouting(net: Owner, priority: i32, data: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let hooknum = bindings::nf_inet_hooks_NF_INET_PRE_ROUTING;
        // SAFETY: It is.
        unsafe { Self::register(net, hooknum, priority, Self::incoming, data) }
    }

    unsafe extern "C" fn incoming(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        state: *const bindings::nf_hook_state,
    ) -> c_uint {
        // SAFETY: This is such a call.
        let (data, mut packet, net) = unsafe { Self::called(private, skb, state) };
        if data.passes(net, &mut packet) {
            return bindings::NF_ACCEPT;
        }
        // SAFETY: As above.
        unsafe { Self::other_incoming(private, skb, state) }
    }

    /// Has all that it takes, so that the other one takes as little as it can.
    #[cold]
    #[inline(never)]
    unsafe extern "C" fn other_incoming(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        state: *const bindings::nf_hook_state,
    ) -> c_uint {
        // SAFETY: As in `incoming`.
        let (data, mut packet, net) = unsafe { Self::called(private, skb, state) };
        data.incoming(net, &mut packet).raw()
    }

    /// What the hook is called with.
    ///
    /// # Safety
    ///
    /// They must be the arguments of a call of the hook by netfilter, and what is returned not outlive that call.
    #[inline(always)]
    unsafe fn called<'a>(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        state: *const bindings::nf_hook_state,
    ) -> (&'a T, Incoming<'a>, &'a Net) {
        // SAFETY: `private` is the `data` of a registration, which waits for running hooks before it
        // lets go of it; `skb` and `state` are valid and the packet is ours while the hook runs.
        unsafe {
            (
                &*private.cast::<T>(),
                Incoming::from_hook(skb, (*state).in_),
                Net::from_ptr((*state).net),
            )
        }
    }
}

impl<T: LocalOut> Registration<T> {
    pub(crate) fn local_out(net: Owner, priority: i32, data: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let hooknum = bindings::nf_inet_hooks_NF_INET_LOCAL_OUT;
        // SAFETY: It is.
        unsafe { Self::register(net, hooknum, priority, Self::outgoing, data) }
    }

    unsafe extern "C" fn outgoing(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        state: *const bindings::nf_hook_state,
    ) -> c_uint {
        // SAFETY: As in `called`, above.
        let (data, mut packet, net) = unsafe {
            (
                &*private.cast::<T>(),
                Outgoing::from_hook(skb, (*state).sk),
                Net::from_ptr((*state).net),
            )
        };
        data.outgoing(net, &mut packet).raw()
    }
}

#[pinned_drop]
impl<T: Send + Sync> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant. Hooks that are running are waited for, as they use `data`.
        unsafe { bindings::nf_unregister_net_hook(self.net.as_ptr(), self.ops.get()) };
        synchronize();
    }
}

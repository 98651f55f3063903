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
    skb::Skb, //
};
use kernel::{
    prelude::*,
    sync::Arc,
    types::Opaque, //
};

/// The priority of the hook that runs right after DNAT.
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
    Accept = bindings::NF_ACCEPT as isize,
}

/// A function on the path of packets.
pub(crate) trait Prerouting: Send + Sync + 'static {
    /// Sees every IPv4 packet that comes in through a device of the namespace. Runs in softirq, under RCU.
    fn packet(&self, net: &Net, skb: &mut Skb<'_>) -> Verdict;
}

/// A hook in IPv4 PREROUTING of one namespace, until this is dropped.
///
/// # Invariants
///
/// `ops` is registered in `net`, with `data` as its private pointer.
#[pin_data(PinnedDrop)]
pub(crate) struct Registration<T: Prerouting> {
    #[pin]
    ops: Opaque<bindings::nf_hook_ops>,
    net: Owner,
    data: Arc<T>,
}

// SAFETY: There is nothing to do with a registration but to drop it, which may be done anywhere.
unsafe impl<T: Prerouting> Send for Registration<T> {}
// SAFETY: As above.
unsafe impl<T: Prerouting> Sync for Registration<T> {}

impl<T: Prerouting> Registration<T> {
    pub(crate) fn new(net: Owner, priority: i32, data: Arc<T>) -> Result<Pin<KBox<Self>>> {
        let private = core::ptr::from_ref::<T>(&data).cast_mut().cast();
        KBox::try_pin_init(
            try_pin_init!(Self {
                ops <- Opaque::try_ffi_init(|slot: *mut bindings::nf_hook_ops| {
                    // SAFETY: `slot` is valid for writes and pinned until `drop` has unregistered it;
                    // `data` outlives the registration.
                    kernel::error::to_result(unsafe {
                        slot.write(bindings::nf_hook_ops {
                            hook: Some(Self::hook),
                            priv_: private,
                            pf: bindings::NFPROTO_IPV4 as u8,
                            hooknum: bindings::nf_inet_hooks_NF_INET_PRE_ROUTING,
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

    unsafe extern "C" fn hook(
        private: *mut c_void,
        skb: *mut bindings::sk_buff,
        state: *const bindings::nf_hook_state,
    ) -> c_uint {
        // SAFETY: `private` is the `data` of a registration, which waits for running hooks before it
        // lets go of it; `skb` and `state` are valid and the packet is ours while the hook runs.
        let (data, mut skb, net) = unsafe {
            (
                &*private.cast::<T>(),
                Skb::from_hook(skb, (*state).in_),
                Net::from_ptr((*state).net),
            )
        };
        data.packet(net, &mut skb) as c_uint
    }
}

#[pinned_drop]
impl<T: Prerouting> PinnedDrop for Registration<T> {
    fn drop(self: Pin<&mut Self>) {
        // SAFETY: By the type invariant. Hooks that are running are waited for, as they use `data`.
        unsafe { bindings::nf_unregister_net_hook(self.net.as_ptr(), self.ops.get()) };
        synchronize();
    }
}

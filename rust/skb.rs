// SPDX-License-Identifier: GPL-2.0

//! Packets.
//!
//! C header: [`include/linux/skbuff.h`](srctree/include/linux/skbuff.h)

use super::{
    bindings,
    conntrack::{
        Conn,
        Info, //
    },
    dst::Dst,
    netdev::Device, //
};
use core::{
    marker::PhantomData,
    ptr::NonNull, //
};

/// An IPv4 packet in a hook.
///
/// # Invariants
///
/// `'a` is the hook's run: an RCU read-side critical section in which `skb` is valid and ours alone, holds
/// its conntrack, and has a linear IPv4 header, as `ip_rcv()` leaves it. `iif` is the device that it came in
/// through.
pub(crate) struct Skb<'a> {
    skb: NonNull<bindings::sk_buff>,
    iif: NonNull<bindings::net_device>,
    _hook: PhantomData<&'a ()>,
}

impl<'a> Skb<'a> {
    /// # Safety
    ///
    /// The pointers must be those that netfilter calls an IPv4 PREROUTING hook with, and the value must
    /// not outlive that call.
    #[inline]
    pub(super) unsafe fn from_hook(
        skb: *mut bindings::sk_buff,
        iif: *mut bindings::net_device,
    ) -> Self {
        // SAFETY: Both are valid by the caller's promise, hence not NULL.
        unsafe {
            Self {
                skb: NonNull::new_unchecked(skb),
                iif: NonNull::new_unchecked(iif),
                _hook: PhantomData,
            }
        }
    }

    /// The member of type `T` at `offset`.
    ///
    /// # Safety
    ///
    /// `offset` must be that of a member of `struct sk_buff` whose type is `T`.
    #[inline]
    unsafe fn member<T>(&self, offset: usize) -> *mut T {
        // SAFETY: The member is within the valid `sk_buff`.
        unsafe { self.skb.as_ptr().byte_add(offset).cast() }
    }

    /// The connection of the packet, with the packet's relation to it. None when it is untracked or
    /// carries only a template.
    #[inline]
    pub(crate) fn conntrack(&self) -> Option<(&'a Conn, Info)> {
        // SAFETY: `_nfct` is an `unsigned long`.
        let nfct = unsafe { *self.member::<usize>(bindings::MWB_OFFSET_SKB_NFCT) };
        // SAFETY: What conntrack leaves in `_nfct` is NULL or a conntrack that the packet holds, with
        // the relation in its low bits.
        unsafe { Conn::from_nfct(nfct) }
    }

    #[inline]
    pub(crate) fn mark(&self) -> u32 {
        // SAFETY: `mark` is a `__u32`.
        unsafe { *self.member(bindings::MWB_OFFSET_SKB_MARK) }
    }

    #[inline]
    pub(crate) fn set_mark(&mut self, mark: u32) {
        // SAFETY: `mark` is a `__u32`.
        unsafe { *self.member(bindings::MWB_OFFSET_SKB_MARK) = mark };
    }

    #[inline]
    fn header(&self) -> &bindings::iphdr {
        // SAFETY: `head` is an `unsigned char *` and `network_header` a `__u16`; by the type invariant
        // they lead to a whole IPv4 header. It is 4-byte aligned wherever the stack itself needs that.
        unsafe {
            let head: *const u8 = *self.member(bindings::MWB_OFFSET_SKB_HEAD);
            let offset: u16 = *self.member(bindings::MWB_OFFSET_SKB_NETWORK_HEADER);
            &*head.add(usize::from(offset)).cast()
        }
    }

    /// The DSCP, in the upper six bits.
    #[inline]
    pub(crate) fn dscp(&self) -> u8 {
        self.header().tos & 0xfc
    }

    #[inline]
    pub(crate) fn is_icmp(&self) -> bool {
        self.header().protocol == bindings::IPPROTO_ICMP as u8
    }

    #[inline]
    pub(crate) fn has_ip_options(&self) -> bool {
        self.header().ihl() > 5
    }

    /// Whether somebody has already decided where it goes: it has a dst or a socket, or it is on its
    /// way through a bridge.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        // SAFETY: `_skb_refdst` is an `unsigned long`, `sk` a pointer.
        let (dst, sk) = unsafe {
            (
                *self.member::<usize>(bindings::MWB_OFFSET_SKB_REFDST),
                *self.member::<usize>(bindings::MWB_OFFSET_SKB_SK),
            )
        };
        dst != 0 || sk != 0 || self.is_bridged()
    }

    #[inline]
    fn is_bridged(&self) -> bool {
        // What a bridge knows of a packet is one of the packet's extensions; most have none.
        #[cfg(CONFIG_BRIDGE_NETFILTER)]
        // SAFETY: `active_extensions` is a `__u8`; the helper takes the valid packet.
        unsafe {
            *self.member::<u8>(bindings::MWB_OFFSET_SKB_EXTENSIONS) != 0
                && bindings::mwb_helper_skb_is_bridged(self.skb.as_ptr())
        }
        #[cfg(not(CONFIG_BRIDGE_NETFILTER))]
        false
    }

    /// The device that it came in through.
    #[inline]
    pub(crate) fn iif(&self) -> &'a Device {
        // SAFETY: By the type invariant, under RCU.
        unsafe { Device::from_ptr(self.iif.as_ptr()) }
    }

    /// Looks its route up, as the stack would, with the mark that it has. None when there is no route
    /// for it; then the packet has no dst.
    pub(crate) fn route(&mut self) -> Option<Dst<'a>> {
        self.drop_dst();
        // SAFETY: By the type invariant this is what `ip_rcv_finish()` would call with.
        let reason =
            unsafe { bindings::mwb_helper_route_input(self.skb.as_ptr(), self.iif.as_ptr()) };
        if reason != 0 {
            return None;
        }
        // SAFETY: `_skb_refdst` is an `unsigned long`.
        let refdst = unsafe { *self.member::<usize>(bindings::MWB_OFFSET_SKB_REFDST) };
        // SAFETY: After a successful lookup it holds an IPv4 route, valid under RCU.
        unsafe { Dst::from_refdst(refdst, self.skb.as_ptr()) }
    }

    /// Gives up the dst that it has, if any.
    #[inline]
    pub(crate) fn drop_dst(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_skb_dst_drop(self.skb.as_ptr()) };
    }

    /// Gives it `dst`, without a reference.
    ///
    /// # Safety
    ///
    /// RCU must keep `dst` for `'a`; whoever keeps the packet for longer takes a reference then.
    #[inline]
    pub(super) unsafe fn set_dst_noref(&mut self, dst: NonNull<bindings::dst_entry>) {
        // SAFETY: By the type invariant, and the caller's promise.
        unsafe { bindings::mwb_helper_skb_dst_set_noref(self.skb.as_ptr(), dst.as_ptr()) };
    }
}

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
    netdev::Device,
    netns::Net, //
};
use core::{
    marker::PhantomData,
    net::Ipv4Addr,
    ops::{
        Deref,
        DerefMut, //
    },
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*, //
};

/// In `_skb_refdst`: the packet holds no reference (`SKB_DST_NOREF`).
pub(super) const NOREF: usize = 1;

/// An IPv4 packet in a hook.
///
/// # Invariants
///
/// `'a` is the hook's run: an RCU read-side critical section in which `skb` is valid and ours alone, holds
/// its conntrack, and has a linear IPv4 header, as `ip_rcv()` and `ip_local_out()` leave it.
pub(crate) struct Skb<'a> {
    skb: NonNull<bindings::sk_buff>,
    _hook: PhantomData<&'a ()>,
}

impl<'a> Skb<'a> {
    /// # Safety
    ///
    /// `skb` must be what netfilter calls an IPv4 hook with, and the value must not outlive that call.
    #[inline]
    unsafe fn from_hook(skb: *mut bindings::sk_buff) -> Self {
        Self {
            // SAFETY: Valid by the caller's promise, hence not NULL.
            skb: unsafe { NonNull::new_unchecked(skb) },
            _hook: PhantomData,
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
        // SAFETY: What conntrack leaves in `_nfct` is NULL or a conntrack that the packet holds, with
        // the relation in its low bits.
        unsafe { Conn::from_nfct(self.nfct()) }
    }

    /// Whether conntrack was told to leave it alone, as NOTRACK and TEE do; else what has no connection is invalid.
    pub(crate) fn is_untracked(&self) -> bool {
        Conn::is_untracked(self.nfct())
    }

    #[inline]
    fn nfct(&self) -> usize {
        // SAFETY: `_nfct` is an `unsigned long`.
        unsafe { *self.member(bindings::MWB_OFFSET_SKB_NFCT) }
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

    /// A copy, of which the compiler leaves what is asked for: many drivers do not align it.
    #[inline]
    fn header(&self) -> bindings::iphdr {
        // SAFETY: `head` is an `unsigned char *` and `network_header` a `__u16`; by the type invariant
        // they lead to a whole IPv4 header.
        unsafe {
            let head: *const u8 = *self.member(bindings::MWB_OFFSET_SKB_HEAD);
            let offset: u16 = *self.member(bindings::MWB_OFFSET_SKB_NETWORK_HEADER);
            head.add(usize::from(offset))
                .cast::<bindings::iphdr>()
                .read_unaligned()
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

    #[inline]
    pub(crate) fn saddr(&self) -> Ipv4Addr {
        // SAFETY: All bytes of the union are addresses.
        Ipv4Addr::from(u32::from_be(unsafe {
            self.header().__bindgen_anon_1.__bindgen_anon_1.saddr
        }))
    }

    /// The route that it has.
    ///
    /// # Safety
    ///
    /// It must have none, or an IPv4 route: not what a tunnel leaves there.
    #[inline]
    unsafe fn ipv4_dst(&self) -> Option<Dst<'a>> {
        // SAFETY: `_skb_refdst` is an `unsigned long`.
        let refdst = unsafe { *self.member::<usize>(bindings::MWB_OFFSET_SKB_REFDST) };
        // SAFETY: The caller's promise; it is valid during the hook.
        unsafe { Dst::from_refdst(refdst, self.skb.as_ptr()) }
    }

    /// Gives up the dst that it has, if any.
    #[inline]
    pub(crate) fn drop_dst(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_skb_dst_drop(self.skb.as_ptr()) };
    }

    /// Gives it `dst`, without a reference; if it has a conntrack, and says whether that is so. Only then, what
    /// `skb_dst_set_noref()` does besides is already done: to note that GRO has something to give back before it
    /// uses a packet once more.
    ///
    /// # Safety
    ///
    /// RCU must keep `dst` for `'a`; whoever keeps the packet for longer takes a reference then.
    #[inline]
    pub(super) unsafe fn set_dst_noref(&mut self, dst: NonNull<bindings::dst_entry>) -> bool {
        // SAFETY: Both are an `unsigned long`.
        let (nfct, refdst) = unsafe {
            (
                *self.member::<usize>(bindings::MWB_OFFSET_SKB_NFCT),
                self.member::<usize>(bindings::MWB_OFFSET_SKB_REFDST),
            )
        };
        if nfct != 0 {
            // SAFETY: By the type invariant the packet is ours; and the caller's promise.
            unsafe { *refdst = dst.as_ptr() as usize | NOREF };
        }
        nfct != 0
    }
}

/// A packet in PREROUTING.
///
/// # Invariants
///
/// `iif` is the device that it came in through, valid for `'a`.
pub(crate) struct Incoming<'a> {
    skb: Skb<'a>,
    iif: NonNull<bindings::net_device>,
}

/// What a bridge has to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bridged {
    /// Nothing.
    No,
    /// It came in through a bridge, to be routed. The bridge has it back after the hooks, without a dst.
    Routed,
    /// It is on its way through a bridge.
    Through,
}

impl<'a> Incoming<'a> {
    /// # Safety
    ///
    /// The pointers must be those that netfilter calls an IPv4 PREROUTING hook with, and the value must
    /// not outlive that call.
    #[inline]
    pub(super) unsafe fn from_hook(
        skb: *mut bindings::sk_buff,
        iif: *mut bindings::net_device,
    ) -> Self {
        // SAFETY: The caller's promise.
        unsafe {
            Self {
                skb: Skb::from_hook(skb),
                iif: NonNull::new_unchecked(iif),
            }
        }
    }

    /// The device that it came in through.
    #[inline]
    pub(crate) fn iif(&self) -> &'a Device {
        // SAFETY: By the type invariant, under RCU.
        unsafe { Device::from_ptr(self.iif.as_ptr()) }
    }

    /// Whether somebody has already decided where it goes: it has a dst or a socket.
    #[inline]
    pub(crate) fn is_taken(&self) -> bool {
        // SAFETY: `_skb_refdst` is an `unsigned long`, `sk` a pointer.
        let (dst, sk) = unsafe {
            (
                *self.member::<usize>(bindings::MWB_OFFSET_SKB_REFDST),
                *self.member::<usize>(bindings::MWB_OFFSET_SKB_SK),
            )
        };
        dst != 0 || sk != 0
    }

    /// Whether it has extensions: what a bridge or IPsec knows of a packet is one; most have none.
    #[inline]
    pub(crate) fn has_extensions(&self) -> bool {
        #[cfg(CONFIG_SKB_EXTENSIONS)]
        // SAFETY: `active_extensions` is a `__u8`.
        return unsafe { *self.member::<u8>(bindings::MWB_OFFSET_SKB_EXTENSIONS) } != 0;
        #[cfg(not(CONFIG_SKB_EXTENSIONS))]
        false
    }

    #[inline]
    pub(crate) fn bridged(&self) -> Bridged {
        if !self.has_extensions() {
            return Bridged::No;
        }
        // SAFETY: By the type invariants.
        match unsafe { bindings::mwb_helper_skb_bridged(self.skb.skb.as_ptr(), self.iif.as_ptr()) }
        {
            bindings::mwb_bridged_MWB_BRIDGED_NO => Bridged::No,
            bindings::mwb_bridged_MWB_BRIDGED_ROUTED => Bridged::Routed,
            _ => Bridged::Through,
        }
    }

    /// If IPsec has no policy for what leaves: SNAT need not look for one that is for the address that it gives, and
    /// take a reference to the route for that. It goes by a flag, which what has been wrapped up has for the same
    /// reason. Of what is forwarded nothing else reads it; of a copy that TEE sends into a VRF, the VRF does, and spares
    /// it its queue.
    #[inline]
    pub(crate) fn leave_plain(&mut self, net: &Net) {
        #[cfg(CONFIG_XFRM)]
        if net.lets_out_plain() {
            // SAFETY: In a hook of IPv4, `cb` is a `struct inet_skb_parm`, of which this is a `u16`.
            unsafe {
                *self.member::<u16>(bindings::MWB_OFFSET_SKB_IP_FLAGS) |=
                    bindings::MWB_IPSKB_XFRM_TRANSFORMED;
            }
        }
        #[cfg(not(CONFIG_XFRM))]
        let _ = net;
    }

    /// Whether IPsec has unwrapped it.
    pub(crate) fn is_unwrapped(&self) -> bool {
        if !self.has_extensions() {
            return false;
        }
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_skb_has_secpath(self.skb.skb.as_ptr()) }
    }

    /// Whether IPsec will wrap it up; without a dst, whether it wraps up anything.
    pub(crate) fn is_to_be_wrapped(&self, net: &Net) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_skb_wants_xfrm(net.as_ptr(), self.skb.skb.as_ptr()) }
    }

    /// Looks its route up, as the stack would, with the mark that it has. None when there is no route
    /// for it, ENOMEM when there may be one; then the packet has no dst.
    pub(crate) fn route(&mut self) -> Result<Option<Dst<'a>>> {
        self.drop_dst();
        // SAFETY: By the type invariants this is what `ip_rcv_finish()` would call with.
        let found = to_result(unsafe {
            bindings::mwb_helper_route_input(self.skb.skb.as_ptr(), self.iif.as_ptr())
        });
        match found {
            // SAFETY: The lookup has set it.
            Ok(()) => Ok(unsafe { self.ipv4_dst() }),
            Err(ENOMEM) => Err(ENOMEM),
            Err(_) => Ok(None),
        }
    }

    /// Index of the device that a lookup would send it to, if it comes from where it should, and only a default route
    /// of main leads to where it goes. That goes for rules that look into local and main and nothing else, for
    /// addresses that are in them.
    pub(crate) fn default_oif(&self) -> Option<u32> {
        // SAFETY: By the type invariants.
        let oif =
            unsafe { bindings::mwb_helper_default_oif(self.skb.skb.as_ptr(), self.iif.as_ptr()) };
        (oif != 0).then_some(oif as u32)
    }

    /// Gives it the route that this table has for it, if that is one that packets share already. It must come from
    /// where it should.
    pub(crate) fn route_by_table(&mut self, table: u32) -> Option<Dst<'a>> {
        // SAFETY: By the type invariants.
        let is_found = unsafe {
            bindings::mwb_helper_route_by_table(self.skb.skb.as_ptr(), self.iif.as_ptr(), table)
        };
        // SAFETY: An IPv4 route was set, or none.
        is_found.then(|| unsafe { self.ipv4_dst() }).flatten()
    }

    /// The same of what main says, or, where that is no more than a default route, of this table; if it comes from
    /// where it should. That goes for rules that look into local, the rest of main, and the table.
    pub(crate) fn route_by_main_or_table(&mut self, table: u32) -> Option<Dst<'a>> {
        // SAFETY: By the type invariants.
        let is_found = unsafe {
            bindings::mwb_helper_route_by_main_or_table(
                self.skb.skb.as_ptr(),
                self.iif.as_ptr(),
                table,
            )
        };
        // SAFETY: An IPv4 route was set, or none.
        is_found.then(|| unsafe { self.ipv4_dst() }).flatten()
    }
}

impl<'a> Deref for Incoming<'a> {
    type Target = Skb<'a>;

    #[inline]
    fn deref(&self) -> &Skb<'a> {
        &self.skb
    }
}

impl DerefMut for Incoming<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.skb
    }
}

/// A packet in LOCAL_OUT.
///
/// # Invariants
///
/// `sk` is the socket that sends it, or NULL; valid for `'a`.
pub(crate) struct Outgoing<'a> {
    skb: Skb<'a>,
    sk: *mut bindings::sock,
}

/// What a socket is bound to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// Nothing, so far as one can tell.
    No,
    /// A device.
    Device,
    /// An address.
    Address,
}

impl<'a> Outgoing<'a> {
    /// # Safety
    ///
    /// The pointers must be those that netfilter calls an IPv4 LOCAL_OUT hook with, and the value must
    /// not outlive that call.
    #[inline]
    pub(super) unsafe fn from_hook(skb: *mut bindings::sk_buff, sk: *mut bindings::sock) -> Self {
        Self {
            // SAFETY: The caller's promise.
            skb: unsafe { Skb::from_hook(skb) },
            sk,
        }
    }

    /// What its sender is bound to. What IPsec has wrapped up is bound to its source address.
    pub(crate) fn bound(&self) -> Bound {
        // SAFETY: By the type invariants.
        match unsafe { bindings::mwb_helper_skb_bound(self.skb.skb.as_ptr(), self.sk) } {
            bindings::mwb_bound_MWB_BOUND_NO => Bound::No,
            bindings::mwb_bound_MWB_BOUND_DEVICE => Bound::Device,
            _ => Bound::Address,
        }
    }

    /// Whether the kernel sends it of its own accord, and no program: a tunnel, for instance.
    pub(crate) fn is_of_kernel(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_sk_is_kernel(self.sk) }
    }

    /// Tells its sender that there is no way to where it is to go. TCP gives up by that, and not by an error
    /// from down here.
    pub(crate) fn send_unreachable(&mut self) {
        // SAFETY: By the type invariant; in LOCAL_OUT a packet has a dst.
        unsafe { bindings::mwb_helper_skb_unreachable(self.skb.skb.as_ptr()) };
    }

    /// Looks its route up once more, with the mark that it has now. An error says that there is none.
    pub(crate) fn reroute(&mut self, net: &Net) -> Result<Option<Dst<'a>>> {
        // SAFETY: By the type invariants; in LOCAL_OUT a packet has a dst.
        to_result(unsafe {
            bindings::ip_route_me_harder(
                net.as_ptr(),
                self.sk,
                self.skb.skb.as_ptr(),
                bindings::RTN_UNSPEC,
            )
        })?;
        Ok(self.dst())
    }

    /// The route that it has.
    pub(crate) fn dst(&self) -> Option<Dst<'a>> {
        // SAFETY: What is sent from here has been routed.
        unsafe { self.ipv4_dst() }
    }
}

impl<'a> Deref for Outgoing<'a> {
    type Target = Skb<'a>;

    #[inline]
    fn deref(&self) -> &Skb<'a> {
        &self.skb
    }
}

impl DerefMut for Outgoing<'_> {
    #[inline]
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.skb
    }
}

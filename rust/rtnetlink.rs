// SPDX-License-Identifier: GPL-2.0

//! The kernel's own view of rtnetlink: a client, and a listener.
//!
//! C header: [`include/linux/rtnetlink.h`](srctree/include/linux/rtnetlink.h)

use super::{
    bindings,
    netns::Owner,
    work::{
        Task,
        Work, //
    }, //
};
use core::{
    marker::PhantomPinned,
    ptr::NonNull, //
};
use kernel::{
    error::to_result,
    prelude::*,
    sync::Arc, //
};

/// The numbers of the protocol, as the kernel's headers have them.
pub(crate) mod number {
    pub(crate) use crate::rust::bindings::{
        MWB_AF_INET as AF_INET,
        MWB_AF_INET6 as AF_INET6,
        MWB_FIB_RULE_INVERT as FIB_RULE_INVERT,
        MWB_FRA_FWMARK as FRA_FWMARK,
        MWB_FRA_FWMASK as FRA_FWMASK,
        MWB_FRA_PRIORITY as FRA_PRIORITY,
        MWB_FRA_PROTOCOL as FRA_PROTOCOL,
        MWB_FRA_SUPPRESS_PREFIXLEN as FRA_SUPPRESS_PREFIXLEN,
        MWB_FRA_TABLE as FRA_TABLE,
        MWB_FR_ACT_TO_TBL as FR_ACT_TO_TBL,
        MWB_FR_ACT_UNREACHABLE as FR_ACT_UNREACHABLE,
        MWB_NLMSG_DONE as NLMSG_DONE,
        MWB_NLMSG_ERROR as NLMSG_ERROR,
        MWB_NLM_F_ACK as NLM_F_ACK,
        MWB_NLM_F_APPEND as NLM_F_APPEND,
        MWB_NLM_F_CREATE as NLM_F_CREATE,
        MWB_NLM_F_DUMP as NLM_F_DUMP,
        MWB_NLM_F_DUMP_INTR as NLM_F_DUMP_INTR,
        MWB_NLM_F_EXCL as NLM_F_EXCL,
        MWB_NLM_F_REQUEST as NLM_F_REQUEST,
        MWB_RTA_DST as RTA_DST,
        MWB_RTA_GATEWAY as RTA_GATEWAY,
        MWB_RTA_OIF as RTA_OIF,
        MWB_RTA_PREFSRC as RTA_PREFSRC,
        MWB_RTA_PRIORITY as RTA_PRIORITY,
        MWB_RTA_TABLE as RTA_TABLE,
        MWB_RTM_DELADDR as RTM_DELADDR,
        MWB_RTM_DELLINK as RTM_DELLINK,
        MWB_RTM_DELROUTE as RTM_DELROUTE,
        MWB_RTM_DELRULE as RTM_DELRULE,
        MWB_RTM_F_CLONED as RTM_F_CLONED,
        MWB_RTM_GETROUTE as RTM_GETROUTE,
        MWB_RTM_GETRULE as RTM_GETRULE,
        MWB_RTM_NEWADDR as RTM_NEWADDR,
        MWB_RTM_NEWLINK as RTM_NEWLINK,
        MWB_RTM_NEWROUTE as RTM_NEWROUTE,
        MWB_RTM_NEWRULE as RTM_NEWRULE,
        MWB_RTNH_F_ONLINK as RTNH_F_ONLINK,
        MWB_RTNLGRP_IPV4_IFADDR as RTNLGRP_IPV4_IFADDR,
        MWB_RTNLGRP_IPV4_NETCONF as RTNLGRP_IPV4_NETCONF,
        MWB_RTNLGRP_IPV4_ROUTE as RTNLGRP_IPV4_ROUTE,
        MWB_RTNLGRP_IPV4_RULE as RTNLGRP_IPV4_RULE,
        MWB_RTNLGRP_LINK as RTNLGRP_LINK,
        MWB_RTN_UNICAST as RTN_UNICAST,
        MWB_RTPROT_BGP as RTPROT_BGP,
        MWB_RTPROT_BOOT as RTPROT_BOOT,
        MWB_RTPROT_DHCP as RTPROT_DHCP,
        MWB_RTPROT_KERNEL as RTPROT_KERNEL,
        MWB_RTPROT_OSPF as RTPROT_OSPF,
        MWB_RTPROT_STATIC as RTPROT_STATIC,
        MWB_RT_SCOPE_LINK as RT_SCOPE_LINK,
        MWB_RT_SCOPE_UNIVERSE as RT_SCOPE_UNIVERSE,
        MWB_RT_TABLE_LOCAL as RT_TABLE_LOCAL,
        MWB_RT_TABLE_MAIN as RT_TABLE_MAIN, //
    };
}

/// A NETLINK_ROUTE socket in a namespace; it holds no reference to the namespace.
///
/// # Invariants
///
/// The pointer is that of an open socket, which this value owns.
pub(crate) struct Socket(NonNull<bindings::socket>);

// SAFETY: Sockets may be used from any thread.
unsafe impl Send for Socket {}
// SAFETY: As above; the kernel locks them.
unsafe impl Sync for Socket {}

impl Socket {
    fn open(net: Owner, groups: &[u32]) -> Result<Self> {
        // `sockaddr_nl.nl_groups` has a bit for each, the first one for group 1.
        let groups = groups.iter().fold(0u32, |bits, group| {
            bits | 1u32.wrapping_shl(group.wrapping_sub(1))
        });
        let mut sock = core::ptr::null_mut();
        // SAFETY: The namespace is valid, and `sock` ours.
        to_result(unsafe { bindings::mwb_helper_rtnl_open(net.as_ptr(), groups, &mut sock) })?;
        Ok(Self(NonNull::new(sock).ok_or(EINVAL)?))
    }

    /// A socket to send requests by.
    pub(crate) fn client(net: Owner) -> Result<Self> {
        Self::open(net, &[])
    }

    /// A socket that hears what is said in multicast groups. `groups` are `RTNLGRP_*`, none above 32.
    pub(crate) fn listener(net: Owner, groups: &[u32]) -> Result<Self> {
        Self::open(net, groups)
    }

    /// The number that this socket's messages come from.
    pub(crate) fn portid(&self) -> u32 {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_rtnl_portid(self.0.as_ptr()) }
    }

    /// Sends a request; its answer is there when this returns. May sleep; RTNL must not be held.
    pub(crate) fn send(&self, request: &mut [u8]) -> Result {
        // SAFETY: By the type invariant; the buffer is as long as it says.
        let sent = unsafe {
            bindings::mwb_helper_rtnl_send(
                self.0.as_ptr(),
                request.as_mut_ptr().cast(),
                request.len(),
            )
        };
        to_result(sent)
    }

    /// Receives a datagram into `buf`, and returns the part that it fills. EAGAIN when there is none.
    pub(crate) fn recv<'a>(&self, buf: &'a mut [u8]) -> Result<&'a [u8]> {
        // SAFETY: As in `send`.
        let got = unsafe {
            bindings::mwb_helper_rtnl_recv(self.0.as_ptr(), buf.as_mut_ptr().cast(), buf.len())
        };
        to_result(got)?;
        buf.get(..got as usize).ok_or(EMSGSIZE)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // SAFETY: By the type invariant.
        unsafe { bindings::sock_release(self.0.as_ptr()) };
    }
}

/// Who listens to multicast groups.
pub(crate) trait Hear: Task {
    /// What it listens at. After a loss, nothing more arrives there before it was read.
    fn socket(&self) -> &Socket;

    /// Hears a datagram, or that some were lost; must not sleep. `Some(delay_ms)` asks for a run.
    fn hear(&self, datagram: Option<&[u8]>) -> Option<u32>;
}

/// Calls [`Hear::hear`] whenever something is said in some multicast groups, until it is dropped.
pub(crate) struct Listener<T: Hear>(Pin<KBox<Ears<T>>>);

/// # Invariants
///
/// `raw.hear` is `Ears::<T>::hear`.
#[repr(C)]
struct Ears<T: Hear> {
    raw: bindings::mwb_ears,
    task: Arc<T>,
    work: Pin<KBox<Work<T>>>,
    _pinned: PhantomPinned,
}

impl<T: Hear> Listener<T> {
    /// `work` is that of `task`.
    pub(crate) fn new(task: Arc<T>, work: Pin<KBox<Work<T>>>) -> Result<Self> {
        let ears = KBox::pin(
            Ears {
                raw: bindings::mwb_ears {
                    hear: Some(Ears::<T>::hear),
                },
                task,
                work,
                _pinned: PhantomPinned,
            },
            GFP_KERNEL,
        )?;
        let raw = core::ptr::from_ref(&ears.raw).cast_mut();
        // SAFETY: Both are valid, and pinned; `drop` makes the socket forget them before they go.
        unsafe { bindings::mwb_helper_rtnl_listen(ears.task.socket().0.as_ptr(), raw) };
        Ok(Self(ears))
    }

    pub(crate) fn work(&self) -> &Work<T> {
        &self.0.work
    }
}

impl<T: Hear> Ears<T> {
    unsafe extern "C" fn hear(ears: *mut bindings::mwb_ears, bytes: *const c_void, len: usize) {
        const { assert!(core::mem::offset_of!(Self, raw) == 0) };
        // SAFETY: The socket calls with what `Listener::new` gave it, which is the first member of `Self`.
        let this = unsafe { &*ears.cast::<Self>() };
        let datagram = if bytes.is_null() {
            None
        } else {
            // SAFETY: The datagram is as long as it says.
            Some(unsafe { core::slice::from_raw_parts(bytes.cast::<u8>(), len) })
        };
        if let Some(delay_ms) = this.task.hear(datagram) {
            this.work.schedule(delay_ms);
        }
    }
}

impl<T: Hear> Drop for Listener<T> {
    fn drop(&mut self) {
        // SAFETY: `new` has set it up.
        unsafe { bindings::mwb_helper_rtnl_unlisten(self.0.task.socket().0.as_ptr()) };
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Connection tracking.
//!
//! C header: [`include/net/netfilter/nf_conntrack.h`](srctree/include/net/netfilter/nf_conntrack.h)

use super::{
    bindings,
    netns::{
        Net,
        Owner, //
    },
    tcp::Reset, //
};
use core::{
    mem::MaybeUninit,
    net::Ipv4Addr,
    ptr::addr_of_mut,
    sync::atomic::{
        AtomicU32,
        AtomicU64,
        AtomicUsize,
        Ordering::Relaxed, //
    }, //
};
use kernel::{
    error::to_result,
    prelude::*,
    types::Opaque, //
};

/// The two directions of a connection.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dir {
    Orig,
    Reply,
}

/// How a packet relates to its connection (`enum ip_conntrack_info`).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Info(u32);

impl Info {
    #[inline]
    pub(crate) fn dir(self) -> Dir {
        if self.0 >= bindings::ip_conntrack_info_IP_CT_IS_REPLY {
            Dir::Reply
        } else {
            Dir::Orig
        }
    }

    /// The first packet of a connection, or a later one before any reply.
    #[inline]
    pub(crate) fn is_new(self) -> bool {
        self.0 == bindings::ip_conntrack_info_IP_CT_NEW
    }

    /// An ICMP error about the connection, or a packet of a connection that another one expected.
    #[inline]
    pub(crate) fn is_related(self) -> bool {
        const REPLY: u32 =
            bindings::ip_conntrack_info_IP_CT_RELATED + bindings::ip_conntrack_info_IP_CT_IS_REPLY;
        matches!(self.0, bindings::ip_conntrack_info_IP_CT_RELATED | REPLY)
    }
}

/// A connection (`struct nf_conn`).
///
/// # Invariants
///
/// Valid for as long as the reference lives: a packet holds it, or the table that is being iterated.
#[repr(transparent)]
pub(crate) struct Conn(Opaque<bindings::nf_conn>);

impl Conn {
    /// # Safety
    ///
    /// `nfct` must be what conntrack left in the `_nfct` of a packet that lives for `'a`.
    #[inline]
    pub(super) unsafe fn from_nfct<'a>(nfct: usize) -> Option<(&'a Self, Info)> {
        let info = (nfct & Self::INFO) as u32;
        // `nf_ct_get()` yields a template as any other conntrack; it belongs to no connection.
        // `ct_general` is the first member of `struct nf_conn`.
        const { assert!(core::mem::offset_of!(bindings::nf_conn, ct_general) == 0) };
        let ptr = (nfct & !Self::INFO) as *const Self;
        if ptr.is_null() || Self::is_untracked(nfct) {
            return None;
        }
        // SAFETY: The packet holds the conntrack.
        let ct = unsafe { &*ptr };
        (ct.status() & bindings::ip_conntrack_status_IPS_TEMPLATE == 0).then_some((ct, Info(info)))
    }

    const INFO: usize = 7; // ~NFCT_PTRMASK

    /// Whether this `_nfct` is that of a packet that conntrack was told to leave alone.
    pub(super) fn is_untracked(nfct: usize) -> bool {
        (nfct & Self::INFO) as u32 == bindings::ip_conntrack_info_IP_CT_UNTRACKED
    }

    #[inline]
    fn as_ptr(&self) -> *mut bindings::nf_conn {
        self.0.get()
    }

    #[inline]
    fn status(&self) -> u32 {
        // SAFETY: `status` is an aligned `unsigned long` of the valid conntrack; its flags are in the
        // low half.
        unsafe { AtomicUsize::from_ptr(addr_of_mut!((*self.as_ptr()).status).cast()) }.load(Relaxed)
            as u32
    }

    /// Whether the connection is in the table; until then, it belongs to its first packet alone.
    #[inline]
    pub(crate) fn is_confirmed(&self) -> bool {
        self.status() & bindings::ip_conntrack_status_IPS_CONFIRMED != 0
    }

    /// Whether it was opened because of another one, whose mark it has.
    pub(crate) fn is_expected(&self) -> bool {
        self.status() & bindings::ip_conntrack_status_IPS_EXPECTED != 0
    }

    /// Who talks to whom.
    pub(crate) fn flow(&self) -> Flow {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: The conntrack is valid, and an IPv4 one; all of `raw` is written.
        let raw: bindings::mwb_flow = unsafe {
            bindings::mwb_helper_ct_flow(self.as_ptr(), raw.as_mut_ptr());
            raw.assume_init()
        };
        let addr = |be| Ipv4Addr::from(u32::from_be(be));
        Flow {
            saddr: addr(raw.saddr),
            daddr: addr(raw.daddr),
            called: addr(raw.called),
            answered: addr(raw.answered),
            zone: raw.zone,
            protocol: raw.protocol,
            dport: raw.has_ports.then_some(raw.dport),
        }
    }

    #[inline]
    fn mark_atomic(&self) -> &AtomicU32 {
        // SAFETY: `mark` is an aligned `u32` of the valid conntrack.
        unsafe { AtomicU32::from_ptr(addr_of_mut!((*self.as_ptr()).mark)) }
    }

    #[inline]
    pub(crate) fn mark(&self) -> u32 {
        self.mark_atomic().load(Relaxed)
    }

    /// Sets the mark, and tells those who follow conntrack events.
    pub(crate) fn set_mark(&self, mark: u32) {
        self.mark_atomic().store(mark, Relaxed);
        // SAFETY: The conntrack is valid.
        unsafe { bindings::mwb_helper_ct_event_mark(self.as_ptr()) };
    }

    /// Changes the mark, if `f` says to what, and tells those who follow conntrack events.
    pub(crate) fn update_mark(&self, f: impl Fn(u32) -> Option<u32>) {
        let mark = self.mark_atomic();
        if mark.fetch_update(Relaxed, Relaxed, f).is_ok() {
            // SAFETY: The conntrack is valid.
            unsafe { bindings::mwb_helper_ct_event_mark(self.as_ptr()) };
        }
    }

    /// Clears bits of the mark.
    pub(crate) fn clear_mark(&self, mask: u32) {
        self.mark_atomic().fetch_and(!mask, Relaxed);
    }

    /// The index of the device that it is masqueraded on.
    pub(crate) fn masqueraded_on(&self) -> Option<u32> {
        // SAFETY: The conntrack is valid.
        let ifindex = unsafe { bindings::mwb_helper_ct_masqueraded(self.as_ptr()) };
        (ifindex != 0).then_some(ifindex as u32)
    }

    /// A reset for who opened it, if it is a connection of TCP, and alive.
    pub(crate) fn reset(&self) -> Option<Reset> {
        let mut raw = MaybeUninit::uninit();
        // SAFETY: The conntrack is valid, and an IPv4 one; `raw` is written when the answer is yes.
        unsafe {
            bindings::mwb_helper_ct_reset(self.as_ptr(), raw.as_mut_ptr())
                .then(|| Reset(raw.assume_init()))
        }
    }

    /// The word of `dir` in the labels, if the connection has labels.
    ///
    /// Labels can be written from userspace at any time: a word is a hint, to be checked.
    #[inline]
    pub(crate) fn word(&self, dir: Dir) -> Option<&AtomicU64> {
        #[cfg(not(CONFIG_NF_CONNTRACK_LABELS))]
        {
            let _ = dir;
            None
        }
        #[cfg(CONFIG_NF_CONNTRACK_LABELS)]
        {
            // SAFETY: `ext` is NULL or the extensions of the valid conntrack; they are only moved by
            // the packet that owns an unconfirmed connection, and this is that packet or a later one.
            let ext = unsafe { (&raw const (*self.as_ptr()).ext).read() };
            if ext.is_null() {
                return None;
            }
            // SAFETY: `ext` is valid.
            let offset = unsafe { (*ext).offset }[bindings::nf_ct_ext_id_NF_CT_EXT_LABELS as usize];
            if offset == 0 {
                return None;
            }
            const { assert!(size_of::<bindings::nf_conn_labels>() == 2 * size_of::<u64>()) };
            // SAFETY: At that offset are the labels: two aligned words, for as long as the conntrack.
            Some(unsafe {
                AtomicU64::from_ptr(
                    ext.byte_add(usize::from(offset))
                        .cast::<u64>()
                        .add(dir as usize),
                )
            })
        }
    }
}

/// Who talks to whom in a connection: its source before SNAT, its destination after DNAT.
#[derive(Clone, Copy)]
pub(crate) struct Flow {
    pub(crate) saddr: Ipv4Addr,
    pub(crate) daddr: Ipv4Addr,
    /// The destination before DNAT.
    pub(crate) called: Ipv4Addr,
    /// The source after SNAT.
    pub(crate) answered: Ipv4Addr,
    pub(crate) zone: u16,
    pub(crate) protocol: u8,
    /// Destination port, of protocols that have ports.
    pub(crate) dport: Option<u16>,
}

/// Connection tracking is on in a namespace, until this is dropped.
pub(crate) struct Tracking(Owner);

impl Tracking {
    pub(crate) fn new(net: Owner) -> Result<Self> {
        // SAFETY: The namespace is valid; may sleep here.
        to_result(unsafe {
            bindings::nf_ct_netns_get(net.as_ptr(), bindings::NFPROTO_INET as u8)
        })?;
        Ok(Self(net))
    }
}

impl Drop for Tracking {
    fn drop(&mut self) {
        // SAFETY: `new` took what this gives back.
        unsafe { bindings::nf_ct_netns_put(self.0.as_ptr(), bindings::NFPROTO_INET as u8) };
    }
}

/// New connections of a namespace carry labels, until this is dropped.
pub(crate) struct Labels(Owner);

impl Labels {
    /// None when the kernel has no labels.
    pub(crate) fn new(net: Owner) -> Option<Self> {
        // SAFETY: The namespace is valid.
        let got = unsafe { bindings::mwb_helper_labels_get(net.as_ptr()) } == 0;
        got.then_some(Self(net))
    }

    /// Whether somebody else uses labels in this namespace as well.
    #[inline]
    pub(crate) fn are_shared(net: &Net) -> bool {
        // SAFETY: The namespace is valid.
        unsafe { bindings::mwb_helper_labels_used(net.as_ptr()) > 1 }
    }
}

impl Drop for Labels {
    fn drop(&mut self) {
        // SAFETY: `new` took what this gives back.
        unsafe { bindings::mwb_helper_labels_put(self.0.as_ptr()) };
    }
}

/// Calls `f` for every confirmed IPv4 connection of a namespace. May sleep; `f` must not.
pub(crate) fn for_each(net: &Net, f: impl Fn(&Conn)) {
    retain(net, |ct| {
        f(ct);
        true
    });
}

/// Ends the confirmed IPv4 connections of a namespace that `f` says no of. May sleep; `f` must not.
pub(crate) fn retain<F: Fn(&Conn) -> bool>(net: &Net, f: F) {
    unsafe extern "C" fn call<F: Fn(&Conn) -> bool>(
        ct: *mut bindings::nf_conn,
        data: *mut c_void,
    ) -> bool {
        // SAFETY: `data` is the `F` below, and `ct` is valid during the call.
        unsafe { (*data.cast::<F>())(&*ct.cast::<Conn>()) }
    }
    // SAFETY: `f` outlives the call, which is over when it returns.
    unsafe {
        bindings::mwb_helper_ct_for_each(
            net.as_ptr(),
            Some(call::<F>),
            core::ptr::from_ref(&f).cast_mut().cast(),
        )
    };
}

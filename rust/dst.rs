// SPDX-License-Identifier: GPL-2.0

//! Routes that packets carry, and a table that keeps some of them.
//!
//! C headers: [`include/net/dst.h`](srctree/include/net/dst.h),
//! [`include/net/route.h`](srctree/include/net/route.h)
//!
//! Lock order: `Table::writers` is a leaf.

pub(crate) use super::slot::{
    Found,
    Key, //
};
use super::{
    bindings,
    hash::Secret,
    lock::BhOff,
    netns::Net,
    skb::{
        Skb,
        NOREF, //
    },
    slot::{
        self,
        Held,
        Routes,
        Tenant, //
    },
    time, //
};
use core::{
    marker::PhantomData,
    ptr::{
        addr_of,
        addr_of_mut,
        NonNull, //
    },
    sync::atomic::{
        AtomicI16,
        Ordering::Relaxed, //
    }, //
};
use kernel::{
    prelude::*,
    sync::SpinLock,
    types::Opaque, //
};

/// An IPv4 route that a lookup has just given to a packet.
///
/// # Invariants
///
/// RCU keeps `rt` for `'a`, and `skb` is the packet that it was looked up for.
pub(crate) struct Dst<'a> {
    rt: NonNull<bindings::rtable>,
    skb: NonNull<bindings::sk_buff>,
    _packet: PhantomData<&'a ()>,
}

impl<'a> Dst<'a> {
    /// # Safety
    ///
    /// `refdst` must be the `_skb_refdst` of the valid `skb`, and NULL or an IPv4 route.
    pub(super) unsafe fn from_refdst(refdst: usize, skb: *mut bindings::sk_buff) -> Option<Self> {
        const { assert!(core::mem::offset_of!(bindings::rtable, dst) == 0) };
        Some(Self {
            rt: NonNull::new((refdst & !NOREF) as *mut bindings::rtable)?,
            skb: NonNull::new(skb)?,
            _packet: PhantomData,
        })
    }

    /// Index of the device that the packet leaves through; the loopback device for the router itself.
    pub(crate) fn oif(&self) -> u32 {
        // SAFETY: By the type invariant, under RCU.
        unsafe { bindings::mwb_helper_dst_ifindex(self.rt.as_ptr().cast()) as u32 }
    }

    fn kind(&self) -> u32 {
        // SAFETY: By the type invariant.
        u32::from(unsafe { (*self.rt.as_ptr()).rt_type })
    }

    /// The packet goes to one other host.
    pub(crate) fn is_unicast(&self) -> bool {
        self.kind() == bindings::RTN_UNICAST
    }

    /// The packet is for the router itself.
    pub(crate) fn is_local(&self) -> bool {
        self.kind() == bindings::RTN_LOCAL
    }

    /// IPsec wraps up what takes it.
    pub(crate) fn is_xfrm(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_dst_is_xfrm(self.rt.as_ptr().cast()) }
    }

    fn genid(&self) -> i32 {
        // SAFETY: By the type invariant.
        unsafe { (*self.rt.as_ptr()).rt_genid }
    }

    /// Whether other packets may take it as well.
    fn is_plain(&self) -> bool {
        // SAFETY: By the type invariant.
        unsafe { bindings::mwb_helper_rtable_is_plain(self.rt.as_ptr(), self.skb.as_ptr()) }
    }
}

type Slot = slot::Slot<Opaque<bindings::callback_head>>;

const _: () = assert!(size_of::<Slot>() == 64);

impl Routes for Net {
    type Head = Opaque<bindings::callback_head>;

    #[inline]
    fn is_valid(&self, rt: Held<'_>) -> bool {
        let rt = rt.addr() as *mut bindings::rtable;
        // SAFETY: By the invariant of `Held`, it is there. Both members are read as the kernel does, at any time.
        let (obsolete, genid) = unsafe {
            (
                AtomicI16::from_ptr(addr_of_mut!((*rt).dst.obsolete)).load(Relaxed),
                addr_of!((*rt).rt_genid).read_volatile(),
            )
        };
        i32::from(obsolete) == bindings::DST_OBSOLETE_FORCE_CHK && genid == self.genid_ipv4()
    }

    fn call_rcu(slot: &Slot) {
        // SAFETY: The slot was live, so its `rcu_head` is not under way; slots do not move, and the table
        // waits for the callback before it goes.
        unsafe { bindings::mwb_helper_call_rcu(slot.head.get(), Some(vacate)) };
    }

    #[inline]
    fn jiffies() -> u32 {
        time::jiffies()
    }
}

unsafe extern "C" fn vacate(head: *mut bindings::callback_head) {
    // SAFETY: `head` is that of a slot that was retired, and its table still exists.
    let slot = unsafe {
        &*head
            .byte_sub(core::mem::offset_of!(Slot, head))
            .cast::<Slot>()
    };
    // SAFETY: The reference that `Table::insert` took; no reader is left.
    slot.vacate(|rt| unsafe { bindings::dst_release(rt as *mut bindings::dst_entry) });
}

/// Routes that the packets of many connections share, each found by a word: the tag of its slot's present
/// tenant in the upper half, the number of the slot in the lower. A word may be stale or forged.
#[pin_data(PinnedDrop)]
pub(crate) struct Table {
    slots: KVVec<Slot>,
    /// The number of a slot goes where others read it, and must say nothing of the address of a route.
    secret: Secret,
    #[pin]
    writers: SpinLock<()>,
}

// SAFETY: Slots are made of atomics, and of an `rcu_head` that only `Routes::call_rcu` touches, under the lock.
unsafe impl Send for Table {}
// SAFETY: As above.
unsafe impl Sync for Table {}

impl Table {
    const SLOTS: usize = 4096;
    /// Slots that may hold one route: a bucket.
    const WAYS: usize = 8;

    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            slots: {
                let mut slots = KVVec::with_capacity(Self::SLOTS, GFP_KERNEL_ACCOUNT)?;
                for _ in 0..Self::SLOTS {
                    slots.push(Slot::new(Opaque::uninit()), GFP_KERNEL_ACCOUNT)?;
                }
                slots
            },
            secret: Secret::new(),
            writers <- kernel::new_spinlock!(()),
        })
    }

    /// Gives the packet the dst that `word` stands for, if it is one for packets like it and still valid.
    #[inline]
    pub(crate) fn take(&self, net: &Net, word: u64, key: Key, skb: &mut Skb<'_>) -> Found {
        let tag = (word >> 32) as u32;
        let Some(slot) = self.slots.get(word as u32 as usize) else {
            return Found::Miss;
        };
        // A packet is in an RCU read-side critical section.
        slot.take(net, tag, key, |rt| {
            // SAFETY: What a slot holds is not NULL, and RCU keeps it.
            unsafe { skb.set_dst_noref(NonNull::new_unchecked(rt.addr() as *mut _)) }
        })
    }

    /// Keeps `dst` for packets like this one, and returns its word. `genid` is that of the namespace from
    /// before the lookup: a route that was inserted during it may have come with the older routes. None
    /// when it is not one to be shared, or the table has no room at the moment.
    pub(crate) fn insert(&self, net: &Net, dst: &Dst<'_>, key: Key, genid: i32) -> Option<u64> {
        if !dst.is_plain() || dst.genid() != genid || net.genid_ipv4() != genid {
            return None;
        }
        let rt = dst.rt.as_ptr() as usize;
        let first = self.bucket(rt, key);
        let bucket = self.slots.get(first..first.checked_add(Self::WAYS)?)?;
        let tenant = Tenant {
            rt,
            key,
            is_local: dst.is_local(),
        };
        // Nearly always another connection has brought it here.
        if let Some((tag, way)) = slot::find::<Net>(bucket, tenant) {
            return Some(Self::word(tag, first, way));
        }
        // Keeping it is worth no wait.
        let _bh = BhOff::new();
        let _writers = self.writers.try_lock()?;
        // SAFETY: The packet carries the dst, under RCU.
        let hold = || unsafe { bindings::mwb_helper_dst_hold_safe(dst.rt.as_ptr().cast()) };
        // A tag that cannot be guessed, so that a word that was tampered with meets no other tenant.
        let (tag, way) = slot::insert(net, bucket, tenant, hold, time::random_u32)?;
        Some(Self::word(tag, first, way))
    }

    /// Lets go of what is obsolete, or was not used for `idle_jiffies`. Returns how many are kept.
    pub(crate) fn expire(&self, net: &Net, idle_jiffies: u32) -> u32 {
        let mut kept = 0u32;
        for bucket in self.slots.chunks(Self::WAYS) {
            let _bh = BhOff::new();
            let _writers = self.writers.lock();
            kept = kept.wrapping_add(slot::expire(net, bucket, idle_jiffies));
        }
        kept
    }

    fn word(tag: u32, first: usize, way: usize) -> u64 {
        u64::from(tag) << 32 | (first | way) as u64
    }

    /// Whether this could have been given by `insert`.
    pub(crate) fn is_word(word: u64) -> bool {
        word >> 32 != 0 && (word as u32 as usize) < Self::SLOTS
    }

    /// The number of the first slot of the bucket.
    fn bucket(&self, rt: usize, key: Key) -> usize {
        // What is left of the address tells routes apart: they are cache lines, of 256 GB.
        let rt = (rt >> 6) as u32;
        let hash = self.secret.hash([rt, key.iif, key.mark, key.dscp.into()]);
        hash as usize % Self::SLOTS / Self::WAYS * Self::WAYS
    }
}

#[pinned_drop]
impl PinnedDrop for Table {
    fn drop(self: Pin<&mut Self>) {
        for slot in self.slots.iter() {
            let _bh = BhOff::new();
            let _writers = self.writers.lock();
            slot.retire::<Net>();
        }
        kernel::sync::rcu::rcu_barrier();
    }
}

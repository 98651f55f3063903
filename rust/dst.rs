// SPDX-License-Identifier: GPL-2.0

//! Routes that packets carry, and a table that keeps some of them.
//!
//! C headers: [`include/net/dst.h`](srctree/include/net/dst.h),
//! [`include/net/route.h`](srctree/include/net/route.h)
//!
//! Lock order: `Table::writers` is a leaf.

use super::{
    bindings,
    lock::BhOff,
    netns::Net,
    skb::{
        Skb,
        NOREF, //
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
        AtomicBool,
        AtomicI16,
        AtomicU32,
        AtomicU8,
        AtomicUsize,
        Ordering::{
            Acquire,
            Relaxed,
            Release, //
        }, //
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

/// What a lookup depends on, besides the addresses of a connection's direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    /// Index of the device that the packet came in through.
    pub(crate) iif: u32,
    /// Its whole mark.
    pub(crate) mark: u32,
    /// Its DSCP, in the upper six bits.
    pub(crate) dscp: u8,
}

/// What a word leads to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A valid dst, which the packet now has; it leads to another host.
    Hit,
    /// A valid dst, which the packet now has; it leads to the router itself.
    Local,
    /// A dst that routes have changed under.
    Obsolete,
    /// Nothing, or something for other packets.
    Miss,
}

/// One dst that the table holds, on a cache line of its own.
///
/// # Invariants
///
/// While `tag` is not 0, nothing but `used` changes. It becomes 0 before the rest changes, and the rest
/// changes only after an RCU grace period: whoever found its tag under RCU may use what it holds.
#[repr(C, align(64))]
struct Slot {
    tag: AtomicU32,
    iif: AtomicU32,
    mark: AtomicU32,
    dscp: AtomicU8,
    is_local: AtomicBool,
    rt: AtomicUsize,
    /// Jiffies in units of `Table::TICK`, of the last use.
    used: AtomicU32,
    /// Whether `rt` holds a reference, also while it waits for the grace period.
    held: AtomicU32,
    rcu: Opaque<bindings::callback_head>,
}

impl Slot {
    #[inline]
    fn key(&self) -> Key {
        Key {
            iif: self.iif.load(Relaxed),
            mark: self.mark.load(Relaxed),
            dscp: self.dscp.load(Relaxed),
        }
    }

    #[inline]
    fn rt(&self) -> *mut bindings::rtable {
        self.rt.load(Relaxed) as *mut bindings::rtable
    }

    /// The route, if it is still the one that a lookup would give.
    ///
    /// # Safety
    ///
    /// The slot must have been seen with a tag since the RCU read lock was taken, or its table be locked.
    #[inline]
    unsafe fn valid(&self, net: &Net) -> Option<NonNull<bindings::rtable>> {
        let rt = self.rt();
        // SAFETY: The slot holds a reference to it. Both members are read as the kernel does, at any time.
        let (obsolete, genid) = unsafe {
            (
                AtomicI16::from_ptr(addr_of_mut!((*rt).dst.obsolete)).load(Relaxed),
                addr_of!((*rt).rt_genid).read_volatile(),
            )
        };
        (i32::from(obsolete) == bindings::DST_OBSOLETE_FORCE_CHK && genid == net.genid_ipv4())
            // SAFETY: What holds a route is not NULL.
            .then(|| unsafe { NonNull::new_unchecked(rt) })
    }

    /// Takes the dst out of use. The table must be locked.
    fn retire(&self) {
        if self.tag.load(Relaxed) == 0 {
            return;
        }
        self.tag.store(0, Relaxed);
        // SAFETY: The slot was live, so its `rcu_head` is not under way; slots do not move, and the table
        // waits for the callback before it goes.
        unsafe { bindings::mwb_helper_call_rcu(self.rcu.get(), Some(Self::release)) };
    }

    unsafe extern "C" fn release(head: *mut bindings::callback_head) {
        // SAFETY: `head` is the `rcu` of a slot that was retired, and its table still exists.
        let slot = unsafe {
            &*head
                .byte_sub(core::mem::offset_of!(Self, rcu))
                .cast::<Self>()
        };
        // SAFETY: The reference that `Table::insert` took; no reader is left.
        unsafe { bindings::dst_release(slot.rt().cast()) };
        slot.held.store(0, Release);
    }
}

/// Routes that the packets of many connections share, each found by a word: the tag of its slot's present
/// tenant in the upper half, the number of the slot in the lower. A word may be stale or forged.
#[pin_data(PinnedDrop)]
pub(crate) struct Table {
    slots: KVVec<Slot>,
    #[pin]
    writers: SpinLock<()>,
}

// SAFETY: Slots are made of atomics, and of an `rcu_head` that only `retire` touches, under the lock.
unsafe impl Send for Table {}
// SAFETY: As above.
unsafe impl Sync for Table {}

impl Table {
    const SLOTS: usize = 4096;
    /// Slots that may hold one route: a bucket.
    const WAYS: usize = 8;
    /// Jiffies in a unit of `Slot::used`: a line that all CPUs read is not written to more often.
    const TICK: u32 = 256;

    pub(crate) fn new() -> impl PinInit<Self, Error> {
        try_pin_init!(Self {
            slots: {
                let mut slots = KVVec::with_capacity(Self::SLOTS, GFP_KERNEL_ACCOUNT)?;
                for _ in 0..Self::SLOTS {
                    slots.push(
                        Slot {
                            tag: AtomicU32::new(0),
                            iif: AtomicU32::new(0),
                            mark: AtomicU32::new(0),
                            dscp: AtomicU8::new(0),
                            is_local: AtomicBool::new(false),
                            rt: AtomicUsize::new(0),
                            used: AtomicU32::new(0),
                            held: AtomicU32::new(0),
                            rcu: Opaque::uninit(),
                        },
                        GFP_KERNEL_ACCOUNT,
                    )?;
                }
                slots
            },
            writers <- kernel::new_spinlock!(()),
        })
    }

    fn now() -> u32 {
        time::jiffies() / Self::TICK
    }

    /// Gives the packet the dst that `word` stands for, if it is one for packets like it and still valid.
    #[inline]
    pub(crate) fn take(&self, net: &Net, word: u64, key: Key, skb: &mut Skb<'_>) -> Found {
        let tag = (word >> 32) as u32;
        let Some(slot) = self.slots.get(word as u32 as usize) else {
            return Found::Miss;
        };
        if tag == 0 || slot.tag.load(Acquire) != tag || slot.key() != key {
            return Found::Miss;
        }
        // SAFETY: A packet is in an RCU read-side critical section, and the tag was there.
        let Some(rt) = (unsafe { slot.valid(net) }) else {
            return Found::Obsolete;
        };
        // SAFETY: RCU keeps what a live slot holds.
        if !unsafe { skb.set_dst_noref(rt.cast()) } {
            return Found::Miss;
        }
        let now = Self::now();
        if slot.used.load(Relaxed) != now {
            slot.used.store(now, Relaxed);
        }
        if slot.is_local.load(Relaxed) {
            Found::Local
        } else {
            Found::Hit
        }
    }

    /// Keeps `dst` for packets like this one, and returns its word. `genid` is that of the namespace from
    /// before the lookup: a route that was inserted during it may have come with the older routes. None
    /// when it is not one to be shared, or the table has no room at the moment.
    pub(crate) fn insert(&self, net: &Net, dst: &Dst<'_>, key: Key, genid: i32) -> Option<u64> {
        if !dst.is_plain() || dst.genid() != genid || net.genid_ipv4() != genid {
            return None;
        }
        let rt = dst.rt.as_ptr() as usize;
        let first = Self::bucket(rt, key);
        let bucket = self.slots.get(first..first.checked_add(Self::WAYS)?)?;
        let now = Self::now();

        // Nearly always another connection has brought it here.
        for (way, slot) in bucket.iter().enumerate() {
            let tag = slot.tag.load(Acquire);
            if tag != 0 && slot.rt() as usize == rt && slot.key() == key {
                return Some(Self::word(tag, first, way));
            }
        }

        // Keeping it is worth no wait.
        let _bh = BhOff::new();
        let _writers = self.writers.try_lock()?;
        let mut free = None;
        let mut idle: Option<&Slot> = None;
        let mut is_room_coming = false;
        for (way, slot) in bucket.iter().enumerate() {
            let tag = slot.tag.load(Relaxed);
            if tag == 0 {
                if slot.held.load(Acquire) != 0 {
                    is_room_coming = true;
                } else if free.is_none() {
                    free = Some((way, slot));
                }
            } else if slot.rt() as usize == rt && slot.key() == key {
                return Some(Self::word(tag, first, way));
            // SAFETY: The table is locked.
            } else if unsafe { slot.valid(net) }.is_none() {
                slot.retire();
                is_room_coming = true;
            } else if idle.is_none_or(|i| Self::age(slot, now) > Self::age(i, now)) {
                idle = Some(slot);
            }
        }
        let Some((way, slot)) = free else {
            // Room for one of those to come, a grace period from now; not at the cost of one in use.
            if let Some(idle) = idle.filter(|i| !is_room_coming && Self::age(i, now) > 0) {
                idle.retire();
            }
            return None;
        };
        // SAFETY: The packet carries the dst, under RCU.
        if !unsafe { bindings::mwb_helper_dst_hold_safe(dst.rt.as_ptr().cast()) } {
            return None;
        }
        // A tag that cannot be guessed, so that a word that was tampered with meets no other tenant.
        let tag = time::random_u32().max(1);
        slot.held.store(1, Relaxed);
        slot.rt.store(rt, Relaxed);
        slot.iif.store(key.iif, Relaxed);
        slot.mark.store(key.mark, Relaxed);
        slot.dscp.store(key.dscp, Relaxed);
        slot.is_local.store(dst.is_local(), Relaxed);
        slot.used.store(now, Relaxed);
        slot.tag.store(tag, Release);
        Some(Self::word(tag, first, way))
    }

    /// Lets go of what is obsolete, or was not used for `idle_jiffies`. Returns how many are kept.
    pub(crate) fn expire(&self, net: &Net, idle_jiffies: u32) -> u32 {
        let now = Self::now();
        let mut kept = 0u32;
        for bucket in self.slots.chunks(Self::WAYS) {
            let _bh = BhOff::new();
            let _writers = self.writers.lock();
            for slot in bucket.iter().filter(|s| s.tag.load(Relaxed) != 0) {
                // SAFETY: The table is locked.
                if unsafe { slot.valid(net) }.is_none()
                    || Self::age(slot, now) > idle_jiffies / Self::TICK
                {
                    slot.retire();
                } else {
                    kept = kept.wrapping_add(1);
                }
            }
        }
        kept
    }

    fn age(slot: &Slot, now: u32) -> u32 {
        // As wide as `now`, which is a part of the jiffies.
        now.wrapping_sub(slot.used.load(Relaxed)) & (u32::MAX / Self::TICK)
    }

    fn word(tag: u32, first: usize, way: usize) -> u64 {
        u64::from(tag) << 32 | (first | way) as u64
    }

    /// The number of the first slot of the bucket.
    fn bucket(rt: usize, key: Key) -> usize {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut hash = (rt as u64 >> 6).wrapping_mul(GOLDEN);
        for part in [key.iif, key.mark, u32::from(key.dscp)] {
            hash = (hash.rotate_left(23) ^ u64::from(part)).wrapping_mul(GOLDEN);
        }
        (hash >> 32) as usize % Self::SLOTS / Self::WAYS * Self::WAYS
    }
}

#[pinned_drop]
impl PinnedDrop for Table {
    fn drop(self: Pin<&mut Self>) {
        for slot in self.slots.iter() {
            let _bh = BhOff::new();
            let _writers = self.writers.lock();
            slot.retire();
        }
        kernel::sync::rcu::rcu_barrier();
    }
}

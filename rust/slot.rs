// SPDX-License-Identifier: GPL-2.0

//! Slots that hold references to routes, read without a lock and used again: the protocol of
//! [`Table`](super::dst::Table), without the kernel's types. tests/model compiles this same file against atomics
//! and an RCU that try every order there is.
//!
//! What is behind `super::atomic`: a `Cell` is written only while nobody can read it, and is as good as a plain
//! variable; what is written while others read is an atomic.

use super::atomic::{
    AtomicU32,
    Cell,
    Ordering::{
        Acquire,
        Relaxed,
        Release, //
    }, //
};
use core::marker::PhantomData;

/// What a lookup depends on, besides the addresses of a connection's direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    /// Index of the device that the packet came in through.
    pub(crate) iif: u32,
    /// Its whole mark.
    pub(crate) mark: u32,
    /// Its DSCP, in the upper six bits.
    pub(crate) dscp: u8,
}

/// What a word leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// The address of a route that a slot holds.
///
/// # Invariants
///
/// The slot had its tag after the RCU read lock was taken, or its table is locked, and that goes on for `'a`: the
/// reference that the slot holds is there.
#[derive(Clone, Copy)]
pub(crate) struct Held<'a>(usize, PhantomData<&'a ()>);

impl Held<'_> {
    #[inline]
    pub(crate) fn addr(self) -> usize {
        self.0
    }
}

/// What a slot is to hold.
#[derive(Clone, Copy)]
pub(crate) struct Tenant {
    /// The address of the route.
    pub(crate) rt: usize,
    pub(crate) key: Key,
    pub(crate) is_local: bool,
}

/// What the slots of a table need for it.
pub(crate) trait Routes {
    /// What `call_rcu()` needs in each slot.
    type Head;
    /// Whether the route is still the one that a lookup would give.
    fn is_valid(&self, rt: Held<'_>) -> bool;
    /// Calls `Slot::vacate` after an RCU grace period.
    fn call_rcu(slot: &Slot<Self::Head>);
    /// Wrapping.
    fn jiffies() -> u32;
}

/// Jiffies in a unit of `Slot::used`: a line that all CPUs read is not written to more often.
const TICK: u32 = 256;

/// One route that the table holds, on a cache line of its own.
///
/// # Invariants
///
/// While `tag` is not 0, nothing but `used` changes. It becomes 0 before the rest changes, and the rest
/// changes only after an RCU grace period: whoever found its tag under RCU may use what it holds.
#[repr(C, align(64))]
pub(crate) struct Slot<H> {
    tag: AtomicU32,
    iif: Cell<u32>,
    mark: Cell<u32>,
    dscp: Cell<u8>,
    is_local: Cell<bool>,
    rt: Cell<usize>,
    /// In ticks, when it was used last.
    used: AtomicU32,
    /// Whether `rt` holds a reference, also while it waits for the grace period.
    held: AtomicU32,
    pub(super) head: H,
}

impl<H> Slot<H> {
    pub(crate) fn new(head: H) -> Self {
        Self {
            tag: AtomicU32::new(0),
            iif: Cell::new(0),
            mark: Cell::new(0),
            dscp: Cell::new(0),
            is_local: Cell::new(false),
            rt: Cell::new(0),
            used: AtomicU32::new(0),
            held: AtomicU32::new(0),
            head,
        }
    }

    #[inline]
    fn key(&self) -> Key {
        Key {
            iif: self.iif.get(),
            mark: self.mark.get(),
            dscp: self.dscp.get(),
        }
    }

    /// The slot must have a tag, as [`Held`] says.
    #[inline]
    fn rt(&self) -> Held<'_> {
        Held(self.rt.get(), PhantomData)
    }

    /// Hands the route to a packet of `key`, if the tag is `tag` and the route valid. Under RCU, which must last
    /// for as long as the packet has the route.
    #[inline]
    pub(crate) fn take<R: Routes<Head = H>>(
        &self,
        routes: &R,
        tag: u32,
        key: Key,
        give: impl FnOnce(Held<'_>) -> bool,
    ) -> Found {
        // With the tag comes all that was written before it.
        if tag == 0 || self.tag.load(Acquire) != tag || self.key() != key {
            return Found::Miss;
        }
        if !routes.is_valid(self.rt()) {
            return Found::Obsolete;
        }
        if !give(self.rt()) {
            return Found::Miss;
        }
        self.touch::<R>();
        if self.is_local.get() {
            Found::Local
        } else {
            Found::Hit
        }
    }

    /// It is used now.
    #[inline]
    fn touch<R: Routes<Head = H>>(&self) {
        let now = R::jiffies() / TICK;
        if self.used.load(Relaxed) != now {
            self.used.store(now, Relaxed);
        }
    }

    /// The tag, if this is the route that it holds. Under RCU, or locked.
    fn tag_of(&self, tenant: Tenant) -> Option<u32> {
        let tag = self.tag.load(Acquire);
        let is_it = tag != 0 && self.rt.get() == tenant.rt && self.key() == tenant.key;
        is_it.then_some(tag)
    }

    /// Takes the route out of use. Locked.
    pub(crate) fn retire<R: Routes<Head = H>>(&self) {
        // Only the lock's owner changes it.
        if self.tag.load(Relaxed) != 0 {
            // The grace period orders this before what comes after it.
            self.tag.store(0, Relaxed);
            R::call_rcu(self);
        }
    }

    /// Frees the slot, a grace period after it was retired: no reader is left.
    pub(crate) fn vacate(&self, release: impl FnOnce(usize)) {
        release(self.rt.get());
        // The next tenant comes after this, and with it after those who have read.
        self.held.store(0, Release);
    }

    /// For a slot that is free. Locked; the reference goes with it.
    fn publish(&self, tenant: Tenant, tag: u32, now: u32) {
        self.held.store(1, Relaxed);
        self.rt.set(tenant.rt);
        self.iif.set(tenant.key.iif);
        self.mark.set(tenant.key.mark);
        self.dscp.set(tenant.key.dscp);
        self.is_local.set(tenant.is_local);
        self.used.store(now, Relaxed);
        self.tag.store(tag, Release);
    }

    /// In ticks.
    fn age(&self, now: u32) -> u32 {
        // As wide as `now`, which is a part of the jiffies.
        let age = now.wrapping_sub(self.used.load(Relaxed)) & (u32::MAX / TICK);
        // It may have been used after `now`.
        if age > u32::MAX / TICK / 2 {
            0
        } else {
            age
        }
    }
}

/// Looks for what holds a tenant already. Under RCU, or locked. Returns its tag and its place in the bucket. That is a
/// use: many connections may have its word before the first of them sends a second packet.
pub(crate) fn find<R: Routes>(bucket: &[Slot<R::Head>], tenant: Tenant) -> Option<(u32, usize)> {
    let mut ways = bucket.iter().enumerate();
    ways.find_map(|(way, slot)| {
        let tag = slot.tag_of(tenant)?;
        slot.touch::<R>();
        Some((tag, way))
    })
}

/// Gives a tenant one of the slots of a bucket, which must be locked, if there is room at the moment; `hold` takes
/// the reference for it, and `tag` is new. Returns the tag and the place in the bucket.
pub(crate) fn insert<R: Routes>(
    routes: &R,
    bucket: &[Slot<R::Head>],
    tenant: Tenant,
    hold: impl FnOnce() -> bool,
    tag: impl FnOnce() -> u32,
) -> Option<(u32, usize)> {
    if let Some(found) = find::<R>(bucket, tenant) {
        return Some(found);
    }
    let now = R::jiffies() / TICK;
    let mut free = None;
    let mut idle: Option<&Slot<R::Head>> = None;
    let mut is_room_coming = false;
    for (way, slot) in bucket.iter().enumerate() {
        if slot.tag.load(Relaxed) == 0 {
            if slot.held.load(Acquire) != 0 {
                is_room_coming = true;
            } else if free.is_none() {
                free = Some((way, slot));
            }
        } else if !routes.is_valid(slot.rt()) {
            slot.retire::<R>();
            is_room_coming = true;
        } else if idle.is_none_or(|i| slot.age(now) > i.age(now)) {
            idle = Some(slot);
        }
    }
    let Some((way, slot)) = free else {
        // Room for one of those to come, a grace period from now; not at the cost of one in use.
        if let Some(idle) = idle.filter(|i| !is_room_coming && i.age(now) > 0) {
            idle.retire::<R>();
        }
        return None;
    };
    if !hold() {
        return None;
    }
    let tag = tag().max(1);
    slot.publish(tenant, tag, now);
    Some((tag, way))
}

/// Retires what is obsolete in a bucket, which must be locked, or was not used for `idle_jiffies`. Returns how many
/// are kept.
pub(crate) fn expire<R: Routes>(routes: &R, bucket: &[Slot<R::Head>], idle_jiffies: u32) -> u32 {
    let now = R::jiffies() / TICK;
    let mut kept = 0u32;
    for slot in bucket.iter().filter(|s| s.tag.load(Relaxed) != 0) {
        if !routes.is_valid(slot.rt()) || slot.age(now) > idle_jiffies / TICK {
            slot.retire::<R>();
        } else {
            kept = kept.wrapping_add(1);
        }
    }
    kept
}

// SPDX-License-Identifier: GPL-2.0

//! Pairs of a source and a destination that stay on one WAN, whatever the port or protocol.
//!
//! A cache of fixed size: who scans millions of addresses pushes other pairs out, and takes no memory.

#![forbid(unsafe_code)]

use crate::rust::{
    conntrack::Flow,
    hash::Secret,
    lock::BhLock,
    time, //
};
use core::sync::atomic::{
    AtomicU32,
    AtomicU64,
    Ordering::Relaxed, //
};
use kernel::prelude::*;

/// Who talks to whom.
#[derive(Clone, Copy)]
pub(crate) struct Key {
    saddr: u32,
    daddr: u32,
    zone: u16,
}

impl Key {
    pub(crate) fn of(flow: &Flow) -> Self {
        Self {
            saddr: flow.saddr.into(),
            daddr: flow.daddr.into(),
            zone: flow.zone,
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Pair {
    saddr: u32,
    daddr: u32,
    /// When a connection of it was seen last, in seconds.
    seen_s: u32,
    zone: u16,
    /// 0 in a place that is free.
    wan: u8,
    /// The WAN that it had to leave, 0 if none.
    home: u8,
}

impl Pair {
    fn is_of(&self, key: Key) -> bool {
        let own = (self.saddr, self.daddr, self.zone);
        self.wan != 0 && own == (key.saddr, key.daddr, key.zone)
    }

    fn place(&self) -> Place {
        Place {
            wan: self.wan,
            home: self.home,
        }
    }

    fn is_live(&self, now_s: u32, timeout_s: u32) -> bool {
        self.wan != 0 && now_s.wrapping_sub(self.seen_s) < timeout_s
    }
}

/// Where a pair is.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) wan: u8,
    /// The WAN that it had to leave for that, 0 if none.
    pub(crate) home: u8,
}

/// Whether a pair stays where it is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Stays,
    /// Its WAN cannot be used.
    MustLeave,
    /// It could be somewhere better.
    ChoosesAgain,
}

const WAYS: usize = 4;
/// What a key can be in: one cache line.
type Bucket = [Pair; WAYS];

const _: () = assert!(size_of::<Bucket>() == 64);

const BUCKETS: usize = 4096;
const SHARDS: usize = 16;

/// The pairs of an instance: 262,144 of them in 4 MiB.
pub(crate) struct Pairs {
    shards: KVec<Pin<KBox<BhLock<KVVec<Bucket>>>>>,
    /// Nobody can tell which addresses share a bucket.
    secret: Secret,
    kept: AtomicU32,
    hits: AtomicU64,
    evictions: AtomicU64,
}

impl Pairs {
    pub(crate) fn new() -> Result<Self> {
        let mut shards = KVec::with_capacity(SHARDS, GFP_KERNEL)?;
        for _ in 0..SHARDS {
            let buckets = KVVec::from_elem(Bucket::default(), BUCKETS, GFP_KERNEL_ACCOUNT)?;
            shards.push(
                KBox::pin_init(BhLock::new(buckets), GFP_KERNEL)?,
                GFP_KERNEL,
            )?;
        }
        Ok(Self {
            shards,
            secret: Secret::new(),
            kept: AtomicU32::new(0),
            hits: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        })
    }

    fn with_bucket<R>(&self, key: Key, f: impl FnOnce(&mut Bucket) -> R) -> Option<R> {
        let hash = self.secret.hash([key.saddr, key.daddr, key.zone.into(), 0]);
        let shard = self.shards.get((hash >> 28) as usize % SHARDS)?;
        shard.with(|buckets| buckets.get_mut(hash as usize % BUCKETS).map(f))
    }

    // The time is asked for under the lock, so that it does not go backwards for a pair.

    /// Where a pair is, if a connection of it was seen within `timeout_s`.
    pub(crate) fn lookup(&self, key: Key, timeout_s: u32) -> Option<Place> {
        self.with_bucket(key, |bucket| {
            let now_s = time::seconds();
            let mut live = bucket.iter_mut().filter(|p| p.is_live(now_s, timeout_s));
            let pair = live.find(|p| p.is_of(key))?;
            pair.seen_s = now_s;
            Some(pair.place())
        })
        .flatten()
    }

    /// The same, without counting as a connection of it.
    pub(crate) fn peek(&self, key: Key, timeout_s: u32) -> Option<Place> {
        self.with_bucket(key, |bucket| {
            let now_s = time::seconds();
            let mut live = bucket.iter().filter(|p| p.is_live(now_s, timeout_s));
            live.find(|p| p.is_of(key)).map(Pair::place)
        })
        .flatten()
    }

    pub(crate) fn count_hit(&self) {
        self.hits.fetch_add(1, Relaxed);
    }

    /// Gives a pair to `wan`, unless a connection that came first has given it to a place that it `may_keep`.
    /// Returns the WAN of the pair.
    pub(crate) fn get_or_insert(
        &self,
        key: Key,
        timeout_s: u32,
        wan: u8,
        may_keep: impl Fn(Place) -> Keep,
    ) -> u8 {
        self.with_bucket(key, |bucket| {
            let now_s = time::seconds();
            if let Some(pair) = bucket.iter_mut().find(|p| p.is_of(key)) {
                let keep = if pair.is_live(now_s, timeout_s) {
                    may_keep(pair.place())
                } else {
                    Keep::ChoosesAgain
                };
                pair.home = match keep {
                    Keep::Stays => pair.home,
                    Keep::ChoosesAgain => 0,
                    Keep::MustLeave if pair.home != 0 => pair.home,
                    Keep::MustLeave => pair.wan,
                };
                if keep != Keep::Stays {
                    pair.wan = wan;
                }
                if pair.home == pair.wan {
                    pair.home = 0;
                }
                pair.seen_s = now_s;
                return pair.wan;
            }
            let age = |p: &Pair| match p.wan {
                0 => u32::MAX,
                _ => now_s.wrapping_sub(p.seen_s),
            };
            if let Some(oldest) = bucket.iter_mut().max_by_key(|p| age(p)) {
                if oldest.wan == 0 {
                    self.kept.fetch_add(1, Relaxed);
                } else if oldest.is_live(now_s, timeout_s) {
                    self.evictions.fetch_add(1, Relaxed);
                }
                *oldest = Pair {
                    saddr: key.saddr,
                    daddr: key.daddr,
                    seen_s: now_s,
                    zone: key.zone,
                    wan,
                    home: 0,
                };
            }
            wan
        })
        .unwrap_or(wan)
    }

    /// Says that there is a connection of the pair on `wan`.
    pub(crate) fn refresh(&self, key: Key, wan: u8) {
        self.with_bucket(key, |bucket| {
            if let Some(pair) = bucket.iter_mut().find(|p| p.wan == wan && p.is_of(key)) {
                pair.seen_s = time::seconds();
            }
        });
    }

    /// Forgets the pairs of a WAN.
    pub(crate) fn remove(&self, wan: u8) {
        for shard in &self.shards {
            for at in 0..BUCKETS {
                // One by one, for packets wait meanwhile.
                shard.with(|buckets| {
                    let pairs = buckets.get_mut(at).into_iter().flatten();
                    for pair in pairs {
                        if pair.home == wan {
                            pair.home = 0;
                        }
                        if pair.wan == wan {
                            pair.wan = 0;
                            self.kept.fetch_sub(1, Relaxed);
                        }
                    }
                });
            }
        }
    }

    /// How many are kept, those whose time is over among them.
    pub(crate) fn kept(&self) -> u32 {
        self.kept.load(Relaxed)
    }

    /// How many connections were given to the WAN of their pair.
    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Relaxed)
    }

    /// How many had to go before their time.
    pub(crate) fn evictions(&self) -> u64 {
        self.evictions.load(Relaxed)
    }
}

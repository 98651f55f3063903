// SPDX-License-Identifier: GPL-2.0

//! The entry that a conntrack carries: for each direction, a word that leads to the dst of its packets.
//!
//! The words live in the labels of the conntrack, which are born zeroed and die with it. Userspace can
//! write labels, and slots get new tenants, so a word is never trusted: it leads to a slot that says itself
//! which packets it is for, and a dst is taken only while it is valid. At worst a word costs a lookup.
//! A word that an administrator copies from one connection to another of the same kind passes.

#![forbid(unsafe_code)]

use crate::{
    rust::{
        conntrack::{
            self,
            Conn,
            Dir,
            Labels, //
        },
        dst::{
            Dst,
            Found,
            Key,
            Table, //
        },
        netfilter,
        netns::{
            Net,
            Owner, //
        },
        skb::Skb,
        time, //
    },
    uapi, //
};
use core::sync::atomic::{
    AtomicBool,
    AtomicU32,
    Ordering::Relaxed, //
};
use kernel::prelude::*;

/// A dst that no packet took, and no connection was given, for this long is let go, in seconds.
const IDLE_S: u32 = 60;

/// The dsts of an instance's connections.
pub(crate) struct Entries {
    net: Owner,
    /// None when connections cannot carry words, with the reason in `why`.
    cache: Option<Cache>,
    why: u32,
}

// Fields go in this order: labels are given back while nobody follows words any more.
struct Cache {
    /// Words are written and followed.
    is_active: AtomicBool,
    _labels: Labels,
    table: Pin<KBox<Table>>,
    kept: AtomicU32,
}

impl Entries {
    pub(crate) fn new(net: Owner, wanted: bool) -> Result<Self> {
        let off = |why| Self {
            net,
            cache: None,
            why,
        };
        if !wanted {
            return Ok(off(uapi::CACHE_OFF));
        }
        let table = KBox::pin_init(Table::new(), GFP_KERNEL)?;
        let Some(labels) = Labels::new(net) else {
            return Ok(off(uapi::CACHE_NO_LABELS));
        };
        Ok(Self {
            net,
            cache: Some(Cache {
                is_active: AtomicBool::new(!Labels::are_shared(&net)),
                _labels: labels,
                table,
                kept: AtomicU32::new(0),
            }),
            why: uapi::CACHE_ACTIVE,
        })
    }

    pub(crate) fn net(&self) -> &Net {
        &self.net
    }

    fn active(&self) -> Option<&Cache> {
        self.cache.as_ref().filter(|c| c.is_active.load(Relaxed))
    }

    /// Gives the packet the dst of its connection.
    #[inline]
    pub(crate) fn take(
        &self,
        net: &Net,
        ct: &Conn,
        dir: Dir,
        key: Key,
        skb: &mut Skb<'_>,
    ) -> Found {
        let (Some(cache), Some(word)) = (self.active(), ct.word(dir)) else {
            return Found::Miss;
        };
        cache.table.take(net, word.load(Relaxed), key, skb)
    }

    /// Keeps the dst of this packet for those that follow it. `genid` is from before the lookup.
    pub(crate) fn keep(&self, net: &Net, ct: &Conn, dir: Dir, key: Key, dst: &Dst<'_>, genid: i32) {
        let (Some(cache), Some(word)) = (self.active(), ct.word(dir)) else {
            return;
        };
        // Somebody else's labels are not ours to write.
        if Labels::are_shared(net) {
            return;
        }
        if let Some(new) = cache.table.insert(net, dst, key, genid) {
            word.store(new, Relaxed);
        }
    }

    /// Looks after the cache, from time to time: withdraws it while somebody else uses labels, lets go of
    /// what is not used.
    pub(crate) fn tend(&self) {
        let Some(cache) = &self.cache else {
            return;
        };
        let is_active = !Labels::are_shared(&self.net);
        let was_active = cache.is_active.load(Relaxed);
        cache.is_active.store(is_active, Relaxed);
        if was_active && !is_active {
            netfilter::synchronize();
            self.erase();
        }
        let idle_s = if is_active { IDLE_S } else { 0 };
        let kept = cache.table.expire(&self.net, time::jiffies_of_s(idle_s));
        cache.kept.store(kept, Relaxed);
    }

    /// Clears the words of all connections. Others may have set labels already, which mostly look otherwise.
    fn erase(&self) {
        conntrack::for_each(&self.net, |ct| {
            for dir in [Dir::Orig, Dir::Reply] {
                if let Some(word) = ct.word(dir).filter(|w| Table::is_word(w.load(Relaxed))) {
                    word.store(0, Relaxed);
                }
            }
        });
    }

    /// `uapi::CACHE_*`
    pub(crate) fn state(&self) -> u32 {
        match &self.cache {
            None => self.why,
            Some(cache) if cache.is_active.load(Relaxed) && !Labels::are_shared(&self.net) => {
                uapi::CACHE_ACTIVE
            }
            Some(_) => uapi::CACHE_LABELS_IN_USE,
        }
    }

    /// How many dsts were held when last counted.
    pub(crate) fn kept(&self) -> u32 {
        self.cache.as_ref().map_or(0, |c| c.kept.load(Relaxed))
    }
}

impl Drop for Entries {
    fn drop(&mut self) {
        // Once withdrawn, they were erased by `tend`, and what is in labels now is others'.
        if self.active().is_some() {
            self.erase();
        }
    }
}

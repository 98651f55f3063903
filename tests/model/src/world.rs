// SPDX-License-Identifier: GPL-2.0

//! A bucket of slots, the routes that they may hold, and who comes by: what rust/dst.rs and mwb_entry.rs are around
//! rust/slot.rs.

use crate::atomic;
use crate::rcu::{Callback, Rcu};
use crate::slot::{self, Found, Held, Key, Routes, Slot, Tenant};
use loom::cell;
use loom::sync::atomic::{fence, AtomicBool, AtomicU64, AtomicUsize, Ordering::*};
use loom::sync::{Arc, Mutex};
use std::cell::{Cell, RefCell};

/// Jiffies.
const TICK: u32 = 256;

pub fn key(iif: u32) -> Key {
    Key {
        iif,
        mark: iif << 8,
        dscp: iif as u8,
    }
}

/// `struct rtable`
struct Route {
    refs: AtomicUsize,
    is_obsolete: AtomicBool,
    is_freed: cell::Cell<bool>,
}

/// Asks whether it is there; freeing it at the same time is an error as well.
fn used(route: &Route) {
    assert!(!route.is_freed.get(), "a route is used after it was freed");
}

pub struct Head {
    number: usize,
    rcu: Arc<Rcu>,
}

pub struct World {
    pub rcu: Arc<Rcu>,
    slots: Vec<Slot<Head>>,
    routes: Vec<Route>,
    lock: Mutex<()>,
    /// That of a connection.
    pub word: AtomicU64,
    /// The tags to come; the last one stays.
    tags: RefCell<Vec<u32>>,
    /// Packets that got the route of another connection.
    pub strays: RefCell<usize>,
    /// What happens when somebody asks the next time whether a route is valid.
    pub meanwhile: Cell<Option<Box<dyn FnOnce()>>>,
}

impl Routes for World {
    type Head = Head;

    fn is_valid(&self, rt: Held<'_>) -> bool {
        if let Some(happens) = self.meanwhile.take() {
            happens();
        }
        let route = &self.routes[rt.addr() - 1];
        used(route);
        !route.is_obsolete.load(Relaxed)
    }

    fn call_rcu(slot: &Slot<Head>) {
        slot.head.rcu.call(Callback::Vacate(slot.head.number));
        atomic::catch_up();
    }

    fn jiffies() -> u32 {
        // A tick goes by between any two looks at the clock.
        thread_local!(static NOW: Cell<u32> = const { Cell::new(1 << 16) });
        NOW.replace(NOW.get().wrapping_add(TICK))
    }
}

impl World {
    pub fn new(slots: usize, routes: usize, tags: &[u32]) -> Arc<Self> {
        let rcu = Arc::new(Rcu::new());
        let head = |number| Head {
            number,
            rcu: rcu.clone(),
        };
        let route = |_| Route {
            refs: AtomicUsize::new(1),
            is_obsolete: AtomicBool::new(false),
            is_freed: cell::Cell::new(false),
        };
        Arc::new(Self {
            slots: (0..slots).map(|number| Slot::new(head(number))).collect(),
            routes: (0..routes).map(route).collect(),
            lock: Mutex::new(()),
            word: AtomicU64::new(0),
            tags: tags.to_vec().into(),
            strays: RefCell::default(),
            meanwhile: Cell::default(),
            rcu,
        })
    }

    /// A connection whose lookup gave route `rt` keeps it: `Table::insert` and `Entries::keep`.
    pub fn keep(&self, rt: usize, key: Key) -> Option<u64> {
        let word = self.rcu.read(|| self.insert(rt, key))?;
        self.word.store(word, Relaxed);
        Some(word)
    }

    fn insert(&self, rt: usize, key: Key) -> Option<u64> {
        let tenant = Tenant {
            rt,
            key,
            is_local: key.iif == 0,
        };
        let word = |(tag, way): (u32, usize)| u64::from(tag) << 32 | way as u64;
        if let Some(found) = slot::find::<World>(&self.slots, tenant) {
            return Some(word(found));
        }
        let _writers = self.lock.try_lock().ok()?;
        let tag = || {
            let mut tags = self.tags.borrow_mut();
            if tags.len() > 1 {
                tags.remove(0)
            } else {
                tags[0]
            }
        };
        let found = slot::insert(self, &self.slots, tenant, || self.hold(rt), tag)?;
        Some(word(found))
    }

    /// A packet of the connection, which has kept route `rt`: `Entries::take` and `Table::take`.
    pub fn packet(&self, rt: usize, key: Key) -> Found {
        self.follow(self.word.load(Relaxed), rt, key)
    }

    /// The same, of one that has had this word for long.
    pub fn follow(&self, word: u64, rt: usize, key: Key) -> Found {
        self.rcu.read(|| {
            let slot = &self.slots[word as u32 as usize];
            let mut got = None;
            let found = slot.take(self, (word >> 32) as u32, key, |rt| {
                got = Some(rt.addr());
                true
            });
            if let Some(got) = got {
                // It is sent, and until then it is used.
                used(&self.routes[got - 1]);
                self.rcu.elsewhere();
                used(&self.routes[got - 1]);
                if got != rt {
                    *self.strays.borrow_mut() += 1;
                }
                assert_eq!(found == Found::Local, key.iif == 0);
            }
            found
        })
    }

    /// `dst_hold_safe()`
    fn hold(&self, rt: usize) -> bool {
        let route = &self.routes[rt - 1];
        used(route);
        let more = |refs| (refs != 0).then_some(refs + 1);
        route.refs.fetch_update(Relaxed, Relaxed, more).is_ok()
    }

    /// `dst_release()`, but the memory goes at once.
    fn put(&self, rt: usize) {
        let route = &self.routes[rt - 1];
        used(route);
        if route.refs.fetch_sub(1, Release) == 1 {
            fence(Acquire);
            route.is_freed.set(true);
        }
    }

    /// Somebody removes the route; who looked it up before may still have it.
    pub fn remove(&self, rt: usize) {
        self.routes[rt - 1].is_obsolete.store(true, Relaxed);
        self.rcu.call(Callback::Put(rt));
    }

    /// `Table::expire`, of what is obsolete only.
    pub fn expire(&self) -> u32 {
        self.expire_idle(u32::MAX / TICK)
    }

    /// The same, and of what was not used for so many ticks.
    pub fn expire_idle(&self, ticks: u32) -> u32 {
        let _writers = self.lock.lock().unwrap();
        slot::expire(self, &self.slots, ticks * TICK)
    }

    /// So many ticks go by.
    pub fn wait(&self, ticks: u32) {
        for _ in 0..ticks {
            Self::jiffies();
        }
    }

    /// Runs one callback whose time has come, if there is one.
    pub fn softirq(&self) -> bool {
        let Some(callback) = self.rcu.next() else {
            return false;
        };
        match callback {
            Callback::Vacate(slot) => self.slots[slot].vacate(|rt| self.put(rt)),
            Callback::Put(rt) => self.put(rt),
        }
        true
    }

    pub fn is_freed(&self, rt: usize) -> bool {
        self.routes[rt - 1].is_freed.get()
    }
}

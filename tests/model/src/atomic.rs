// SPDX-License-Identifier: GPL-2.0

//! The atomics of rust/slot.rs as loom has them, and the one that a mutant breaks. A load may return any value that
//! the memory model of C lets it return, and a `Cell` that is touched while another writes it is an error.

use loom::cell;
use loom::sync::atomic;
pub use loom::sync::atomic::Ordering;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::Arc;

/// Line and column in slot.rs.
pub type Site = (u32, u32);

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mutant {
    None,
    /// What orders there does not.
    Relaxed(Site),
    /// What is written there is not.
    Dropped(Site),
    /// It is, but only when what is retired waits for its grace period already.
    Late(Site),
    /// Nobody waits for readers.
    NoGrace,
}

thread_local! {
    pub static MUTANT: RefCell<Mutant> = const { RefCell::new(Mutant::None) };
    /// The places that were passed, and the mutants that there are of each.
    pub static SITES: RefCell<BTreeMap<Site, Vec<Mutant>>> = RefCell::default();
}

pub fn is(mutant: Mutant) -> bool {
    MUTANT.with_borrow(|is| *is == mutant)
}

fn pass(site: Site, mutant: Mutant) {
    SITES.with_borrow_mut(|sites| {
        let mutants = sites.entry(site).or_default();
        if !mutants.contains(&mutant) {
            mutants.push(mutant);
        }
    });
}

fn site(at: &Location<'_>) -> Site {
    (at.line(), at.column())
}

fn ordering(site: Site, ordering: Ordering) -> Ordering {
    if ordering != Ordering::Relaxed {
        pass(site, Mutant::Relaxed(site));
    }
    match is(Mutant::Relaxed(site)) {
        true => Ordering::Relaxed,
        false => ordering,
    }
}

thread_local!(static LATE: RefCell<Option<(Arc<atomic::AtomicU32>, u32)>> = const { RefCell::new(None) });

/// Writes what is late.
pub fn catch_up() {
    if let Some((to, value)) = LATE.take() {
        to.store(value, Ordering::Relaxed);
    }
}

pub struct AtomicU32(Arc<atomic::AtomicU32>);

impl AtomicU32 {
    pub fn new(value: u32) -> Self {
        Self(Arc::new(atomic::AtomicU32::new(value)))
    }

    #[track_caller]
    pub fn load(&self, order: Ordering) -> u32 {
        self.0.load(ordering(site(Location::caller()), order))
    }

    #[track_caller]
    pub fn store(&self, value: u32, order: Ordering) {
        let site = site(Location::caller());
        let order = ordering(site, order);
        pass(site, Mutant::Dropped(site));
        if value == 0 && order == Ordering::Relaxed {
            pass(site, Mutant::Late(site));
        }
        if is(Mutant::Late(site)) {
            LATE.set(Some((self.0.clone(), value)));
        } else if !is(Mutant::Dropped(site)) {
            self.0.store(value, order);
        }
    }
}

pub struct Cell<T>(cell::Cell<T>);

impl<T: Copy> Cell<T> {
    pub fn new(value: T) -> Self {
        Self(cell::Cell::new(value))
    }

    pub fn get(&self) -> T {
        self.0.get()
    }

    #[track_caller]
    pub fn set(&self, value: T) {
        let site = site(Location::caller());
        pass(site, Mutant::Dropped(site));
        if !is(Mutant::Dropped(site)) {
            self.0.set(value);
        }
    }
}

// SPDX-License-Identifier: GPL-2.0

//! RCU as a promise, and not a step more than that: of a reader and a grace period, either all that the reader did
//! is before the end of the grace period, or all that was before its begin is before the reader. Which of them it
//! is, the model tries both where both can be.

use crate::atomic::{is, Mutant};
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use std::cell::RefCell;
use std::collections::VecDeque;

/// The most that a test has.
const READERS: usize = 16;

/// What is called after a grace period.
#[derive(Clone, Copy)]
pub enum Callback {
    Vacate(usize),
    Put(usize),
}

pub struct Rcu {
    /// How many grace periods were asked for.
    begun: AtomicUsize,
    /// Which readers have left.
    left: Vec<AtomicUsize>,
    // What the model itself knows orders nothing.
    readers: RefCell<Vec<Reader>>,
    waiting: RefCell<VecDeque<(usize, Callback)>>,
    ended: RefCell<usize>,
}

struct Reader {
    /// The last grace period that it began after.
    after: usize,
    has_left: bool,
}

impl Rcu {
    pub fn new() -> Self {
        Self {
            begun: AtomicUsize::new(0),
            left: (0..READERS).map(|_| AtomicUsize::new(0)).collect(),
            readers: RefCell::default(),
            waiting: RefCell::default(),
            ended: RefCell::default(),
        }
    }

    pub fn read<R>(&self, f: impl FnOnce() -> R) -> R {
        let mut after = self.begun.load(Acquire);
        if after < *self.ended.borrow() {
            // What has ended has begun; this reads the last value there is.
            after = self.begun.fetch_add(0, Acquire);
        }
        let number = self.readers.borrow().len();
        self.readers.borrow_mut().push(Reader {
            after,
            has_left: false,
        });
        let result = f();
        self.left[number].store(1, Release);
        self.readers.borrow_mut()[number].has_left = true;
        result
    }

    /// Time goes by for a reader.
    pub fn elsewhere(&self) {
        self.begun.load(Relaxed);
    }

    pub fn call(&self, callback: Callback) {
        let number = self.begun.fetch_add(1, Release) + 1;
        self.waiting.borrow_mut().push_back((number, callback));
    }

    /// The next callback whose grace period is over.
    pub fn next(&self) -> Option<Callback> {
        self.begun.fetch_add(0, Acquire);
        let (number, callback) = *self.waiting.borrow().front()?;
        let readers = self.readers.borrow();
        let before = readers.iter().enumerate();
        let before = before.filter(|(_, reader)| reader.after < number);
        let before: Vec<_> = before.map(|(at, reader)| (at, reader.has_left)).collect();
        drop(readers);
        if !is(Mutant::NoGrace) && !before.iter().all(|(_, has_left)| *has_left) {
            return None;
        }
        self.waiting.borrow_mut().pop_front();
        if !is(Mutant::NoGrace) {
            *self.ended.borrow_mut() = number;
            for (at, _) in before {
                self.left[at].fetch_add(0, Acquire);
            }
        }
        Some(callback)
    }
}

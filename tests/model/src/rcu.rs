// SPDX-License-Identifier: GPL-2.0

//! RCU as a promise, and not a step more than that: of a reader and a grace period, either all that the reader did
//! is before the end of the grace period, or all that was before its begin is before the reader. Which of them it
//! is, the model tries both where both can be.

use crate::atomic::{is, Mutant};
use loom::sync::atomic::{AtomicUsize, Ordering::*};
use loom::sync::Arc;
use std::cell::RefCell;
use std::collections::VecDeque;

/// What is called after a grace period.
#[derive(Clone, Copy)]
pub enum Callback {
    Vacate(usize),
    Put(usize),
}

pub struct Rcu {
    /// How many grace periods were asked for.
    begun: AtomicUsize,
    // What the model itself knows orders nothing.
    readers: RefCell<Vec<Reader>>,
    waiting: RefCell<VecDeque<(usize, Callback)>>,
    ended: RefCell<usize>,
}

struct Reader {
    /// The last grace period that it began after.
    after: usize,
    has_left: bool,
    left: Arc<AtomicUsize>,
}

impl Rcu {
    pub fn new() -> Self {
        Self {
            begun: AtomicUsize::new(0),
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
        let left = Arc::new(AtomicUsize::new(0));
        let number = self.readers.borrow().len();
        self.readers.borrow_mut().push(Reader {
            after,
            has_left: false,
            left: left.clone(),
        });
        let result = f();
        left.store(1, Release);
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
        let before = readers.iter().filter(|reader| reader.after < number);
        let before: Vec<_> = before.collect();
        let left: Vec<_> = before.iter().map(|reader| reader.left.clone()).collect();
        if !is(Mutant::NoGrace) && !before.iter().all(|reader| reader.has_left) {
            return None;
        }
        drop(readers);
        self.waiting.borrow_mut().pop_front();
        if !is(Mutant::NoGrace) {
            *self.ended.borrow_mut() = number;
            for left in left {
                left.fetch_add(0, Acquire);
            }
        }
        Some(callback)
    }
}

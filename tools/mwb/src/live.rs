// SPDX-License-Identifier: GPL-2.0

//! How many connections each WAN has at the moment.
//!
//! Nobody keeps these numbers: nothing out of tree hears of the end of a connection. So conntrack's whole table
//! is read, which takes about a second for a million connections. It is done on request only, and not for long.

use crate::conntrack;
use crate::marks::Marks;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const TIME_MAX: Duration = Duration::from_secs(5);
/// The time is looked at once for so many connections.
const PART: usize = 1000;

/// How many connections there are of each WAN, by its number. None if it takes too long to tell.
pub fn count(marks: Marks) -> Result<Option<HashMap<u32, u64>>, String> {
    let end = Instant::now() + TIME_MAX;
    loop {
        let mut counts = Counts::new(marks, end);
        let dumped = conntrack::marks(|mark| counts.take(mark))?;
        if Instant::now() >= end {
            return Ok(None);
        }
        if !dumped.is_overtaken {
            return Ok(Some(counts.counts));
        }
    }
}

struct Counts {
    marks: Marks,
    end: Instant,
    seen: usize,
    counts: HashMap<u32, u64>,
}

impl Counts {
    fn new(marks: Marks, end: Instant) -> Self {
        Self {
            marks,
            end,
            seen: 0,
            counts: HashMap::new(),
        }
    }

    /// False when the time is over.
    fn take(&mut self, mark: u32) -> bool {
        *self.counts.entry(self.marks.id(mark)).or_default() += 1;
        self.seen += 1;
        self.seen % PART != 0 || Instant::now() < self.end
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uapi::MARK_MASK;

    fn counts(end: Instant) -> Counts {
        Counts::new(Marks::new(MARK_MASK).unwrap(), end)
    }

    #[test]
    fn counts_by_wan() {
        let mut counts = counts(Instant::now() + TIME_MAX);
        for mark in [0x0100_0000, 0x8100_002a, 0x0200_0000, 7] {
            assert!(counts.take(mark));
        }
        assert_eq!(counts.counts, HashMap::from([(0, 1), (1, 2), (2, 1)]));
    }

    #[test]
    fn gives_up_in_the_end() {
        let mut counts = counts(Instant::now());
        let mut taken = std::iter::repeat_with(|| counts.take(0));
        assert!(taken.by_ref().take(PART + 1).any(|goes_on| !goes_on));
    }
}

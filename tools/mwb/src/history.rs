// SPDX-License-Identifier: GPL-2.0

//! What `mwb top` has seen so far: the rates of each WAN over time, and what has become of the counters.

use crate::stats::Stats;
use crate::wan::Wan;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

/// As many as the widest screen shows.
const SAMPLES_MAX: usize = 512;

#[derive(Debug, Default)]
pub struct History {
    pub wans: Vec<Wan>,
    pub stats: Stats,
    /// By number and name: another WAN that gets the number has a history of its own.
    lines: HashMap<(u32, String), Line>,
    /// New connections per second.
    pub placed_per_s: Option<f64>,
    /// Share of the packets that took the route kept by their connection.
    pub hits: Option<f64>,
}

/// The past of one WAN, the latest last.
#[derive(Debug, Default)]
pub struct Line {
    pub up_bps: VecDeque<u64>,
    pub down_bps: VecDeque<u64>,
    pub placed_per_s: Option<f64>,
    connections: Option<u64>,
}

impl History {
    /// Takes what was read so long after what was read before.
    pub fn take(&mut self, wans: Vec<Wan>, stats: Stats, passed: Duration) {
        let mut old = std::mem::take(&mut self.lines);
        for wan in &wans {
            let key = (wan.id, wan.name.clone());
            let line = match old.remove(&key) {
                None => Line::default().seen(wan),
                Some(mut line) => {
                    line.placed_per_s = per_second(line.connections, wan.connections, passed);
                    line.seen(wan)
                }
            };
            self.lines.insert(key, line);
        }
        (self.placed_per_s, self.hits) = match passed.is_zero() {
            true => (None, None),
            false => (
                stats.placed_since(&self.stats, passed),
                stats.hits_since(&self.stats),
            ),
        };
        (self.wans, self.stats) = (wans, stats);
    }

    pub fn line(&self, wan: &Wan) -> Option<&Line> {
        self.lines.get(&(wan.id, wan.name.clone()))
    }
}

impl Line {
    fn seen(mut self, wan: &Wan) -> Self {
        for (history, bps) in [
            (&mut self.up_bps, wan.up_bps),
            (&mut self.down_bps, wan.down_bps),
        ] {
            history.extend(bps);
            if history.len() > SAMPLES_MAX {
                history.pop_front();
            }
        }
        self.connections = wan.connections;
        self
    }
}

/// How fast a counter has grown. None if it was set back, or is not known.
pub fn per_second(old: Option<u64>, new: Option<u64>, passed: Duration) -> Option<f64> {
    let passed = Some(passed.as_secs_f64()).filter(|seconds| *seconds > 0.0)?;
    Some(new?.checked_sub(old?)? as f64 / passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn wan(name: &str, up_bps: u64, connections: u64) -> Wan {
        Wan {
            name: name.into(),
            id: 1,
            up_bps: Some(up_bps),
            down_bps: Some(10 * up_bps),
            connections: Some(connections),
            ..Wan::default()
        }
    }

    #[test]
    fn remembers_rates() {
        let mut history = History::default();
        for (up_bps, connections) in [(1, 10), (2, 10), (3, 16)] {
            let wans = vec![wan("dsl", up_bps, connections)];
            history.take(wans, Stats::default(), 2 * SECOND);
        }
        let line = history.line(&history.wans[0]).unwrap();
        assert_eq!(line.up_bps, [1, 2, 3]);
        assert_eq!(line.down_bps, [10, 20, 30]);
        assert_eq!(line.placed_per_s, Some(3.0));
    }

    #[test]
    fn forgets_what_is_gone() {
        let mut history = History::default();
        for name in ["dsl", "lte", "dsl"] {
            history.take(vec![wan(name, 1, 1)], Stats::default(), SECOND);
            let line = history.line(&history.wans[0]).unwrap();
            assert_eq!((line.up_bps.len(), line.placed_per_s), (1, None));
            assert_eq!(history.lines.len(), 1);
        }
    }

    #[test]
    fn has_an_end() {
        let mut history = History::default();
        for up_bps in 0..2 * SAMPLES_MAX as u64 {
            history.take(vec![wan("dsl", up_bps, 0)], Stats::default(), SECOND);
        }
        let line = history.line(&history.wans[0]).unwrap();
        assert_eq!(line.up_bps.len(), SAMPLES_MAX);
        assert_eq!(line.up_bps[0], SAMPLES_MAX as u64);
    }

    #[test]
    fn counters_may_be_set_back() {
        assert_eq!(per_second(Some(10), Some(30), 2 * SECOND), Some(10.0));
        assert_eq!(per_second(Some(30), Some(10), SECOND), None);
        assert_eq!(per_second(Some(10), Some(30), Duration::ZERO), None);
        assert_eq!(per_second(None, Some(30), SECOND), None);
    }
}

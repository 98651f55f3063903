// SPDX-License-Identifier: GPL-2.0

//! What a policy is put into: lines, load and trouble.

use crate::{
    flows::{
        Flow,
        Mix,
        Random,
        Sizes,
        PEAKS, //
    },
    fluid::{
        self,
        Line,
        Outage,
        Outcome,
        Run, //
    },
    policy, //
};

#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Trouble {
    None,
    /// A third of the lines, but at least one, are said to have twice, or half, of what they have.
    ToldDouble,
    ToldHalf,
    ToldNothing,
    /// Lines of which some have a tenth of their download as upload and some a half, and mostly downloads,
    /// or mostly uploads.
    Downloads,
    Uploads,
    /// One line after the other is away for 2 s of 5.
    Flaps,
    /// Pairs of hosts stay with their line.
    Pairs,
    /// A big flow for every line, all within a second.
    Elephants,
}

impl Trouble {
    pub const ALL: [Self; 8] = [
        Self::ToldDouble,
        Self::ToldHalf,
        Self::ToldNothing,
        Self::Downloads,
        Self::Uploads,
        Self::Flaps,
        Self::Pairs,
        Self::Elephants,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::ToldDouble => "capacities told too high",
            Self::ToldHalf => "capacities told too low",
            Self::ToldNothing => "capacities not told",
            Self::Downloads => "asymmetric, downloads",
            Self::Uploads => "asymmetric, uploads",
            Self::Flaps => "flapping lines",
            Self::Pairs => "sticky pairs",
            Self::Elephants => "elephants in one second",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Scene {
    pub lines: usize,
    /// Of the largest capacity to the smallest.
    pub ratio: f64,
    pub load: f64,
    pub sizes: Sizes,
    pub trouble: Trouble,
}

/// What a line has at the geometric mean, in bytes per second.
const MEAN: f64 = 100e6 / 8.0;

impl Scene {
    pub fn new(lines: usize, ratio: f64, load: f64, sizes: Sizes) -> Self {
        Self {
            lines,
            ratio,
            load,
            sizes,
            trouble: Trouble::None,
        }
    }

    fn make_lines(&self, random: &mut Random) -> Vec<Line> {
        let is_asymmetric = matches!(self.trouble, Trouble::Downloads | Trouble::Uploads);
        let steps = (self.lines - 1).max(1) as f64;
        let mut lines: Vec<Line> = (0..self.lines)
            .map(|i| {
                let down = MEAN * self.ratio.powf(i as f64 / steps - 0.5);
                let capacity = match is_asymmetric {
                    // Wider, or a single upload would fill most of them.
                    true => [4.0 * down, 4.0 * down / if i % 2 == 0 { 10.0 } else { 2.0 }],
                    false => [down; 2],
                };
                Line {
                    capacity,
                    told: capacity,
                }
            })
            .collect();
        for i in (1..lines.len()).rev() {
            lines.swap(i, (random.next_u64() % (i as u64 + 1)) as usize);
        }
        let factor = match self.trouble {
            Trouble::ToldDouble => 2.0,
            Trouble::ToldHalf => 0.5,
            _ => 1.0,
        };
        for line in lines.iter_mut().take((self.lines / 3).max(1)) {
            line.told = line.told.map(|told| told * factor);
        }
        if self.trouble == Trouble::ToldNothing {
            lines.iter_mut().for_each(|line| line.told = [0.0; 2]);
        }
        lines
    }

    fn make_flows(&self, lines: &[Line], seed: u64, end_s: f64) -> Vec<Flow> {
        let total = |dir: usize| lines.iter().map(|l| l.capacity[dir]).sum::<f64>();
        let offered = match self.trouble {
            Trouble::Downloads => [self.load * total(0), 0.3 * self.load * total(1)],
            Trouble::Uploads => [0.3 * self.load * total(0), self.load * total(1)],
            Trouble::Elephants => [(self.load - 0.2) * total(0), 0.05 * self.load * total(1)],
            _ => [self.load * total(0), 0.05 * self.load * total(1)],
        };
        let elephants = match self.trouble {
            Trouble::Elephants => 2 * self.lines as u32,
            _ => 0,
        };
        Mix {
            sizes: self.sizes,
            offered,
            elephants,
        }
        .flows(seed, end_s)
    }

    /// One policy, one seed.
    pub fn run(&self, policy: &str, interval_ms: u32, seed: u64) -> Outcome {
        let (warmup_s, end_s) = match self.lines {
            ..=16 => (12.0, 36.0),
            ..=60 => (10.0, 26.0),
            _ => (8.0, 18.0),
        };
        let lines = self.make_lines(&mut Random::new(seed));
        let flows = self.make_flows(&lines, seed + 1000, end_s);
        let outages: Vec<Outage> = match self.trouble {
            Trouble::Flaps => (0..8)
                .map(|i| Outage {
                    line: i % self.lines,
                    from_s: 2.5 + 5.0 * i as f64,
                    to_s: 4.5 + 5.0 * i as f64,
                })
                .collect(),
            _ => Vec::new(),
        };
        let run = Run {
            lines: &lines,
            flows: &flows,
            peaks: PEAKS,
            outages: &outages,
            is_sticky: self.trouble == Trouble::Pairs,
            interval_s: f64::from(interval_ms) / 1e3,
            warmup_s,
            end_s,
            dir: usize::from(self.trouble == Trouble::Uploads),
        };
        fluid::run(&run, &mut *policy::make(policy, &lines, interval_ms, seed))
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The competitors.

use crate::{
    flows::{
        Flow,
        Random,
        PEAKS, //
    },
    fluid::Line,
};

/// What a policy may look at beside the counters.
pub struct View<'a> {
    pub now_s: f64,
    pub active: &'a [u32],
    pub is_up: &'a [bool],
}

impl View<'_> {
    fn usable(&self) -> impl Iterator<Item = usize> + Clone + '_ {
        (0..self.is_up.len()).filter(|i| self.is_up[*i])
    }
}

pub trait Policy {
    fn pick(&mut self, view: &View, flow: &Flow) -> usize;
    /// A flow goes to a line, which was picked for it or, otherwise, that of its pair.
    fn place(&mut self, _line: usize, _flow: &Flow, _now_s: f64, _is_picked: bool) {}
    fn come_up(&mut self, _line: usize) {}
    /// Bytes carried since the beginning: download, upload.
    fn sample(&mut self, _now_s: f64, _counters: &[[u64; 2]], _is_up: &[bool]) {}
}

fn least(items: impl Iterator<Item = usize>, score: impl Fn(usize) -> f64) -> usize {
    items
        .min_by(|a, b| score(*a).total_cmp(&score(*b)))
        .unwrap()
}

/// Every line alike, as multipath routes and a hash do.
pub struct EqualHash(pub Random);

impl Policy for EqualHash {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        self.0
            .weighted(view.is_up.iter().map(|up| f64::from(u8::from(*up))))
    }
}

/// By static weights, as mwan3 and VyOS do.
pub struct WeightedRandom {
    pub random: Random,
    pub weights: Vec<f64>,
}

impl Policy for WeightedRandom {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        let weights = self.weights.iter().zip(view.is_up);
        self.random
            .weighted(weights.map(|(w, up)| if *up { *w } else { 0.0 }))
    }
}

/// nft's `numgen inc mod` with a map: blocks in turn, in proportion to the weights.
pub struct Numgen {
    pub weights: Vec<u64>,
    pub next: u64,
}

impl Policy for Numgen {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        let total: u64 = view.usable().map(|i| self.weights[i]).sum();
        let mut at = self.next % total;
        self.next += 1;
        let mut usable = view.usable();
        usable
            .find(|i| {
                let is_here = at < self.weights[*i];
                at = at.wrapping_sub(self.weights[*i]);
                is_here
            })
            .unwrap()
    }
}

pub struct LeastConnections(pub Vec<f64>);

impl Policy for LeastConnections {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        least(view.usable(), |i| f64::from(view.active[i] + 1) / self.0[i])
    }
}

/// Rates of the last interval, in bytes per second.
#[derive(Default)]
struct Rates {
    last: Vec<[u64; 2]>,
    at_s: f64,
    rates: Vec<[f64; 2]>,
}

impl Rates {
    fn sample(&mut self, now_s: f64, counters: &[[u64; 2]], keep: f64) {
        self.rates.resize(counters.len(), [0.0; 2]);
        self.last.resize(counters.len(), [0; 2]);
        let passed_s = now_s - self.at_s;
        if passed_s <= 0.0 {
            return;
        }
        self.at_s = now_s;
        for (i, now) in counters.iter().enumerate() {
            for dir in 0..2 {
                let rate = (now[dir] - self.last[i][dir]) as f64 / passed_s;
                self.rates[i][dir] = self.rates[i][dir] * keep + rate * (1.0 - keep);
            }
            self.last[i] = *now;
        }
    }

    fn of(&self, line: usize, dir: usize) -> f64 {
        self.rates.get(line).map_or(0.0, |r| r[dir])
    }
}

/// The line with the most download that is free: Peplink's "least used".
pub struct LeastDownload {
    rates: Rates,
    capacity: Vec<f64>,
}

impl Policy for LeastDownload {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        least(view.usable(), |i| self.rates.of(i, 0) - self.capacity[i])
    }
    fn sample(&mut self, now_s: f64, counters: &[[u64; 2]], _: &[bool]) {
        self.rates.sample(now_s, counters, 0.0);
    }
}

/// The original rule, taken literally: the line that was best at the last sample.
pub struct Literal {
    random: Random,
    rates: Rates,
    lines: Vec<Line>,
    is_overloaded: bool,
}

impl Policy for Literal {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        let dir = usize::from(self.is_overloaded);
        let turn = self.random.next_u64() as usize;
        let n = self.lines.len();
        let shuffled = (0..n).map(|i| (i.wrapping_add(turn)) % n);
        least(shuffled.filter(|i| view.is_up[*i]), |i| {
            self.rates.of(i, dir) / self.lines[i].told[dir].max(1.0)
        })
    }
    fn sample(&mut self, now_s: f64, counters: &[[u64; 2]], is_up: &[bool]) {
        self.rates.sample(now_s, counters, 0.7);
        let percent = if self.is_overloaded { 0.8 } else { 0.85 };
        let mut up = (0..is_up.len()).filter(|i| is_up[*i]);
        self.is_overloaded = up.any(|i| self.rates.of(i, 1) > percent * self.lines[i].told[1]);
    }
}

/// The better of two random lines by its rate, and nothing else.
pub struct PowerOfTwo {
    random: Random,
    rates: Rates,
    capacity: Vec<f64>,
}

impl Policy for PowerOfTwo {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        let mut weights: Vec<f64> = self.capacity.clone();
        for (w, up) in weights.iter_mut().zip(view.is_up) {
            *w = if *up { *w } else { 0.0 };
        }
        let a = self.random.weighted(weights.iter().copied());
        weights[a] = 0.0;
        if weights.iter().all(|w| *w == 0.0) {
            return a;
        }
        let b = self.random.weighted(weights.iter().copied());
        least([a, b].into_iter(), |i| {
            self.rates.of(i, 0) / self.capacity[i]
        })
    }
    fn sample(&mut self, now_s: f64, counters: &[[u64; 2]], _: &[bool]) {
        self.rates.sample(now_s, counters, 0.7);
    }
}

/// Knows how large each flow is and how fast it goes, and puts it where the seconds that it lasts are used
/// least: the sum of the squares of the uses grows by as little as it can.
pub struct Clairvoyant {
    lines: Vec<Line>,
    /// Bytes that will be carried, by direction, line and second.
    planned: [Vec<Vec<f64>>; 2],
}

impl Clairvoyant {
    fn parts(flow: &Flow, now_s: f64, mut each: impl FnMut(usize, f64)) {
        let rate = PEAKS[usize::from(flow.peak)];
        let end_s = now_s + flow.bytes / rate;
        let mut at_s = now_s;
        while at_s < end_s {
            let second = at_s as usize;
            let to_s = end_s.min(second as f64 + 1.0);
            each(second, rate * (to_s - at_s));
            at_s = to_s;
        }
    }
}

impl Policy for Clairvoyant {
    fn pick(&mut self, view: &View, flow: &Flow) -> usize {
        let dir = usize::from(flow.dir);
        least(view.usable(), |i| {
            let (planned, mut cost) = (&self.planned[dir][i], 0.0);
            Self::parts(flow, view.now_s, |second, bytes| {
                cost += bytes * (2.0 * planned.get(second).unwrap_or(&0.0) + bytes);
            });
            cost / self.lines[i].capacity[dir]
        })
    }
    fn place(&mut self, line: usize, flow: &Flow, now_s: f64, _: bool) {
        let planned = &mut self.planned[usize::from(flow.dir)][line];
        Self::parts(flow, now_s, |second, bytes| {
            if planned.len() <= second {
                planned.resize(second + 1, 0.0);
            }
            planned[second] += bytes;
        });
    }
}

/// The module's own code.
mod mwb {
    pub(crate) use crate::{
        mwb_pick::*,
        mwb_rate::*, //
    };
}

pub(crate) struct Mwb {
    settings: mwb::Settings,
    outlook: mwb::Outlook,
    clock: u64,
    random: Random,
    wans: Vec<Wan>,
    expect: [mwb::Expectation; 2],
    last_s: f64,
}

#[derive(Clone)]
struct Wan {
    /// Download, upload.
    loads: [mwb::Load; 2],
    meters: [mwb::Meter; 2],
    capacities: [mwb::Capacity; 2],
    /// Upload, in bits per second; 0 if nothing was told.
    told_bps: u64,
    turn: u64,
    placed: u64,
}

impl Mwb {
    pub(crate) fn new(settings: mwb::Settings, lines: &[Line], random: Random) -> Self {
        let wan = |line: &Line| {
            let capacities = line
                .told
                .map(|told| mwb::Capacity::new((told * 8.0) as u64));
            Wan {
                loads: capacities.map(|c| mwb::Load {
                    capacity_bps: c.bps(),
                    ..Default::default()
                }),
                meters: Default::default(),
                capacities,
                told_bps: (line.told[1] * 8.0) as u64,
                turn: 0,
                placed: 0,
            }
        };
        let mut new = Self {
            settings,
            outlook: Default::default(),
            clock: 0,
            random,
            wans: lines.iter().map(wan).collect(),
            expect: [mwb::Expectation::DOWN, mwb::Expectation::UP],
            last_s: 0.0,
        };
        new.expected();
        new
    }

    /// All lines together.
    fn all(&self, dir: usize) -> mwb::Load {
        let loads = self.wans.iter().map(|w| w.loads[dir]);
        loads.fold(mwb::Load::default(), mwb::Load::plus)
    }

    fn expected(&mut self) {
        let n = self.wans.len() as u64;
        let [down, up] = [0, 1].map(|dir| self.all(dir).divided(n));
        self.outlook.down = self.expect[0].expected(&self.settings, down);
        self.outlook.up = self.expect[1].expected(&self.settings, up);
    }
}

impl Policy for Mwb {
    fn pick(&mut self, view: &View, _: &Flow) -> usize {
        let candidates = view.usable().map(|i| {
            let Wan {
                loads: [down, up],
                turn,
                ..
            } = self.wans[i];
            mwb::Candidate {
                id: i as u8 + 1,
                tier: 1,
                up,
                down,
                turn,
            }
        });
        let random = self.random.next_u32();
        let id = mwb::pick(
            &self.settings,
            &self.outlook,
            self.clock,
            candidates,
            random,
        );
        usize::from(id.unwrap()) - 1
    }

    fn come_up(&mut self, line: usize) {
        for dir in 0..2 {
            let all = self.all(dir);
            let load = &mut self.wans[line].loads[dir];
            *load = mwb::Load::fresh(load.capacity_bps, all);
        }
    }

    fn place(&mut self, line: usize, _: &Flow, _: f64, is_picked: bool) {
        if !is_picked {
            return;
        }
        let wan = &mut self.wans[line];
        wan.placed += 1;
        (self.clock, wan.turn) = mwb::next_turn(wan.turn, self.clock, wan.loads[0].capacity_bps);
        for (load, expected) in wan
            .loads
            .iter_mut()
            .zip([self.outlook.down, self.outlook.up])
        {
            load.credit_bps += expected.credit_bps;
        }
    }

    fn sample(&mut self, now_s: f64, counters: &[[u64; 2]], is_up: &[bool]) {
        let now_ns = (now_s * 1e9) as u64;
        for dir in 0..2 {
            let (mut bytes, mut placed) = (0, 0);
            for (wan, now) in self.wans.iter_mut().zip(counters) {
                let Some(sample) = wan.meters[dir].sample(1, now[dir], now_ns) else {
                    continue;
                };
                bytes += sample.bytes;
                placed += wan.placed;
                wan.loads[dir] = wan.loads[dir].sampled(&self.settings, sample);
                wan.capacities[dir].learn(sample);
                wan.loads[dir].capacity_bps = wan.capacities[dir].bps();
            }
            let elapsed_ns = ((now_s - self.last_s) * 1e9) as u64;
            self.expect[dir].learn(bytes, placed, elapsed_ns);
        }
        self.last_s = now_s;
        for wan in &mut self.wans {
            wan.placed = 0;
        }
        self.expected();
        let given = self
            .wans
            .iter()
            .zip(is_up)
            .filter(|(w, up)| **up && w.told_bps > 0)
            .map(|(w, _)| mwb::Load {
                capacity_bps: w.told_bps,
                ..w.loads[1]
            });
        let open = self.wans.iter().zip(is_up).filter(|(_, up)| **up);
        self.outlook.is_idle = mwb::is_idle(open.flat_map(|(w, _)| w.loads));
        let was = self.outlook.is_upload;
        self.outlook.is_upload = mwb::is_overloaded(&self.settings, was, given);
    }
}

/// The policy of this name.
pub fn make(name: &str, lines: &[Line], interval_ms: u32, seed: u64) -> Box<dyn Policy> {
    let random = Random::new(seed ^ 0x5eed);
    // Whom nothing is told takes all lines for alike.
    let capacity: Vec<f64> = lines.iter().map(|l| l.told[0].max(1.0)).collect();
    let least = capacity.iter().copied().fold(f64::MAX, f64::min);
    let rates = Rates::default();
    let lines = lines.to_vec();
    let mwb = |mode| mwb::Settings {
        mode,
        interval_ms,
        ..mwb::Settings::DEFAULT
    };
    match name {
        "equal hash" => Box::new(EqualHash(random)),
        "weighted random" => Box::new(WeightedRandom {
            random,
            weights: capacity,
        }),
        "nft numgen" => Box::new(Numgen {
            weights: capacity
                .iter()
                .map(|c| (c / least).round() as u64)
                .collect(),
            next: 0,
        }),
        "least connections" => Box::new(LeastConnections(capacity)),
        "least download" => Box::new(LeastDownload { rates, capacity }),
        "literal rule" => Box::new(Literal {
            random,
            rates,
            lines,
            is_overloaded: false,
        }),
        "power of two" => Box::new(PowerOfTwo {
            random,
            rates,
            capacity,
        }),
        "clairvoyant" => Box::new(Clairvoyant {
            planned: [(); 2].map(|()| vec![Vec::new(); lines.len()]),
            lines,
        }),
        "mwb rate" => Box::new(Mwb::new(mwb(mwb::Mode::Rate), &lines, random)),
        "mwb two-choices" => Box::new(Mwb::new(mwb(mwb::Mode::TwoChoices), &lines, random)),
        "mwb weighted" => Box::new(Mwb::new(mwb(mwb::Mode::Weighted), &lines, random)),
        _ => panic!("no policy is called {name}"),
    }
}

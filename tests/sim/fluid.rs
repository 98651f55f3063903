// SPDX-License-Identifier: GPL-2.0

//! The fluid model: flows that share a line take equal parts of it, none more than its own peak.

use crate::{
    flows::{
        Flow,
        Peaks,
        PEAKS, //
    },
    policy::{
        Policy,
        View, //
    },
};
use std::{
    cmp::{
        Ordering,
        Reverse, //
    },
    collections::{
        BinaryHeap,
        HashMap, //
    },
};

/// Bytes that acknowledge a byte, in the other direction.
const ACK: f64 = 0.02;
/// How long a pair stays with its line without a new flow, in pair mode.
const PAIR_TIMEOUT_S: f64 = 60.0;

/// One line, in bytes per second; download, upload.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    pub capacity: [f64; 2],
    /// What the policies are told; 0 for nothing.
    pub told: [f64; 2],
}

/// A line that is down for a time.
#[derive(Clone, Copy)]
pub struct Outage {
    pub line: usize,
    pub from_s: f64,
    pub to_s: f64,
}

pub struct Run<'a> {
    pub lines: &'a [Line],
    pub flows: &'a [Flow],
    /// What a flow could take at most, by the index that it has; ascending.
    pub peaks: Peaks,
    pub outages: &'a [Outage],
    pub is_sticky: bool,
    /// Time between two samples of the counters.
    pub interval_s: f64,
    pub warmup_s: f64,
    pub end_s: f64,
    /// The direction that is looked at.
    pub dir: usize,
}

/// What came out.
#[derive(Clone, Default)]
pub struct Outcome {
    /// Greatest use of a line in relation to the use of all, one value per second.
    pub spread: Vec<f64>,
    /// Mean over flows of the time taken in relation to the time on an empty line.
    pub slowdown: f64,
    /// Use of each line, one row per second.
    pub uses: Vec<Vec<f64>>,
}

impl Outcome {
    pub fn mean(&self) -> f64 {
        self.spread.iter().sum::<f64>() / self.spread.len().max(1) as f64
    }
}

#[derive(PartialEq, Clone, Copy)]
struct Time(f64);

impl Eq for Time {}
impl PartialOrd for Time {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Time {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

const CLASSES: usize = PEAKS.len();

/// One direction of a line. All flows with the same peak have the same rate, so one number per peak says
/// what each of them has been given.
#[derive(Default)]
struct Server {
    capacity: f64,
    rate: [f64; CLASSES],
    given: [f64; CLASSES],
    /// (What has been given when it is done, flow.)
    flows: [BinaryHeap<Reverse<(Time, u32)>>; CLASSES],
    total_rate: f64,
    carried: f64,
    at_s: f64,
    version: u32,
}

impl Server {
    fn advance(&mut self, now_s: f64) {
        let passed_s = now_s - self.at_s;
        self.at_s = now_s;
        self.carried += self.total_rate * passed_s;
        for (given, rate) in self.given.iter_mut().zip(self.rate) {
            *given += rate * passed_s;
        }
    }

    /// Shares the capacity anew, and says when the next flow is done.
    fn share(&mut self, peaks: Peaks) -> Option<f64> {
        let mut left = self.capacity;
        let mut count: usize = self.flows.iter().map(BinaryHeap::len).sum();
        self.total_rate = 0.0;
        let mut next: Option<f64> = None;
        for (class, peak) in peaks.into_iter().enumerate() {
            let n = self.flows[class].len();
            let Some(Reverse((Time(done), _))) = self.flows[class].peek() else {
                continue;
            };
            let rate = peak.min(left / count as f64);
            self.rate[class] = rate;
            left -= rate * n as f64;
            count -= n;
            self.total_rate += rate * n as f64;
            let at_s = self.at_s + (done - self.given[class]).max(0.0) / rate;
            next = Some(next.map_or(at_s, |next| next.min(at_s)));
        }
        self.version += 1;
        next
    }
}

struct Live {
    flow: Flow,
    line: usize,
}

struct State<'a> {
    run: &'a Run<'a>,
    servers: Vec<Server>,
    done: BinaryHeap<Reverse<(Time, u32, u32)>>,
    live: Vec<Live>,
    free: Vec<u32>,
    active: Vec<u32>,
    is_up: Vec<bool>,
    pairs: HashMap<u32, (usize, f64)>,
    slowdown: (f64, u64),
}

impl State<'_> {
    fn share(&mut self, server: usize) {
        let s = &mut self.servers[server];
        if let Some(at_s) = s.share(self.run.peaks) {
            self.done
                .push(Reverse((Time(at_s), server as u32, s.version)));
        }
    }

    fn place(&mut self, policy: &mut dyn Policy, flow: Flow, bytes: f64, now_s: f64) {
        let view = View {
            now_s,
            active: &self.active,
            is_up: &self.is_up,
        };
        let of_pair = self.pairs.get(&flow.pair).copied();
        let of_pair = of_pair.filter(|(line, last_s)| {
            self.run.is_sticky && self.is_up[*line] && now_s - last_s < PAIR_TIMEOUT_S
        });
        let line = match of_pair {
            Some((line, _)) => line,
            None => policy.pick(&view, &flow),
        };
        assert!(self.is_up[line]);
        policy.place(line, &flow, now_s, of_pair.is_none());
        if self.run.is_sticky {
            self.pairs.insert(flow.pair, (line, now_s));
        }
        self.active[line] += 1;
        let id = self.free.pop().unwrap_or_else(|| {
            self.live.push(Live { flow, line });
            self.live.len() as u32 - 1
        });
        self.live[id as usize] = Live { flow, line };
        let server = line * 2 + usize::from(flow.dir);
        let s = &mut self.servers[server];
        s.advance(now_s);
        let class = usize::from(flow.peak);
        s.flows[class].push(Reverse((Time(s.given[class] + bytes), id)));
        self.share(server);
    }

    fn finish(&mut self, server: usize, now_s: f64) {
        let s = &mut self.servers[server];
        s.advance(now_s);
        for class in 0..CLASSES {
            while let Some(Reverse((Time(done), id))) = s.flows[class].peek().copied() {
                if done > s.given[class] + 1e-3 {
                    break;
                }
                s.flows[class].pop();
                self.free.push(id);
                let Live { flow, line } = &self.live[id as usize];
                self.active[*line] -= 1;
                if flow.at_s >= self.run.warmup_s {
                    let best_s = flow.bytes / self.run.peaks[class];
                    self.slowdown.0 += ((now_s - flow.at_s) / best_s).max(1.0);
                    self.slowdown.1 += 1;
                }
            }
        }
        self.share(server);
    }

    /// What was on a line that goes down begins anew elsewhere, with what is left.
    fn flee(&mut self, policy: &mut dyn Policy, line: usize, now_s: f64) {
        self.is_up[line] = false;
        let mut fled = Vec::new();
        for server in [line * 2, line * 2 + 1] {
            let s = &mut self.servers[server];
            s.advance(now_s);
            for class in 0..CLASSES {
                let given = s.given[class];
                fled.extend(
                    s.flows[class]
                        .drain()
                        .map(|Reverse((Time(done), id))| (id, done - given)),
                );
            }
            self.share(server);
        }
        fled.sort_by_key(|(id, _)| *id);
        for (id, left) in fled {
            let flow = self.live[id as usize].flow;
            self.free.push(id);
            self.active[line] -= 1;
            self.place(policy, flow, left.max(1.0), now_s);
        }
    }

    fn counters(&mut self, now_s: f64) -> Vec<[u64; 2]> {
        for s in &mut self.servers {
            s.advance(now_s);
        }
        let lines = self.servers.chunks(2);
        lines
            .map(|s| {
                [
                    s[0].carried + ACK * s[1].carried,
                    s[1].carried + ACK * s[0].carried,
                ]
            })
            .map(|bytes| bytes.map(|b| b as u64))
            .collect()
    }

    fn uses(&self, before: &[f64]) -> (Vec<f64>, f64) {
        let dir = self.run.dir;
        let (mut carried, mut capacity) = (0.0, 0.0);
        let mut uses = Vec::new();
        for (i, line) in self.run.lines.iter().enumerate() {
            let bytes = self.servers[i * 2 + dir].carried - before[i];
            uses.push(bytes / line.capacity[dir]);
            if self.is_up[i] {
                carried += bytes;
                capacity += line.capacity[dir];
            }
        }
        (uses, carried / capacity)
    }
}

enum Event {
    Arrival,
    Done(usize),
    Sample,
    Window,
    Outage,
}

/// Runs one policy through one load.
pub fn run(run: &Run, policy: &mut dyn Policy) -> Outcome {
    let n = run.lines.len();
    let mut state = State {
        run,
        servers: (0..n * 2)
            .map(|i| Server {
                capacity: run.lines[i / 2].capacity[i % 2],
                ..Server::default()
            })
            .collect(),
        done: BinaryHeap::new(),
        live: Vec::new(),
        free: Vec::new(),
        active: vec![0; n],
        is_up: vec![true; n],
        pairs: HashMap::new(),
        slowdown: (0.0, 0),
    };
    let mut switches: Vec<(f64, usize, bool)> = Vec::new();
    for o in run.outages {
        switches.extend([(o.from_s, o.line, false), (o.to_s, o.line, true)]);
    }
    switches.sort_by(|a, b| a.0.total_cmp(&b.0));
    let counters = state.counters(0.0);
    policy.sample(0.0, &counters, &state.is_up);
    let mut outcome = Outcome::default();
    let (mut arrival, mut switch) = (0, 0);
    let (mut sample_s, mut window_s) = (run.interval_s, 1.0);
    let mut before = vec![0.0; n];
    let mut has_switched = false;
    loop {
        while let Some(Reverse((_, server, version))) = state.done.peek() {
            if state.servers[*server as usize].version == *version {
                break;
            }
            state.done.pop();
        }
        let mut next = (window_s, Event::Window);
        let mut consider = |at_s: f64, event| {
            if at_s < next.0 {
                next = (at_s, event);
            }
        };
        consider(sample_s, Event::Sample);
        if let Some(flow) = run.flows.get(arrival) {
            consider(flow.at_s, Event::Arrival);
        }
        if let Some((at_s, _, _)) = switches.get(switch) {
            consider(*at_s, Event::Outage);
        }
        if let Some(Reverse((Time(at_s), server, _))) = state.done.peek() {
            consider(*at_s, Event::Done(*server as usize));
        }
        let (now_s, event) = next;
        if now_s > run.end_s {
            break;
        }
        match event {
            Event::Arrival => {
                let flow = run.flows[arrival];
                arrival += 1;
                state.place(policy, flow, flow.bytes, now_s);
            }
            Event::Done(server) => state.finish(server, now_s),
            Event::Sample => {
                let counters = state.counters(now_s);
                policy.sample(now_s, &counters, &state.is_up);
                sample_s += run.interval_s;
            }
            Event::Outage => {
                let (_, line, is_up) = switches[switch];
                switch += 1;
                has_switched = true;
                if is_up {
                    state.is_up[line] = true;
                    policy.come_up(line);
                } else {
                    state.flee(policy, line, now_s);
                }
            }
            Event::Window => {
                state.counters(now_s);
                let (uses, mean) = state.uses(&before);
                for (i, before) in before.iter_mut().enumerate() {
                    *before = state.servers[i * 2 + run.dir].carried;
                }
                // A second in which a line came or went has no use of all to compare with.
                if now_s > run.warmup_s && !has_switched && mean > 0.0 {
                    let most = uses.iter().copied().fold(0.0, f64::max);
                    outcome.spread.push(most / mean);
                }
                outcome.uses.push(uses);
                has_switched = false;
                window_s += 1.0;
            }
        }
    }
    // What is not done yet has been slowed down, too.
    state.counters(run.end_s);
    for s in &state.servers {
        for class in 0..CLASSES {
            for Reverse((Time(done), id)) in &s.flows[class] {
                let flow = &state.live[*id as usize].flow;
                let served = flow.bytes - (done - s.given[class]);
                if flow.at_s >= run.warmup_s && served > 1.0 {
                    let best_s = served / run.peaks[class];
                    state.slowdown.0 += ((run.end_s - flow.at_s) / best_s).max(1.0);
                    state.slowdown.1 += 1;
                }
            }
        }
    }
    outcome.slowdown = state.slowdown.0 / state.slowdown.1.max(1) as f64;
    outcome
}

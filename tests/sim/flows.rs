// SPDX-License-Identifier: GPL-2.0

//! What wants to be carried: how large flows are, how fast they could go, when they come.

/// A small generator (splitmix64): the same seed gives the same flows to every policy.
#[derive(Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// In [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * (1.0 - self.uniform()).ln()
    }

    /// An index, with a probability in proportion to its weight.
    pub fn weighted(&mut self, weights: impl Iterator<Item = f64> + Clone) -> usize {
        let mut x = self.uniform() * weights.clone().sum::<f64>();
        let mut last = 0;
        for (i, weight) in weights.enumerate().filter(|(_, w)| *w > 0.0) {
            last = i;
            x -= weight;
            if x < 0.0 {
                break;
            }
        }
        last
    }
}

/// How large flows are.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Sizes {
    /// Bounded Pareto, from 10 kB to 30 MB.
    Pareto(f64),
    /// Web search: M. Alizadeh et al., "Data Center TCP (DCTCP)", SIGCOMM 2010.
    WebSearch,
    /// Data mining: A. Greenberg et al., "VL2", SIGCOMM 2009, as in M. Alizadeh et al., "pFabric", SIGCOMM
    /// 2013. At a tenth, for the largest would outlast the run at the speed of a WAN.
    DataMining,
    /// Bounded Pareto, with what lines of a few Mbit/s carry within seconds.
    Lab,
}

const PARETO_BYTES: (f64, f64) = (1e4, 3e7);
const LAB_PARETO: (f64, f64, f64) = (1.05, 2e4, 1e6);

/// (Bytes, share of the flows that are not larger.)
const WEB_SEARCH: &[(f64, f64)] = &[
    (0.0, 0.0),
    (10e3, 0.15),
    (20e3, 0.2),
    (30e3, 0.3),
    (50e3, 0.4),
    (80e3, 0.53),
    (200e3, 0.6),
    (1e6, 0.7),
    (2e6, 0.8),
    (5e6, 0.9),
    (10e6, 0.97),
    (30e6, 1.0),
];
const DATA_MINING: &[(f64, f64)] = &[
    (0.0, 0.0),
    (18.0, 0.1),
    (21.6, 0.2),
    (56.0, 0.3),
    (90.0, 0.4),
    (110.0, 0.5),
    (187.0, 0.6),
    (316.0, 0.7),
    (1e3, 0.8),
    (40e3, 0.9),
    (316e3, 0.95),
    (10e6, 0.98),
    (100e6, 1.0),
];

impl Sizes {
    pub fn name(self) -> String {
        match self {
            Self::Pareto(alpha) => format!("pareto {alpha}"),
            Self::WebSearch => "web search".into(),
            Self::DataMining => "data mining".into(),
            Self::Lab => "lab".into(),
        }
    }

    /// The exponent and the bounds of a Pareto distribution.
    fn pareto(self) -> Option<(f64, f64, f64)> {
        match self {
            Self::Pareto(alpha) => Some((alpha, PARETO_BYTES.0, PARETO_BYTES.1)),
            Self::Lab => Some(LAB_PARETO),
            _ => None,
        }
    }

    fn points(self) -> &'static [(f64, f64)] {
        match self {
            Self::DataMining => DATA_MINING,
            _ => WEB_SEARCH,
        }
    }

    pub fn mean_bytes(self) -> f64 {
        match self.pareto() {
            Some((a, low, high)) => {
                low.powf(a) / (1.0 - (low / high).powf(a)) * a / (a - 1.0)
                    * (low.powf(1.0 - a) - high.powf(1.0 - a))
            }
            None => {
                let pairs = self.points().windows(2);
                pairs
                    .map(|p| (p[1].1 - p[0].1) * (p[0].0 + p[1].0) / 2.0)
                    .sum()
            }
        }
    }

    fn draw(self, random: &mut Random) -> f64 {
        let u = random.uniform();
        match self.pareto() {
            Some((a, low, high)) => low * (1.0 - u * (1.0 - (low / high).powf(a))).powf(-1.0 / a),
            None => {
                let points = self.points();
                let at = points
                    .iter()
                    .position(|p| p.1 > u)
                    .unwrap_or(points.len() - 1);
                let ((x0, y0), (x1, y1)) = (points[at - 1], points[at]);
                (x0 + (x1 - x0) * (u - y0) / (y1 - y0)).max(1.0)
            }
        }
    }
}

/// What a flow could take at most, in bytes per second: the other end, the path and the radio link in front
/// of the client are what limits most.
pub type Peaks = [f64; 3];
pub const PEAKS: Peaks = [2e6 / 8.0, 5e6 / 8.0, 10e6 / 8.0];

#[derive(Clone, Copy)]
pub struct Flow {
    pub at_s: f64,
    pub bytes: f64,
    /// Index in [`PEAKS`].
    pub peak: u8,
    /// 0: download, 1: upload.
    pub dir: u8,
    pub pair: u32,
}

/// What arrives.
#[derive(Clone, Copy)]
pub struct Mix {
    pub sizes: Sizes,
    /// Bytes per second, by direction.
    pub offered: [f64; 2],
    /// Elephants that all come within one second, in the middle of the run.
    pub elephants: u32,
}

const PAIRS: f64 = 5000.0;

impl Mix {
    /// All flows that arrive within `seconds`, in their order.
    pub fn flows(&self, seed: u64, seconds: f64) -> Vec<Flow> {
        let mut random = Random::new(seed);
        let total = self.offered[0] + self.offered[1];
        let gap_s = self.sizes.mean_bytes() / total;
        let (mut at_s, mut flows) = (0.0, Vec::new());
        loop {
            at_s += random.exponential(gap_s);
            if at_s >= seconds {
                break;
            }
            let bytes = self.sizes.draw(&mut random);
            let peak = (random.next_u32() % PEAKS.len() as u32) as u8;
            let dir = u8::from(random.uniform() * total >= self.offered[0]);
            let pair = (PAIRS * random.uniform().powi(2)) as u32;
            flows.push(Flow {
                at_s,
                bytes,
                peak,
                dir,
                pair,
            });
        }
        for i in 0..self.elephants {
            let at_s = seconds / 2.0 + f64::from(i) / f64::from(self.elephants);
            flows.push(Flow {
                at_s,
                bytes: 2e7,
                peak: 2,
                dir: 0,
                pair: 1_000_000 + i,
            });
        }
        flows.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
        flows
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Means over seeds, and how sure they are.

use crate::fluid::Outcome;
use std::fmt;

/// A mean with its 95 % confidence interval.
#[derive(Clone, Copy)]
pub struct Estimate {
    pub mean: f64,
    pub margin: f64,
}

impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:.3}±{:.3}", self.mean, self.margin)
    }
}

impl Estimate {
    fn of(values: &[f64]) -> Self {
        /// Student's t for 9 degrees of freedom, which are those of ten seeds; for more it is less.
        const T: f64 = 2.262;
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        Self {
            mean,
            margin: T * (squares / (n - 1.0).max(1.0) / n).sqrt(),
        }
    }
}

/// One policy in one scene, by seed.
#[derive(Clone)]
pub struct Report {
    spreads: Vec<f64>,
    slowdowns: Vec<f64>,
    windows: Vec<f64>,
}

impl Report {
    pub fn new(outcomes: &[Outcome]) -> Self {
        Self {
            spreads: outcomes.iter().map(Outcome::mean).collect(),
            slowdowns: outcomes.iter().map(|o| o.slowdown).collect(),
            windows: outcomes.iter().flat_map(|o| o.spread.clone()).collect(),
        }
    }

    /// Several scenes together.
    pub fn all(reports: &[Self]) -> Self {
        let all = |f: fn(&Self) -> &Vec<f64>| reports.iter().flat_map(|r| f(r).clone()).collect();
        Self {
            spreads: all(|r| &r.spreads),
            slowdowns: all(|r| &r.slowdowns),
            windows: all(|r| &r.windows),
        }
    }

    pub fn spread(&self) -> Estimate {
        Estimate::of(&self.spreads)
    }

    /// With the standard deviation of a single one.
    pub fn spread_and_deviation(&self) -> (f64, f64) {
        let mean = self.spread().mean;
        let squares: f64 = self.spreads.iter().map(|s| (s - mean).powi(2)).sum();
        (mean, (squares / (self.spreads.len() as f64 - 1.0)).sqrt())
    }

    pub fn slowdown(&self) -> Estimate {
        Estimate::of(&self.slowdowns)
    }

    /// Of all windows.
    pub fn p99(&self) -> f64 {
        let mut windows = self.windows.clone();
        windows.sort_by(f64::total_cmp);
        windows
            .get(windows.len() * 99 / 100)
            .copied()
            .unwrap_or(0.0)
    }

    /// Seeds are compared in pairs: both policies have had the same flows.
    pub fn spread_minus(&self, other: &Self) -> Estimate {
        Self::minus(&self.spreads, &other.spreads)
    }

    pub fn slowdown_minus(&self, other: &Self) -> Estimate {
        Self::minus(&self.slowdowns, &other.slowdowns)
    }

    fn minus(a: &[f64], b: &[f64]) -> Estimate {
        let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
        Estimate::of(&differences)
    }
}

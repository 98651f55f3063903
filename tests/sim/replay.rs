// SPDX-License-Identifier: GPL-2.0

//! The same flows for the model and for the lab: what tests/netns/t-choice sends as packets, and what the
//! model says of it.

use crate::{
    flows::{
        Flow,
        Mix,
        Peaks,
        Random,
        Sizes, //
    },
    fluid::{
        self,
        Line,
        Run, //
    },
    policy,
    stats::Report, //
};
use std::{
    fmt::Write,
    fs,
    io, //
};

/// Lines that one core can carry packet by packet, in Mbit/s, in both directions.
const MBIT: [f64; 4] = [5.0, 10.0, 15.0, 30.0];
const LOAD: f64 = 0.6;
/// Narrow, or one flow would fill a line.
const PEAKS: Peaks = [1e6 / 8.0, 2e6 / 8.0, 3e6 / 8.0];
/// Of the bytes of a packet, those that are payload; the model's bytes are those of packets.
const PAYLOAD: f64 = 1448.0 / 1500.0;
const POLICIES: [&str; 4] = ["mwb rate", "weighted random", "nft numgen", "equal hash"];
/// How often the model runs: what a policy draws differs, the flows are the same.
const DRAWS: u64 = 50;
const LATE_S: f64 = 0.02;

fn flows(lines: &[Line], seed: u64, end_s: f64) -> Vec<Flow> {
    let total: f64 = lines.iter().map(|l| l.capacity[0]).sum();
    let mut flows = Mix {
        sizes: Sizes::Lab,
        offered: [LOAD * total, 0.05 * LOAD * total],
        elephants: 0,
    }
    .flows(seed, end_s);
    // Or one would fill the upload of the smallest line.
    let uploads = flows.iter_mut().filter(|f| f.dir == 1);
    uploads.for_each(|f| f.peak = 0);
    flows
}

/// As a lab has them, which is not punctual.
fn late(flows: &[Flow], seed: u64) -> Vec<Flow> {
    let mut random = Random::new(seed);
    let late = |f: &Flow| Flow {
        at_s: f.at_s + LATE_S * random.uniform(),
        ..*f
    };
    let mut flows: Vec<Flow> = flows.iter().map(late).collect();
    flows.sort_by(|a, b| a.at_s.total_cmp(&b.at_s));
    flows
}

/// Writes FOLDER/workload, which the lab replays, and FOLDER/model, what is to be expected.
///
/// The workload: the lines, the window that counts, and the flows: when they come, download (0) or upload,
/// bytes, bytes per second at most, and a number that stands for who talks to whom.
pub fn replay(folder: &str, seed: u64, warmup_s: f64, end_s: f64) -> io::Result<()> {
    let lines = MBIT.map(|mbit| Line {
        capacity: [mbit * 1e6 / 8.0; 2],
        told: [mbit * 1e6 / 8.0; 2],
    });
    let flows = flows(&lines, seed, end_s);
    let run = Run {
        lines: &lines,
        flows: &flows,
        peaks: PEAKS,
        outages: &[],
        is_sticky: false,
        interval_s: 0.2,
        warmup_s,
        end_s,
        dir: 0,
    };

    let lines_text = MBIT.map(|mbit| format!("{mbit}/{mbit}")).join(" ");
    let mut text = format!("lines {lines_text}\nwindow {warmup_s} {end_s}\n");
    for f in &flows {
        let (bytes, peak) = (f.bytes * PAYLOAD, PEAKS[usize::from(f.peak)] * PAYLOAD);
        writeln!(
            text,
            "{:.4} {} {bytes:.0} {peak:.0} {}",
            f.at_s, f.dir, f.pair
        )
        .unwrap();
    }
    fs::write(format!("{folder}/workload"), text)?;

    let mut text = String::new();
    for name in POLICIES {
        let draws = (0..DRAWS).map(|draw| {
            let run = Run {
                flows: &late(&flows, draw),
                ..run
            };
            fluid::run(&run, &mut *policy::make(name, &lines, 200, draw))
        });
        let outcomes: Vec<_> = draws.collect();
        let report = Report::new(&outcomes);
        let (spread, deviation) = report.spread_and_deviation();
        writeln!(
            text,
            "{}\t{spread:.3}\t{deviation:.3}\t{:.3}",
            name,
            report.slowdown().mean
        )
        .unwrap();
    }
    print!("{text}");
    fs::write(format!("{folder}/model"), text)
}

// SPDX-License-Identifier: GPL-2.0

//! `mwb show`: the WANs and their use.

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::rate;
use crate::stats::Stats;
use crate::uapi::*;
use crate::wan::Wan;

#[derive(clap::Args, Default)]
pub struct Args {
    /// Show only this WAN
    name: Option<String>,
}

pub fn run(args: Args, client: &mut Client, output: Output) -> Result<(), String> {
    let replies = match args.name {
        Some(name) => client.call(Request::new(
            CMD_WAN_GET,
            vec![message::string(A_WAN_NAME, &name)],
        )),
        None => client.dump(CMD_WAN_GET),
    }?;
    let wans: Vec<Wan> = replies.iter().map(|reply| Wan::parse(&reply.0)).collect();
    if output.json {
        return output.json(&wans);
    }
    let text = table(&wans) + &no_cache(Stats::read(client)?.cache);
    output::write(text.as_bytes())
}

const HEADER: [&str; 9] = [
    "NAME",
    "STATE",
    "DEV",
    "GATEWAY",
    "UP",
    "DOWN",
    "MARK",
    "TABLE",
    "CONNECTIONS",
];
/// Columns from here on are numbers, and stand on the right.
const FIRST_NUMBER: usize = 4;

fn table(wans: &[Wan]) -> String {
    let mut rows = vec![HEADER.map(String::from)];
    rows.extend(wans.iter().map(row));
    let mut widths = [0; HEADER.len()];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let line = |row: &[String; HEADER.len()]| {
        let cells = row.iter().zip(widths).enumerate();
        let cells = cells.map(|(column, (cell, width))| match column {
            FIRST_NUMBER.. => format!("{cell:>width$}"),
            _ => format!("{cell:<width$}"),
        });
        cells.collect::<Vec<_>>().join("  ") + "\n"
    };
    rows.iter().map(line).collect()
}

fn row(wan: &Wan) -> [String; HEADER.len()] {
    [
        wan.name.clone(),
        wan.state.unwrap_or("unknown").into(),
        wan.dev.clone(),
        wan.gateway.map_or("-".into(), |addr| addr.to_string()),
        used(wan.up_bps, wan.up_capacity_bps),
        used(wan.down_bps, wan.down_capacity_bps),
        format!("{:#010x}", wan.mark),
        wan.table.to_string(),
        wan.connections.to_string(),
    ]
    // The name of a device may hold anything but white space, even what a terminal obeys.
    .map(|cell| cell.replace(char::is_control, "?"))
}

/// A rate and its share of the capacity.
fn used(bps: u64, capacity_bps: Option<u64>) -> String {
    let share = match capacity_bps {
        Some(capacity @ 1..) => format!("{:.0}%", bps as f64 * 100.0 / capacity as f64),
        _ => "-".into(),
    };
    format!("{} {share:>4}", rate::display(bps))
}

/// The line beneath the table: why packets are looked up one by one, if they are.
fn no_cache(cache: Option<&str>) -> String {
    let fine = [CACHE_IDLE, CACHE_ACTIVE].map(|state| CACHE_NAMES[state as usize]);
    let mut reasons = CACHE_NAMES.into_iter().zip(CACHE_DOCS);
    match reasons.find(|(name, _)| Some(*name) == cache && !fine.contains(name)) {
        Some((name, why)) => format!("dst cache: {name}, every packet is looked up. {why}\n"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::emitted;

    #[test]
    fn table_is_aligned() {
        let dsl = Wan::parse(&emitted(&crate::wan::tests::attrs()));
        let unnamed = Wan {
            dev: "\x1b[2J".into(),
            up_bps: 999,
            up_capacity_bps: Some(0),
            ..Wan::default()
        };
        let expected = "\
NAME  STATE       DEV   GATEWAY              UP           DOWN        MARK  TABLE  CONNECTIONS
dsl   no-carrier  eth1  192.0.2.1  4.2Mbit  84%  18.7Mbit  94%  0x03000000   7003           53
      unknown     ?[2J  -           999bit    -      0bit    -  0x00000000      0            0
";
        assert_eq!(table(&[dsl, unnamed]), expected);
    }

    #[test]
    fn says_why_nothing_is_cached() {
        assert_eq!(no_cache(Some("active")), "");
        assert_eq!(no_cache(Some("idle")), "");
        assert_eq!(no_cache(None), "");
        let off = no_cache(Some("off"));
        assert!(off.contains("off") && off.contains("labels=0"), "{off}");
        assert!(no_cache(Some("labels-in-use")).contains("Somebody else"));
    }
}

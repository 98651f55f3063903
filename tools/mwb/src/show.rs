// SPDX-License-Identifier: GPL-2.0

//! `mwb show`: the WANs and their use.

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::output::{self, Output};
use crate::rate;
use crate::stats::Stats;
use crate::table::{printable, table, Column, Column::*};
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
    let text = table(COLUMNS, wans.iter().map(row))
        + &filtered(&wans)
        + &cache(Stats::read(client)?.cache);
    output::write(text.as_bytes())
}

const COLUMNS: [Column; 9] = [
    Left("NAME"),
    Left("STATE"),
    Left("DEV"),
    Left("GATEWAY"),
    Right("UP"),
    Right("DOWN"),
    Right("MARK"),
    Right("TABLE"),
    Right("CONNECTIONS"),
];

fn row(wan: &Wan) -> [String; COLUMNS.len()] {
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
}

/// A rate and its share of the capacity.
fn used(bps: u64, capacity_bps: Option<u64>) -> String {
    let share = match capacity_bps {
        Some(capacity @ 1..) => format!("{:.0}%", bps as f64 * 100.0 / capacity as f64),
        _ => "-".into(),
    };
    format!("{} {share:>4}", rate::display(bps))
}

/// The lines beneath the table: what a state that nobody expects is about.
fn filtered(wans: &[Wan]) -> String {
    let state = WAN_STATE_FILTERED as usize;
    let (name, why) = (WAN_STATE_NAMES[state], one_line(WAN_STATE_DOCS[state]));
    let wans = wans.iter().filter(|wan| wan.state == Some(name));
    let lines: Vec<_> = wans
        .map(|wan| format!("{} {name}: {why}\n", printable(&wan.name)))
        .collect();
    lines.concat()
}

/// The last line: whether connections keep their routes, and why not.
fn cache(state: Option<&str>) -> String {
    let mut reasons = CACHE_NAMES.into_iter().zip(CACHE_DOCS);
    let (idle, active) = (
        CACHE_NAMES[CACHE_IDLE as usize],
        CACHE_NAMES[CACHE_ACTIVE as usize],
    );
    match reasons.find(|(name, _)| Some(*name) == state) {
        Some((name, _)) if name == idle => String::new(),
        Some((name, _)) if name == active => {
            format!("dst cache: {name}, connections keep their routes\n")
        }
        Some((name, why)) => format!(
            "dst cache: {name}, every packet is looked up. {}\n",
            one_line(why)
        ),
        None => String::new(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::emitted;

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
        assert_eq!(table(COLUMNS, [dsl, unnamed].iter().map(row)), expected);
    }

    #[test]
    fn says_what_the_cache_does() {
        assert_eq!(cache(Some("idle")), "");
        assert_eq!(cache(None), "");
        assert_eq!(
            cache(Some("active")),
            "dst cache: active, connections keep their routes\n"
        );
        let off = cache(Some("off"));
        assert!(off.contains("off") && off.contains("labels=0"), "{off}");
        assert!(cache(Some("labels-in-use")).contains("Somebody else"));
    }

    #[test]
    fn says_what_filtered_means() {
        let wan = |name: &str, state: u32| Wan {
            name: name.into(),
            state: Some(WAN_STATE_NAMES[state as usize]),
            ..Wan::default()
        };
        let wans = [
            wan("a", WAN_STATE_UP),
            wan("b", WAN_STATE_FILTERED),
            wan("c", WAN_STATE_DOWN),
        ];
        let text = filtered(&wans);
        assert!(
            text.starts_with("b filtered: The kernel would drop"),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), 1, "{text}");
        assert_eq!(filtered(&wans[..1]), "");
    }
}

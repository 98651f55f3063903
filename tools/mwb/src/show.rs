// SPDX-License-Identifier: GPL-2.0

//! `mwb show`: the WANs and their use.

use crate::clock::Time;
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
        + &reasons(&wans, Time::now())
        + &rates(&wans)
        + &cache(Stats::read(client)?.cache);
    output::write(text.as_bytes())
}

const COLUMNS: [Column; 10] = [
    Left("NAME"),
    Left("STATE"),
    Left("DEV"),
    Right("TIER"),
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
        wan.tier.to_string(),
        gateway(wan),
        used(wan.up_bps, wan.up_capacity_bps),
        used(wan.down_bps, wan.down_capacity_bps),
        format!("{:#010x}", wan.mark),
        wan.table.to_string(),
        wan.connections.to_string(),
    ]
}

/// The address, and whether the WAN was told to learn it.
fn gateway(wan: &Wan) -> String {
    match (wan.gateway, wan.gateway_learned) {
        (Some(addr), true) => format!("{addr} auto"),
        (Some(addr), false) => addr.to_string(),
        (None, _) => "-".into(),
    }
}

/// A rate and its share of the capacity.
fn used(bps: u64, capacity_bps: Option<u64>) -> String {
    let share = match capacity_bps {
        Some(capacity @ 1..) => format!("{:.0}%", bps as f64 * 100.0 / capacity as f64),
        _ => "-".into(),
    };
    format!("{} {share:>4}", rate::display(bps))
}

/// The lines beneath the table: why WANs are not up, and since when.
fn reasons(wans: &[Wan], now: Time) -> String {
    let up = WAN_STATE_NAMES[WAN_STATE_UP as usize];
    let down = wans
        .iter()
        .filter_map(|wan| Some((wan, wan.state.filter(|state| *state != up)?)));
    let lines: Vec<_> = down
        .map(|(wan, state)| {
            let age = wan.changed.and_then(|time| time.age(now));
            let age = age.map_or(String::new(), |age| format!(" for {age}"));
            let why = why(state, wan.reason);
            format!("{} {state}{age}: {why}\n", printable(&wan.name))
        })
        .collect();
    lines.concat()
}

/// The lines after that: WANs whose rates are not just theirs, and what to do.
fn rates(wans: &[Wan]) -> String {
    let lines = wans.iter().flat_map(|wan| {
        let name = printable(&wan.name);
        let partial = wan.rates_partial.then(|| {
            format!(
                "{name} is not counted in full: a flowtable forwards part of it on a device below {}, which others \
                 use as well. Take that device out of the flowtable.\n",
                printable(&wan.dev)
            )
        });
        let mixed = wan.rates_mixed.then(|| {
            format!(
                "{name} is counted with what others carry: {} counts the packets of the devices above it, too. \
                 Give the WAN a device of its own.\n",
                printable(&wan.dev)
            )
        });
        partial.into_iter().chain(mixed)
    });
    lines.collect()
}

/// The reason in words; if it is news to this tool, what the state means.
fn why(state: &str, reason: Option<&str>) -> String {
    let mut reasons = WAN_REASON_NAMES.into_iter().zip(WAN_REASON_DOCS);
    let mut states = WAN_STATE_NAMES.into_iter().zip(WAN_STATE_DOCS);
    let why = reasons
        .find(|(name, _)| Some(*name) == reason)
        .or_else(|| states.find(|(name, _)| *name == state));
    why.map_or(String::new(), |(_, why)| output::one_line(why))
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
            output::one_line(why)
        ),
        None => String::new(),
    }
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
            gateway: Some([192, 0, 2, 1].into()),
            ..Wan::default()
        };
        let expected = "\
NAME  STATE       DEV   TIER  GATEWAY                   UP           DOWN        MARK  TABLE  CONNECTIONS
dsl   no-carrier  eth1     2  192.0.2.1 auto  4.2Mbit  84%  18.7Mbit  94%  0x03000000   7003           53
      unknown     ?[2J     0  192.0.2.1        999bit    -      0bit    -  0x00000000      0            0
      unknown              0  -                  0bit    -      0bit    -  0x00000000      0            0
";
        let rows = [dsl, unnamed, Wan::default()];
        assert_eq!(table(COLUMNS, rows.iter().map(row)), expected);
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
    fn says_whose_rates_are_not_right() {
        let wan = |rates_partial, rates_mixed| Wan {
            name: "dsl".into(),
            dev: "eth0.7".into(),
            rates_partial,
            rates_mixed,
            ..Wan::default()
        };
        assert_eq!(rates(&[wan(false, false)]), "");
        let text = rates(&[wan(true, false), wan(false, true), wan(true, true)]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        for (line, is_partial) in lines.iter().zip([true, false, true, false]) {
            assert!(
                line.starts_with("dsl is ") && line.contains("eth0.7"),
                "{line}"
            );
            assert_eq!(line.contains("flowtable"), is_partial, "{line}");
        }
    }

    #[test]
    fn says_why_a_wan_is_not_up() {
        let wan = |name: &str, state: u32, reason: u32, changed_s: u64| Wan {
            name: name.into(),
            state: WAN_STATE_NAMES.get(state as usize).copied(),
            reason: WAN_REASON_NAMES.get(reason as usize).copied(),
            changed: Time::from_ns(changed_s * 1_000_000_000),
            ..Wan::default()
        };
        let wans = [
            wan("a", WAN_STATE_UP, WAN_REASON_READY, 1000),
            wan("b", WAN_STATE_NO_CARRIER, WAN_REASON_CARRIER, 1000),
            wan("c", WAN_STATE_FILTERED, u32::MAX, 2000),
            wan("d", u32::MAX, WAN_REASON_READY, 1000),
        ];
        let now = Time::from_ns(1_125_000_000_000).unwrap();
        let expected = format!(
            "b no-carrier for 2m 5s: The device has lost its carrier.\nc filtered: {}\n",
            WAN_STATE_DOCS[WAN_STATE_FILTERED as usize]
                .trim_end()
                .replace('\n', " ")
        );
        assert_eq!(reasons(&wans, now), expected);
        assert_eq!(reasons(&wans[..1], now), "");
    }
}

// SPDX-License-Identifier: GPL-2.0

//! `mwb config set`

use crate::message::{u32, Request};
use crate::netlink::Client;
use crate::one_of::one_of;
use crate::percent;
use crate::time;
use crate::uapi::*;

#[derive(clap::Args, Default)]
#[command(override_usage = "mwb config set <OPTIONS>")]
#[group(required = true, multiple = true)]
pub struct Args {
    /// What is kept on one WAN
    #[arg(long, value_name = "WHAT", value_parser = one_of(&GRANULARITY_NAMES))]
    granularity: Option<u32>,
    /// How long a pair stays on its WAN without a connection, as 600s, 10m or 1h; 7d at most
    #[arg(long, value_name = "TIME", value_parser = time::parse)]
    pair_timeout: Option<u32>,
    /// How a WAN is chosen
    #[arg(long, value_name = "HOW", value_parser = one_of(&MODE_NAMES))]
    mode: Option<u32>,
    /// Time between two samples of the counters, 50ms to 2s
    #[arg(long, value_name = "TIME", value_parser = time::parse_ms)]
    interval: Option<u32>,
    /// Time constant of the moving averages of the rates, 50ms to 1m
    #[arg(long, value_name = "TIME", value_parser = time::parse_ms)]
    average: Option<u32>,
    /// Upload use above which upload decides in mode rate, as 85%
    #[arg(long, value_name = "PERCENT", value_parser = percent::parse)]
    threshold: Option<u32>,
    /// Upload use that all WANs must be back at for download to decide again
    #[arg(long, value_name = "PERCENT", value_parser = percent::parse)]
    exit: Option<u32>,
    /// The most credit that one connection gives, in per cent of the mean capacity
    #[arg(long, value_name = "PERCENT", value_parser = percent::parse)]
    credit_cap: Option<u32>,
    /// What becomes of new connections while no WAN is up
    #[arg(long, value_name = "WHAT", value_parser = one_of(&LAST_RESORT_NAMES))]
    last_resort: Option<u32>,
    /// What becomes of translated connections when their WAN goes down
    #[arg(long, value_name = "WHAT", value_parser = one_of(&ON_DOWN_NAMES))]
    on_down: Option<u32>,
    /// What goes back when a WAN comes up again
    #[arg(long, value_name = "WHAT", value_parser = one_of(&FAILBACK_NAMES))]
    failback: Option<u32>,
    /// Bits of the mark that belong to mwb; only without WANs
    #[arg(long, value_name = "MASK", value_parser = mask)]
    mark_mask: Option<u32>,
    /// Lowest preference of the policy rules; only without WANs
    #[arg(long, value_name = "N")]
    rule_pref: Option<u32>,
    /// Number that, with the number of a WAN added, is its routing table; only without WANs
    #[arg(long, value_name = "N")]
    table: Option<u32>,
}

pub fn mask(text: &str) -> Result<u32, String> {
    let mask = match text.strip_prefix("0x").or(text.strip_prefix("0X")) {
        // Rust would take a sign as well.
        _ if text.contains('+') => None,
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    mask.ok_or("write a mask as 0xff000000".into())
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    client.call(request(&args)).map(drop)
}

fn request(args: &Args) -> Request {
    let attrs = [
        (A_CONFIG_GRANULARITY, args.granularity),
        (A_CONFIG_PAIR_TIMEOUT, args.pair_timeout),
        (A_CONFIG_MODE, args.mode),
        (A_CONFIG_INTERVAL_MS, args.interval),
        (A_CONFIG_AVERAGE_MS, args.average),
        (A_CONFIG_THRESHOLD_PERCENT, args.threshold),
        (A_CONFIG_EXIT_PERCENT, args.exit),
        (A_CONFIG_CREDIT_CAP_PERCENT, args.credit_cap),
        (A_CONFIG_LAST_RESORT, args.last_resort),
        (A_CONFIG_ON_DOWN, args.on_down),
        (A_CONFIG_FAILBACK, args.failback),
        (A_CONFIG_MARK_MASK, args.mark_mask),
        (A_CONFIG_RULE_PREF, args.rule_pref),
        (A_CONFIG_TABLE_BASE, args.table),
    ];
    let given = attrs
        .into_iter()
        .filter_map(|(kind, value)| Some(u32(kind, value?)));
    Request::new(CMD_CONFIG_SET, given.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::emitted;
    use clap::{Args as _, Command, FromArgMatches};
    use netlink_packet_core::Emitable;

    fn sent(line: &str) -> Vec<u8> {
        let command = Args::augment_args(Command::new("set"));
        let words = ["set"].into_iter().chain(line.split(' '));
        let matches = command.try_get_matches_from(words).unwrap();
        let request = request(&Args::from_arg_matches(&matches).unwrap());
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        bytes
    }

    #[test]
    fn carries_what_was_given() {
        let line = "--granularity pair --pair-timeout 10m --mode weighted --interval 1s \
            --average 2500ms --threshold 90% --exit 70 --credit-cap 0% --last-resort unreachable \
            --on-down hold --failback all --mark-mask 0xff00 --rule-pref 100 --table 500";
        let expected = [
            u32(A_CONFIG_GRANULARITY, GRANULARITY_PAIR),
            u32(A_CONFIG_PAIR_TIMEOUT, 600),
            u32(A_CONFIG_MODE, MODE_WEIGHTED),
            u32(A_CONFIG_INTERVAL_MS, 1000),
            u32(A_CONFIG_AVERAGE_MS, 2500),
            u32(A_CONFIG_THRESHOLD_PERCENT, 90),
            u32(A_CONFIG_EXIT_PERCENT, 70),
            u32(A_CONFIG_CREDIT_CAP_PERCENT, 0),
            u32(A_CONFIG_LAST_RESORT, LAST_RESORT_UNREACHABLE),
            u32(A_CONFIG_ON_DOWN, ON_DOWN_HOLD),
            u32(A_CONFIG_FAILBACK, FAILBACK_ALL),
            u32(A_CONFIG_MARK_MASK, 0xff00),
            u32(A_CONFIG_RULE_PREF, 100),
            u32(A_CONFIG_TABLE_BASE, 500),
        ];
        assert_eq!(sent(line), emitted(&expected));
    }

    #[test]
    fn leaves_out_what_was_not() {
        let expected = [u32(A_CONFIG_GRANULARITY, GRANULARITY_CONNECTION)];
        assert_eq!(sent("--granularity connection"), emitted(&expected));
        let expected = [u32(A_CONFIG_LAST_RESORT, LAST_RESORT_MAIN)];
        assert_eq!(sent("--last-resort main"), emitted(&expected));
    }

    #[test]
    fn reads_masks() {
        for (text, value) in [
            ("0xff000000", 0xff00_0000),
            ("0XFF", 0xff),
            ("4278190080", 0xff00_0000),
            ("0", 0),
        ] {
            assert_eq!(mask(text), Ok(value), "{text}");
        }
        for text in [
            "",
            "0x",
            "0x+1",
            "+1",
            "ff",
            "-1",
            "0x100000000",
            "0xff/0xff",
        ] {
            assert!(mask(text).is_err(), "{text}");
        }
    }
}

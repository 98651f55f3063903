// SPDX-License-Identifier: GPL-2.0

//! `mwb wan set`

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::one_of::one_of;
use crate::uapi::*;
use crate::wan_settings::Settings;

/// Each of these is enough.
const CHANGES: [&str; 8] = [
    "dev", "gateway", "up", "down", "tier", "weight", "admin", "health",
];

#[derive(clap::Args)]
#[command(override_usage = "mwb wan set <NAME> <OPTIONS>")]
#[command(group(clap::ArgGroup::new("changes").args(CHANGES).required(true).multiple(true)))]
pub struct Args {
    /// Name of the WAN
    name: String,
    /// Network device of the WAN
    #[arg(long)]
    dev: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// What a health check has found
    #[arg(long, value_name = "WHAT", value_parser = one_of(&WAN_HEALTH_NAMES))]
    health: Option<u32>,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    client.call(request(&args)).map(drop)
}

fn request(args: &Args) -> Request {
    let mut attrs = vec![message::string(A_WAN_NAME, &args.name)];
    attrs.extend(args.dev.iter().map(|dev| message::string(A_WAN_DEV, dev)));
    attrs.extend(args.settings.attrs());
    attrs.extend(args.health.map(|health| message::u32(A_WAN_HEALTH, health)));
    Request::new(CMD_WAN_SET, attrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{emitted, ipv4, string, u32, u64};
    use clap::{Args as _, Command, FromArgMatches};
    use netlink_packet_core::Emitable;

    fn parsed(line: &str) -> Result<Args, clap::Error> {
        let command = Args::augment_args(Command::new("set"));
        let words = ["set"].into_iter().chain(line.split(' '));
        Args::from_arg_matches(&command.try_get_matches_from(words)?)
    }

    fn sent(line: &str) -> Vec<u8> {
        let request = request(&parsed(line).unwrap());
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        bytes
    }

    #[test]
    fn carries_what_was_given() {
        let line = "dsl --dev ppp1 --gateway 192.0.2.1 --up 5mbit --down 20mbit --tier 16 \
            --admin drain --health dead";
        let expected = [
            string(A_WAN_NAME, "dsl"),
            string(A_WAN_DEV, "ppp1"),
            ipv4(A_WAN_GATEWAY4, [192, 0, 2, 1].into()),
            u64(A_WAN_UP_CAPACITY_BPS, 5_000_000),
            u64(A_WAN_DOWN_CAPACITY_BPS, 20_000_000),
            u32(A_WAN_TIER, 16),
            u32(A_WAN_ADMIN, WAN_ADMIN_DRAIN),
            u32(A_WAN_HEALTH, WAN_HEALTH_DEAD),
        ];
        assert_eq!(sent(line), emitted(&expected));
    }

    #[test]
    fn carries_what_is_to_be_learned() {
        let expected = [
            string(A_WAN_NAME, "dsl"),
            ipv4(A_WAN_GATEWAY4, [0; 4].into()),
            u64(A_WAN_UP_CAPACITY_BPS, 0),
            u64(A_WAN_DOWN_CAPACITY_BPS, 0),
        ];
        let line = "dsl --gateway auto --up auto --down auto";
        assert_eq!(sent(line), emitted(&expected));
    }

    #[test]
    fn each_option_is_enough() {
        for (option, value) in [
            ("dev", "eth1"),
            ("gateway", "auto"),
            ("up", "auto"),
            ("down", "1mbit"),
            ("tier", "1"),
            ("weight", "2"),
            ("admin", "enabled"),
            ("health", "alive"),
        ] {
            let bytes = sent(&format!("dsl --{option} {value}"));
            assert_eq!(message::attributes(&bytes).count(), 2, "{option}");
        }
        assert!(parsed("dsl").is_err());
    }
}

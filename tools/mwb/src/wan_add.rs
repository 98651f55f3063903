// SPDX-License-Identifier: GPL-2.0

//! `mwb wan add`

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::rate;
use crate::uapi::*;
use std::net::Ipv4Addr;

#[derive(clap::Args)]
#[command(override_usage = "mwb wan add <NAME> --dev <DEV> [OPTIONS]")]
pub struct Args {
    /// Name of the WAN
    name: String,
    /// Number of the WAN, 1 to 250; the lowest free one if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=WAN_MAX as i64))]
    id: Option<u32>,
    /// Network device of the WAN
    #[arg(long)]
    dev: String,
    /// Address of the next router; none on a point-to-point device
    #[arg(long, value_name = "ADDR")]
    gateway: Option<Ipv4Addr>,
    /// Upload capacity, as in tc (20mbit); learned if not given
    #[arg(long, value_name = "RATE", value_parser = rate::parse)]
    up: Option<u64>,
    /// Download capacity, as in tc (100mbit); learned if not given
    #[arg(long, value_name = "RATE", value_parser = rate::parse)]
    down: Option<u64>,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    client.call(request(&args)).map(drop)
}

fn request(args: &Args) -> Request {
    let mut attrs = vec![
        message::string(A_WAN_NAME, &args.name),
        message::string(A_WAN_DEV, &args.dev),
    ];
    attrs.extend(args.id.map(|id| message::u32(A_WAN_ID, id)));
    attrs.extend(args.gateway.map(|addr| message::ipv4(A_WAN_GATEWAY4, addr)));
    attrs.extend(args.up.map(|bps| message::u64(A_WAN_UP_CAPACITY_BPS, bps)));
    attrs.extend(
        args.down
            .map(|bps| message::u64(A_WAN_DOWN_CAPACITY_BPS, bps)),
    );
    Request::new(CMD_WAN_ADD, attrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::attributes;
    use netlink_packet_core::Emitable;

    fn emitted(args: &Args) -> Vec<u8> {
        let request = request(args);
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        bytes
    }

    #[test]
    fn carries_what_was_given() {
        let bytes = emitted(&Args {
            name: "dsl".into(),
            id: Some(7),
            dev: "eth1".into(),
            gateway: Some(Ipv4Addr::new(192, 0, 2, 1)),
            up: Some(5_000_000),
            down: Some(20_000_000),
        });
        let expected: [(u16, &[u8]); 6] = [
            (A_WAN_NAME, b"dsl\0"),
            (A_WAN_DEV, b"eth1\0"),
            (A_WAN_ID, &7u32.to_ne_bytes()),
            (A_WAN_GATEWAY4, &[192, 0, 2, 1]),
            (A_WAN_UP_CAPACITY_BPS, &5_000_000u64.to_ne_bytes()),
            (A_WAN_DOWN_CAPACITY_BPS, &20_000_000u64.to_ne_bytes()),
        ];
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn leaves_out_what_was_not() {
        let bytes = emitted(&Args {
            name: "x".repeat(100_000),
            id: None,
            dev: String::new(),
            gateway: None,
            up: None,
            down: None,
        });
        let attrs: Vec<_> = attributes(&bytes).collect();
        assert_eq!(attrs.len(), 2);
        assert!(attrs[0].1.len() > WAN_NAME_LEN as usize + 1);
        assert_eq!(attrs[1], (A_WAN_DEV, &b"\0"[..]));
    }
}

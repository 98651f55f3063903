// SPDX-License-Identifier: GPL-2.0

//! `mwb wan add`

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::uapi::*;
use crate::wan_settings::Settings;

#[derive(clap::Args)]
#[command(override_usage = "mwb wan add <NAME> --dev <DEV> [OPTIONS]")]
pub struct Args {
    /// Name of the WAN
    name: String,
    /// Number of the WAN, 1 to 250; the lowest free one if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=WAN_MAX as i64))]
    id: Option<u32>,
    /// Network device of the WAN; it may come later
    #[arg(long)]
    dev: String,
    #[command(flatten)]
    settings: Settings,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    client.call(request(args)).map(drop)
}

fn request(args: Args) -> Request {
    let mut attrs = vec![
        message::string(A_WAN_NAME, &args.name),
        message::string(A_WAN_DEV, &args.dev),
    ];
    attrs.extend(args.id.map(|id| message::u32(A_WAN_ID, id)));
    attrs.extend(args.settings.of_new().attrs());
    Request::new(CMD_WAN_ADD, attrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::attributes;
    use netlink_packet_core::Emitable;

    fn emitted(args: Args) -> Vec<u8> {
        let request = request(args);
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        bytes
    }

    #[test]
    fn carries_what_was_given() {
        let bytes = emitted(Args {
            name: "dsl".into(),
            id: Some(7),
            dev: "eth1".into(),
            settings: Settings {
                gateway: Some([192, 0, 2, 1].into()),
                up: Some(5_000_000),
                down: Some(20_000_000),
                tier: Some(2),
                weight: Some(30),
                admin: Some(WAN_ADMIN_DISABLED),
            },
        });
        let expected: [(u16, &[u8]); 9] = [
            (A_WAN_NAME, b"dsl\0"),
            (A_WAN_DEV, b"eth1\0"),
            (A_WAN_ID, &7u32.to_ne_bytes()),
            (A_WAN_GATEWAY4, &[192, 0, 2, 1]),
            (A_WAN_UP_CAPACITY_BPS, &5_000_000u64.to_ne_bytes()),
            (A_WAN_DOWN_CAPACITY_BPS, &20_000_000u64.to_ne_bytes()),
            (A_WAN_TIER, &2u32.to_ne_bytes()),
            (A_WAN_WEIGHT, &30u32.to_ne_bytes()),
            (A_WAN_ADMIN, &WAN_ADMIN_DISABLED.to_ne_bytes()),
        ];
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn leaves_out_what_was_not() {
        let bytes = emitted(Args {
            name: "x".repeat(100_000),
            id: None,
            dev: String::new(),
            settings: Settings {
                gateway: Some([0; 4].into()),
                up: Some(0),
                ..Settings::default()
            },
        });
        let attrs: Vec<_> = attributes(&bytes).collect();
        assert_eq!(attrs.len(), 2);
        assert!(attrs[0].1.len() > WAN_NAME_LEN as usize + 1);
        assert_eq!(attrs[1], (A_WAN_DEV, &b"\0"[..]));
    }
}

// SPDX-License-Identifier: GPL-2.0

//! `mwb group set`

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::uapi::*;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the group
    name: String,
    /// WANs that belong to it from now on; no others do
    #[arg(value_name = "WAN", required = true)]
    wans: Vec<String>,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    client.call(request(&args)).map(drop)
}

fn request(args: &Args) -> Request {
    let mut attrs = vec![message::string(A_GROUP_NAME, &args.name)];
    attrs.extend(
        args.wans
            .iter()
            .map(|wan| message::string(A_GROUP_WAN, wan)),
    );
    Request::new(CMD_GROUP_SET, attrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::attributes;
    use netlink_packet_core::Emitable;

    #[test]
    fn carries_every_wan() {
        let request = request(&Args {
            name: "fast".into(),
            wans: vec!["dsl".into(), "cable".into()],
        });
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        let expected: [(u16, &[u8]); 3] = [
            (A_GROUP_NAME, b"fast\0"),
            (A_GROUP_WAN, b"dsl\0"),
            (A_GROUP_WAN, b"cable\0"),
        ];
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), expected);
    }
}

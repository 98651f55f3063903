// SPDX-License-Identifier: GPL-2.0

//! `mwb wan del`

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::uapi::*;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the WAN
    name: String,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    let name = message::string(A_WAN_NAME, &args.name);
    client.call(Request::new(CMD_WAN_DEL, vec![name])).map(drop)
}

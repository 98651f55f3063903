// SPDX-License-Identifier: GPL-2.0

//! `mwb group del`

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::uapi::*;

#[derive(clap::Args)]
pub struct Args {
    /// Name of the group
    name: String,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    let name = message::string(A_GROUP_NAME, &args.name);
    client
        .call(Request::new(CMD_GROUP_DEL, vec![name]))
        .map(drop)
}

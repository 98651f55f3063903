// SPDX-License-Identifier: GPL-2.0

//! `mwb policy add`

use crate::message::Request;
use crate::netlink::Client;
use crate::policy::Policy;
use crate::uapi::*;

#[derive(clap::Args)]
#[command(override_usage = "mwb policy add [OPTIONS] --to <WAN|GROUP|main> [--strict]")]
#[command(after_help = "Without --pref, the preference is 1000.")]
pub struct Args {
    #[command(flatten)]
    pub policy: Policy,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    client
        .call(Request::new(CMD_POLICY_ADD, args.policy.attrs()))
        .map(drop)
}

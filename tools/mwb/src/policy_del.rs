// SPDX-License-Identifier: GPL-2.0

//! `mwb policy del`

use crate::message::{self, Request};
use crate::netlink::Client;
use crate::selectors::Selectors;
use crate::uapi::*;

/// A preference is enough, or where it goes; that it is strict is not.
const ENOUGH: [&str; 8] = ["pref", "src", "dst", "iif", "proto", "dport", "dscp", "to"];

#[derive(clap::Args)]
#[command(override_usage = "mwb policy del <OPTIONS>")]
#[command(group(clap::ArgGroup::new("enough").args(ENOUGH).required(true).multiple(true)))]
pub struct Args {
    #[command(flatten)]
    selectors: Selectors,
    /// What gets the connections
    #[arg(long, value_name = "WAN|GROUP|main")]
    to: Option<String>,
    /// Only a strict policy
    #[arg(long)]
    strict: bool,
}

pub fn run(args: Args, client: &mut Client) -> Result<(), String> {
    client.call(request(&args)).map(drop)
}

fn request(args: &Args) -> Request {
    let mut attrs = args.selectors.attrs();
    attrs.extend(args.to.iter().map(|to| message::string(A_POLICY_TO, to)));
    attrs.extend(args.strict.then(|| message::flag(A_POLICY_STRICT)));
    Request::new(CMD_POLICY_DEL, attrs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::emitted;
    use crate::policy::tests::policy;
    use netlink_packet_core::Emitable;

    fn sent(args: &Args) -> Vec<u8> {
        let request = request(args);
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        bytes
    }

    #[test]
    fn carries_what_add_carries() {
        let policy = policy();
        let expected = emitted(&policy.attrs());
        let args = Args {
            selectors: policy.selectors,
            to: Some(policy.to),
            strict: policy.strict,
        };
        assert_eq!(sent(&args), expected);
    }

    #[test]
    fn leaves_out_what_was_not_given() {
        let args = Args {
            selectors: Selectors {
                pref: Some(7),
                ..Selectors::default()
            },
            to: None,
            strict: false,
        };
        assert_eq!(sent(&args), emitted(&[message::u32(A_POLICY_PREF, 7)]));
    }
}

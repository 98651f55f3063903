// SPDX-License-Identifier: GPL-2.0

//! `mwb policy replace` and `mwb policy flush`

use crate::answer::Refusal;
use crate::message::{self, Request};
use crate::netlink::Client;
use crate::policy::Policy;
use crate::uapi::*;
use netlink_packet_core::{DefaultNla, Emitable};
use std::path::PathBuf;
use std::{iter, mem};

#[derive(clap::Args)]
pub struct Args {
    /// File with the options of `mwb policy add` on each line; - is standard input
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
}

/// Room for policies in one message, in bytes; any one policy fits.
const ROOM: usize = 32 << 10;

/// A policy, and the number of its line in the file.
pub type Line<'a> = (usize, &'a Policy);

/// The first message of a set, which has groups before its policies.
pub fn begin() -> Request {
    let flags = [A_POLICIES_BEGIN, A_POLICIES_MORE];
    Request::new(CMD_POLICY_REPLACE, flags.map(message::flag).into())
}

/// Makes the policies of the file all that there are; it begins the set unless that was done before.
pub fn run(file: &str, lines: &[Line], is_begin: bool, client: &mut Client) -> Result<(), String> {
    for (request, lines) in requests(lines, is_begin) {
        client
            .try_call(request)
            .map_err(|refusal| reason(refusal, file, lines))?;
    }
    Ok(())
}

/// What the kernel said, and about which line if it said that.
fn reason(refusal: Refusal, file: &str, lines: &[Line]) -> String {
    match refusal.attribute.and_then(|number| lines.get(number)) {
        Some((number, _)) => format!("{file}:{number}: {}", refusal.sentence),
        None => refusal.sentence,
    }
}

/// The messages that together carry all lines, each with its own.
fn requests<'a, 'b>(
    lines: &'a [Line<'b>],
    mut is_begin: bool,
) -> impl Iterator<Item = (Request, &'a [Line<'b>])> + use<'a, 'b> {
    let mut rest = Some(lines);
    iter::from_fn(move || {
        let mut attrs = that_fit(rest?);
        let (part, left) = rest?.split_at(attrs.len());
        rest = Some(left).filter(|left| !left.is_empty());
        // Behind the policies: so the number of an attribute is that of its line.
        attrs.extend(mem::take(&mut is_begin).then(|| message::flag(A_POLICIES_BEGIN)));
        attrs.extend(rest.map(|_| message::flag(A_POLICIES_MORE)));
        Some((Request::new(CMD_POLICY_REPLACE, attrs), part))
    })
}

/// The policies of as many lines as fit into one message.
fn that_fit(lines: &[Line]) -> Vec<DefaultNla> {
    let policies = lines
        .iter()
        .map(|(_, policy)| message::nested(A_POLICIES_POLICY, &policy.attrs()));
    let mut used = 0;
    let fits = |policy: &DefaultNla| {
        used += policy.buffer_len();
        used <= ROOM
    };
    policies.take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{attributes, emitted};
    use crate::policy::tests::policy;

    fn bytes(request: &Request) -> Vec<u8> {
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        bytes
    }

    fn lines(policy: &Policy, count: usize) -> Vec<Line<'_>> {
        (1..=count).map(|number| (number, policy)).collect()
    }

    fn all<'a, 'b>(lines: &'a [Line<'b>]) -> Vec<(Request, &'a [Line<'b>])> {
        requests(lines, true).collect()
    }

    #[test]
    fn no_policy_takes_one_message() {
        let requests = all(&[]);
        assert_eq!(requests.len(), 1);
        let bytes = bytes(&requests[0].0);
        let attrs: Vec<_> = attributes(&bytes).collect();
        assert_eq!(attrs, [(A_POLICIES_BEGIN, &[][..])]);
    }

    #[test]
    fn one_policy_is_nested() {
        let policy = policy();
        let lines = lines(&policy, 1);
        let requests = all(&lines);
        let bytes = bytes(&requests[0].0);
        let policy = emitted(&policy.attrs());
        let expected = [(A_POLICIES_POLICY, &policy[..]), (A_POLICIES_BEGIN, &[])];
        assert_eq!(attributes(&bytes).collect::<Vec<_>>(), expected);
        let flagged = A_POLICIES_POLICY | netlink_packet_core::NLA_F_NESTED;
        assert_eq!(bytes[2..4], flagged.to_ne_bytes());
    }

    #[test]
    fn many_policies_take_many_messages() {
        let policy = policy();
        let lines = lines(&policy, 1000);
        let requests = all(&lines);
        assert!(requests.len() > 1);
        let mut policies = 0;
        for (at, (request, part)) in requests.iter().enumerate() {
            let bytes = bytes(request);
            assert!(bytes.len() <= ROOM + 8);
            let kinds: Vec<_> = attributes(&bytes).map(|(kind, _)| kind).collect();
            let of = |wanted| kinds.iter().filter(|kind| **kind == wanted).count();
            assert_eq!(of(A_POLICIES_POLICY), part.len());
            assert_eq!(of(A_POLICIES_BEGIN), usize::from(at == 0));
            assert_eq!(of(A_POLICIES_MORE), usize::from(at + 1 < requests.len()));
            assert_eq!(part[0].0, policies + 1);
            policies += part.len();
        }
        assert_eq!(policies, 1000);
    }

    #[test]
    fn the_largest_policy_fits() {
        let mut policy = policy();
        policy.to = "x".repeat(100_000);
        policy.selectors.iif = Some(policy.to.clone());
        let five = Policy {
            to: policy.to.clone(),
            ..Policy::default()
        };
        assert_eq!(all(&lines(&five, 5)).len(), 1);
        assert_eq!(that_fit(&lines(&policy, 1)).len(), 1);
    }

    #[test]
    fn names_the_line_that_is_refused() {
        let policy = policy();
        let mut lines = lines(&policy, 3);
        lines[2].0 = 7;
        let about = |attribute| Refusal {
            sentence: "no WAN dsl".into(),
            attribute,
        };
        assert_eq!(reason(about(Some(2)), "f", &lines), "f:7: no WAN dsl");
        assert_eq!(reason(about(Some(3)), "f", &lines), "no WAN dsl");
        assert_eq!(reason(about(None), "f", &lines), "no WAN dsl");
    }
}

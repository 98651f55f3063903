// SPDX-License-Identifier: GPL-2.0

//! Why the kernel refused, as one sentence: its extended ack if there is one, else what the error number
//! means here.

use crate::message::{attributes, read_string, read_u32, read_u64};
use crate::uapi::A_WAN_NAMES;
use linux_raw_sys::errno::{ENODEV, EPERM};
use linux_raw_sys::netlink::nlmsgerr_attrs::*;
use netlink_packet_core::{NLA_TYPE_MASK, NLM_F_ACK_TLVS};
use netlink_packet_generic::constants::*;
use std::io;

pub const MALFORMED: &str = "the kernel's answer is malformed: do module and tool fit each other?";

const NLMSGHDR_LEN: usize = 16;

/// The attributes of an error message. They follow the header of the request; the rest of the request is
/// not repeated (NETLINK_CAP_ACK).
pub fn after_header(flags: u16, error: &[u8]) -> &[u8] {
    match error.get(NLMSGHDR_LEN..) {
        Some(attrs) if flags & NLM_F_ACK_TLVS != 0 => attrs,
        _ => &[],
    }
}

pub fn sentence(errno: u32, extack: &[u8], request: &[u8]) -> String {
    let find = |wanted| attributes(extack).find(|(kind, _)| *kind == wanted as u16);
    let Some((_, text)) = find(NLMSGERR_ATTR_MSG) else {
        return match errno {
            EPERM => "needs CAP_NET_ADMIN: run as root".into(),
            ENODEV => "there is no such device".into(),
            errno => format!(
                "the kernel refused: {}",
                errno_text(io::Error::from_raw_os_error(errno as i32))
            ),
        };
    };
    let text = read_string(text);
    // Where the policy refused, the text names neither the attribute nor what it allows.
    let (Some((_, policy)), Some((_, offset))) =
        (find(NLMSGERR_ATTR_POLICY), find(NLMSGERR_ATTR_OFFS))
    else {
        return text;
    };
    let name = read_u32(offset).and_then(|offset| attribute_name(request, offset as usize));
    format!("{}: {text}{}", name.unwrap_or("request"), allowed(policy))
}

/// The name of the attribute that starts at `offset` of a request; all that take any are about WANs.
fn attribute_name(request: &[u8], offset: usize) -> Option<&'static str> {
    let kind = request.get(offset..)?.get(2..4)?;
    let kind = u16::from_ne_bytes(kind.try_into().ok()?) & NLA_TYPE_MASK;
    let index = usize::from(kind).checked_sub(1)?;
    A_WAN_NAMES.get(index).copied()
}

fn allowed(policy: &[u8]) -> String {
    let find = |wanted| attributes(policy).find(|(kind, _)| *kind == wanted);
    let find_u64 = |wanted| find(wanted).and_then(|(_, value)| read_u64(value));
    let least = find_u64(NL_POLICY_TYPE_ATTR_MIN_VALUE_U);
    let most = find_u64(NL_POLICY_TYPE_ATTR_MAX_VALUE_U);
    let longest = find(NL_POLICY_TYPE_ATTR_MAX_LENGTH).and_then(|(_, value)| read_u32(value));
    match (least, most, longest) {
        (Some(least), Some(most), _) => format!(" ({least} to {most})"),
        (_, _, Some(longest)) => format!(" (at most {longest} bytes)"),
        _ => String::new(),
    }
}

/// What the system calls an error, without Rust's "(os error 2)".
pub fn errno_text(why: io::Error) -> String {
    let text = why.to_string();
    text.split(" (os error").next().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::{emitted, u32};
    use crate::message::{string, u64};
    use crate::uapi::{A_WAN_NAME, A_WAN_UP_CAPACITY_BPS};
    use linux_raw_sys::errno::{EBUSY, ERANGE};
    use netlink_packet_core::DefaultNla;

    const TEXT: u16 = NLMSGERR_ATTR_MSG as u16;

    /// A refusal by the policy of the attribute that stands at `offset` of the request.
    fn policy(offset: u32, rules: &[DefaultNla]) -> Vec<u8> {
        emitted(&[
            string(TEXT, "refused"),
            u32(NLMSGERR_ATTR_OFFS as u16, offset),
            DefaultNla::new(NLMSGERR_ATTR_POLICY as u16, emitted(rules)),
        ])
    }

    #[test]
    fn prefers_the_words_of_the_kernel() {
        let extack = emitted(&[u32(999, 1), string(TEXT, "WAN dsl exists")]);
        assert_eq!(sentence(EPERM, &extack, &[]), "WAN dsl exists");
    }

    #[test]
    fn explains_a_bare_number() {
        for (errno, text) in [
            (EPERM, "needs CAP_NET_ADMIN: run as root"),
            (ENODEV, "there is no such device"),
            (EBUSY, "the kernel refused: Device or resource busy"),
        ] {
            assert_eq!(sentence(errno, &[], &[]), text);
        }
    }

    #[test]
    fn names_what_the_policy_refused() {
        let request = emitted(&[string(A_WAN_NAME, "dsl"), u64(A_WAN_UP_CAPACITY_BPS, 0)]);
        let name = policy(0, &[u32(NL_POLICY_TYPE_ATTR_MAX_LENGTH, 15)]);
        assert_eq!(
            sentence(ERANGE, &name, &request),
            "name: refused (at most 15 bytes)"
        );
        let range = [
            u64(NL_POLICY_TYPE_ATTR_MIN_VALUE_U, 1),
            u64(NL_POLICY_TYPE_ATTR_MAX_VALUE_U, 99),
        ];
        assert_eq!(
            sentence(ERANGE, &policy(8, &range), &request),
            "up-capacity-bps: refused (1 to 99)"
        );
        for nowhere in [21, u32::MAX] {
            let text = sentence(ERANGE, &policy(nowhere, &[]), &request);
            assert_eq!(text, "request: refused");
        }
    }

    #[test]
    fn is_cut_off_anywhere() {
        let request = emitted(&[string(A_WAN_NAME, "dsl")]);
        let whole = policy(0, &[u32(NL_POLICY_TYPE_ATTR_MAX_LENGTH, 15)]);
        for length in 0..whole.len() {
            let text = sentence(EPERM, &whole[..length], &request);
            assert!(
                ["refused", "needs CAP_NET_ADMIN: run as root"].contains(&&*text),
                "{text}"
            );
        }
        for length in 0..request.len() {
            assert!(sentence(EPERM, &whole, &request[..length]).contains("refused"));
        }
    }
}

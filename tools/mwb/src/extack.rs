// SPDX-License-Identifier: GPL-2.0

//! Why the kernel refused, as one sentence: its extended ack if there is one, else what the error number
//! means here.

use crate::message::{attributes, read_string, read_u16, read_u32, read_u64};
use crate::uapi::*;
use linux_raw_sys::errno::{ENODEV, EOPNOTSUPP, EPERM};
use linux_raw_sys::netlink::nlmsgerr_attrs::*;
use netlink_packet_core::{NLA_ALIGNTO, NLA_HEADER_SIZE, NLM_F_ACK_TLVS};
use netlink_packet_generic::constants::*;
use std::io;

pub const MALFORMED: &str = "the kernel's answer is malformed: do module and tool fit each other?";

/// What the kernel says of an attribute that it does not know, or does not take here.
const OF_STRANGERS: [&str; 2] = [
    "Unknown attribute type",
    "Attribute failed policy validation",
];
const OLDER: &str = "; the module may be older than this tool";

const NLMSGHDR_LEN: usize = 16;
/// Where the attributes of a request start: behind the headers of netlink and generic netlink.
const ATTRS_AT: usize = NLMSGHDR_LEN + 4;

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
            // Of an operation that there is not.
            EOPNOTSUPP if !request.is_empty() => format!("there is no such operation{OLDER}"),
            errno => format!(
                "the kernel refused: {}",
                errno_text(io::Error::from_raw_os_error(errno as i32))
            ),
        };
    };
    let text = read_string(text);
    // Where the policy refused, the text names neither the attribute nor what it allows; if that is nothing at
    // all, the module has not heard of it.
    let why = match find(NLMSGERR_ATTR_POLICY) {
        Some((_, policy)) => allowed(policy),
        None if OF_STRANGERS.contains(&&*text) => OLDER.into(),
        None => return text,
    };
    let name = place(extack, request).and_then(|place| place.name(request));
    format!("{}: {text}{why}", name.unwrap_or("request"))
}

/// The attribute of a request that the kernel found fault with.
pub struct Place {
    /// Number of the attribute among those of the request, from 0.
    pub index: usize,
    kind: u16,
    /// Kind of the attribute in it, if the fault is with that.
    inner: Option<u16>,
}

pub fn place(extack: &[u8], request: &[u8]) -> Option<Place> {
    let (_, offset) = attributes(extack).find(|(kind, _)| *kind == NLMSGERR_ATTR_OFFS as u16)?;
    let offset = read_u32(offset)? as usize;
    let mut end = ATTRS_AT;
    for (index, (kind, value)) in attributes(request.get(ATTRS_AT..)?).enumerate() {
        let start = end;
        end += (NLA_HEADER_SIZE + value.len()).next_multiple_of(NLA_ALIGNTO);
        if (start..end).contains(&offset) {
            let inner = match offset == start {
                true => None,
                false => Some(attributes(request.get(offset..)?).next()?.0),
            };
            return Some(Place { index, kind, inner });
        }
    }
    None
}

impl Place {
    fn name(&self, request: &[u8]) -> Option<&'static str> {
        let family = read_u16(request.get(4..6)?)?;
        let command = *request.get(NLMSGHDR_LEN)?;
        let (names, kind) = match (names(command)?, self.inner) {
            // The one set with attributes inside its attributes.
            (_, Some(kind)) if command == CMD_POLICY_REPLACE => (&A_POLICY_NAMES[..], kind),
            (names, None) => (names, self.kind),
            _ => return None,
        };
        let index = usize::from(kind).checked_sub(1)?;
        // The family of all families has commands of its own.
        names.get(index).copied().filter(|_| family != GENL_ID_CTRL)
    }
}

/// The names of the attributes that a command takes.
fn names(command: u8) -> Option<&'static [&'static str]> {
    Some(match command {
        CMD_WAN_ADD | CMD_WAN_SET | CMD_WAN_DEL | CMD_WAN_GET => &A_WAN_NAMES,
        CMD_GROUP_SET | CMD_GROUP_DEL | CMD_GROUP_GET => &A_GROUP_NAMES,
        CMD_POLICY_ADD | CMD_POLICY_DEL | CMD_POLICY_GET => &A_POLICY_NAMES,
        CMD_POLICY_REPLACE => &A_POLICIES_NAMES,
        CMD_CONFIG_SET | CMD_CONFIG_GET => &A_CONFIG_NAMES,
        CMD_STATS_GET => &A_STATS_NAMES,
        CMD_EXPLAIN => &A_EXPLAIN_NAMES,
        _ => return None,
    })
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

pub fn socket_failed(why: io::Error) -> String {
    format!("the netlink socket failed: {}", errno_text(why))
}

/// What the system calls an error, without Rust's "(os error 2)".
pub fn errno_text(why: io::Error) -> String {
    let text = why.to_string();
    text.split(" (os error").next().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{emitted, nested, string, u32, u64};
    use linux_raw_sys::errno::{EBUSY, EINVAL, ERANGE};
    use netlink_packet_core::DefaultNla;

    const TEXT: u16 = NLMSGERR_ATTR_MSG as u16;

    /// A request of the family, with its headers.
    fn request(command: u8, attrs: &[DefaultNla]) -> Vec<u8> {
        let mut bytes = vec![0; ATTRS_AT];
        bytes[4] = 40;
        bytes[NLMSGHDR_LEN] = command;
        bytes.extend(emitted(attrs));
        bytes
    }

    /// A refusal by the policy of the attribute that stands at `offset` of the request's attributes.
    fn policy(offset: u32, rules: &[DefaultNla]) -> Vec<u8> {
        let offset = offset.saturating_add(ATTRS_AT as u32);
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
        let attrs = [string(A_WAN_NAME, "dsl"), u64(A_WAN_UP_CAPACITY_BPS, 0)];
        let request = request(CMD_WAN_ADD, &attrs);
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
        let mut to_nlctrl = request.clone();
        to_nlctrl[4..6].copy_from_slice(&GENL_ID_CTRL.to_ne_bytes());
        assert_eq!(
            sentence(ERANGE, &policy(0, &[]), &to_nlctrl),
            "request: refused"
        );
    }

    #[test]
    fn tells_what_an_older_module_does_not_know() {
        let request = request(
            CMD_WAN_ADD,
            &[string(A_WAN_NAME, "dsl"), u32(A_WAN_TIER, 2)],
        );
        for text in OF_STRANGERS {
            let extack = [string(TEXT, text), u32(NLMSGERR_ATTR_OFFS as u16, 28)];
            let expected = format!("tier: {text}; the module may be older than this tool");
            assert_eq!(sentence(EINVAL, &emitted(&extack), &request), expected);
        }
        assert_eq!(
            sentence(EOPNOTSUPP, &[], &request),
            "there is no such operation; the module may be older than this tool"
        );
        assert!(sentence(EOPNOTSUPP, &[], &[]).starts_with("the kernel refused"));
    }

    #[test]
    fn names_the_attributes_of_every_command() {
        for (command, kind, name) in [
            (CMD_WAN_DEL, A_WAN_NAME, "name"),
            (CMD_WAN_SET, A_WAN_TIER, "tier"),
            (CMD_GROUP_SET, A_GROUP_WAN, "wan"),
            (CMD_POLICY_ADD, A_POLICY_IIF, "iif"),
            (CMD_POLICY_DEL, A_POLICY_SRC_LEN, "src-len"),
            (CMD_POLICY_REPLACE, A_POLICIES_MORE, "more"),
            (CMD_CONFIG_SET, A_CONFIG_PAIR_TIMEOUT, "pair-timeout"),
            (CMD_STATS_GET, A_STATS_PACKETS, "packets"),
            (0, A_WAN_NAME, "request"),
            (CMD_STATS_GET, A_STATS_MAX + 1, "request"),
            (u8::MAX, A_WAN_NAME, "request"),
        ] {
            let text = sentence(ERANGE, &policy(0, &[]), &request(command, &[u32(kind, 0)]));
            assert_eq!(text, format!("{name}: refused"));
        }
    }

    #[test]
    fn finds_the_policy_among_many() {
        let one = nested(A_POLICIES_POLICY, &[string(A_POLICY_TO, "dsl")]);
        let two = nested(
            A_POLICIES_POLICY,
            &[u32(A_POLICY_PREF, 1), string(A_POLICY_IIF, "eth1")],
        );
        let request = request(CMD_POLICY_REPLACE, &[one, two]);
        for (offset, index, name) in [
            (0, 0, "policy"),
            (4, 0, "to"),
            (12, 1, "policy"),
            (24, 1, "iif"),
        ] {
            let extack = policy(offset, &[]);
            assert_eq!(place(&extack, &request).unwrap().index, index);
            assert_eq!(
                sentence(ERANGE, &extack, &request),
                format!("{name}: refused")
            );
        }
        for offset in 0..64 {
            assert!(sentence(ERANGE, &policy(offset, &[]), &request).ends_with(": refused"));
        }
    }

    #[test]
    fn is_cut_off_anywhere() {
        let request = request(CMD_WAN_DEL, &[string(A_WAN_NAME, "dsl")]);
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

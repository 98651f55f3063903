// SPDX-License-Identifier: GPL-2.0

//! Transport protocols by the names of /etc/protocols, or by number.

use linux_raw_sys::net::*;
use std::fmt;

const EXAMPLE: &str = "write a protocol as tcp, udp, icmp or gre, or as a number from 0 to 255";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Proto(pub u8);

/// Those with ports come first.
const PROTOS: [(&str, u8); 17] = [
    ("tcp", IPPROTO_TCP as u8),
    ("udp", IPPROTO_UDP as u8),
    ("udplite", IPPROTO_UDPLITE as u8),
    ("sctp", IPPROTO_SCTP as u8),
    ("dccp", IPPROTO_DCCP as u8),
    ("icmp", IPPROTO_ICMP as u8),
    ("igmp", IPPROTO_IGMP as u8),
    ("ipip", IPPROTO_IPIP as u8),
    ("ipv6", IPPROTO_IPV6 as u8),
    ("gre", IPPROTO_GRE as u8),
    ("esp", IPPROTO_ESP as u8),
    ("ah", IPPROTO_AH as u8),
    ("l2tp", IPPROTO_L2TP as u8),
    ("pim", IPPROTO_PIM as u8),
    ("ipcomp", IPPROTO_COMP as u8),
    // The kernel has no names for these.
    ("ospf", 89),
    ("vrrp", 112),
];
const WITH_PORTS: usize = 5;

impl Proto {
    pub fn parse(text: &str) -> Result<Self, String> {
        let named = PROTOS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text));
        match named {
            Some((_, number)) => Ok(Self(*number)),
            // Rust would take a sign as well.
            None if text.starts_with('+') => Err(EXAMPLE.into()),
            None => text.parse().map(Self).map_err(|_| EXAMPLE.into()),
        }
    }

    pub fn has_ports(self) -> bool {
        PROTOS
            .iter()
            .take(WITH_PORTS)
            .any(|(_, number)| *number == self.0)
    }
}

impl fmt::Display for Proto {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match PROTOS.iter().find(|(_, number)| *number == self.0) {
            Some((name, _)) => f.write_str(name),
            None => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_numbers() {
        for (text, number) in [
            ("tcp", 6),
            ("TCP", 6),
            ("udp", 17),
            ("icmp", 1),
            ("esp", 50),
            ("0", 0),
            ("6", 6),
            ("255", 255),
        ] {
            assert_eq!(Proto::parse(text), Ok(Proto(number)), "{text}");
        }
        for text in ["", "256", "-1", "0x6", "tcpx", "tcp ", "6.0", "+6"] {
            assert_eq!(Proto::parse(text), Err(EXAMPLE.to_string()), "{text}");
        }
    }

    #[test]
    fn reads_what_it_writes() {
        for number in 0..=u8::MAX {
            let text = Proto(number).to_string();
            assert_eq!(Proto::parse(&text), Ok(Proto(number)));
        }
    }

    #[test]
    fn five_have_ports() {
        let with_ports = (0..=u8::MAX).filter(|number| Proto(*number).has_ports());
        assert_eq!(with_ports.collect::<Vec<_>>(), [6, 17, 33, 132, 136]);
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Connections as the kernel tracks them, by way of ctnetlink (linux/netfilter/nfnetlink_conntrack.h).

use crate::dump::{dump, Dumped, Raw};
use crate::message::attributes;
use netlink_sys::protocols::NETLINK_NETFILTER;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// IPCTNL_MSG_CT_GET of NFNL_SUBSYS_CTNETLINK
const CT_GET: u16 = (1 << 8) | 1;
/// struct nfgenmsg
const HEADER_LEN: usize = 4;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_STATUS: u16 = 3;
const CTA_PROTOINFO: u16 = 4;
const CTA_TIMEOUT: u16 = 7;
const CTA_MARK: u16 = 8;
const CTA_COUNTERS_ORIG: u16 = 9;
const CTA_COUNTERS_REPLY: u16 = 10;
const CTA_TIMESTAMP: u16 = 20;
const CTA_MARK_MASK: u16 = 21;
const CTA_LABELS: u16 = 22;

const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_PROTOINFO_TCP: u16 = 1;
const CTA_PROTOINFO_TCP_STATE: u16 = 1;
const CTA_COUNTERS_BYTES: u16 = 2;
const CTA_TIMESTAMP_START: u16 = 1;

const IPS_SEEN_REPLY: u32 = 1 << 1;
const IPS_ASSURED: u32 = 1 << 2;

/// As `conntrack -L` writes them, in lower case.
const TCP_STATES: [&str; 10] = [
    "none",
    "syn-sent",
    "syn-recv",
    "established",
    "fin-wait",
    "close-wait",
    "last-ack",
    "time-wait",
    "close",
    "syn-sent2",
];

/// One direction of a connection: who sends to whom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tuple {
    pub src: IpAddr,
    pub dst: IpAddr,
    pub proto: u8,
    /// Where the protocol has ports.
    pub sport: Option<u16>,
    pub dport: Option<u16>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Connection {
    pub orig: Tuple,
    pub reply: Tuple,
    pub mark: u32,
    status: u32,
    tcp_state: Option<&'static str>,
    pub timeout_s: Option<u32>,
    /// While the kernel counts them (net.netfilter.nf_conntrack_acct).
    pub bytes_orig: Option<u64>,
    pub bytes_reply: Option<u64>,
    /// While the kernel notes it (net.netfilter.nf_conntrack_timestamp).
    pub started_ns: Option<u64>,
    /// Of its two labels words, those that hold something.
    pub labels: usize,
}

/// Hands on all connections with this mark, as far as the mask goes, until `each` returns false.
pub fn connections(
    mark: u32,
    mask: u32,
    mut each: impl FnMut(Connection) -> Result<bool, String>,
) -> Result<Dumped, String> {
    dump_raw(mark, mask, |bytes| match Connection::parse(bytes) {
        // A kernel may be too old to filter.
        Some(connection) if connection.mark & mask == mark => each(connection),
        _ => Ok(true),
    })
}

/// Hands on the marks of all connections, until `each` returns false. It takes less time than all the rest.
pub fn marks(mut each: impl FnMut(u32) -> bool) -> Result<Dumped, String> {
    dump_raw(0, 0, |bytes| Ok(each(mark_of(bytes))))
}

fn dump_raw(
    mark: u32,
    mask: u32,
    mut each: impl FnMut(&[u8]) -> Result<bool, String>,
) -> Result<Dumped, String> {
    let mut bytes = vec![0; HEADER_LEN];
    for (kind, value) in [(CTA_MARK, mark), (CTA_MARK_MASK, mask)] {
        bytes.extend(8u16.to_ne_bytes());
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(value.to_be_bytes());
    }
    let get = Raw {
        kind: CT_GET,
        bytes,
    };
    dump(NETLINK_NETFILTER, get, |raw: Raw| each(&raw.bytes))
}

/// A mark of 0 may be left out.
fn mark_of(bytes: &[u8]) -> u32 {
    let mark = find(bytes.get(HEADER_LEN..).unwrap_or_default(), CTA_MARK);
    mark.and_then(be32).unwrap_or_default()
}

impl Connection {
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let (mut orig, mut reply) = (None, None);
        let mut connection = Self {
            orig: Tuple::NONE,
            reply: Tuple::NONE,
            mark: 0,
            status: 0,
            tcp_state: None,
            timeout_s: None,
            bytes_orig: None,
            bytes_reply: None,
            started_ns: None,
            labels: 0,
        };
        for (kind, value) in attributes(bytes.get(HEADER_LEN..)?) {
            match kind {
                CTA_TUPLE_ORIG => orig = Tuple::parse(value),
                CTA_TUPLE_REPLY => reply = Tuple::parse(value),
                CTA_STATUS => connection.status = be32(value)?,
                CTA_PROTOINFO => connection.tcp_state = tcp_state(value),
                CTA_TIMEOUT => connection.timeout_s = be32(value),
                CTA_MARK => connection.mark = be32(value)?,
                CTA_COUNTERS_ORIG => connection.bytes_orig = be64(find(value, CTA_COUNTERS_BYTES)),
                CTA_COUNTERS_REPLY => {
                    connection.bytes_reply = be64(find(value, CTA_COUNTERS_BYTES))
                }
                CTA_TIMESTAMP => connection.started_ns = be64(find(value, CTA_TIMESTAMP_START)),
                CTA_LABELS => {
                    let words = value.chunks(8);
                    connection.labels = words.filter(|word| word.iter().any(|b| *b != 0)).count();
                }
                _ => {}
            }
        }
        (connection.orig, connection.reply) = (orig?, reply?);
        Some(connection)
    }

    pub fn is_replied(&self) -> bool {
        self.status & IPS_SEEN_REPLY != 0
    }

    /// The state of a TCP connection; of others, whether it goes both ways, and for long.
    pub fn state(&self) -> &'static str {
        let other = match (self.is_replied(), self.status & IPS_ASSURED != 0) {
            (false, _) => "unreplied",
            (true, false) => "replied",
            (true, true) => "assured",
        };
        self.tcp_state.unwrap_or(other)
    }
}

impl Tuple {
    const NONE: Self = Self {
        src: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        dst: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        proto: 0,
        sport: None,
        dport: None,
    };

    fn parse(tuple: &[u8]) -> Option<Self> {
        let ip = find(tuple, CTA_TUPLE_IP)?;
        let proto = find(tuple, CTA_TUPLE_PROTO)?;
        let port = |kind| Some(u16::from_be_bytes(find(proto, kind)?.try_into().ok()?));
        Some(Self {
            src: addr(ip, CTA_IP_V4_SRC, CTA_IP_V6_SRC)?,
            dst: addr(ip, CTA_IP_V4_DST, CTA_IP_V6_DST)?,
            proto: *find(proto, CTA_PROTO_NUM)?.first()?,
            sport: port(CTA_PROTO_SRC_PORT),
            dport: port(CTA_PROTO_DST_PORT),
        })
    }
}

fn tcp_state(protoinfo: &[u8]) -> Option<&'static str> {
    let state = find(find(protoinfo, CTA_PROTOINFO_TCP)?, CTA_PROTOINFO_TCP_STATE)?;
    TCP_STATES.get(usize::from(*state.first()?)).copied()
}

fn addr(ip: &[u8], v4: u16, v6: u16) -> Option<IpAddr> {
    match find(ip, v4) {
        Some(octets) => Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into()),
        None => Some(Ipv6Addr::from(<[u8; 16]>::try_from(find(ip, v6)?).ok()?).into()),
    }
}

/// The value of an attribute in a nest.
fn find(nest: &[u8], wanted: u16) -> Option<&[u8]> {
    let mut attrs = attributes(nest);
    attrs
        .find(|(kind, _)| *kind == wanted)
        .map(|(_, value)| value)
}

fn be32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}

fn be64(value: Option<&[u8]>) -> Option<u64> {
    value?.try_into().ok().map(u64::from_be_bytes)
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;
    use crate::message::{emitted, nested};
    use netlink_packet_core::DefaultNla;

    fn bytes(kind: u16, value: &[u8]) -> DefaultNla {
        DefaultNla::new(kind, value.to_vec())
    }

    fn tuple(kind: u16, src: [u8; 4], dst: [u8; 4], ports: [u16; 2]) -> DefaultNla {
        let ip = [bytes(CTA_IP_V4_SRC, &src), bytes(CTA_IP_V4_DST, &dst)];
        let proto = [
            bytes(CTA_PROTO_NUM, &[6]),
            bytes(CTA_PROTO_SRC_PORT, &ports[0].to_be_bytes()),
            bytes(CTA_PROTO_DST_PORT, &ports[1].to_be_bytes()),
        ];
        let parts = [nested(CTA_TUPLE_IP, &ip), nested(CTA_TUPLE_PROTO, &proto)];
        nested(kind, &parts)
    }

    /// A masqueraded TCP connection of WAN 3, placed by a policy.
    pub fn message() -> Vec<u8> {
        let state = nested(CTA_PROTOINFO_TCP, &[bytes(CTA_PROTOINFO_TCP_STATE, &[3])]);
        let count =
            |kind, value: u64| nested(kind, &[bytes(CTA_COUNTERS_BYTES, &value.to_be_bytes())]);
        let attrs = [
            tuple(
                CTA_TUPLE_ORIG,
                [10, 0, 0, 11],
                [198, 51, 100, 1],
                [4711, 80],
            ),
            tuple(
                CTA_TUPLE_REPLY,
                [198, 51, 100, 1],
                [192, 0, 2, 7],
                [80, 4711],
            ),
            bytes(CTA_STATUS, &0x18eu32.to_be_bytes()),
            nested(CTA_PROTOINFO, &[state]),
            bytes(CTA_TIMEOUT, &431_999u32.to_be_bytes()),
            bytes(CTA_MARK, &0x8300_0001u32.to_be_bytes()),
            count(CTA_COUNTERS_ORIG, 1234),
            count(CTA_COUNTERS_REPLY, 56_789),
            nested(
                CTA_TIMESTAMP,
                &[bytes(CTA_TIMESTAMP_START, &7u64.to_be_bytes())],
            ),
            bytes(CTA_LABELS, &[&[0; 8][..], &[1; 8]].concat()),
        ];
        [&[2, 0, 0, 0][..], &emitted(&attrs)].concat()
    }

    pub fn connection() -> Connection {
        Connection::parse(&message()).unwrap()
    }

    #[test]
    fn reads_all() {
        let connection = connection();
        let expected = Tuple {
            src: [10, 0, 0, 11].into(),
            dst: [198, 51, 100, 1].into(),
            proto: 6,
            sport: Some(4711),
            dport: Some(80),
        };
        assert_eq!(connection.orig, expected);
        assert_eq!(connection.reply.dst, IpAddr::from([192, 0, 2, 7]));
        assert_eq!(
            (connection.mark, connection.state()),
            (0x8300_0001, "established")
        );
        assert_eq!(connection.timeout_s, Some(431_999));
        assert_eq!(
            (
                connection.bytes_orig,
                connection.bytes_reply,
                connection.started_ns
            ),
            (Some(1234), Some(56_789), Some(7))
        );
        assert!(connection.is_replied());
        assert_eq!(connection.labels, 1);
        assert_eq!(mark_of(&message()), connection.mark);
    }

    #[test]
    fn a_state_without_tcp() {
        for (status, state) in [(0, "unreplied"), (2, "replied"), (6, "assured")] {
            let connection = Connection {
                status,
                tcp_state: None,
                ..connection()
            };
            assert_eq!(connection.state(), state);
        }
    }

    #[test]
    fn takes_nothing_that_is_cut_off() {
        let whole = message();
        for length in 0..whole.len() {
            assert!([0, connection().mark].contains(&mark_of(&whole[..length])));
            if let Some(part) = Connection::parse(&whole[..length]) {
                assert_eq!((part.orig, part.labels), (connection().orig, 0));
            }
        }
        for at in 0..whole.len() {
            for value in [0, 1, 3, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let _ = Connection::parse(&bytes);
            }
        }
    }
}

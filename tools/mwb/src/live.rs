// SPDX-License-Identifier: GPL-2.0

//! The connections that conntrack has at the moment, counted by their marks.
//!
//! Nobody keeps these numbers: nothing out of tree hears of the end of a connection. So conntrack's whole table
//! is read, which takes about a second for a million connections. It is done on request only, and not for long.

use crate::extack;
use crate::message::{attributes, messages};
use linux_raw_sys::net::AF_INET;
use netlink_packet_core::{NetlinkPayload, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_sys::{protocols::NETLINK_NETFILTER, Socket, SocketAddr};
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};

/// `IPCTNL_MSG_CT_GET` of `NFNL_SUBSYS_CTNETLINK`.
const CONNTRACK_GET: u16 = (1 << 8) | 1;
const CTA_MARK: u16 = 8;

const DATAGRAM_MAX: usize = 32 << 10;
const TIME_MAX: Duration = Duration::from_secs(5);

/// How many connections there are of each mark, within the bits of the mask. None if that would take too long.
pub fn count(mask: u32) -> Result<Option<HashMap<u32, u64>>, String> {
    let failed = extack::socket_failed;
    let socket = socket().map_err(failed)?;
    let end = Instant::now() + TIME_MAX;
    let mut counts = Counts::new(mask);
    while Instant::now() < end {
        let mut datagram = Vec::with_capacity(DATAGRAM_MAX);
        socket.recv_from(&mut datagram, 0).map_err(failed)?;
        if counts.take(&datagram)? {
            return Ok(Some(counts.counts));
        }
    }
    Ok(None)
}

fn socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_NETFILTER)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.send(&request(), 0)?;
    Ok(socket)
}

/// A header of netlink and one of nfnetlink, which has the family of addresses first.
fn request() -> Vec<u8> {
    let mut request = 20u32.to_ne_bytes().to_vec();
    request.extend(CONNTRACK_GET.to_ne_bytes());
    request.extend((NLM_F_REQUEST | NLM_F_DUMP).to_ne_bytes());
    request.resize(16, 0);
    request.extend([AF_INET as u8, 0, 0, 0]);
    request
}

struct Counts {
    mask: u32,
    counts: HashMap<u32, u64>,
}

impl Counts {
    fn new(mask: u32) -> Self {
        let counts = HashMap::new();
        Self { mask, counts }
    }

    /// Takes what one datagram brings. True when that was the last one.
    fn take(&mut self, datagram: &[u8]) -> Result<bool, String> {
        // The header of nfnetlink is as long as that of generic netlink.
        for message in messages(datagram) {
            let code = match message?.payload {
                NetlinkPayload::InnerMessage(connection) => {
                    let mark = mark(&connection.payload.0) & self.mask;
                    *self.counts.entry(mark).or_default() += 1;
                    continue;
                }
                NetlinkPayload::Error(error) => error.raw_code(),
                NetlinkPayload::Done(done) => done.code,
                _ => continue,
            };
            return match code {
                0 => Ok(true),
                code => Err(format!(
                    "cannot count connections: {}",
                    extack::sentence(code.unsigned_abs(), &[], &[])
                )),
            };
        }
        Ok(false)
    }
}

/// A mark of 0 may be left out.
fn mark(attrs: &[u8]) -> u32 {
    let mark = attributes(attrs).find(|(kind, _)| *kind == CTA_MARK);
    let mark = mark.and_then(|(_, value)| value.try_into().ok());
    mark.map_or(0, u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::emitted;
    use crate::message::tests::message;
    use linux_raw_sys::errno::EPERM;
    use netlink_packet_core::{DefaultNla, NLMSG_DONE, NLMSG_ERROR};

    fn connection(mark: u32) -> Vec<u8> {
        let attrs = [
            DefaultNla::new(1, vec![0; 20]),
            DefaultNla::new(CTA_MARK, mark.to_be_bytes().to_vec()),
        ];
        let family = [AF_INET as u8, 0, 0, 0];
        message(CONNTRACK_GET, 0, 0, &[&family, &emitted(&attrs)])
    }

    #[test]
    fn request_is_a_dump() {
        let request = request();
        assert_eq!(request.len(), 20);
        assert_eq!(request[4..6], [1, 1]);
        assert_eq!(request[16], 2);
    }

    #[test]
    fn counts_by_masked_mark() {
        let mut counts = Counts::new(0x7f00_0000);
        let first = [
            connection(0x0100_0000),
            connection(0x8100_002a),
            message(CONNTRACK_GET, 0, 0, &[&[2, 0, 0, 0]]),
        ];
        assert_eq!(counts.take(&first.concat()), Ok(false));
        let last = [
            connection(0x0200_0000),
            message(NLMSG_DONE, 0, 0, &[&[0; 4]]),
        ];
        assert_eq!(counts.take(&last.concat()), Ok(true));
        let expected = [(0, 1), (0x0100_0000, 2), (0x0200_0000, 1)];
        assert_eq!(counts.counts, HashMap::from(expected));
    }

    #[test]
    fn says_who_may() {
        let code = (-(EPERM as i32)).to_ne_bytes();
        let refused = message(NLMSG_ERROR, 0, 0, &[&code, &[0; 16]]);
        let why = Counts::new(0).take(&refused).unwrap_err();
        assert!(why.contains("run as root"), "{why}");
    }

    #[test]
    fn what_is_cut_off_is_malformed() {
        let whole = connection(1);
        for length in 1..whole.len() {
            assert!(Counts::new(0).take(&whole[..length]).is_err(), "{length}");
        }
    }
}

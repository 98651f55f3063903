// SPDX-License-Identifier: GPL-2.0

//! What other families of netlink have: dumps that are read message by message, so that their size costs no
//! memory.

use crate::extack;
use netlink_packet_core::{
    NetlinkBuffer, NetlinkDeserializable, NetlinkHeader, NetlinkMessage, NetlinkPayload,
    NetlinkSerializable, NLMSG_DONE, NLMSG_ERROR, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
};
use netlink_sys::{Socket, SocketAddr};
use std::convert::Infallible;
use std::io;

/// The type and the bytes of a message that needs no more than that.
pub struct Raw {
    pub kind: u16,
    pub bytes: Vec<u8>,
}

impl NetlinkSerializable for Raw {
    fn message_type(&self) -> u16 {
        self.kind
    }

    fn buffer_len(&self) -> usize {
        self.bytes.len()
    }

    fn serialize(&self, buffer: &mut [u8]) {
        buffer.copy_from_slice(&self.bytes);
    }
}

impl NetlinkDeserializable for Raw {
    type Error = Infallible;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, Infallible> {
        let (kind, bytes) = (header.message_type, payload.to_vec());
        Ok(Self { kind, bytes })
    }
}

/// What there is to say of a dump.
#[derive(Debug, Default, PartialEq)]
pub struct Dumped {
    /// It was overtaken by changes, and may lack something.
    pub is_overtaken: bool,
    /// Messages that the library does not understand, as those of a kernel that is newer.
    pub unread: usize,
}

/// A size that the kernel fills, if the socket has room for it.
const DATAGRAM_MAX: usize = 32 << 10;

/// Hands on all messages of a dump, until `each` returns false.
pub fn dump<M>(
    protocol: isize,
    message: M,
    mut each: impl FnMut(M) -> Result<bool, String>,
) -> Result<Dumped, String>
where
    M: NetlinkSerializable + NetlinkDeserializable,
{
    let socket = ask(protocol, message).map_err(extack::socket_failed)?;
    let mut dumped = Dumped::default();
    let mut datagram = Vec::with_capacity(DATAGRAM_MAX);
    loop {
        datagram.clear();
        let received = socket.recv_from(&mut datagram, 0);
        let (_, sender) = received.map_err(extack::socket_failed)?;
        if sender.port_number() == 0 && !dumped.take(&datagram, &mut each)? {
            return Ok(dumped);
        }
    }
}

impl Dumped {
    /// Hands on the messages of a datagram. Whether more are to come.
    pub fn take<M: NetlinkDeserializable>(
        &mut self,
        datagram: &[u8],
        each: &mut impl FnMut(M) -> Result<bool, String>,
    ) -> Result<bool, String> {
        let mut rest = datagram;
        while !rest.is_empty() {
            let (one, flags, left) = split(rest)?;
            rest = left;
            self.is_overtaken |= flags & NLM_F_DUMP_INTR != 0;
            match NetlinkMessage::<M>::deserialize(one).map(|message| message.payload) {
                Ok(NetlinkPayload::InnerMessage(message)) => {
                    if !each(message)? {
                        return Ok(false);
                    }
                }
                Ok(NetlinkPayload::Error(error)) => {
                    return failed(error.raw_code()).map(|()| false)
                }
                Ok(NetlinkPayload::Done(done)) => return failed(done.code).map(|()| false),
                Err(_) if matches!(kind(one), NLMSG_DONE | NLMSG_ERROR) => {
                    return Err(extack::MALFORMED.into());
                }
                Err(_) => self.unread += 1,
                Ok(_) => {}
            }
        }
        Ok(true)
    }
}

fn kind(message: &[u8]) -> u16 {
    NetlinkBuffer::new(message).message_type()
}

/// The first message of a datagram, its flags, and what follows.
fn split(datagram: &[u8]) -> Result<(&[u8], u16, &[u8]), String> {
    let buffer = NetlinkBuffer::new_checked(datagram).map_err(|_| extack::MALFORMED)?;
    let length = buffer.length() as usize;
    let one = datagram.get(..length).ok_or(extack::MALFORMED)?;
    let rest = datagram.get(length.next_multiple_of(4)..);
    Ok((one, buffer.flags(), rest.unwrap_or_default()))
}

fn failed(code: i32) -> Result<(), String> {
    match code {
        0 => Ok(()),
        code => Err(extack::sentence(code.unsigned_abs(), &[], &[])),
    }
}

fn ask(protocol: isize, message: impl NetlinkSerializable) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    header.sequence_number = 1;
    let mut message = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    socket.send(&bytes, 0)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests::message;
    use netlink_packet_route::RouteNetlinkMessage;

    #[test]
    fn datagrams_are_split() {
        let datagram = [message(7, 1, 1, &[b"abc"]), message(8, 2, 1, &[b"defg"])];
        // A message begins where four bytes do.
        let whole = [&datagram[0][..], &[0], &datagram[1]].concat();
        let (one, flags, rest) = split(&whole).unwrap();
        assert_eq!((one, flags), (&datagram[0][..], 1));
        assert_eq!(split(rest).unwrap(), (&datagram[1][..], 2, &[][..]));
        for length in 1..datagram[0].len() {
            assert!(split(&whole[..length]).is_err(), "{length}");
        }
        let mut short = datagram[0].clone();
        short[..4].copy_from_slice(&0u32.to_ne_bytes());
        assert!(split(&short).is_err());
    }

    #[test]
    fn what_is_not_understood_is_counted() {
        // A link that is whole (its header is 16 bytes long), one that is cut off, and the end.
        let done = message(NLMSG_DONE, 0, 1, &[&[0; 4]]);
        let links = [
            message(16, 0, 1, &[&[0; 16]]),
            message(16, 0, 1, &[&[0; 4]]),
        ];
        let mut dumped = Dumped::default();
        let mut whole = 0;
        let mut each = |_: RouteNetlinkMessage| {
            whole += 1;
            Ok(true)
        };
        assert_eq!(dumped.take(&links.concat(), &mut each), Ok(true));
        assert_eq!(dumped.take(&done, &mut each), Ok(false));
        assert_eq!((whole, dumped.unread), (1, 1));
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The family's messages: a command and attributes on the way to the kernel, attributes on the way back.

use crate::extack;
use crate::uapi::*;
use netlink_packet_core::{
    DecodeError, DefaultNla, Emitable, NetlinkMessage, NlasIterator, ParseableParametrized,
    NLA_F_NESTED,
};
use netlink_packet_generic::{GenlFamily, GenlHeader, GenlMessage};
use std::iter;
use std::net::Ipv4Addr;

#[derive(Clone, Debug)]
pub struct Request {
    command: u8,
    attrs: Vec<DefaultNla>,
}

impl Request {
    pub fn new(command: u8, attrs: Vec<DefaultNla>) -> Self {
        Self { command, attrs }
    }
}

impl GenlFamily for Request {
    fn family_name() -> &'static str {
        FAMILY_NAME
    }

    fn command(&self) -> u8 {
        self.command
    }

    fn version(&self) -> u8 {
        FAMILY_VERSION
    }
}

impl Emitable for Request {
    fn buffer_len(&self) -> usize {
        self.attrs.as_slice().buffer_len()
    }

    fn emit(&self, buffer: &mut [u8]) {
        self.attrs.as_slice().emit(buffer)
    }
}

/// The attributes of one reply, not yet decoded.
#[derive(Debug, PartialEq)]
pub struct Reply(pub Vec<u8>);

impl ParseableParametrized<[u8], GenlHeader> for Reply {
    fn parse_with_param(attrs: &[u8], _: GenlHeader) -> Result<Self, DecodeError> {
        Ok(Self(attrs.to_vec()))
    }
}

pub type Message = NetlinkMessage<GenlMessage<Reply>>;

/// The messages of a datagram, up to the first that is malformed.
pub fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Result<Message, String>> + '_ {
    iter::from_fn(move || {
        let message = match datagram {
            [] => return None,
            _ => Message::deserialize(datagram).map_err(|_| extack::MALFORMED.into()),
        };
        let length = message
            .as_ref()
            .map_or(datagram.len(), |message| message.header.length as usize);
        let rest = datagram.get(length.next_multiple_of(4)..);
        datagram = rest.unwrap_or_default();
        Some(message)
    })
}

pub fn string(kind: u16, text: &str) -> DefaultNla {
    let mut bytes = text.as_bytes().to_vec();
    // An attribute holds no more than 64 KiB; the kernel refuses what is far shorter.
    bytes.truncate(4096);
    bytes.push(0);
    DefaultNla::new(kind, bytes)
}

pub fn u32(kind: u16, value: u32) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

pub fn u64(kind: u16, value: u64) -> DefaultNla {
    DefaultNla::new(kind, value.to_ne_bytes().to_vec())
}

pub fn ipv4(kind: u16, addr: Ipv4Addr) -> DefaultNla {
    DefaultNla::new(kind, addr.octets().to_vec())
}

pub fn flag(kind: u16) -> DefaultNla {
    DefaultNla::new(kind, vec![])
}

pub fn nested(kind: u16, attrs: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NLA_F_NESTED, emitted(attrs))
}

pub fn emitted(attrs: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attrs.buffer_len()];
    attrs.emit(&mut bytes);
    bytes
}

/// The attributes in `bytes`, up to the first that is cut off.
pub fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes).map_while(|attr| {
        let attr = attr.ok()?;
        Some((attr.kind(), attr.into_inner().get(4..attr.length().into())?))
    })
}

pub fn read_string(value: &[u8]) -> String {
    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

pub fn read_u16(value: &[u8]) -> Option<u16> {
    value.try_into().ok().map(u16::from_ne_bytes)
}

pub fn read_u32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_ne_bytes)
}

pub fn read_u64(value: &[u8]) -> Option<u64> {
    value.try_into().ok().map(u64::from_ne_bytes)
}

pub fn read_ipv4(value: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(value).ok().map(Ipv4Addr::from)
}

/// The name of an enum's entry; a newer kernel may know more of them.
pub fn read_enum(names: &[&'static str], value: &[u8]) -> Option<&'static str> {
    names.get(read_u32(value)? as usize).copied()
}

#[cfg(any(test, fuzzing))]
pub mod tests {
    use super::*;

    pub fn message(kind: u16, flags: u16, sequence: u32, body: &[&[u8]]) -> Vec<u8> {
        let body = body.concat();
        let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }

    /// What a request is on its way to the kernel, but for the headers.
    pub fn sent(request: &Request) -> Vec<u8> {
        let mut bytes = vec![0; request.buffer_len()];
        request.emit(&mut bytes);
        bytes
    }

    /// The attributes that `parse` must not stumble over: each one of `attrs` with a value that is empty,
    /// short or long.
    pub fn misshapen(attrs: &[DefaultNla]) -> Vec<Vec<u8>> {
        use netlink_packet_core::Nla;
        let lengths = [0, 1, 3, 5, 7, 9, 17];
        let shapes = lengths.map(|length| {
            let shape = |attr: &DefaultNla| DefaultNla::new(attr.kind(), vec![0xff; length]);
            emitted(&attrs.iter().map(shape).collect::<Vec<_>>())
        });
        shapes.to_vec()
    }
}

// SPDX-License-Identifier: GPL-2.0

//! Netlink messages as bytes: writing one, and reading those of a datagram.

#![forbid(unsafe_code)]

use crate::rust::rtnetlink::number::*;
use kernel::prelude::*;

const HEADER_LEN: usize = 16;
const ATTR_HEADER_LEN: usize = 4;

fn align(len: usize) -> usize {
    len.saturating_add(3) & !3
}

/// A request that is being written.
pub(crate) struct Message(KVec<u8>);

impl Message {
    pub(crate) fn new(kind: u16, flags: u16) -> Result<Self> {
        let mut message = Self(KVec::with_capacity(128, GFP_KERNEL)?);
        message.bytes(&[0; 4])?; // the length, in the end
        message.bytes(&kind.to_ne_bytes())?;
        message.bytes(&(flags | NLM_F_REQUEST).to_ne_bytes())?;
        message.bytes(&[0; 8])?; // sequence number and sender: we ask one thing at a time
        Ok(message)
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result {
        Ok(self.0.extend_from_slice(bytes, GFP_KERNEL)?)
    }

    pub(crate) fn attr(&mut self, kind: u16, payload: &[u8]) -> Result {
        let len = u16::try_from(payload.len().saturating_add(ATTR_HEADER_LEN))?;
        self.bytes(&len.to_ne_bytes())?;
        self.bytes(&kind.to_ne_bytes())?;
        self.bytes(payload)?;
        let padding = align(payload.len()).saturating_sub(payload.len());
        self.bytes([0; 3].get(..padding).unwrap_or(&[]))
    }

    /// The finished bytes.
    pub(crate) fn finish(&mut self) -> Result<&mut [u8]> {
        let len = u32::try_from(self.0.len())?;
        let head = self.0.get_mut(..4).ok_or(EINVAL)?;
        head.copy_from_slice(&len.to_ne_bytes());
        Ok(&mut self.0)
    }
}

/// A message, without its header.
pub(crate) struct Said<'a> {
    pub(crate) kind: u16,
    flags: u16,
    /// The socket that it answers, or whose request it is about.
    pub(crate) portid: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of a datagram.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Said<'a>;

    fn next(&mut self) -> Option<Said<'a>> {
        let header = self.0.first_chunk::<HEADER_LEN>()?;
        let &[l0, l1, l2, l3, k0, k1, f0, f1, _, _, _, _, p0, p1, p2, p3] = header;
        let len = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let body = self.0.get(HEADER_LEN..len)?;
        self.0 = self.0.get(align(len)..).unwrap_or(&[]);
        Some(Said {
            kind: u16::from_ne_bytes([k0, k1]),
            flags: u16::from_ne_bytes([f0, f1]),
            portid: u32::from_ne_bytes([p0, p1, p2, p3]),
            body,
        })
    }
}

/// What the kernel answers.
pub(crate) enum Answer<'a> {
    /// An object of a dump: the kind of message, and what follows its header.
    Object(u16, &'a [u8]),
    /// The end of a dump or the outcome of a request.
    End(Result),
    /// What has been dumped changed meanwhile.
    Interrupted,
}

/// The answers of a datagram.
pub(crate) fn answers(datagram: &[u8]) -> impl Iterator<Item = Answer<'_>> {
    Messages(datagram).map(|said| match said.kind {
        _ if said.flags & NLM_F_DUMP_INTR != 0 => Answer::Interrupted,
        NLMSG_ERROR | NLMSG_DONE => {
            let code = said.body.first_chunk();
            let code = code.map_or(0, |c| i32::from_ne_bytes(*c));
            Answer::End(kernel::error::to_result(code))
        }
        kind => Answer::Object(kind, said.body),
    })
}

/// An attribute.
pub(crate) struct Attr<'a> {
    pub(crate) kind: u16,
    pub(crate) payload: &'a [u8],
}

impl Attr<'_> {
    pub(crate) fn u32(&self) -> Option<u32> {
        self.payload.first_chunk().map(|p| u32::from_ne_bytes(*p))
    }
}

/// The attributes of a message.
pub(crate) struct Attrs<'a>(&'a [u8]);

impl<'a> Attrs<'a> {
    /// The fixed header, and the attributes after it.
    pub(crate) fn split(body: &'a [u8], header_len: usize) -> Option<(&'a [u8], Self)> {
        let (header, attrs) = body.split_at_checked(align(header_len))?;
        Some((header, Self(attrs)))
    }
}

impl<'a> Iterator for Attrs<'a> {
    type Item = Attr<'a>;

    fn next(&mut self) -> Option<Attr<'a>> {
        const TYPE_MASK: u16 = 0x3fff; // NLA_TYPE_MASK
        let &[l0, l1, k0, k1] = self.0.first_chunk::<ATTR_HEADER_LEN>()?;
        let len = usize::from(u16::from_ne_bytes([l0, l1]));
        let payload = self.0.get(ATTR_HEADER_LEN..len)?;
        self.0 = self.0.get(align(len)..).unwrap_or(&[]);
        Some(Attr {
            kind: u16::from_ne_bytes([k0, k1]) & TYPE_MASK,
            payload,
        })
    }
}

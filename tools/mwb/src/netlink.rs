// SPDX-License-Identifier: GPL-2.0

//! The conversation with the kernel: one request, its replies, and how it ended.

use crate::extack;
use crate::message::{self, attributes, Reply, Request};
use crate::uapi::FAMILY_NAME;
use linux_raw_sys::errno::ENOENT;
use netlink_packet_core::{
    Emitable, NetlinkMessage, NetlinkPayload, NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST,
};
use netlink_packet_generic::constants::CTRL_ATTR_FAMILY_ID;
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlMessage};
use netlink_sys::{protocols::NETLINK_GENERIC, Socket, SocketAddr};
use std::fmt::Debug;
use std::io;

/// How often a dump that was overtaken by changes is asked for again.
const DUMP_TRIES: u32 = 10;

/// As large as the kernel makes its datagrams for readers who have room: a group of all WANs needs more
/// than the 4 KiB that others get.
const DATAGRAM_MAX: usize = 32 << 10;

pub struct Client {
    socket: Socket,
    family: u16,
    sequence: u32,
}

impl Client {
    /// Connects to the kernel, in the network namespace of the calling thread.
    pub fn open() -> Result<Self, String> {
        let socket = socket().map_err(|why| {
            let why = extack::errno_text(why);
            format!("cannot open a netlink socket: {why}")
        })?;
        let mut client = Self {
            socket,
            family: 0,
            sequence: 0,
        };
        client.family = client.find(FAMILY_NAME)?;
        Ok(client)
    }

    fn find(&mut self, family: &str) -> Result<u16, String> {
        let request = GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(family.into())],
        };
        let answer = self.exchange(request, NLM_F_ACK)?;
        if answer.errno == Some(ENOENT) {
            return Err(format!("the kernel has no {family}: modprobe {family}"));
        }
        let replies = answer.result().map_err(|refusal| refusal.sentence)?;
        let mut attrs = replies.iter().flat_map(|reply| attributes(&reply.0));
        let id = attrs.find(|(kind, _)| *kind == CTRL_ATTR_FAMILY_ID);
        id.and_then(|(_, id)| message::read_u16(id))
            .ok_or(extack::MALFORMED.into())
    }

    /// Has the kernel do one thing.
    pub fn call(&mut self, request: Request) -> Result<Vec<Reply>, String> {
        self.try_call(request).map_err(|refusal| refusal.sentence)
    }

    /// As `call`, for those who want to know what part of the request is refused.
    pub fn try_call(&mut self, request: Request) -> Result<Vec<Reply>, Refusal> {
        self.exchange(request, NLM_F_ACK)?.result()
    }

    /// Reads all objects of a kind.
    pub fn dump(&mut self, command: u8) -> Result<Vec<Reply>, String> {
        for _ in 0..DUMP_TRIES {
            let answer = self.exchange(Request::new(command, vec![]), NLM_F_DUMP)?;
            if !answer.interrupted {
                return answer.result().map_err(|refusal| refusal.sentence);
            }
        }
        Err("all of it changes faster than it can be read: try again".into())
    }

    fn exchange<F>(&mut self, payload: F, flags: u16) -> Result<Answer, String>
    where
        F: GenlFamily + Emitable + Debug,
    {
        self.sequence += 1;
        let mut answer = Answer::to(request(payload, flags, self.family, self.sequence));
        let failed = |why| format!("the netlink socket failed: {}", extack::errno_text(why));
        self.socket.send(&answer.request, 0).map_err(failed)?;
        loop {
            let mut datagram = Vec::with_capacity(DATAGRAM_MAX);
            let (_, sender) = self.socket.recv_from(&mut datagram, 0).map_err(failed)?;
            if sender.port_number() == 0 && answer.take(&datagram, self.sequence)? {
                return Ok(answer);
            }
        }
    }
}

fn socket() -> io::Result<Socket> {
    let mut socket = Socket::new(NETLINK_GENERIC)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    socket.set_cap_ack(true)?;
    socket.set_ext_ack(true)?;
    socket.set_netlink_get_strict_chk(true)?;
    Ok(socket)
}

fn request<F>(payload: F, flags: u16, family: u16, sequence: u32) -> Vec<u8>
where
    F: GenlFamily + Emitable + Debug,
{
    let mut generic = GenlMessage::from_payload(payload);
    generic.set_resolved_family_id(family);
    let mut message = NetlinkMessage::from(generic);
    message.header.flags = NLM_F_REQUEST | flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

/// What the kernel answered to one request, as far as it has been received.
#[derive(Debug)]
struct Answer {
    request: Vec<u8>,
    replies: Vec<Reply>,
    interrupted: bool,
    errno: Option<u32>,
    extack: Vec<u8>,
}

impl Answer {
    fn to(request: Vec<u8>) -> Self {
        Self {
            request,
            replies: Vec::new(),
            interrupted: false,
            errno: None,
            extack: Vec::new(),
        }
    }

    /// Takes what one datagram brings. True when the answer is complete.
    fn take(&mut self, mut datagram: &[u8], sequence: u32) -> Result<bool, String> {
        while !datagram.is_empty() {
            let message = NetlinkMessage::<GenlMessage<Reply>>::deserialize(datagram)
                .map_err(|_| extack::MALFORMED)?;
            let length = (message.header.length as usize).next_multiple_of(4);
            datagram = datagram.get(length..).unwrap_or_default();
            if message.header.sequence_number != sequence {
                continue;
            }
            let flags = message.header.flags;
            self.interrupted |= flags & NLM_F_DUMP_INTR != 0;
            let code = match message.payload {
                NetlinkPayload::InnerMessage(reply) => {
                    self.replies.push(reply.payload);
                    continue;
                }
                NetlinkPayload::Error(error) => {
                    self.extack = extack::after_header(flags, &error.header).to_vec();
                    error.raw_code()
                }
                NetlinkPayload::Done(done) => {
                    self.extack = done.extended_ack;
                    done.code
                }
                _ => continue,
            };
            self.errno = (code != 0).then(|| code.unsigned_abs());
            return Ok(true);
        }
        Ok(false)
    }

    fn result(self) -> Result<Vec<Reply>, Refusal> {
        let Some(errno) = self.errno else {
            return Ok(self.replies);
        };
        let place = extack::place(&self.extack, &self.request);
        Err(Refusal {
            sentence: extack::sentence(errno, &self.extack, &self.request),
            attribute: place.map(|place| place.index),
        })
    }
}

/// Why a request has come to nothing.
#[derive(Debug, PartialEq)]
pub struct Refusal {
    pub sentence: String,
    /// Number of the attribute that it is about, among those of the request, from 0.
    pub attribute: Option<usize>,
}

impl From<String> for Refusal {
    fn from(sentence: String) -> Self {
        Self {
            sentence,
            attribute: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{emitted, string};
    use crate::uapi::*;
    use linux_raw_sys::errno::{EEXIST, ENOMEM};
    use linux_raw_sys::netlink::nlmsgerr_attrs::NLMSGERR_ATTR_MSG;
    use netlink_packet_core::{
        NLMSG_DONE, NLMSG_ERROR, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_MULTIPART,
    };

    const FAMILY: u16 = 40;
    const SEQUENCE: u32 = 7;

    fn message(kind: u16, flags: u16, sequence: u32, body: &[&[u8]]) -> Vec<u8> {
        let body = body.concat();
        let mut bytes = (16 + body.len() as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }

    fn reply(flags: u16, attrs: &[u8]) -> Vec<u8> {
        let generic = [CMD_WAN_GET, FAMILY_VERSION, 0, 0];
        message(
            FAMILY,
            NLM_F_MULTIPART | flags,
            SEQUENCE,
            &[&generic, attrs],
        )
    }

    fn done() -> Vec<u8> {
        message(NLMSG_DONE, NLM_F_MULTIPART, SEQUENCE, &[&[0; 4]])
    }

    fn refused(errno: u32, text: &str) -> Vec<u8> {
        let code = (-(errno as i32)).to_ne_bytes();
        let extack = emitted(&[string(NLMSGERR_ATTR_MSG as u16, text)]);
        let flags = NLM_F_CAPPED | NLM_F_ACK_TLVS;
        message(NLMSG_ERROR, flags, SEQUENCE, &[&code, &[0xee; 16], &extack])
    }

    fn take(datagrams: &[&[u8]]) -> (Answer, Vec<Result<bool, String>>) {
        let mut answer = Answer::to(vec![]);
        let taken = datagrams
            .iter()
            .map(|datagram| answer.take(datagram, SEQUENCE))
            .collect();
        (answer, taken)
    }

    #[test]
    fn request_is_read_back() {
        let name = string(A_WAN_NAME, "dsl");
        let bytes = request(
            Request::new(CMD_WAN_DEL, vec![name.clone()]),
            NLM_F_ACK,
            FAMILY,
            9,
        );
        let read = NetlinkMessage::<GenlMessage<Reply>>::deserialize(&bytes).unwrap();
        let header = read.header;
        assert_eq!(header.length as usize, bytes.len());
        assert_eq!((header.message_type, header.sequence_number), (FAMILY, 9));
        assert_eq!(header.flags, NLM_F_REQUEST | NLM_F_ACK);
        let NetlinkPayload::InnerMessage(generic) = read.payload else {
            panic!("{read:?}");
        };
        assert_eq!(
            (generic.header.cmd, generic.header.version),
            (CMD_WAN_DEL, FAMILY_VERSION)
        );
        assert_eq!(generic.payload, Reply(emitted(&[name])));
    }

    #[test]
    fn dump_in_several_datagrams() {
        let first = [reply(0, b"one."), reply(0, b"two.")].concat();
        let (answer, taken) = take(&[&first, &reply(0, b""), &done()]);
        assert_eq!(taken, [Ok(false), Ok(false), Ok(true)]);
        assert!(!answer.interrupted);
        let expected = [&b"one."[..], b"two.", b""].map(|attrs| Reply(attrs.to_vec()));
        assert_eq!(answer.result().unwrap(), expected);
    }

    #[test]
    fn dump_that_was_overtaken() {
        let (answer, _) = take(&[&reply(NLM_F_DUMP_INTR, b""), &reply(0, b""), &done()]);
        assert!(answer.interrupted);
    }

    #[test]
    fn refusal_with_its_reason() {
        let (answer, taken) = take(&[&refused(EEXIST, "WAN dsl exists")]);
        assert_eq!(taken, [Ok(true)]);
        assert_eq!(answer.result(), Err(String::from("WAN dsl exists").into()));
        let (answer, _) = take(&[&message(
            NLMSG_ERROR,
            0,
            SEQUENCE,
            &[&(-1i32).to_ne_bytes()],
        )]);
        assert_eq!(
            answer.result(),
            Err(String::from("needs CAP_NET_ADMIN: run as root").into())
        );
        let (answer, _) = take(&[&message(
            NLMSG_ERROR,
            0,
            SEQUENCE,
            &[&i32::MIN.to_ne_bytes()],
        )]);
        assert!(answer.result().is_err());
    }

    #[test]
    fn refusal_at_the_end_of_a_dump() {
        let extack = emitted(&[string(NLMSGERR_ATTR_MSG as u16, "no more")]);
        let code = (-(ENOMEM as i32)).to_ne_bytes();
        let (answer, taken) = take(&[&message(
            NLMSG_DONE,
            NLM_F_ACK_TLVS,
            SEQUENCE,
            &[&code, &extack],
        )]);
        assert_eq!(taken, [Ok(true)]);
        assert_eq!(answer.result(), Err(String::from("no more").into()));
    }

    #[test]
    fn answers_to_others_are_passed_over() {
        let stale = message(NLMSG_ERROR, 0, SEQUENCE - 1, &[&[0; 4]]);
        let (answer, taken) = take(&[&stale]);
        assert_eq!(taken, [Ok(false)]);
        assert_eq!(answer.result(), Ok(vec![]));
    }

    #[test]
    fn what_is_cut_off_never_completes() {
        let attrs = emitted(&[string(A_WAN_NAME, "dsl")]);
        for last in [done(), refused(EEXIST, "WAN dsl exists")] {
            let whole = [reply(0, &attrs), last].concat();
            for length in 0..whole.len() {
                let (_, taken) = take(&[&whole[..length]]);
                assert_ne!(taken, [Ok(true)], "{length}");
            }
            assert_eq!(take(&[&whole]).1, [Ok(true)]);
        }
    }

    /// Every value of every byte of an answer: it may fail in any way but by a panic or an endless loop.
    #[test]
    fn nothing_received_panics() {
        let attrs = emitted(&crate::wan::tests::attrs());
        let whole = [reply(0, &attrs), refused(EEXIST, "WAN dsl exists")].concat();
        for at in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let (answer, _) = take(&[&bytes]);
                for reply in &answer.replies {
                    crate::wan::Wan::parse(&reply.0);
                    crate::policy::Row::parse(&reply.0);
                    crate::group_show::Group::parse(&reply.0);
                }
                let _ = answer.result();
            }
        }
    }

    /// The running kernel's own words, by way of its nlctrl family, which every kernel has.
    #[test]
    fn kernel_explains_itself() {
        let mut client = Client {
            socket: socket().unwrap(),
            family: 0,
            sequence: 0,
        };
        let id = client.find("nlctrl").unwrap();
        assert_eq!(id, netlink_packet_generic::constants::GENL_ID_CTRL);
        let absent = client.find("mwb-absent");
        assert_eq!(
            absent,
            Err("the kernel has no mwb-absent: modprobe mwb-absent".into())
        );
        let long = client.find("a-name-beyond-all-limits").unwrap_err();
        assert!(
            long.contains("policy validation (at most 15 bytes)"),
            "{long}"
        );
    }
}

// SPDX-License-Identifier: GPL-2.0

//! The conversation with the kernel: requests, each with its answer, and what it tells of its own accord.

use crate::answer::{Answer, Refusal};
use crate::events::Heard;
use crate::extack;
use crate::family::Family;
use crate::message::{Reply, Request};
use crate::uapi::FAMILY_NAME;
use linux_raw_sys::errno::ENOENT;
use linux_raw_sys::net::MSG_DONTWAIT;
use netlink_packet_core::{Emitable, NetlinkMessage, NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_packet_generic::ctrl::nlas::GenlCtrlAttrs;
use netlink_packet_generic::ctrl::{GenlCtrl, GenlCtrlCmd};
use netlink_packet_generic::{GenlFamily, GenlMessage};
use netlink_sys::{protocols::NETLINK_GENERIC, Socket, SocketAddr};
use std::ffi::c_int;
use std::fmt::Debug;
use std::io;

/// How often a dump that was overtaken by changes is asked for again.
const DUMP_TRIES: u32 = 10;
/// What is said when that did not help.
pub const OVERTAKEN: &str = "all of it changes faster than it can be read: try again";

/// As large as the kernel makes its datagrams for readers who have room: a group of all WANs needs more
/// than the 4 KiB that others get.
const DATAGRAM_MAX: usize = 32 << 10;

pub struct Client {
    socket: Socket,
    family: Family,
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
            family: Family::default(),
            sequence: 0,
        };
        client.family = client.find(FAMILY_NAME)?;
        Ok(client)
    }

    fn find(&mut self, family: &str) -> Result<Family, String> {
        let request = GenlCtrl {
            cmd: GenlCtrlCmd::GetFamily,
            nlas: vec![GenlCtrlAttrs::FamilyName(family.into())],
        };
        let answer = self.exchange(request, NLM_F_ACK)?;
        if answer.errno == Some(ENOENT) {
            return Err(absent(family));
        }
        let replies = answer.result().map_err(|refusal| refusal.sentence)?;
        let mut families = replies.iter().filter_map(|reply| Family::parse(&reply.0));
        families.next().ok_or(extack::MALFORMED.into())
    }

    /// Has the kernel tell the events of a group from now on, and the removal of the module.
    pub fn join(&mut self, group: &str) -> Result<(), String> {
        let nlctrl = self.find("nlctrl")?;
        for group in [self.family.group(group), nlctrl.group("notify")] {
            let group = group.ok_or(extack::MALFORMED)?;
            self.socket
                .add_membership(group)
                .map_err(extack::socket_failed)?;
        }
        Ok(())
    }

    /// Waits for what the kernel tells.
    pub fn listen(&mut self) -> Result<Heard, String> {
        Heard::from(self.receive(0), self.family.id)
    }

    /// What the kernel has told by now, if anything is left of it.
    pub fn heard(&mut self) -> Result<Option<Heard>, String> {
        match self.receive(MSG_DONTWAIT as c_int) {
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => Ok(None),
            received => Heard::from(received, self.family.id).map(Some),
        }
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
        self.dump_as(command, |reply| reply)
    }

    /// The same, each as `read` makes it of its reply; no more than a datagram of these is kept.
    pub fn dump_as<T>(&mut self, command: u8, read: impl Fn(Reply) -> T) -> Result<Vec<T>, String> {
        for _ in 0..DUMP_TRIES {
            let mut answer = self.ask(Request::new(command, vec![]), NLM_F_DUMP)?;
            let mut all = Vec::new();
            loop {
                let is_whole = self.hear(&mut answer)?;
                all.extend(answer.replies().map(&read));
                if is_whole {
                    break;
                }
            }
            if !answer.interrupted {
                answer.result().map_err(|refusal| refusal.sentence)?;
                return Ok(all);
            }
        }
        Err(OVERTAKEN.into())
    }

    fn exchange<F>(&mut self, payload: F, flags: u16) -> Result<Answer, String>
    where
        F: GenlFamily + Emitable + Debug,
    {
        let mut answer = self.ask(payload, flags)?;
        while !self.hear(&mut answer)? {}
        Ok(answer)
    }

    fn ask<F>(&mut self, payload: F, flags: u16) -> Result<Answer, String>
    where
        F: GenlFamily + Emitable + Debug,
    {
        self.sequence += 1;
        let answer = Answer::to(request(payload, flags, self.family.id, self.sequence));
        let sent = self.socket.send(&answer.request, 0);
        sent.map_err(extack::socket_failed)?;
        Ok(answer)
    }

    /// Adds a datagram to an answer. True when the answer is complete.
    fn hear(&self, answer: &mut Answer) -> Result<bool, String> {
        let datagram = self.receive(0).map_err(extack::socket_failed)?;
        answer.take(&datagram, self.sequence)
    }

    /// The next datagram that is the kernel's.
    fn receive(&self, flags: c_int) -> io::Result<Vec<u8>> {
        loop {
            let mut datagram = Vec::with_capacity(DATAGRAM_MAX);
            let (_, sender) = self.socket.recv_from(&mut datagram, flags)?;
            if sender.port_number() == 0 {
                return Ok(datagram);
            }
        }
    }
}

/// What is said when a family is not there.
pub fn absent(family: &str) -> String {
    format!("the kernel has no {family}: modprobe {family}")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{emitted, string, Message};
    use crate::uapi::*;
    use netlink_packet_core::NetlinkPayload;
    use netlink_packet_generic::constants::GENL_ID_CTRL;

    const FAMILY: u16 = 40;

    fn client() -> Client {
        Client {
            socket: socket().unwrap(),
            family: Family::default(),
            sequence: 0,
        }
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
        let read = Message::deserialize(&bytes).unwrap();
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

    /// The running kernel's own words, by way of its nlctrl family, which every kernel has.
    #[test]
    fn kernel_explains_itself() {
        let mut client = client();
        let nlctrl = client.find("nlctrl").unwrap();
        assert_eq!(nlctrl.id, GENL_ID_CTRL);
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

    /// The one group that every kernel has.
    #[test]
    fn kernel_lets_anybody_join() {
        let mut client = client();
        assert_eq!(client.join("notify"), Err(extack::MALFORMED.into()));
        client.family = client.find("nlctrl").unwrap();
        assert_eq!(client.join("notify"), Ok(()));
        assert_eq!(client.heard(), Ok(None));
    }
}

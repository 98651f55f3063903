// SPDX-License-Identifier: GPL-2.0

//! What the kernel answers to a request: its replies, and how it ended.

use crate::extack;
use crate::message::{messages, Reply};
use netlink_packet_core::{NetlinkPayload, NLM_F_DUMP_INTR};

/// The answer to one request, as far as it has been received.
#[derive(Debug)]
pub struct Answer {
    pub request: Vec<u8>,
    replies: Vec<Reply>,
    pub interrupted: bool,
    pub errno: Option<u32>,
    extack: Vec<u8>,
}

impl Answer {
    pub fn to(request: Vec<u8>) -> Self {
        Self {
            request,
            replies: Vec::new(),
            interrupted: false,
            errno: None,
            extack: Vec::new(),
        }
    }

    /// Takes what one datagram brings. True when the answer is complete.
    pub fn take(&mut self, datagram: &[u8], sequence: u32) -> Result<bool, String> {
        for message in messages(datagram) {
            let message = message?;
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

    /// Takes out what has come so far.
    pub fn replies(&mut self) -> impl Iterator<Item = Reply> + '_ {
        self.replies.drain(..)
    }

    pub fn result(self) -> Result<Vec<Reply>, Refusal> {
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
    use crate::message::tests::message;
    use crate::message::{emitted, string};
    use crate::uapi::*;
    use linux_raw_sys::errno::{EEXIST, ENOMEM};
    use linux_raw_sys::netlink::nlmsgerr_attrs::NLMSGERR_ATTR_MSG;
    use netlink_packet_core::{
        NLMSG_DONE, NLMSG_ERROR, NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_MULTIPART,
    };

    const FAMILY: u16 = 40;
    const SEQUENCE: u32 = 7;

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
        let now = crate::clock::Time::now();
        for at in 0..whole.len() {
            for value in 0..=u8::MAX {
                let mut bytes = whole.clone();
                bytes[at] = value;
                let (answer, _) = take(&[&bytes]);
                for reply in &answer.replies {
                    crate::wan::Wan::parse(&reply.0);
                    crate::policy::Row::parse(&reply.0);
                    crate::group_show::Group::parse(&reply.0);
                    crate::family::Family::parse(&reply.0);
                    crate::event::Event::parse(CMD_WAN_CHANGE_NTF, &reply.0, now);
                }
                let _ = answer.result();
            }
        }
    }
}

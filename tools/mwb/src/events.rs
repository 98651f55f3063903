// SPDX-License-Identifier: GPL-2.0

//! What the kernel tells of its own accord, to whoever has joined a multicast group.

use crate::extack;
use crate::family::Family;
use crate::message::{messages, Reply};
use linux_raw_sys::errno::ENOBUFS;
use netlink_packet_core::NetlinkPayload;
use netlink_packet_generic::constants::*;
use std::io;

/// What a wait for events has brought.
#[derive(Debug, PartialEq)]
pub enum Heard {
    /// Commands of the family, and their attributes.
    Events(Vec<(u8, Reply)>),
    /// There were more than the socket could hold.
    Lost,
}

impl Heard {
    pub fn from(received: io::Result<Vec<u8>>, family: u16) -> Result<Self, String> {
        match received {
            Ok(datagram) => events(&datagram, family).map(Self::Events),
            Err(why) if why.raw_os_error() == Some(ENOBUFS as i32) => Ok(Self::Lost),
            Err(why) => Err(extack::socket_failed(why)),
        }
    }
}

fn events(datagram: &[u8], family: u16) -> Result<Vec<(u8, Reply)>, String> {
    let mut events = Vec::new();
    for message in messages(datagram) {
        let message = message?;
        let NetlinkPayload::InnerMessage(generic) = message.payload else {
            continue;
        };
        let (command, attrs) = (generic.header.cmd, generic.payload);
        match message.header.message_type {
            GENL_ID_CTRL if removed(command, &attrs.0) == Some(family) => {
                return Err("the module was removed".into());
            }
            kind if kind == family => events.push((command, attrs)),
            _ => {}
        }
    }
    Ok(events)
}

/// The family that there is no longer, if this says so.
fn removed(command: u8, attrs: &[u8]) -> Option<u16> {
    let family = Family::parse(attrs)?;
    (command == CTRL_CMD_DELFAMILY).then_some(family.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family;
    use crate::message::tests::message;
    use crate::message::{emitted, string};
    use crate::uapi::*;

    const FAMILY: u16 = 40;

    fn event(kind: u16, command: u8, attrs: &[u8]) -> Vec<u8> {
        message(kind, 0, 0, &[&[command, FAMILY_VERSION, 0, 0], attrs])
    }

    fn heard(datagram: &[&[u8]]) -> Result<Heard, String> {
        Heard::from(Ok(datagram.concat()), FAMILY)
    }

    #[test]
    fn events_of_the_family() {
        let attrs = emitted(&[string(A_WAN_NAME, "dsl")]);
        let datagram = [
            event(FAMILY, CMD_WAN_DEL_NTF, &attrs),
            event(FAMILY + 1, CMD_WAN_ADD_NTF, &attrs),
            event(FAMILY, CMD_WAN_CHANGE_NTF, &[]),
        ];
        let expected = vec![
            (CMD_WAN_DEL_NTF, Reply(attrs)),
            (CMD_WAN_CHANGE_NTF, Reply(vec![])),
        ];
        assert_eq!(
            heard(&datagram.each_ref().map(Vec::as_slice)),
            Ok(Heard::Events(expected))
        );
    }

    #[test]
    fn end_of_the_module() {
        let told = |command, id| {
            heard(&[&event(
                GENL_ID_CTRL,
                command,
                &emitted(&family::tests::attrs(id)),
            )])
        };
        let nothing = Ok(Heard::Events(vec![]));
        assert_eq!(told(CTRL_CMD_DELFAMILY, FAMILY + 1), nothing);
        assert_eq!(told(CTRL_CMD_NEWFAMILY, FAMILY), nothing);
        assert_eq!(
            told(CTRL_CMD_DELFAMILY, FAMILY),
            Err("the module was removed".into())
        );
    }

    #[test]
    fn loss_is_no_failure() {
        let failed =
            |errno: u32| Heard::from(Err(io::Error::from_raw_os_error(errno as i32)), FAMILY);
        assert_eq!(failed(ENOBUFS), Ok(Heard::Lost));
        let why = failed(linux_raw_sys::errno::EBADF).unwrap_err();
        assert!(why.starts_with("the netlink socket failed: "), "{why}");
    }

    #[test]
    fn what_is_cut_off_is_malformed_or_short() {
        let attrs = emitted(&[string(A_WAN_NAME, "dsl")]);
        let whole = event(FAMILY, CMD_WAN_DEL_NTF, &attrs);
        for length in 1..whole.len() {
            assert_eq!(heard(&[&whole[..length]]), Err(extack::MALFORMED.into()));
        }
        assert_eq!(heard(&[]), Ok(Heard::Events(vec![])));
    }
}

// SPDX-License-Identifier: GPL-2.0

//! What is told to those who listen: that a WAN was added or removed, or that its state has changed.

#![forbid(unsafe_code)]

use crate::{
    mwb_wan::{
        Setting,
        Status, //
    },
    rust::{
        genetlink::{
            self,
            Answer,
            Group, //
        },
        netns::Net, //
    },
    uapi, //
};
use core::net::IpAddr;
use kernel::prelude::*;

/// The multicast groups of the family.
pub(crate) static GROUPS: [Group; 1] = [Group::new(uapi::MCGRP_EVENTS)];
const EVENTS: usize = 0;

pub(crate) fn added(net: &Net, wan: &Setting) {
    genetlink::notify(net, EVENTS, uapi::CMD_WAN_ADD_NTF, |a| write(a, wan));
}

pub(crate) fn removed(net: &Net, wan: &Setting) {
    genetlink::notify(net, EVENTS, uapi::CMD_WAN_DEL_NTF, |a| write(a, wan));
}

/// `old` is what it was before.
pub(crate) fn changed(net: &Net, wan: &Setting, old: Status) {
    genetlink::notify(net, EVENTS, uapi::CMD_WAN_CHANGE_NTF, |a| {
        write(a, wan)?;
        a.u32(uapi::A_WAN_OLD_STATE, old.state)
    });
}

/// Writes what readers and listeners are told alike.
pub(crate) fn write(answer: &mut Answer, wan: &Setting) -> Result {
    use uapi::*;
    answer.string(A_WAN_NAME, &wan.name)?;
    answer.u32(A_WAN_ID, u32::from(wan.id))?;
    answer.string(A_WAN_DEV, &wan.dev)?;
    answer.u32(A_WAN_IFINDEX, wan.ifindex)?;
    if let Some(IpAddr::V4(gateway)) = wan.status.gateway {
        answer.ipv4(A_WAN_GATEWAY4, gateway)?;
    }
    if wan.gateway.is_none() && wan.status.gateway.is_some() {
        answer.flag(A_WAN_GATEWAY_LEARNED)?;
    }
    answer.u32(A_WAN_TIER, wan.tier)?;
    answer.u32(A_WAN_ADMIN, wan.admin)?;
    answer.u32(A_WAN_HEALTH, wan.health)?;
    answer.u32(A_WAN_STATE, wan.status.state)?;
    answer.u32(A_WAN_REASON, wan.status.reason)?;
    answer.u64(A_WAN_CHANGED_NS, wan.changed_ns, A_WAN_PAD)
}

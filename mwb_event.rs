// SPDX-License-Identifier: GPL-2.0

//! What is told to those who listen: changes of what is configured, of the states of the WANs, and of how new
//! connections are placed. And how all of this is written, for readers and listeners alike.
//!
//! May sleep, so nothing is told from the packet path. Changes are told by whoever makes them, with the lock
//! held that puts them in order.

#![forbid(unsafe_code)]

use crate::{
    mwb_config::{
        self,
        Config, //
    },
    mwb_policy::{
        Name,
        Policy,
        Prefix, //
    },
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
use core::{
    net::IpAddr,
    sync::atomic::Ordering::Relaxed, //
};
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

/// What is configured of a WAN.
pub(crate) fn set(net: &Net, wan: &Setting) {
    genetlink::notify(net, EVENTS, uapi::CMD_WAN_SET_NTF, |a| write(a, wan));
}

/// Its upload went above the threshold, or is no longer.
pub(crate) fn overload(net: &Net, wan: &Setting, up_bps: u64) {
    genetlink::notify(net, EVENTS, uapi::CMD_WAN_OVERLOAD_NTF, |a| {
        write(a, wan)?;
        a.u64(uapi::A_WAN_UP_BPS, up_bps, uapi::A_WAN_PAD)
    });
}

/// No WAN is up any more, or no longer so.
pub(crate) fn last_resort(net: &Net, config: &Config, is_entered: bool) {
    let cmd = if is_entered {
        uapi::CMD_LAST_RESORT_ENTER_NTF
    } else {
        uapi::CMD_LAST_RESORT_LEAVE_NTF
    };
    genetlink::notify(net, EVENTS, cmd, |a| {
        a.u32(uapi::A_CONFIG_LAST_RESORT, config.last_resort)
    });
}

pub(crate) fn configured(net: &Net, config: &Config) {
    genetlink::notify(net, EVENTS, uapi::CMD_CONFIG_SET_NTF, |a| {
        write_config(a, config)
    });
}

/// A group has these members now.
pub(crate) fn group_set<'a>(net: &Net, name: &Name, wans: impl Iterator<Item = &'a CStr> + Clone) {
    // An attribute with a name of full length.
    const NAME: usize = 20;
    let room = wans.clone().count().saturating_add(1).saturating_mul(NAME);
    genetlink::notify_of(net, EVENTS, uapi::CMD_GROUP_SET_NTF, room, |a| {
        write_group(a, name, wans)
    });
}

pub(crate) fn group_removed(net: &Net, name: &Name) {
    genetlink::notify(net, EVENTS, uapi::CMD_GROUP_DEL_NTF, |a| {
        a.string(uapi::A_GROUP_NAME, name.as_c_str())
    });
}

pub(crate) fn policy_added(net: &Net, policy: &Policy) {
    genetlink::notify(net, EVENTS, uapi::CMD_POLICY_ADD_NTF, |a| {
        write_policy(a, policy)
    });
}

pub(crate) fn policy_removed(net: &Net, policy: &Policy) {
    genetlink::notify(net, EVENTS, uapi::CMD_POLICY_DEL_NTF, |a| {
        write_policy(a, policy)
    });
}

/// There are so many now.
pub(crate) fn policies_replaced(net: &Net, count: usize) {
    genetlink::notify(net, EVENTS, uapi::CMD_POLICY_REPLACE_NTF, |a| {
        a.u32(uapi::A_POLICIES_COUNT, u32::try_from(count)?)
    });
}

/// Writes what is told of a WAN in any case.
pub(crate) fn write(answer: &mut Answer, wan: &Setting) -> Result {
    use uapi::*;
    answer.string(A_WAN_NAME, &wan.name)?;
    answer.u32(A_WAN_ID, u32::from(wan.id))?;
    answer.string(A_WAN_DEV, &wan.dev)?;
    answer.u32(A_WAN_IFINDEX, wan.ifindex)?;
    if let Some(IpAddr::V4(gateway)) = wan.gateway.or(wan.status.gateway) {
        answer.ipv4(A_WAN_GATEWAY4, gateway)?;
    }
    if wan.gateway.is_none() && wan.status.gateway.is_some() {
        answer.flag(A_WAN_GATEWAY_LEARNED)?;
    }
    let given = [
        (A_WAN_UP_GIVEN_BPS, wan.up_capacity_bps),
        (A_WAN_DOWN_GIVEN_BPS, wan.down_capacity_bps),
    ];
    for (id, bps) in given.into_iter().filter(|(_, bps)| *bps != 0) {
        answer.u64(id, bps, A_WAN_PAD)?;
    }
    answer.u32(A_WAN_TIER, wan.tier)?;
    if wan.weight != 0 {
        answer.u32(A_WAN_WEIGHT, wan.weight)?;
    }
    answer.u32(A_WAN_ADMIN, wan.admin)?;
    answer.u32(A_WAN_HEALTH, wan.health)?;
    answer.u32(A_WAN_STATE, wan.status.state)?;
    answer.u32(A_WAN_REASON, wan.status.reason)?;
    if wan.is_overloaded {
        answer.flag(A_WAN_UP_OVERLOAD)?;
    }
    answer.u64(A_WAN_CHANGED_NS, wan.changed_ns, A_WAN_PAD)
}

pub(crate) fn write_config(answer: &mut Answer, config: &Config) -> Result {
    use uapi::*;
    answer.u32(A_CONFIG_GRANULARITY, config.granularity)?;
    answer.u32(A_CONFIG_PAIR_TIMEOUT, config.pair_timeout_s)?;
    let choice = &config.choice;
    answer.u32(A_CONFIG_MODE, mwb_config::number_of(choice.mode))?;
    answer.u32(A_CONFIG_INTERVAL_MS, choice.interval_ms)?;
    answer.u32(A_CONFIG_AVERAGE_MS, choice.average_ms)?;
    answer.u32(A_CONFIG_THRESHOLD_PERCENT, choice.enter_percent)?;
    answer.u32(A_CONFIG_EXIT_PERCENT, choice.exit_percent)?;
    answer.u32(A_CONFIG_CREDIT_CAP_PERCENT, choice.credit_cap_percent)?;
    answer.u32(A_CONFIG_LAST_RESORT, config.last_resort)?;
    answer.u32(A_CONFIG_ON_DOWN, config.on_down)?;
    answer.u32(A_CONFIG_FAILBACK, config.failback)?;
    answer.u32(A_CONFIG_MARK_MASK, config.marks.mask())?;
    answer.u32(A_CONFIG_RULE_PREF, config.rule_pref)?;
    answer.u32(A_CONFIG_TABLE_BASE, config.table_base)
}

pub(crate) fn write_group<'a>(
    answer: &mut Answer,
    name: &Name,
    mut wans: impl Iterator<Item = &'a CStr>,
) -> Result {
    answer.string(uapi::A_GROUP_NAME, name.as_c_str())?;
    wans.try_for_each(|wan| answer.string(uapi::A_GROUP_WAN, wan))
}

pub(crate) fn write_policy(answer: &mut Answer, policy: &Policy) -> Result {
    use uapi::*;
    let selector = &policy.selector;
    answer.u32(A_POLICY_PREF, selector.pref)?;
    let mut prefix = |prefix: &Option<Prefix>, id, len_id| match prefix {
        Some(prefix) => {
            match prefix.addr() {
                IpAddr::V4(v4) => answer.bytes(id, &v4.octets())?,
                IpAddr::V6(v6) => answer.bytes(id, &v6.octets())?,
            }
            answer.u32(len_id, prefix.len())
        }
        None => Ok(()),
    };
    prefix(&selector.src, A_POLICY_SRC, A_POLICY_SRC_LEN)?;
    prefix(&selector.dst, A_POLICY_DST, A_POLICY_DST_LEN)?;
    if let Some(iif) = selector.iif {
        answer.string(A_POLICY_IIF, iif.as_c_str())?;
    }
    if let Some(protocol) = selector.protocol {
        answer.u32(A_POLICY_PROTO, protocol.into())?;
    }
    if let Some((min, max)) = selector.dports {
        answer.u32(A_POLICY_DPORT_MIN, min.into())?;
        answer.u32(A_POLICY_DPORT_MAX, max.into())?;
    }
    if let Some(dscp) = selector.dscp {
        answer.u32(A_POLICY_DSCP, dscp.into())?;
    }
    answer.string(A_POLICY_TO, policy.to_name.as_c_str())?;
    if policy.is_strict {
        answer.flag(A_POLICY_STRICT)?;
    }
    let connections = policy.connections.load(Relaxed);
    answer.u64(A_POLICY_CONNECTIONS, connections, A_POLICY_PAD)?;
    answer.u64(A_POLICY_MISSED, policy.missed.load(Relaxed), A_POLICY_PAD)
}

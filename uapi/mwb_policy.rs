// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
// Generated from uapi/mwb.yaml by scripts/uapi: do not edit.

use crate::rust::genetlink::{Policy, Range};
use crate::uapi::*;

static WAN_UP_CAPACITY_BPS_RANGE: Range = Range {
    min: 1,
    max: RATE_MAX,
};
static WAN_DOWN_CAPACITY_BPS_RANGE: Range = Range {
    min: 1,
    max: RATE_MAX,
};

/// What `wan-add` accepts.
pub(crate) static WAN_ADD: [Policy; A_WAN_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_WAN_MAX as usize + 1];
    p[A_WAN_NAME as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p[A_WAN_DEV as usize] = Policy::nul_string(15);
    p[A_WAN_GATEWAY4 as usize] = Policy::be32();
    p[A_WAN_UP_CAPACITY_BPS as usize] = Policy::u64_range(&WAN_UP_CAPACITY_BPS_RANGE);
    p[A_WAN_DOWN_CAPACITY_BPS as usize] = Policy::u64_range(&WAN_DOWN_CAPACITY_BPS_RANGE);
    p
};

/// What `wan-del` accepts.
pub(crate) static WAN_DEL: [Policy; A_WAN_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_WAN_MAX as usize + 1];
    p[A_WAN_NAME as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p
};

/// What `wan-get` accepts.
pub(crate) static WAN_GET: [Policy; A_WAN_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_WAN_MAX as usize + 1];
    p[A_WAN_NAME as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p
};

/// What `wan-get` accepts as a dump.
pub(crate) static WAN_GET_DUMP: [Policy; A_WAN_MAX as usize + 1] =
    [Policy::REJECT; A_WAN_MAX as usize + 1];

/// What `stats-get` accepts.
pub(crate) static STATS_GET: [Policy; A_STATS_MAX as usize + 1] =
    [Policy::REJECT; A_STATS_MAX as usize + 1];

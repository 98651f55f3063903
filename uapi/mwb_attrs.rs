// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
// Generated from uapi/mwb.yaml by scripts/uapi: do not edit.

use crate::rust::genetlink::{Policy, Range};
use crate::uapi::*;

static WAN_ID_RANGE: Range = Range {
    min: 1,
    max: WAN_MAX as u64,
};
static WAN_UP_CAPACITY_BPS_RANGE: Range = Range {
    min: 0,
    max: RATE_MAX,
};
static WAN_DOWN_CAPACITY_BPS_RANGE: Range = Range {
    min: 0,
    max: RATE_MAX,
};
static WAN_TIER_RANGE: Range = Range {
    min: 1,
    max: TIER_MAX as u64,
};
static WAN_WEIGHT_RANGE: Range = Range {
    min: 0,
    max: WEIGHT_MAX as u64,
};
static POLICY_DPORT_MIN_RANGE: Range = Range { min: 0, max: 65535 };
static POLICY_DPORT_MAX_RANGE: Range = Range { min: 0, max: 65535 };
static CONFIG_PAIR_TIMEOUT_RANGE: Range = Range {
    min: 1,
    max: 604800,
};
static CONFIG_INTERVAL_MS_RANGE: Range = Range { min: 50, max: 2000 };
static CONFIG_AVERAGE_MS_RANGE: Range = Range {
    min: 50,
    max: 60000,
};
static CONFIG_THRESHOLD_PERCENT_RANGE: Range = Range { min: 1, max: 100 };
static CONFIG_EXIT_PERCENT_RANGE: Range = Range { min: 1, max: 100 };
static CONFIG_RULE_PREF_RANGE: Range = Range { min: 1, max: 32000 };
static CONFIG_TABLE_BASE_RANGE: Range = Range {
    min: 256,
    max: 4000000000,
};
static EXPLAIN_DPORT_RANGE: Range = Range { min: 0, max: 65535 };

/// What `wan-add` accepts.
pub(crate) static WAN_ADD: [Policy; A_WAN_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_WAN_MAX as usize + 1];
    p[A_WAN_NAME as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p[A_WAN_ID as usize] = Policy::u32_range(&WAN_ID_RANGE);
    p[A_WAN_DEV as usize] = Policy::nul_string(15);
    p[A_WAN_GATEWAY4 as usize] = Policy::be32();
    p[A_WAN_UP_CAPACITY_BPS as usize] = Policy::u64_range(&WAN_UP_CAPACITY_BPS_RANGE);
    p[A_WAN_DOWN_CAPACITY_BPS as usize] = Policy::u64_range(&WAN_DOWN_CAPACITY_BPS_RANGE);
    p[A_WAN_TIER as usize] = Policy::u32_range(&WAN_TIER_RANGE);
    p[A_WAN_WEIGHT as usize] = Policy::u32_range(&WAN_WEIGHT_RANGE);
    p[A_WAN_ADMIN as usize] = Policy::u32_max(2);
    p
};

/// What `wan-set` accepts.
pub(crate) static WAN_SET: [Policy; A_WAN_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_WAN_MAX as usize + 1];
    p[A_WAN_NAME as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p[A_WAN_DEV as usize] = Policy::nul_string(15);
    p[A_WAN_GATEWAY4 as usize] = Policy::be32();
    p[A_WAN_UP_CAPACITY_BPS as usize] = Policy::u64_range(&WAN_UP_CAPACITY_BPS_RANGE);
    p[A_WAN_DOWN_CAPACITY_BPS as usize] = Policy::u64_range(&WAN_DOWN_CAPACITY_BPS_RANGE);
    p[A_WAN_TIER as usize] = Policy::u32_range(&WAN_TIER_RANGE);
    p[A_WAN_WEIGHT as usize] = Policy::u32_range(&WAN_WEIGHT_RANGE);
    p[A_WAN_ADMIN as usize] = Policy::u32_max(2);
    p[A_WAN_HEALTH as usize] = Policy::u32_max(1);
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

/// What `group-set` accepts.
pub(crate) static GROUP_SET: [Policy; A_GROUP_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_GROUP_MAX as usize + 1];
    p[A_GROUP_NAME as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p[A_GROUP_WAN as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p[A_GROUP_STAGED as usize] = Policy::flag();
    p
};

/// What `group-del` accepts.
pub(crate) static GROUP_DEL: [Policy; A_GROUP_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_GROUP_MAX as usize + 1];
    p[A_GROUP_NAME as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p
};

/// What `group-get` accepts as a dump.
pub(crate) static GROUP_GET_DUMP: [Policy; A_GROUP_MAX as usize + 1] =
    [Policy::REJECT; A_GROUP_MAX as usize + 1];

/// What `policy-add` accepts.
pub(crate) static POLICY_ADD: [Policy; A_POLICY_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_POLICY_MAX as usize + 1];
    p[A_POLICY_PREF as usize] = Policy::u32();
    p[A_POLICY_SRC as usize] = Policy::binary(16);
    p[A_POLICY_SRC_LEN as usize] = Policy::u32_max(128);
    p[A_POLICY_DST as usize] = Policy::binary(16);
    p[A_POLICY_DST_LEN as usize] = Policy::u32_max(128);
    p[A_POLICY_IIF as usize] = Policy::nul_string(15);
    p[A_POLICY_PROTO as usize] = Policy::u32_max(255);
    p[A_POLICY_DPORT_MIN as usize] = Policy::u32_range(&POLICY_DPORT_MIN_RANGE);
    p[A_POLICY_DPORT_MAX as usize] = Policy::u32_range(&POLICY_DPORT_MAX_RANGE);
    p[A_POLICY_DSCP as usize] = Policy::u32_max(63);
    p[A_POLICY_TO as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p[A_POLICY_STRICT as usize] = Policy::flag();
    p
};

/// What `policy-del` accepts.
pub(crate) static POLICY_DEL: [Policy; A_POLICY_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_POLICY_MAX as usize + 1];
    p[A_POLICY_PREF as usize] = Policy::u32();
    p[A_POLICY_SRC as usize] = Policy::binary(16);
    p[A_POLICY_SRC_LEN as usize] = Policy::u32_max(128);
    p[A_POLICY_DST as usize] = Policy::binary(16);
    p[A_POLICY_DST_LEN as usize] = Policy::u32_max(128);
    p[A_POLICY_IIF as usize] = Policy::nul_string(15);
    p[A_POLICY_PROTO as usize] = Policy::u32_max(255);
    p[A_POLICY_DPORT_MIN as usize] = Policy::u32_range(&POLICY_DPORT_MIN_RANGE);
    p[A_POLICY_DPORT_MAX as usize] = Policy::u32_range(&POLICY_DPORT_MAX_RANGE);
    p[A_POLICY_DSCP as usize] = Policy::u32_max(63);
    p[A_POLICY_TO as usize] = Policy::nul_string(WAN_NAME_LEN as u16);
    p[A_POLICY_STRICT as usize] = Policy::flag();
    p
};

/// What `policy-get` accepts as a dump.
pub(crate) static POLICY_GET_DUMP: [Policy; A_POLICY_MAX as usize + 1] =
    [Policy::REJECT; A_POLICY_MAX as usize + 1];

/// What `policy-replace` accepts.
pub(crate) static POLICY_REPLACE: [Policy; A_POLICIES_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_POLICIES_MAX as usize + 1];
    p[A_POLICIES_POLICY as usize] = Policy::nested(&POLICY_ADD);
    p[A_POLICIES_BEGIN as usize] = Policy::flag();
    p[A_POLICIES_MORE as usize] = Policy::flag();
    p[A_POLICIES_MESSAGES as usize] = Policy::u32();
    p
};

/// What `config-set` accepts.
pub(crate) static CONFIG_SET: [Policy; A_CONFIG_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_CONFIG_MAX as usize + 1];
    p[A_CONFIG_GRANULARITY as usize] = Policy::u32_max(1);
    p[A_CONFIG_PAIR_TIMEOUT as usize] = Policy::u32_range(&CONFIG_PAIR_TIMEOUT_RANGE);
    p[A_CONFIG_MODE as usize] = Policy::u32_max(2);
    p[A_CONFIG_INTERVAL_MS as usize] = Policy::u32_range(&CONFIG_INTERVAL_MS_RANGE);
    p[A_CONFIG_AVERAGE_MS as usize] = Policy::u32_range(&CONFIG_AVERAGE_MS_RANGE);
    p[A_CONFIG_THRESHOLD_PERCENT as usize] = Policy::u32_range(&CONFIG_THRESHOLD_PERCENT_RANGE);
    p[A_CONFIG_EXIT_PERCENT as usize] = Policy::u32_range(&CONFIG_EXIT_PERCENT_RANGE);
    p[A_CONFIG_CREDIT_CAP_PERCENT as usize] = Policy::u32_max(1000);
    p[A_CONFIG_LAST_RESORT as usize] = Policy::u32_max(1);
    p[A_CONFIG_ON_DOWN as usize] = Policy::u32_max(1);
    p[A_CONFIG_FAILBACK as usize] = Policy::u32_max(2);
    p[A_CONFIG_MARK_MASK as usize] = Policy::u32();
    p[A_CONFIG_RULE_PREF as usize] = Policy::u32_range(&CONFIG_RULE_PREF_RANGE);
    p[A_CONFIG_TABLE_BASE as usize] = Policy::u32_range(&CONFIG_TABLE_BASE_RANGE);
    p
};

/// What `config-get` accepts.
pub(crate) static CONFIG_GET: [Policy; A_CONFIG_MAX as usize + 1] =
    [Policy::REJECT; A_CONFIG_MAX as usize + 1];

/// What `stats-get` accepts.
pub(crate) static STATS_GET: [Policy; A_STATS_MAX as usize + 1] =
    [Policy::REJECT; A_STATS_MAX as usize + 1];

/// What `explain` accepts.
pub(crate) static EXPLAIN: [Policy; A_EXPLAIN_MAX as usize + 1] = {
    let mut p = [Policy::REJECT; A_EXPLAIN_MAX as usize + 1];
    p[A_EXPLAIN_SRC as usize] = Policy::binary(16);
    p[A_EXPLAIN_DST as usize] = Policy::binary(16);
    p[A_EXPLAIN_IIF as usize] = Policy::nul_string(15);
    p[A_EXPLAIN_PROTO as usize] = Policy::u32_max(255);
    p[A_EXPLAIN_DPORT as usize] = Policy::u32_range(&EXPLAIN_DPORT_RANGE);
    p[A_EXPLAIN_DSCP as usize] = Policy::u32_max(63);
    p
};

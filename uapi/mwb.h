/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Generated from uapi/mwb.yaml by scripts/uapi: do not edit. */

#ifndef _UAPI_LINUX_MWB_H
#define _UAPI_LINUX_MWB_H

#define MWB_FAMILY_NAME		"mwb"
#define MWB_FAMILY_VERSION	1

#define MWB_MCGRP_EVENTS	"events"

#define MWB_WAN_MAX		250
#define MWB_WAN_NAME_LEN	15
#define MWB_RATE_MAX		10000000000000
#define MWB_TIER_MAX		16
#define MWB_WEIGHT_MAX		1000000
#define MWB_GROUP_MAX		64
#define MWB_POLICY_MAX		262144
#define MWB_POLICY_PREF		1000
#define MWB_MARK_MASK		4278190080
#define MWB_RT_PROTO		119
#define MWB_RULE_PREF		7000
#define MWB_TABLE_BASE		7000
#define MWB_PAIR_TIMEOUT	600
#define MWB_INTERVAL_MS		200
#define MWB_AVERAGE_MS		600
#define MWB_THRESHOLD_PERCENT	85
#define MWB_EXIT_PERCENT	80
#define MWB_CREDIT_CAP_PERCENT	50

/**
 * enum mwb_wan_state - Whether a WAN takes connections, or the first reason
 *   why it does not. From dead on, it has its rule and its routes.
 * @MWB_WAN_STATE_DISABLED: Switched off on request.
 * @MWB_WAN_STATE_DOWN: The device is administratively down, or does not exist.
 * @MWB_WAN_STATE_NO_CARRIER: The device is up, but its link is not.
 * @MWB_WAN_STATE_NO_ADDRESS: The device has no IPv4 address.
 * @MWB_WAN_STATE_NO_GATEWAY: No gateway is given or learned and the device is
 *   not point-to-point, or the gateway is off the link.
 * @MWB_WAN_STATE_FILTERED: The kernel would drop what this WAN receives.
 * @MWB_WAN_STATE_DEAD: A health check has reported that it leads nowhere.
 * @MWB_WAN_STATE_DRAIN: The connections that it has go on; on request, it gets
 *   no new ones.
 * @MWB_WAN_STATE_UP: Routes are in place; new connections may be given to this
 *   WAN.
 */
enum mwb_wan_state {
	MWB_WAN_STATE_DISABLED,
	MWB_WAN_STATE_DOWN,
	MWB_WAN_STATE_NO_CARRIER,
	MWB_WAN_STATE_NO_ADDRESS,
	MWB_WAN_STATE_NO_GATEWAY,
	MWB_WAN_STATE_FILTERED,
	MWB_WAN_STATE_DEAD,
	MWB_WAN_STATE_DRAIN,
	MWB_WAN_STATE_UP,
};

/**
 * enum mwb_wan_reason - What put a WAN into its state.
 * @MWB_WAN_REASON_REQUEST: Somebody asked for it.
 * @MWB_WAN_REASON_NO_DEVICE: No device has the name.
 * @MWB_WAN_REASON_OTHER_WAN: The device is that of another WAN, which has it
 *   by another name.
 * @MWB_WAN_REASON_DEVICE_DOWN: The device was set down.
 * @MWB_WAN_REASON_CARRIER: The device has lost its carrier.
 * @MWB_WAN_REASON_ADDRESS: The device has no address.
 * @MWB_WAN_REASON_GATEWAY: There is no gateway, neither given nor in a default
 *   route that main has for the device.
 * @MWB_WAN_REASON_OFF_LINK: The gateway is in none of the device's networks.
 * @MWB_WAN_REASON_ROUTE: The kernel refused the default route.
 * @MWB_WAN_REASON_RP_FILTER: The kernel would drop what comes in, since
 *   rp_filter is 1 without src_valid_mark and another WAN is the first.
 * @MWB_WAN_REASON_HEALTH: A health check has reported it.
 * @MWB_WAN_REASON_READY: Nothing is missing.
 */
enum mwb_wan_reason {
	MWB_WAN_REASON_REQUEST,
	MWB_WAN_REASON_NO_DEVICE,
	MWB_WAN_REASON_OTHER_WAN,
	MWB_WAN_REASON_DEVICE_DOWN,
	MWB_WAN_REASON_CARRIER,
	MWB_WAN_REASON_ADDRESS,
	MWB_WAN_REASON_GATEWAY,
	MWB_WAN_REASON_OFF_LINK,
	MWB_WAN_REASON_ROUTE,
	MWB_WAN_REASON_RP_FILTER,
	MWB_WAN_REASON_HEALTH,
	MWB_WAN_REASON_READY,
};

/**
 * enum mwb_wan_admin - What is asked of a WAN.
 * @MWB_WAN_ADMIN_ENABLED: It takes connections while it can.
 * @MWB_WAN_ADMIN_DRAIN: It keeps the connections that it has, and gets no new
 *   ones.
 * @MWB_WAN_ADMIN_DISABLED: It carries nothing.
 */
enum mwb_wan_admin {
	MWB_WAN_ADMIN_ENABLED,
	MWB_WAN_ADMIN_DRAIN,
	MWB_WAN_ADMIN_DISABLED,
};

/**
 * enum mwb_wan_health - What a health check has reported of a WAN.
 * @MWB_WAN_HEALTH_ALIVE: It leads to the Internet; also if nobody has reported
 *   anything.
 * @MWB_WAN_HEALTH_DEAD: It leads nowhere.
 */
enum mwb_wan_health {
	MWB_WAN_HEALTH_ALIVE,
	MWB_WAN_HEALTH_DEAD,
};

/**
 * enum mwb_cache - Whether connections keep their dst, or the reason why every
 *   packet is looked up.
 * @MWB_CACHE_IDLE: No WAN is configured, so nothing is hooked.
 * @MWB_CACHE_ACTIVE: Connections keep the dst of both directions.
 * @MWB_CACHE_OFF: Switched off by the module parameter labels=0.
 * @MWB_CACHE_NO_LABELS: The kernel has no conntrack labels to keep it in.
 * @MWB_CACHE_LABELS_IN_USE: Somebody else uses conntrack labels in this
 *   namespace.
 */
enum mwb_cache {
	MWB_CACHE_IDLE,
	MWB_CACHE_ACTIVE,
	MWB_CACHE_OFF,
	MWB_CACHE_NO_LABELS,
	MWB_CACHE_LABELS_IN_USE,
};

/**
 * enum mwb_granularity - What is kept on one WAN.
 * @MWB_GRANULARITY_CONNECTION: Each connection.
 * @MWB_GRANULARITY_PAIR: All connections from one source to one destination,
 *   DNAT considered.
 */
enum mwb_granularity {
	MWB_GRANULARITY_CONNECTION,
	MWB_GRANULARITY_PAIR,
};

/**
 * enum mwb_last_resort - What becomes of new connections that would be
 *   balanced while no WAN is up.
 * @MWB_LAST_RESORT_MAIN: They take the route that main has for them.
 * @MWB_LAST_RESORT_UNREACHABLE: They are refused as unreachable, unless main
 *   has a route for them that is no default route.
 */
enum mwb_last_resort {
	MWB_LAST_RESORT_MAIN,
	MWB_LAST_RESORT_UNREACHABLE,
};

/**
 * enum mwb_mode - How a WAN is chosen, of those in the lowest tier that has
 *   any.
 * @MWB_MODE_RATE: While no measured upload is above the threshold, the WAN
 *   with the least download use; else the one with the least upload use. Use
 *   is what was measured, with what the connections placed lately are about to
 *   bring.
 * @MWB_MODE_TWO_CHOICES: The better of two random ones, by the direction that
 *   is used more.
 * @MWB_MODE_WEIGHTED: In turn, in proportion to the weights, whatever they
 *   carry.
 */
enum mwb_mode {
	MWB_MODE_RATE,
	MWB_MODE_TWO_CHOICES,
	MWB_MODE_WEIGHTED,
};

/**
 * enum mwb_on_down - What becomes of the connections of a WAN that goes down,
 *   of those that are translated to its address. Untranslated ones go on by
 *   the main table in any case, those of the router itself wait.
 * @MWB_ON_DOWN_RESET: They end at once, so that they are opened anew by
 *   another WAN; TCP clients are sent a reset.
 * @MWB_ON_DOWN_HOLD: They wait for the WAN to come back with the same address.
 */
enum mwb_on_down {
	MWB_ON_DOWN_RESET,
	MWB_ON_DOWN_HOLD,
};

/**
 * enum mwb_failback - What goes back when a WAN comes up again.
 * @MWB_FAILBACK_NEW: New connections only.
 * @MWB_FAILBACK_PAIRS: Also pairs that had to leave it, or are on a WAN of a
 *   higher tier, with their next connection.
 * @MWB_FAILBACK_ALL: Also the connections that are on a WAN of a higher tier
 *   because there was none better: those that no policy has placed, and that
 *   the main table would send by a better one now. Translated ones end, and
 *   are opened anew.
 */
enum mwb_failback {
	MWB_FAILBACK_NEW,
	MWB_FAILBACK_PAIRS,
	MWB_FAILBACK_ALL,
};

/**
 * enum mwb_outcome - What becomes of a new connection.
 * @MWB_OUTCOME_WAN: A WAN gets it.
 * @MWB_OUTCOME_OTHER: It is none of ours, since its route is no default route
 *   of a WAN.
 * @MWB_OUTCOME_MAIN: A policy leaves it to the main table.
 * @MWB_OUTCOME_LAST_RESORT: It takes the route that main has for it, because
 *   no WAN can take it.
 * @MWB_OUTCOME_UNREACHABLE: It is refused.
 */
enum mwb_outcome {
	MWB_OUTCOME_WAN,
	MWB_OUTCOME_OTHER,
	MWB_OUTCOME_MAIN,
	MWB_OUTCOME_LAST_RESORT,
	MWB_OUTCOME_UNREACHABLE,
};

/**
 * enum mwb_why - What decides on a new connection.
 * @MWB_WHY_ROUTE: Its route.
 * @MWB_WHY_POLICY: A policy alone.
 * @MWB_WHY_PAIR: An earlier connection from the same source to the same
 *   destination is on this WAN.
 * @MWB_WHY_ONLY: No other WAN of this tier can take it.
 * @MWB_WHY_NONE: No WAN can take it.
 * @MWB_WHY_DOWNLOAD: The WAN has the least download use, this connection
 *   included.
 * @MWB_WHY_UPLOAD: The WAN has the least upload use, this connection included;
 *   the upload of one is above the threshold.
 * @MWB_WHY_CHANCE: None carries anything worth mentioning; a random one, the
 *   faster ones more often.
 * @MWB_WHY_TWO_CHOICES: The WAN is the better of two random ones.
 * @MWB_WHY_TURN: It is the turn of the WAN.
 */
enum mwb_why {
	MWB_WHY_ROUTE,
	MWB_WHY_POLICY,
	MWB_WHY_PAIR,
	MWB_WHY_ONLY,
	MWB_WHY_NONE,
	MWB_WHY_DOWNLOAD,
	MWB_WHY_UPLOAD,
	MWB_WHY_CHANCE,
	MWB_WHY_TWO_CHOICES,
	MWB_WHY_TURN,
};

enum {
	MWB_A_WAN_PAD = 1,
	MWB_A_WAN_NAME,
	MWB_A_WAN_ID,
	MWB_A_WAN_DEV,
	MWB_A_WAN_IFINDEX,
	MWB_A_WAN_GATEWAY4,
	MWB_A_WAN_UP_CAPACITY_BPS,
	MWB_A_WAN_DOWN_CAPACITY_BPS,
	MWB_A_WAN_CAPACITY_LEARNED,
	MWB_A_WAN_STATE,
	MWB_A_WAN_MARK,
	MWB_A_WAN_MARK_MASK,
	MWB_A_WAN_TABLE,
	MWB_A_WAN_UP_BPS,
	MWB_A_WAN_DOWN_BPS,
	MWB_A_WAN_CONNECTIONS,
	MWB_A_WAN_TIER,
	MWB_A_WAN_ADMIN,
	MWB_A_WAN_HEALTH,
	MWB_A_WAN_GATEWAY_LEARNED,
	MWB_A_WAN_REASON,
	MWB_A_WAN_OLD_STATE,
	MWB_A_WAN_CHANGED_NS,
	MWB_A_WAN_WEIGHT,
	MWB_A_WAN_UP_CREDIT_BPS,
	MWB_A_WAN_DOWN_CREDIT_BPS,
	MWB_A_WAN_UP_RECKONED_BPS,
	MWB_A_WAN_DOWN_RECKONED_BPS,
	MWB_A_WAN_RATES_PARTIAL,
	MWB_A_WAN_RATES_MIXED,
	MWB_A_WAN_UP_GIVEN_BPS,
	MWB_A_WAN_DOWN_GIVEN_BPS,
	MWB_A_WAN_UP_OVERLOAD,

	__MWB_A_WAN_MAX,
	MWB_A_WAN_MAX = (__MWB_A_WAN_MAX - 1)
};

enum {
	MWB_A_GROUP_NAME = 1,
	MWB_A_GROUP_WAN,
	MWB_A_GROUP_STAGED,

	__MWB_A_GROUP_MAX,
	MWB_A_GROUP_MAX = (__MWB_A_GROUP_MAX - 1)
};

enum {
	MWB_A_POLICY_PAD = 1,
	MWB_A_POLICY_PREF,
	MWB_A_POLICY_SRC,
	MWB_A_POLICY_SRC_LEN,
	MWB_A_POLICY_DST,
	MWB_A_POLICY_DST_LEN,
	MWB_A_POLICY_IIF,
	MWB_A_POLICY_PROTO,
	MWB_A_POLICY_DPORT_MIN,
	MWB_A_POLICY_DPORT_MAX,
	MWB_A_POLICY_DSCP,
	MWB_A_POLICY_TO,
	MWB_A_POLICY_STRICT,
	MWB_A_POLICY_CONNECTIONS,
	MWB_A_POLICY_MISSED,

	__MWB_A_POLICY_MAX,
	MWB_A_POLICY_MAX = (__MWB_A_POLICY_MAX - 1)
};

enum {
	MWB_A_POLICIES_POLICY = 1,
	MWB_A_POLICIES_BEGIN,
	MWB_A_POLICIES_MORE,
	MWB_A_POLICIES_COUNT,
	MWB_A_POLICIES_MESSAGES,

	__MWB_A_POLICIES_MAX,
	MWB_A_POLICIES_MAX = (__MWB_A_POLICIES_MAX - 1)
};

enum {
	MWB_A_CONFIG_GRANULARITY = 1,
	MWB_A_CONFIG_PAIR_TIMEOUT,
	MWB_A_CONFIG_LAST_RESORT,
	MWB_A_CONFIG_ON_DOWN,
	MWB_A_CONFIG_FAILBACK,
	MWB_A_CONFIG_MARK_MASK,
	MWB_A_CONFIG_RULE_PREF,
	MWB_A_CONFIG_TABLE_BASE,
	MWB_A_CONFIG_MODE,
	MWB_A_CONFIG_INTERVAL_MS,
	MWB_A_CONFIG_AVERAGE_MS,
	MWB_A_CONFIG_THRESHOLD_PERCENT,
	MWB_A_CONFIG_EXIT_PERCENT,
	MWB_A_CONFIG_CREDIT_CAP_PERCENT,

	__MWB_A_CONFIG_MAX,
	MWB_A_CONFIG_MAX = (__MWB_A_CONFIG_MAX - 1)
};

enum {
	MWB_A_STATS_PAD = 1,
	MWB_A_STATS_PACKETS,
	MWB_A_STATS_DST_HITS,
	MWB_A_STATS_DST_LOOKUPS,
	MWB_A_STATS_DST_OBSOLETE,
	MWB_A_STATS_CONNECTIONS,
	MWB_A_STATS_INBOUND,
	MWB_A_STATS_NOT_BALANCED,
	MWB_A_STATS_BY_POLICY,
	MWB_A_STATS_UNREACHABLE,
	MWB_A_STATS_PAIRS,
	MWB_A_STATS_PAIR_HITS,
	MWB_A_STATS_PAIR_EVICTIONS,
	MWB_A_STATS_CACHE,
	MWB_A_STATS_DST_SLOTS,
	MWB_A_STATS_ROUTE_SYNCS,
	MWB_A_STATS_ROUTE_CHANGES,
	MWB_A_STATS_ROUTE_SYNC_NS,
	MWB_A_STATS_ENDED,
	MWB_A_STATS_RESETS,
	MWB_A_STATS_RELEASED,
	MWB_A_STATS_UPLOAD_DECIDES,
	MWB_A_STATS_EXPECTED_UP_BPS,
	MWB_A_STATS_EXPECTED_DOWN_BPS,
	MWB_A_STATS_CREDIT_UP_BPS,
	MWB_A_STATS_CREDIT_DOWN_BPS,

	__MWB_A_STATS_MAX,
	MWB_A_STATS_MAX = (__MWB_A_STATS_MAX - 1)
};

enum {
	MWB_A_CANDIDATE_WAN = 1,
	MWB_A_CANDIDATE_STATE,
	MWB_A_CANDIDATE_TIER,
	MWB_A_CANDIDATE_WANTED,
	MWB_A_CANDIDATE_USABLE,
	MWB_A_CANDIDATE_UP_USE,
	MWB_A_CANDIDATE_DOWN_USE,

	__MWB_A_CANDIDATE_MAX,
	MWB_A_CANDIDATE_MAX = (__MWB_A_CANDIDATE_MAX - 1)
};

enum {
	MWB_A_EXPLAIN_SRC = 1,
	MWB_A_EXPLAIN_DST,
	MWB_A_EXPLAIN_IIF,
	MWB_A_EXPLAIN_PROTO,
	MWB_A_EXPLAIN_DPORT,
	MWB_A_EXPLAIN_DSCP,
	MWB_A_EXPLAIN_OIF,
	MWB_A_EXPLAIN_OUTCOME,
	MWB_A_EXPLAIN_WAN,
	MWB_A_EXPLAIN_WHY,
	MWB_A_EXPLAIN_POLICY,
	MWB_A_EXPLAIN_CANDIDATE,

	__MWB_A_EXPLAIN_MAX,
	MWB_A_EXPLAIN_MAX = (__MWB_A_EXPLAIN_MAX - 1)
};

enum {
	MWB_CMD_WAN_ADD = 1,
	MWB_CMD_WAN_SET,
	MWB_CMD_WAN_DEL,
	MWB_CMD_WAN_GET,
	MWB_CMD_GROUP_SET,
	MWB_CMD_GROUP_DEL,
	MWB_CMD_GROUP_GET,
	MWB_CMD_POLICY_ADD,
	MWB_CMD_POLICY_DEL,
	MWB_CMD_POLICY_GET,
	MWB_CMD_POLICY_REPLACE,
	MWB_CMD_CONFIG_SET,
	MWB_CMD_CONFIG_GET,
	MWB_CMD_STATS_GET,
	MWB_CMD_WAN_ADD_NTF,
	MWB_CMD_WAN_DEL_NTF,
	MWB_CMD_WAN_CHANGE_NTF,
	MWB_CMD_EXPLAIN,
	MWB_CMD_WAN_SET_NTF,
	MWB_CMD_WAN_OVERLOAD_NTF,
	MWB_CMD_LAST_RESORT_ENTER_NTF,
	MWB_CMD_LAST_RESORT_LEAVE_NTF,
	MWB_CMD_CONFIG_SET_NTF,
	MWB_CMD_GROUP_SET_NTF,
	MWB_CMD_GROUP_DEL_NTF,
	MWB_CMD_POLICY_ADD_NTF,
	MWB_CMD_POLICY_DEL_NTF,
	MWB_CMD_POLICY_REPLACE_NTF,

	__MWB_CMD_MAX,
	MWB_CMD_MAX = (__MWB_CMD_MAX - 1)
};

#endif /* _UAPI_LINUX_MWB_H */

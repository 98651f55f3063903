/* SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause) */
/* Generated from uapi/mwb.yaml by scripts/uapi: do not edit. */

#ifndef _UAPI_LINUX_MWB_H
#define _UAPI_LINUX_MWB_H

#define MWB_FAMILY_NAME		"mwb"
#define MWB_FAMILY_VERSION	1

#define MWB_WAN_MAX		250
#define MWB_WAN_NAME_LEN	15
#define MWB_RATE_MAX		10000000000000

/**
 * enum mwb_wan_state - Whether a WAN takes connections, or the first reason
 *   why it does not.
 * @MWB_WAN_STATE_DOWN: The device is administratively down, or does not exist.
 * @MWB_WAN_STATE_NO_CARRIER: The device is up, but its link is not.
 * @MWB_WAN_STATE_NO_ADDRESS: The device has no IPv4 address.
 * @MWB_WAN_STATE_NO_GATEWAY: No gateway is given and the device is not
 *   point-to-point, or the gateway is off the link.
 * @MWB_WAN_STATE_UP: Routes are in place; new connections may be given to this
 *   WAN.
 */
enum mwb_wan_state {
	MWB_WAN_STATE_DOWN,
	MWB_WAN_STATE_NO_CARRIER,
	MWB_WAN_STATE_NO_ADDRESS,
	MWB_WAN_STATE_NO_GATEWAY,
	MWB_WAN_STATE_UP,
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

	__MWB_A_WAN_MAX,
	MWB_A_WAN_MAX = (__MWB_A_WAN_MAX - 1)
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
	MWB_A_STATS_CACHE,
	MWB_A_STATS_DST_SLOTS,
	MWB_A_STATS_ROUTE_SYNCS,
	MWB_A_STATS_ROUTE_CHANGES,

	__MWB_A_STATS_MAX,
	MWB_A_STATS_MAX = (__MWB_A_STATS_MAX - 1)
};

enum {
	MWB_CMD_WAN_ADD = 1,
	MWB_CMD_WAN_DEL,
	MWB_CMD_WAN_GET,
	MWB_CMD_STATS_GET,

	__MWB_CMD_MAX,
	MWB_CMD_MAX = (__MWB_CMD_MAX - 1)
};

#endif /* _UAPI_LINUX_MWB_H */

// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
// Generated from uapi/mwb.yaml by scripts/uapi: do not edit.

/// Name of the generic netlink family.
pub const FAMILY_NAME: &str = "mwb";
/// Version of the generic netlink family.
pub const FAMILY_VERSION: u8 = 1;

/// Number of WANs that one instance can hold; ids run from 1 to this.
pub const WAN_MAX: u32 = 250;
/// Longest WAN name, in bytes, without the terminating NUL.
pub const WAN_NAME_LEN: u32 = 15;
/// Highest capacity, in bits per second (10 Tbit/s).
pub const RATE_MAX: u64 = 10000000000000;

/// The device is administratively down, or does not exist.
pub const WAN_STATE_DOWN: u32 = 0;
/// The device is up, but its link is not.
pub const WAN_STATE_NO_CARRIER: u32 = 1;
/// The device has no IPv4 address.
pub const WAN_STATE_NO_ADDRESS: u32 = 2;
/// No gateway is given and the device is not point-to-point, or the gateway is off the link.
pub const WAN_STATE_NO_GATEWAY: u32 = 3;
/// Routes are in place; new connections may be given to this WAN.
pub const WAN_STATE_UP: u32 = 4;
/// Whether a WAN takes connections, or the first reason why it does not.
pub const WAN_STATE_NAMES: [&str; 5] = ["down", "no-carrier", "no-address", "no-gateway", "up"];
/// What each of these means.
pub const WAN_STATE_DOCS: [&str; 5] = [
    "The device is administratively down, or does not exist.",
    "The device is up, but its link is not.",
    "The device has no IPv4 address.",
    "No gateway is given and the device is not point-to-point, or the gateway is off the link.",
    "Routes are in place; new connections may be given to this WAN.",
];

/// No WAN is configured, so nothing is hooked.
pub const CACHE_IDLE: u32 = 0;
/// Connections keep the dst of both directions.
pub const CACHE_ACTIVE: u32 = 1;
/// Switched off by the module parameter labels=0.
pub const CACHE_OFF: u32 = 2;
/// The kernel has no conntrack labels to keep it in.
pub const CACHE_NO_LABELS: u32 = 3;
/// Somebody else uses conntrack labels in this namespace.
pub const CACHE_LABELS_IN_USE: u32 = 4;
/// Whether connections keep their dst, or the reason why every packet is looked up.
pub const CACHE_NAMES: [&str; 5] = ["idle", "active", "off", "no-labels", "labels-in-use"];
/// What each of these means.
pub const CACHE_DOCS: [&str; 5] = [
    "No WAN is configured, so nothing is hooked.",
    "Connections keep the dst of both directions.",
    "Switched off by the module parameter labels=0.",
    "The kernel has no conntrack labels to keep it in.",
    "Somebody else uses conntrack labels in this namespace.",
];

pub const A_WAN_PAD: u16 = 1;
/// Name of the WAN; unique, one to fifteen bytes, none of them white space, a control character or
/// a slash.
pub const A_WAN_NAME: u16 = 2;
/// Number of the WAN, from 1; the lowest free one when it is added.
pub const A_WAN_ID: u16 = 3;
/// Name of the network device.
pub const A_WAN_DEV: u16 = 4;
/// Index of the network device, 0 while it does not exist.
pub const A_WAN_IFINDEX: u16 = 5;
/// IPv4 address of the next router on this WAN; absent on point-to-point devices.
pub const A_WAN_GATEWAY4: u16 = 6;
/// Upload capacity, in bits per second. When adding, absent means unknown. When reading, absent
/// means unknown and nothing seen yet.
pub const A_WAN_UP_CAPACITY_BPS: u16 = 7;
/// Download capacity, in bits per second; absent as with up-capacity-bps.
pub const A_WAN_DOWN_CAPACITY_BPS: u16 = 8;
/// A capacity of this WAN was not given; it is the highest rate seen so far.
pub const A_WAN_CAPACITY_LEARNED: u16 = 9;
/// Whether the WAN takes connections.
pub const A_WAN_STATE: u16 = 10;
/// The value that packets and connections of this WAN carry, within mark-mask.
pub const A_WAN_MARK: u16 = 11;
/// The bits of the mark that belong to mwb; the others are never written.
pub const A_WAN_MARK_MASK: u16 = 12;
/// Routing table of this WAN.
pub const A_WAN_TABLE: u16 = 13;
/// Measured upload, in bits per second; moving average of the device's transmitted bytes.
pub const A_WAN_UP_BPS: u16 = 14;
/// Measured download, in bits per second; moving average of the device's received bytes.
pub const A_WAN_DOWN_BPS: u16 = 15;
/// Connections that were given to this WAN since it was added.
pub const A_WAN_CONNECTIONS: u16 = 16;
/// Highest attribute of this set.
pub const A_WAN_MAX: u16 = 16;
/// Names of the attributes, from number 1 on.
pub const A_WAN_NAMES: [&str; 16] = [
    "pad",
    "name",
    "id",
    "dev",
    "ifindex",
    "gateway4",
    "up-capacity-bps",
    "down-capacity-bps",
    "capacity-learned",
    "state",
    "mark",
    "mark-mask",
    "table",
    "up-bps",
    "down-bps",
    "connections",
];

pub const A_STATS_PAD: u16 = 1;
/// Packets of tracked connections that the hook saw.
pub const A_STATS_PACKETS: u16 = 2;
/// Packets that took the dst kept by their connection.
pub const A_STATS_DST_HITS: u16 = 3;
/// Packets of tracked connections whose route the hook looked up.
pub const A_STATS_DST_LOOKUPS: u16 = 4;
/// Packets that found the dst of their connection obsolete; each is among dst-lookups as well.
pub const A_STATS_DST_OBSOLETE: u16 = 5;
/// New connections that were given to a WAN.
pub const A_STATS_CONNECTIONS: u16 = 6;
/// New connections that came in through a WAN, and carry its mark; hosts behind the router answer
/// through it.
pub const A_STATS_INBOUND: u16 = 7;
/// New connections that were left alone, because their route leaves through no WAN, or no WAN for
/// them is up.
pub const A_STATS_NOT_BALANCED: u16 = 8;
/// Whether connections keep their dst.
pub const A_STATS_CACHE: u16 = 9;
/// Dst references held at the moment.
pub const A_STATS_DST_SLOTS: u16 = 10;
/// Passes in which rules and routes were compared with what they should be.
pub const A_STATS_ROUTE_SYNCS: u16 = 11;
/// Rules and routes that those passes added or removed.
pub const A_STATS_ROUTE_CHANGES: u16 = 12;
/// Highest attribute of this set.
pub const A_STATS_MAX: u16 = 12;
/// Names of the attributes, from number 1 on.
pub const A_STATS_NAMES: [&str; 12] = [
    "pad",
    "packets",
    "dst-hits",
    "dst-lookups",
    "dst-obsolete",
    "connections",
    "inbound",
    "not-balanced",
    "cache",
    "dst-slots",
    "route-syncs",
    "route-changes",
];

/// Adds a WAN.
pub const CMD_WAN_ADD: u8 = 1;
/// Removes a WAN, with its rule and routes. Its connections go on by the main table.
pub const CMD_WAN_DEL: u8 = 2;
/// Reads one WAN by its name, or all of them, in the order of their ids.
pub const CMD_WAN_GET: u8 = 3;
/// Reads the counters of the instance; those of routes since it has WANs, the others since it
/// exists.
pub const CMD_STATS_GET: u8 = 4;

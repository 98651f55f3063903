// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)
// Generated from uapi/mwb.yaml by scripts/uapi: do not edit.

/// Name of the generic netlink family.
pub const FAMILY_NAME: &str = "mwb";
/// Version of the generic netlink family.
pub const FAMILY_VERSION: u8 = 1;
/// Name of a multicast group.
pub const MCGRP_EVENTS: &str = "events";

/// Number of WANs that one instance can hold, if the mark mask has room for their ids; they run
/// from 1.
pub const WAN_MAX: u32 = 250;
/// Longest name of a WAN or a group, in bytes, without the terminating NUL.
pub const WAN_NAME_LEN: u32 = 15;
/// Highest capacity, in bits per second (10 Tbit/s).
pub const RATE_MAX: u64 = 10000000000000;
/// Number of tiers.
pub const TIER_MAX: u32 = 16;
/// Highest weight.
pub const WEIGHT_MAX: u32 = 1000000;
/// Number of groups that one instance can hold.
pub const GROUP_MAX: u32 = 64;
/// Number of policies that one instance can hold.
pub const POLICY_MAX: u32 = 262144;
/// Preference of a policy that is given none.
pub const POLICY_PREF: u32 = 1000;
/// Default of the mask of the marks. The highest bit of a mask is set on what a policy has placed,
/// the others hold the id of the WAN; their highest value stands for no WAN at all.
pub const MARK_MASK: u32 = 4278190080;
/// The protocol (rtm_protocol) of all rules and routes that the module writes, and of no others.
pub const RT_PROTO: u32 = 119;
/// Default of the lowest preference of the policy rules.
pub const RULE_PREF: u32 = 7000;
/// Default of the number that, with the id of a WAN added, is its routing table.
pub const TABLE_BASE: u32 = 7000;
/// Default of the pair timeout, in seconds.
pub const PAIR_TIMEOUT: u32 = 600;
/// Default of the time between two samples of the counters, in milliseconds.
pub const INTERVAL_MS: u32 = 200;
/// Default of the time constant of the moving averages, in milliseconds.
pub const AVERAGE_MS: u32 = 600;
/// Default of the upload use above which upload decides, in per cent.
pub const THRESHOLD_PERCENT: u32 = 85;
/// Default of the upload use that all WANs must be back at, in per cent.
pub const EXIT_PERCENT: u32 = 80;
/// Default of the most credit that one connection gives, in per cent of the mean capacity.
pub const CREDIT_CAP_PERCENT: u32 = 50;

/// Switched off on request.
pub const WAN_STATE_DISABLED: u32 = 0;
/// The device is administratively down, or does not exist.
pub const WAN_STATE_DOWN: u32 = 1;
/// The device is up, but its link is not.
pub const WAN_STATE_NO_CARRIER: u32 = 2;
/// The device has no IPv4 address.
pub const WAN_STATE_NO_ADDRESS: u32 = 3;
/// No gateway is given or learned and the device is not point-to-point, or the gateway is off the
/// link.
pub const WAN_STATE_NO_GATEWAY: u32 = 4;
/// The kernel would drop what this WAN receives.
pub const WAN_STATE_FILTERED: u32 = 5;
/// A health check has reported that it leads nowhere.
pub const WAN_STATE_DEAD: u32 = 6;
/// The connections that it has go on; on request, it gets no new ones.
pub const WAN_STATE_DRAIN: u32 = 7;
/// Routes are in place; new connections may be given to this WAN.
pub const WAN_STATE_UP: u32 = 8;
/// Whether a WAN takes connections, or the first reason why it does not. From dead on, it has its
/// rule and its routes.
pub const WAN_STATE_NAMES: [&str; 9] = [
    "disabled",
    "down",
    "no-carrier",
    "no-address",
    "no-gateway",
    "filtered",
    "dead",
    "drain",
    "up",
];
/// What each of these means.
pub const WAN_STATE_DOCS: [&str; 9] = ["Switched off on request.", "The device is administratively down, or does not exist.", "The device is up, but its link is not.", "The device has no IPv4 address.", "No gateway is given or learned and the device is not point-to-point, or the gateway is off the link.\n", "The kernel would drop what this WAN receives.", "A health check has reported that it leads nowhere.", "The connections that it has go on; on request, it gets no new ones.", "Routes are in place; new connections may be given to this WAN."];

/// Somebody asked for it.
pub const WAN_REASON_REQUEST: u32 = 0;
/// No device has the name.
pub const WAN_REASON_NO_DEVICE: u32 = 1;
/// The device is that of another WAN, which has it by another name.
pub const WAN_REASON_OTHER_WAN: u32 = 2;
/// The device was set down.
pub const WAN_REASON_DEVICE_DOWN: u32 = 3;
/// The device has lost its carrier.
pub const WAN_REASON_CARRIER: u32 = 4;
/// The device has no address.
pub const WAN_REASON_ADDRESS: u32 = 5;
/// There is no gateway, neither given nor in a default route that main has for the device.
pub const WAN_REASON_GATEWAY: u32 = 6;
/// The gateway is in none of the device's networks.
pub const WAN_REASON_OFF_LINK: u32 = 7;
/// The kernel refused the default route.
pub const WAN_REASON_ROUTE: u32 = 8;
/// The kernel would drop what comes in, since rp_filter is 1 without src_valid_mark and another WAN
/// is the first.
pub const WAN_REASON_RP_FILTER: u32 = 9;
/// A health check has reported it.
pub const WAN_REASON_HEALTH: u32 = 10;
/// Nothing is missing.
pub const WAN_REASON_READY: u32 = 11;
/// What put a WAN into its state.
pub const WAN_REASON_NAMES: [&str; 12] = [
    "request",
    "no-device",
    "other-wan",
    "device-down",
    "carrier",
    "address",
    "gateway",
    "off-link",
    "route",
    "rp-filter",
    "health",
    "ready",
];
/// What each of these means.
pub const WAN_REASON_DOCS: [&str; 12] = ["Somebody asked for it.", "No device has the name.", "The device is that of another WAN, which has it by another name.", "The device was set down.", "The device has lost its carrier.", "The device has no address.", "There is no gateway, neither given nor in a default route that main has for the device.", "The gateway is in none of the device's networks.", "The kernel refused the default route.", "The kernel would drop what comes in, since rp_filter is 1 without src_valid_mark and another WAN is\nthe first.\n", "A health check has reported it.", "Nothing is missing."];

/// It takes connections while it can.
pub const WAN_ADMIN_ENABLED: u32 = 0;
/// It keeps the connections that it has, and gets no new ones.
pub const WAN_ADMIN_DRAIN: u32 = 1;
/// It carries nothing.
pub const WAN_ADMIN_DISABLED: u32 = 2;
/// What is asked of a WAN.
pub const WAN_ADMIN_NAMES: [&str; 3] = ["enabled", "drain", "disabled"];
/// What each of these means.
pub const WAN_ADMIN_DOCS: [&str; 3] = [
    "It takes connections while it can.",
    "It keeps the connections that it has, and gets no new ones.",
    "It carries nothing.",
];

/// It leads to the Internet; also if nobody has reported anything.
pub const WAN_HEALTH_ALIVE: u32 = 0;
/// It leads nowhere.
pub const WAN_HEALTH_DEAD: u32 = 1;
/// What a health check has reported of a WAN.
pub const WAN_HEALTH_NAMES: [&str; 2] = ["alive", "dead"];
/// What each of these means.
pub const WAN_HEALTH_DOCS: [&str; 2] = [
    "It leads to the Internet; also if nobody has reported anything.",
    "It leads nowhere.",
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

/// Each connection.
pub const GRANULARITY_CONNECTION: u32 = 0;
/// All connections from one source to one destination, DNAT considered.
pub const GRANULARITY_PAIR: u32 = 1;
/// What is kept on one WAN.
pub const GRANULARITY_NAMES: [&str; 2] = ["connection", "pair"];
/// What each of these means.
pub const GRANULARITY_DOCS: [&str; 2] = [
    "Each connection.",
    "All connections from one source to one destination, DNAT considered.",
];

/// They take the route that main has for them.
pub const LAST_RESORT_MAIN: u32 = 0;
/// They are refused as unreachable, unless main has a route for them that is no default route.
pub const LAST_RESORT_UNREACHABLE: u32 = 1;
/// What becomes of new connections that would be balanced while no WAN is up.
pub const LAST_RESORT_NAMES: [&str; 2] = ["main", "unreachable"];
/// What each of these means.
pub const LAST_RESORT_DOCS: [&str; 2] = [
    "They take the route that main has for them.",
    "They are refused as unreachable, unless main has a route for them that is no default route.",
];

/// While no measured upload is above the threshold, the WAN with the least download use; else the
/// one with the least upload use. Use is what was measured, with what the connections placed lately
/// are about to bring.
pub const MODE_RATE: u32 = 0;
/// The better of two random ones, by the direction that is used more.
pub const MODE_TWO_CHOICES: u32 = 1;
/// In turn, in proportion to the weights, whatever they carry.
pub const MODE_WEIGHTED: u32 = 2;
/// How a WAN is chosen, of those in the lowest tier that has any.
pub const MODE_NAMES: [&str; 3] = ["rate", "two-choices", "weighted"];
/// What each of these means.
pub const MODE_DOCS: [&str; 3] = ["While no measured upload is above the threshold, the WAN with the least download use; else the one\nwith the least upload use. Use is what was measured, with what the connections placed lately are\nabout to bring.\n", "The better of two random ones, by the direction that is used more.", "In turn, in proportion to the weights, whatever they carry."];

/// They end at once, so that they are opened anew by another WAN; TCP clients are sent a reset.
pub const ON_DOWN_RESET: u32 = 0;
/// They wait for the WAN to come back with the same address.
pub const ON_DOWN_HOLD: u32 = 1;
/// What becomes of the connections of a WAN that goes down, of those that are translated to its
/// address. Untranslated ones go on by the main table in any case, those of the router itself wait.
pub const ON_DOWN_NAMES: [&str; 2] = ["reset", "hold"];
/// What each of these means.
pub const ON_DOWN_DOCS: [&str; 2] = [
    "They end at once, so that they are opened anew by another WAN; TCP clients are sent a reset.",
    "They wait for the WAN to come back with the same address.",
];

/// New connections only.
pub const FAILBACK_NEW: u32 = 0;
/// Also pairs that had to leave it, or are on a WAN of a higher tier, with their next connection.
pub const FAILBACK_PAIRS: u32 = 1;
/// Also the connections that are on a WAN of a higher tier because there was none better: those
/// that no policy has placed, and that the main table would send by a better one now. Translated
/// ones end, and are opened anew.
pub const FAILBACK_ALL: u32 = 2;
/// What goes back when a WAN comes up again.
pub const FAILBACK_NAMES: [&str; 3] = ["new", "pairs", "all"];
/// What each of these means.
pub const FAILBACK_DOCS: [&str; 3] = ["New connections only.", "Also pairs that had to leave it, or are on a WAN of a higher tier, with their next connection.", "Also the connections that are on a WAN of a higher tier because there was none better: those that no\npolicy has placed, and that the main table would send by a better one now. Translated ones end, and\nare opened anew.\n"];

/// A WAN gets it.
pub const OUTCOME_WAN: u32 = 0;
/// It is none of ours, since its route is no default route of a WAN.
pub const OUTCOME_OTHER: u32 = 1;
/// A policy leaves it to the main table.
pub const OUTCOME_MAIN: u32 = 2;
/// It takes the route that main has for it, because no WAN can take it.
pub const OUTCOME_LAST_RESORT: u32 = 3;
/// It is refused.
pub const OUTCOME_UNREACHABLE: u32 = 4;
/// What becomes of a new connection.
pub const OUTCOME_NAMES: [&str; 5] = ["wan", "other", "main", "last-resort", "unreachable"];
/// What each of these means.
pub const OUTCOME_DOCS: [&str; 5] = [
    "A WAN gets it.",
    "It is none of ours, since its route is no default route of a WAN.",
    "A policy leaves it to the main table.",
    "It takes the route that main has for it, because no WAN can take it.",
    "It is refused.",
];

/// Its route.
pub const WHY_ROUTE: u32 = 0;
/// A policy alone.
pub const WHY_POLICY: u32 = 1;
/// An earlier connection from the same source to the same destination is on this WAN.
pub const WHY_PAIR: u32 = 2;
/// No other WAN of this tier can take it.
pub const WHY_ONLY: u32 = 3;
/// No WAN can take it.
pub const WHY_NONE: u32 = 4;
/// The WAN has the least download use, this connection included.
pub const WHY_DOWNLOAD: u32 = 5;
/// The WAN has the least upload use, this connection included; the upload of one is above the
/// threshold.
pub const WHY_UPLOAD: u32 = 6;
/// None carries anything worth mentioning; a random one, the faster ones more often.
pub const WHY_CHANCE: u32 = 7;
/// The WAN is the better of two random ones.
pub const WHY_TWO_CHOICES: u32 = 8;
/// It is the turn of the WAN.
pub const WHY_TURN: u32 = 9;
/// What decides on a new connection.
pub const WHY_NAMES: [&str; 10] = [
    "route",
    "policy",
    "pair",
    "only",
    "none",
    "download",
    "upload",
    "chance",
    "two-choices",
    "turn",
];
/// What each of these means.
pub const WHY_DOCS: [&str; 10] = ["Its route.", "A policy alone.", "An earlier connection from the same source to the same destination is on this WAN.", "No other WAN of this tier can take it.", "No WAN can take it.", "The WAN has the least download use, this connection included.", "The WAN has the least upload use, this connection included; the upload of one is above the threshold.", "None carries anything worth mentioning; a random one, the faster ones more often.", "The WAN is the better of two random ones.", "It is the turn of the WAN."];

pub const A_WAN_PAD: u16 = 1;
/// Name of the WAN; unique, one to fifteen bytes, none of them white space, a control character, a
/// slash or a comma; not main.
pub const A_WAN_NAME: u16 = 2;
/// Number of the WAN, from 1; the lowest free one if none is given.
pub const A_WAN_ID: u16 = 3;
/// Name of the network device.
pub const A_WAN_DEV: u16 = 4;
/// Index of the network device, 0 while it does not exist.
pub const A_WAN_IFINDEX: u16 = 5;
/// IPv4 address of the next router on this WAN. In a request, 0.0.0.0 or none at all when adding
/// means that it is learned: from the default route that main has for the device, of which the
/// lowest metric counts. When reading, absent when there is none.
pub const A_WAN_GATEWAY4: u16 = 6;
/// Upload capacity, in bits per second. In a request, 0 or none at all when adding means unknown.
/// When reading, absent means unknown and nothing seen yet.
pub const A_WAN_UP_CAPACITY_BPS: u16 = 7;
/// Download capacity, in bits per second; 0 or absent as with up-capacity-bps.
pub const A_WAN_DOWN_CAPACITY_BPS: u16 = 8;
/// A capacity of this WAN was not given; it is the highest rate that was kept up for seconds, and
/// fades within days.
pub const A_WAN_CAPACITY_LEARNED: u16 = 9;
/// Whether the WAN takes connections.
pub const A_WAN_STATE: u16 = 10;
/// The value that packets and connections of this WAN carry, within mark-mask; with its highest bit
/// on those that a policy has placed.
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
/// A tier is used while no WAN of a lower one can take the connection; 1 if not given.
pub const A_WAN_TIER: u16 = 17;
/// What is asked of the WAN.
pub const A_WAN_ADMIN: u16 = 18;
/// What a health check has reported last; alive if none has.
pub const A_WAN_HEALTH: u16 = 19;
/// The gateway is learned from main, not given.
pub const A_WAN_GATEWAY_LEARNED: u16 = 20;
/// What put the WAN into its state.
pub const A_WAN_REASON: u16 = 21;
/// State before the change that is told of.
pub const A_WAN_OLD_STATE: u16 = 22;
/// When the state changed last, in nanoseconds since 1970 (CLOCK_REALTIME).
pub const A_WAN_CHANGED_NS: u16 = 23;
/// Share of the connections in mode weighted, in relation to other WANs. In a request, 0 or none at
/// all when adding means the download capacity in Mbit/s. When reading, absent if not given.
pub const A_WAN_WEIGHT: u16 = 24;
/// Upload that the connections placed lately are still expected to bring, in bits per second. The
/// choice adds it to up-bps.
pub const A_WAN_UP_CREDIT_BPS: u16 = 25;
/// Download, as up-credit-bps.
pub const A_WAN_DOWN_CREDIT_BPS: u16 = 26;
/// Upload capacity that the choice reckons with, in bits per second: the given one or, if that is
/// more, the best rate seen, up to twice the given one; when none is given, twice that rate, and 50
/// Mbit/s at least.
pub const A_WAN_UP_RECKONED_BPS: u16 = 27;
/// Download, as up-reckoned-bps.
pub const A_WAN_DOWN_RECKONED_BPS: u16 = 28;
/// Part of what this WAN carries is not counted: a flowtable forwards it on a device below, which
/// others use as well. The choice takes the WAN to be at least as busy as those together that are
/// counted in full.
pub const A_WAN_RATES_PARTIAL: u16 = 29;
/// More than what this WAN carries is counted: devices of others are above its own, which counts
/// their packets too.
pub const A_WAN_RATES_MIXED: u16 = 30;
/// The upload capacity that was given, in bits per second; absent if none was. Where more has been
/// seen since, up-capacity-bps is more.
pub const A_WAN_UP_GIVEN_BPS: u16 = 31;
/// The download capacity that was given, in bits per second; as up-given-bps.
pub const A_WAN_DOWN_GIVEN_BPS: u16 = 32;
/// The WAN takes connections, its upload capacity was given, and the measured upload went above
/// threshold-percent of it and has not been back at exit-percent since.
pub const A_WAN_UP_OVERLOAD: u16 = 33;
/// Least and most that it may be.
pub const A_WAN_ID_LIMITS: (u32, u32) = (1, WAN_MAX);
/// Least and most that it may be.
pub const A_WAN_TIER_LIMITS: (u32, u32) = (1, TIER_MAX);
/// Least and most that it may be.
pub const A_WAN_WEIGHT_LIMITS: (u32, u32) = (0, WEIGHT_MAX);
/// Highest attribute of this set.
pub const A_WAN_MAX: u16 = 33;
/// Names of the attributes, from number 1 on.
pub const A_WAN_NAMES: [&str; 33] = [
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
    "tier",
    "admin",
    "health",
    "gateway-learned",
    "reason",
    "old-state",
    "changed-ns",
    "weight",
    "up-credit-bps",
    "down-credit-bps",
    "up-reckoned-bps",
    "down-reckoned-bps",
    "rates-partial",
    "rates-mixed",
    "up-given-bps",
    "down-given-bps",
    "up-overload",
];

/// Name of the group; like that of a WAN, and not that of one.
pub const A_GROUP_NAME: u16 = 1;
/// Name of a WAN that belongs to it; one for each of them.
pub const A_GROUP_WAN: u16 = 2;
/// Not at once, but together with the policies that this socket has begun to replace, which may
/// lead to it.
pub const A_GROUP_STAGED: u16 = 3;
/// Highest attribute of this set.
pub const A_GROUP_MAX: u16 = 3;
/// Names of the attributes, from number 1 on.
pub const A_GROUP_NAMES: [&str; 3] = ["name", "wan", "staged"];

pub const A_POLICY_PAD: u16 = 1;
/// The lowest preference that matches wins; among equals, the longest prefixes, the most other
/// selectors, the policy that was added first. 1000 if not given.
pub const A_POLICY_PREF: u16 = 2;
/// Prefix of the source address, in network byte order; 4 bytes for IPv4.
pub const A_POLICY_SRC: u16 = 3;
/// Length of the source prefix, in bits.
pub const A_POLICY_SRC_LEN: u16 = 4;
/// Prefix of the destination address, as src; DNAT has been done.
pub const A_POLICY_DST: u16 = 5;
/// Length of the destination prefix, in bits.
pub const A_POLICY_DST_LEN: u16 = 6;
/// Name of the device that the connection comes in through; lo for those of the router itself.
pub const A_POLICY_IIF: u16 = 7;
/// Transport protocol (IPPROTO_*).
pub const A_POLICY_PROTO: u16 = 8;
/// Lowest destination port, for protocols that have ports; DNAT has been done.
pub const A_POLICY_DPORT_MIN: u16 = 9;
/// Highest destination port; that of dport-min if not given.
pub const A_POLICY_DPORT_MAX: u16 = 10;
/// DSCP of the first packet.
pub const A_POLICY_DSCP: u16 = 11;
/// Name of the WAN or group that gets the connection; main leaves it to the main table.
pub const A_POLICY_TO: u16 = 12;
/// While no wanted WAN is up, connections are refused as unreachable; otherwise another one gets
/// them.
pub const A_POLICY_STRICT: u16 = 13;
/// New connections that went where this policy wants them, to main among them.
pub const A_POLICY_CONNECTIONS: u16 = 14;
/// New connections that found no wanted WAN up.
pub const A_POLICY_MISSED: u16 = 15;
/// Least and most that it may be.
pub const A_POLICY_SRC_LEN_LIMITS: (u32, u32) = (0, 128);
/// Least and most that it may be.
pub const A_POLICY_DST_LEN_LIMITS: (u32, u32) = (0, 128);
/// Least and most that it may be.
pub const A_POLICY_PROTO_LIMITS: (u32, u32) = (0, 255);
/// Least and most that it may be.
pub const A_POLICY_DPORT_MIN_LIMITS: (u32, u32) = (0, 65535);
/// Least and most that it may be.
pub const A_POLICY_DPORT_MAX_LIMITS: (u32, u32) = (0, 65535);
/// Least and most that it may be.
pub const A_POLICY_DSCP_LIMITS: (u32, u32) = (0, 63);
/// Highest attribute of this set.
pub const A_POLICY_MAX: u16 = 15;
/// Names of the attributes, from number 1 on.
pub const A_POLICY_NAMES: [&str; 15] = [
    "pad",
    "pref",
    "src",
    "src-len",
    "dst",
    "dst-len",
    "iif",
    "proto",
    "dport-min",
    "dport-max",
    "dscp",
    "to",
    "strict",
    "connections",
    "missed",
];

/// A policy; one for each of them.
pub const A_POLICIES_POLICY: u16 = 1;
/// The first message of a set; what an earlier set of the same or another sender lacks is given up.
pub const A_POLICIES_BEGIN: u16 = 2;
/// The set has more policies than fit into this message; others of the same socket follow.
pub const A_POLICIES_MORE: u16 = 3;
/// Number of policies that there are now.
pub const A_POLICIES_COUNT: u16 = 4;
/// How many messages of this set were taken, with this one and those of staged groups. Of another
/// number the set is given up with EBADMSG. For senders that go on before each is answered, at
/// least in the last message.
pub const A_POLICIES_MESSAGES: u16 = 5;
/// Least and most that it may be.
pub const A_POLICIES_COUNT_LIMITS: (u32, u32) = (0, POLICY_MAX);
/// Highest attribute of this set.
pub const A_POLICIES_MAX: u16 = 5;
/// Names of the attributes, from number 1 on.
pub const A_POLICIES_NAMES: [&str; 5] = ["policy", "begin", "more", "count", "messages"];

/// What is kept on one WAN.
pub const A_CONFIG_GRANULARITY: u16 = 1;
/// How long a pair stays on its WAN after the end of its last connection, in seconds.
pub const A_CONFIG_PAIR_TIMEOUT: u16 = 2;
/// What becomes of connections while no WAN is up.
pub const A_CONFIG_LAST_RESORT: u16 = 3;
/// What becomes of translated connections when their WAN goes down.
pub const A_CONFIG_ON_DOWN: u16 = 4;
/// What goes back when a WAN comes up again.
pub const A_CONFIG_FAILBACK: u16 = 5;
/// The bits of the mark that belong to mwb: at least three, without a gap. Can be changed while
/// there is no WAN.
pub const A_CONFIG_MARK_MASK: u16 = 6;
/// Lowest preference of the policy rules; that of a WAN's rule is higher by its id. Can be changed
/// while there is no WAN.
pub const A_CONFIG_RULE_PREF: u16 = 7;
/// The routing table of a WAN is this plus its id. Can be changed while there is no WAN.
pub const A_CONFIG_TABLE_BASE: u16 = 8;
/// How a WAN is chosen.
pub const A_CONFIG_MODE: u16 = 9;
/// Time between two samples of the counters, in milliseconds; 200 by default.
pub const A_CONFIG_INTERVAL_MS: u16 = 10;
/// Time constant of the moving averages of the rates, in milliseconds; 600 by default, and no less
/// than the interval in effect. What connections placed lately are expected to bring fades three
/// times as fast.
pub const A_CONFIG_AVERAGE_MS: u16 = 11;
/// Measured upload, in per cent of the capacity, above which the upload of all WANs decides; 85 by
/// default.
pub const A_CONFIG_THRESHOLD_PERCENT: u16 = 12;
/// Measured upload, in per cent of the capacity, that every WAN must be back at for download to
/// decide again; 80 by default, and no more than threshold-percent.
pub const A_CONFIG_EXIT_PERCENT: u16 = 13;
/// The most credit that one connection gives, in per cent of the mean capacity of the WANs; 50 by
/// default. With 0, there is no credit.
pub const A_CONFIG_CREDIT_CAP_PERCENT: u16 = 14;
/// Least and most that it may be.
pub const A_CONFIG_PAIR_TIMEOUT_LIMITS: (u32, u32) = (1, 604800);
/// Least and most that it may be.
pub const A_CONFIG_RULE_PREF_LIMITS: (u32, u32) = (1, 32000);
/// Least and most that it may be.
pub const A_CONFIG_TABLE_BASE_LIMITS: (u32, u32) = (256, 4000000000);
/// Least and most that it may be.
pub const A_CONFIG_INTERVAL_MS_LIMITS: (u32, u32) = (50, 2000);
/// Least and most that it may be.
pub const A_CONFIG_AVERAGE_MS_LIMITS: (u32, u32) = (50, 60000);
/// Least and most that it may be.
pub const A_CONFIG_THRESHOLD_PERCENT_LIMITS: (u32, u32) = (1, 100);
/// Least and most that it may be.
pub const A_CONFIG_EXIT_PERCENT_LIMITS: (u32, u32) = (1, 100);
/// Least and most that it may be.
pub const A_CONFIG_CREDIT_CAP_PERCENT_LIMITS: (u32, u32) = (0, 1000);
/// Highest attribute of this set.
pub const A_CONFIG_MAX: u16 = 14;
/// Names of the attributes, from number 1 on.
pub const A_CONFIG_NAMES: [&str; 14] = [
    "granularity",
    "pair-timeout",
    "last-resort",
    "on-down",
    "failback",
    "mark-mask",
    "rule-pref",
    "table-base",
    "mode",
    "interval-ms",
    "average-ms",
    "threshold-percent",
    "exit-percent",
    "credit-cap-percent",
];

pub const A_STATS_PAD: u16 = 1;
/// Packets of tracked connections that came in, and those of the router's own that leave through a
/// WAN or belong to a connection of one.
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
/// Those of connections that a policy has placed.
pub const A_STATS_BY_POLICY: u16 = 9;
/// New connections that were refused, because a strict policy or the last resort wants that; while
/// no WAN has routes, the last resort leaves none, and what it keeps from being forwarded counts as
/// not balanced.
pub const A_STATS_UNREACHABLE: u16 = 10;
/// Pairs that are kept at the moment, the outdated ones among them.
pub const A_STATS_PAIRS: u16 = 11;
/// New connections that were given to the WAN of their pair.
pub const A_STATS_PAIR_HITS: u16 = 12;
/// Pairs that had to go before their time, for others.
pub const A_STATS_PAIR_EVICTIONS: u16 = 13;
/// Whether connections keep their dst.
pub const A_STATS_CACHE: u16 = 14;
/// Dst references held at the moment.
pub const A_STATS_DST_SLOTS: u16 = 15;
/// Passes in which rules and routes were compared with what they should be.
pub const A_STATS_ROUTE_SYNCS: u16 = 16;
/// Rules and routes that those passes added or removed.
pub const A_STATS_ROUTE_CHANGES: u16 = 17;
/// Time that those passes have taken, in nanoseconds.
pub const A_STATS_ROUTE_SYNC_NS: u16 = 18;
/// Connections that were ended because their WAN went down, lost their address, or gave way to a
/// better tier.
pub const A_STATS_ENDED: u16 = 19;
/// Those of them that were of TCP, so that their clients were told by a reset.
pub const A_STATS_RESETS: u16 = 20;
/// Untranslated connections that went on by another way, for the same reasons.
pub const A_STATS_RELEASED: u16 = 21;
/// 1 while the upload of the WANs decides in mode rate, else 0.
pub const A_STATS_UPLOAD_DECIDES: u16 = 22;
/// Upload that the choice reckons a new connection to add, in bits per second: the mean bytes of a
/// connection within 50 ms, and no more than an eighth of the mean capacity.
pub const A_STATS_EXPECTED_UP_BPS: u16 = 23;
/// Download, as expected-up-bps.
pub const A_STATS_EXPECTED_DOWN_BPS: u16 = 24;
/// Upload that a connection adds to the up-credit-bps of its WAN, in bits per second.
pub const A_STATS_CREDIT_UP_BPS: u16 = 25;
/// Download, as credit-up-bps.
pub const A_STATS_CREDIT_DOWN_BPS: u16 = 26;
/// Highest attribute of this set.
pub const A_STATS_MAX: u16 = 26;
/// Names of the attributes, from number 1 on.
pub const A_STATS_NAMES: [&str; 26] = [
    "pad",
    "packets",
    "dst-hits",
    "dst-lookups",
    "dst-obsolete",
    "connections",
    "inbound",
    "not-balanced",
    "by-policy",
    "unreachable",
    "pairs",
    "pair-hits",
    "pair-evictions",
    "cache",
    "dst-slots",
    "route-syncs",
    "route-changes",
    "route-sync-ns",
    "ended",
    "resets",
    "released",
    "upload-decides",
    "expected-up-bps",
    "expected-down-bps",
    "credit-up-bps",
    "credit-down-bps",
];

/// Name of a WAN.
pub const A_CANDIDATE_WAN: u16 = 1;
/// Its state.
pub const A_CANDIDATE_STATE: u16 = 2;
/// Its tier.
pub const A_CANDIDATE_TIER: u16 = 3;
/// The policy that matches, if there is one, wants it, or one of its group.
pub const A_CANDIDATE_WANTED: u16 = 4;
/// It can take connections at this moment.
pub const A_CANDIDATE_USABLE: u16 = 5;
/// Upload use that it would have with the connection, as the choice reckons it, in hundredths of a
/// per cent.
pub const A_CANDIDATE_UP_USE: u16 = 6;
/// Download use, as up-use.
pub const A_CANDIDATE_DOWN_USE: u16 = 7;
/// Highest attribute of this set.
pub const A_CANDIDATE_MAX: u16 = 7;
/// Names of the attributes, from number 1 on.
pub const A_CANDIDATE_NAMES: [&str; 7] = [
    "wan", "state", "tier", "wanted", "usable", "up-use", "down-use",
];

/// Source address, in network byte order; 4 bytes for IPv4.
pub const A_EXPLAIN_SRC: u16 = 1;
/// Destination address, as src; where DNAT would lead to.
pub const A_EXPLAIN_DST: u16 = 2;
/// Name of the device that the first packet comes in through; lo for one of the router itself. If
/// not given, the device that the source is reached through.
pub const A_EXPLAIN_IIF: u16 = 3;
/// Transport protocol (IPPROTO_*); TCP if not given.
pub const A_EXPLAIN_PROTO: u16 = 4;
/// Destination port; without it, no policy for ports matches.
pub const A_EXPLAIN_DPORT: u16 = 5;
/// DSCP of the first packet; 0 if not given.
pub const A_EXPLAIN_DSCP: u16 = 6;
/// Name of the device that its route leaves through; absent if there is no route.
pub const A_EXPLAIN_OIF: u16 = 7;
/// What would become of it.
pub const A_EXPLAIN_OUTCOME: u16 = 8;
/// Name of the WAN that would get it.
pub const A_EXPLAIN_WAN: u16 = 9;
/// What would decide.
pub const A_EXPLAIN_WHY: u16 = 10;
/// The policy that matches.
pub const A_EXPLAIN_POLICY: u16 = 11;
/// A WAN, with what counts of it; one for each, in the order of their ids.
pub const A_EXPLAIN_CANDIDATE: u16 = 12;
/// Least and most that it may be.
pub const A_EXPLAIN_PROTO_LIMITS: (u32, u32) = (0, 255);
/// Least and most that it may be.
pub const A_EXPLAIN_DPORT_LIMITS: (u32, u32) = (0, 65535);
/// Least and most that it may be.
pub const A_EXPLAIN_DSCP_LIMITS: (u32, u32) = (0, 63);
/// Highest attribute of this set.
pub const A_EXPLAIN_MAX: u16 = 12;
/// Names of the attributes, from number 1 on.
pub const A_EXPLAIN_NAMES: [&str; 12] = [
    "src",
    "dst",
    "iif",
    "proto",
    "dport",
    "dscp",
    "oif",
    "outcome",
    "wan",
    "why",
    "policy",
    "candidate",
];

/// Adds a WAN.
pub const CMD_WAN_ADD: u8 = 1;
/// Changes the given parts of a WAN, or reports its health.
pub const CMD_WAN_SET: u8 = 2;
/// Removes a WAN, with its rule and routes. Its connections go on by the main table.
pub const CMD_WAN_DEL: u8 = 3;
/// Reads one WAN by its name, or all of them, in the order of their ids.
pub const CMD_WAN_GET: u8 = 4;
/// Makes a group of WANs, or gives an existing one other members.
pub const CMD_GROUP_SET: u8 = 5;
/// Removes a group.
pub const CMD_GROUP_DEL: u8 = 6;
/// Reads all groups.
pub const CMD_GROUP_GET: u8 = 7;
/// Adds a policy. There are no two with the same preference and the same selector.
pub const CMD_POLICY_ADD: u8 = 8;
/// Removes the policy with just the given selector, else the only one that has all of the given
/// attributes.
pub const CMD_POLICY_DEL: u8 = 9;
/// Reads all policies, in the order in which they are tried.
pub const CMD_POLICY_GET: u8 = 10;
/// Replaces all policies at once; a connection meets either the old ones or the new ones. A policy
/// that is among both keeps its counters. Large sets take several messages, of which only the last
/// one has an effect.
pub const CMD_POLICY_REPLACE: u8 = 11;
/// Changes the given parts of the configuration.
pub const CMD_CONFIG_SET: u8 = 12;
/// Reads the configuration.
pub const CMD_CONFIG_GET: u8 = 13;
/// Reads the counters of the instance; those of routes since it has WANs, those of pairs since it
/// keeps them, the others since it exists.
pub const CMD_STATS_GET: u8 = 14;
/// A WAN was added.
pub const CMD_WAN_ADD_NTF: u8 = 15;
/// A WAN was removed, also from its groups; this was its last state.
pub const CMD_WAN_DEL_NTF: u8 = 16;
/// The state of a WAN, its reason or its gateway changed.
pub const CMD_WAN_CHANGE_NTF: u8 = 17;
/// Says what would become of a new connection that came now, and why, without counting or changing
/// anything. Chance is drawn anew for each.
pub const CMD_EXPLAIN: u8 = 18;
/// What is configured of a WAN changed, or what a health check has reported. A new state follows,
/// if any.
pub const CMD_WAN_SET_NTF: u8 = 19;
/// The measured upload of a WAN, up-bps, went above the threshold, or is no longer: up-overload
/// says which. At most one for each WAN and sample.
pub const CMD_WAN_OVERLOAD_NTF: u8 = 20;
/// There are WANs, and none of them is up any more; last-resort says what becomes of new
/// connections.
pub const CMD_LAST_RESORT_ENTER_NTF: u8 = 21;
/// A WAN is up again, or the last one was removed.
pub const CMD_LAST_RESORT_LEAVE_NTF: u8 = 22;
/// The configuration changed.
pub const CMD_CONFIG_SET_NTF: u8 = 23;
/// A group was made, or given other members.
pub const CMD_GROUP_SET_NTF: u8 = 24;
/// A group was removed.
pub const CMD_GROUP_DEL_NTF: u8 = 25;
/// A policy was added.
pub const CMD_POLICY_ADD_NTF: u8 = 26;
/// A policy was removed.
pub const CMD_POLICY_DEL_NTF: u8 = 27;
/// All policies were replaced by others at once, however many there are now.
pub const CMD_POLICY_REPLACE_NTF: u8 = 28;

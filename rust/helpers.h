/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Functions over the inline functions and macros of the kernel that Rust cannot call.
 */
#ifndef MWB_HELPERS_H
#define MWB_HELPERS_H

#include <linux/types.h>
#include <net/genetlink.h>
#include <net/netfilter/nf_conntrack.h>

struct delayed_work;
struct in_ifaddr;
struct socket;

/* netns */
void *mwb_helper_net_generic(const struct net *net, unsigned int id);
bool mwb_helper_check_net(const struct net *net);

/* skb, dst */
void mwb_helper_skb_dst_drop(struct sk_buff *skb);
enum mwb_bridged { MWB_BRIDGED_NO, MWB_BRIDGED_ROUTED, MWB_BRIDGED_THROUGH };
enum mwb_bridged mwb_helper_skb_bridged(const struct sk_buff *skb, const struct net_device *dev);
bool mwb_helper_skb_has_secpath(const struct sk_buff *skb);
bool mwb_helper_skb_wants_xfrm(struct net *net, struct sk_buff *skb);
enum mwb_bound { MWB_BOUND_NO, MWB_BOUND_DEVICE, MWB_BOUND_ADDRESS };
enum mwb_bound mwb_helper_skb_bound(const struct sk_buff *skb, struct sock *sk);
void mwb_helper_skb_unreachable(struct sk_buff *skb);
bool mwb_helper_sk_is_kernel(const struct sock *sk);
int mwb_helper_route_input(struct sk_buff *skb, struct net_device *dev);
void mwb_helper_call_rcu(struct rcu_head *head, rcu_callback_t fn);
bool mwb_helper_dst_hold_safe(struct dst_entry *dst);
bool mwb_helper_rtable_is_plain(const struct rtable *rt, const struct sk_buff *skb);
int mwb_helper_dst_ifindex(const struct dst_entry *dst);
bool mwb_helper_dst_is_xfrm(const struct dst_entry *dst);

/* What a lookup notes down in the packet. */
#define MWB_IPSKB_LOOKUP (IPSKB_DOREDIRECT | IPSKB_MULTIPATH)

/* rules, tables */

/* An IPv4 rule; its addresses, devices, ports and the like cannot be seen. */
struct mwb_rule {
	u32 preference;
	u32 table;
	u32 mark;
	u32 mask;
	int suppress_prefix_len; /* -1 for none */
	u8 protocol;
	u8 action;
	bool is_inverted;
	bool is_default; /* for all packets, and looks into local, main or default */
};

/* In their order, for as long as `f` says so; whether it did for all. */
bool mwb_helper_for_each_rule(struct net *net, bool (*f)(const struct mwb_rule *rule, void *data), void *data);
int mwb_helper_default_oif(const struct sk_buff *skb, const struct net_device *dev);
bool mwb_helper_route_by_table(struct sk_buff *skb, const struct net_device *dev, u32 id);
bool mwb_helper_route_by_main_or_table(struct sk_buff *skb, const struct net_device *dev, u32 id);

/* conntrack */
int mwb_helper_labels_get(struct net *net);
void mwb_helper_labels_put(struct net *net);
int mwb_helper_labels_used(const struct net *net);
void mwb_helper_ct_event_mark(struct nf_conn *ct);
int mwb_helper_ct_masqueraded(const struct nf_conn *ct);

struct mwb_flow {
	__be32 saddr;	/* of the source, before SNAT */
	__be32 daddr;	/* of the destination, after DNAT */
	__be32 called;	/* the destination, before DNAT */
	__be32 answered; /* the source, after SNAT */
	u16 zone;
	u16 dport;	/* 0 for protocols without ports; after DNAT */
	u8 protocol;
	bool has_ports;
};
void mwb_helper_ct_flow(const struct nf_conn *ct, struct mwb_flow *flow);
void mwb_helper_ct_for_each(struct net *net, bool (*keep)(struct nf_conn *ct, void *data), void *data);

/* netdev */
struct net_device *mwb_helper_dev_hold(struct net *net, const char *name);
struct net_device *mwb_helper_dev_hold_index(struct net *net, int ifindex);
void mwb_helper_dev_name(const struct net_device *dev, char *name);
void mwb_helper_dev_put(struct net_device *dev);
bool mwb_helper_dev_running_now(struct net *net, int ifindex);
bool mwb_helper_dev_is_l3mdev(const struct net_device *dev);
bool mwb_helper_dev_has_name(const struct net_device *dev, const char *name);
bool mwb_helper_dev_is_tunnel(const struct net_device *dev);
bool mwb_helper_dev_is_strict(const struct net_device *dev);
bool mwb_helper_dev_checks_mark(const struct net_device *dev);
int mwb_helper_addr_ifindex(struct net *net, __be32 addr);
bool mwb_helper_dev_has_this_addr4(struct net *net, int ifindex, __be32 addr);
int mwb_helper_oif(struct net *net, __be32 addr, u32 mark);

/* A packet that there could be. */
struct mwb_probe {
	__be32 saddr;
	__be32 daddr;
	u32 mark;
	int iif;
	__be16 dport;	/* 0 for none */
	u8 protocol;
	u8 dscp;
	u8 type;	/* found: RTN_* */
	int oif;	/* found, or 0 */
	int via;	/* the device of which it is asked whether it is sent there by */
	u32 metric;	/* found: that of the default route of main that does; 0 for none */
};
void mwb_helper_probe(struct net *net, struct mwb_probe *probe);

unsigned int mwb_helper_dev_flags(const struct net_device *dev);
bool mwb_helper_dev_running(const struct net_device *dev);

/* What a device has carried, in bytes; and the devices under its VLAN and PPPoE headers, by index, or 0. */
struct mwb_traffic {
	u64 tx;
	u64 rx;
	u64 line_tx;
	u64 line_rx;
	u32 dev;
	u32 below;	/* right below it */
	u32 line;	/* the lowest one, if it counts what bypasses, and nothing of others is known to use it */
	bool mixed;	/* other devices are above it, whose packets it counts too */
	bool bypassed;	/* what a flowtable forwards goes by the lowest one alone */
};
bool mwb_helper_dev_traffic(struct net *net, const char *name, struct mwb_traffic *traffic);

bool mwb_helper_dev_has_addr4(const struct net_device *dev);
bool mwb_helper_dev_onlink4(const struct net_device *dev, __be32 addr);

/* per-CPU counters */
u64 __percpu *mwb_helper_alloc_counters(size_t n);
void mwb_helper_free_counters(u64 __percpu *counters);
void mwb_helper_count(u64 __percpu *counters, size_t i);
u64 mwb_helper_counter_sum(u64 __percpu *counters, size_t i);

/* work */
void mwb_helper_init_delayed_work(struct delayed_work *work, void (*fn)(struct work_struct *work));
void mwb_helper_schedule(struct delayed_work *work, unsigned int delay_ms);

/* time, contexts */
void mwb_helper_bh_disable(void);
void mwb_helper_bh_enable(void);

/* rtnetlink */
int mwb_helper_rtnl_open(struct net *net, u32 groups, struct socket **sock);
int mwb_helper_rtnl_send(struct socket *sock, void *buf, size_t len);
int mwb_helper_rtnl_recv(struct socket *sock, void *buf, size_t len);
u32 mwb_helper_rtnl_portid(struct socket *sock);

/* Who is told of every datagram that a socket receives; of NULL when some were lost. Must not sleep. */
struct mwb_ears {
	void (*hear)(struct mwb_ears *ears, const void *bytes, size_t len);
};

void mwb_helper_rtnl_listen(struct socket *sock, struct mwb_ears *ears);
void mwb_helper_rtnl_unlisten(struct socket *sock);

/* notifiers */

struct net_device *mwb_helper_notifier_dev(void *ptr);
struct net_device *mwb_helper_ifa_dev(const struct in_ifaddr *ifa);
bool mwb_helper_dev_is_in(const struct net_device *dev, const struct net *net);

/* TCP resets */

struct mwb_reset {
	__be32 saddr;
	__be32 daddr;
	__be16 sport;
	__be16 dport;
	u32 seqs[2];	/* one of them is acceptable */
	u32 ack;
};

bool mwb_helper_ct_reset(const struct nf_conn *ct, struct mwb_reset *reset);
void mwb_helper_reset_send(struct net *net, const struct mwb_reset *reset);

/* genetlink */
struct net *mwb_helper_genl_info_net(const struct genl_info *info);
struct net *mwb_helper_skb_net(const struct sk_buff *skb);
void *mwb_helper_genlmsg_put_reply(struct sk_buff *skb, struct genl_info *info);
void *mwb_helper_genlmsg_put_dump(struct sk_buff *skb, struct netlink_callback *cb);
void mwb_helper_genl_dump_check(struct netlink_callback *cb, void *hdr);
int mwb_helper_skb_len(const struct sk_buff *skb);
struct sk_buff *mwb_helper_genlmsg_new(size_t payload);
void mwb_helper_genlmsg_end(struct sk_buff *skb, void *hdr);
void mwb_helper_genlmsg_cancel(struct sk_buff *skb, void *hdr);
bool mwb_helper_genl_has_listeners(const struct genl_family *family, struct net *net,
				   unsigned int group);
void *mwb_helper_genl_notice_put(struct sk_buff *skb, const struct genl_family *family, u8 cmd);
void mwb_helper_genl_notice_send(const struct genl_family *family, struct net *net,
				 struct sk_buff *skb, unsigned int group);
void mwb_helper_genl_notice_lost(const struct genl_family *family, struct net *net,
				 unsigned int group);
int mwb_helper_genlmsg_reply(struct sk_buff *skb, struct genl_info *info);
void mwb_helper_nlmsg_free(struct sk_buff *skb);
int mwb_helper_nla_put_u64(struct sk_buff *skb, int attr, u64 value, int pad);
void *mwb_helper_nla_data(const struct nlattr *attr);
int mwb_helper_nla_len(const struct nlattr *attr);
const struct nlattr *mwb_helper_genl_next_attr(const struct genl_info *info,
					       const struct nlattr *prev);
int mwb_helper_nla_type(const struct nlattr *attr);
struct nlattr *mwb_helper_nla_nest_start(struct sk_buff *skb, int type);
void mwb_helper_nla_nest_end(struct sk_buff *skb, struct nlattr *nest);
int mwb_helper_nla_parse_nested(struct nlattr **tb, int maxtype, const struct nlattr *nest,
				const struct nla_policy *policy, struct netlink_ext_ack *extack);
bool mwb_helper_is_admin(struct sk_buff *skb, const struct net *net);
u32 mwb_helper_genl_portid(const struct genl_info *info);
void mwb_helper_set_err(struct netlink_ext_ack *extack, const char *msg, const struct nlattr *attr);
void mwb_helper_set_err_text(struct netlink_ext_ack *extack, const char *text,
			     const struct nlattr *attr);
void mwb_helper_set_missing(struct netlink_ext_ack *extack, const char *msg, int attr);

#endif

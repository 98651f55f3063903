// SPDX-License-Identifier: GPL-2.0
/*
 * Routes by the tables that they are in. A lookup walks through all rules, twice: for the destination, and for the
 * source. Whoever knows what the rules are need not.
 */
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <net/fib_rules.h>
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/ip_fib.h>
#include <net/nexthop.h>
#include <net/route.h>

#include "helpers.h"

bool mwb_helper_for_each_rule(struct net *net, bool (*f)(const struct mwb_rule *rule, void *data), void *data)
{
	/* fib4_rule_default() asks for no protocol, and for no DSCP and no mark that is 0; this packet has none of them. */
	struct flowi4 fl4 = { .flowi4_dscp = inet_dsfield_to_dscp(INET_DSCP_MASK) };
	struct fib_rule *rule;
	bool all = true;

	rcu_read_lock();
	list_for_each_entry_rcu(rule, &net->ipv4.rules_ops->rules_list, list) {
		const struct mwb_rule seen = {
			.preference = rule->pref,
			.table = rule->table,
			.mark = rule->mark,
			.mask = rule->mark_mask,
			.suppress_prefix_len = rule->suppress_prefixlen,
			.protocol = rule->proto,
			.action = rule->action,
			.is_inverted = rule->flags & FIB_RULE_INVERT,
			.is_default = fib4_rule_default(rule) && !rule->mark_mask &&
				      net->ipv4.rules_ops->match(rule, flowi4_to_flowi(&fl4), 0),
		};

		all = f(&seen, data);
		if (!all)
			break;
	}
	rcu_read_unlock();
	return all;
}

/* 0, -EAGAIN when the table has nothing to say, or what it says instead. fib_get_table() is not for modules. */
static int mwb_fib_look_up(struct net *net, u32 id, const struct flowi4 *fl4, struct fib_result *res)
{
	const struct hlist_head *bucket = &net->ipv4.fib_table_hash[id & (FIB_TABLE_HASHSZ - 1)];
	struct fib_table *table;

	hlist_for_each_entry_rcu(table, bucket, tb_hlist) {
		if (table->tb_id == id)
			return fib_table_lookup(table, fl4, res, FIB_LOOKUP_NOREF);
	}
	return -EAGAIN;
}

/* A lookup treats others in ways of their own. */
static bool mwb_is_ordinary(__be32 addr)
{
	return !ipv4_is_multicast(addr) && !ipv4_is_lbcast(addr) && !ipv4_is_zeronet(addr) &&
	       !ipv4_is_loopback(addr);
}

/*
 * Whether fib_validate_source(), which may be satisfied with less, takes a packet whose source, the daddr of `fl4`, the
 * table local does not know: without rp_filter unless it is local all the same, with the loose one if there is any
 * route to it.
 */
static bool mwb_is_valid_source(struct net *net, const struct net_device *dev, const struct in_device *in_dev,
				const struct flowi4 *fl4, struct fib_result *res)
{
	const int rp_filter = IN_DEV_RPFILTER(in_dev);

	if (!rp_filter && !net->ipv4.fib_has_custom_local_routes)
		return true;
	if (mwb_fib_look_up(net, RT_TABLE_MAIN, fl4, res))
		return !rp_filter;
	if (res->type != RTN_UNICAST)
		return false;
	if (!rp_filter || (rp_filter == 2 && rcu_access_pointer(in_dev->ifa_list) && !IN_DEV_SRC_VMARK(in_dev)))
		return true;
	return res->prefixlen && fib_info_nh_uses_dev(res->fi, dev);
}

/*
 * What main has for where a packet goes, if it comes from where it should: 0, or -EAGAIN when there is nothing. With
 * anything else, a lookup has to tell. That goes for rules that look into local and main first, for addresses that are
 * in them.
 */
static int mwb_fib_main(struct net *net, const struct sk_buff *skb, const struct net_device *dev, struct flowi4 *fl4,
			struct fib_result *res)
{
	const struct in_device *in_dev = __in_dev_get_rcu(dev);
	const struct iphdr *iph = ip_hdr(skb);

	*fl4 = (struct flowi4){ .daddr = iph->saddr, .saddr = iph->daddr, .flowi4_dscp = ip4h_dscp(iph) };
	if (!in_dev || !IN_DEV_FORWARD(in_dev) || IN_DEV_ORCONF(in_dev, NOPOLICY) || fib_num_tclassid_users(net) ||
	    !mwb_is_ordinary(iph->saddr) || !mwb_is_ordinary(iph->daddr))
		return -EINVAL;
	if (mwb_fib_look_up(net, RT_TABLE_LOCAL, fl4, res) != -EAGAIN || !mwb_is_valid_source(net, dev, in_dev, fl4, res))
		return -EINVAL;
	swap(fl4->daddr, fl4->saddr);
	if (mwb_fib_look_up(net, RT_TABLE_LOCAL, fl4, res) != -EAGAIN)
		return -EINVAL;
	return mwb_fib_look_up(net, RT_TABLE_MAIN, fl4, res);
}

/*
 * The device that ip_route_input_slow() would send a packet to, if only a default route of main leads to where it goes;
 * else 0. The rules must be none but local and main.
 */
int mwb_helper_default_oif(const struct sk_buff *skb, const struct net_device *dev)
{
	struct fib_result res;
	struct flowi4 fl4;

	if (mwb_fib_main(dev_net(dev), skb, dev, &fl4, &res) || res.type != RTN_UNICAST || res.prefixlen ||
	    fib_info_num_path(res.fi) > 1)
		return 0;
	return FIB_RES_DEV(res)->ifindex;
}

/* Gives a packet this route, if it is one that packets share already: as __mkroute_input() does. */
static bool mwb_take_route(struct net *net, struct sk_buff *skb, const struct net_device *dev,
			   const struct fib_result *res)
{
	const struct fib_nh_common *nhc;
	struct rtable *rt;

	if (res->type != RTN_UNICAST || fib_info_num_path(res->fi) > 1)
		return false;
	nhc = FIB_RES_NHC(*res);
	/* Back to where it came from, its sender is told; and of exceptions, none may be for this destination. */
	if (nhc->nhc_dev == dev || rcu_access_pointer(nhc->nhc_exceptions))
		return false;
	rt = rcu_dereference(nhc->nhc_rth_input);
	if (!rt || READ_ONCE(rt->dst.obsolete) != DST_OBSOLETE_FORCE_CHK || rt->rt_genid != rt_genid_ipv4(net))
		return false;
	IPCB(skb)->flags &= ~MWB_IPSKB_LOOKUP;
	skb_dst_drop(skb);
	skb_dst_set_noref(skb, &rt->dst);
	return true;
}

/* Gives a packet that comes from where it should the route that a table has for it. */
bool mwb_helper_route_by_table(struct sk_buff *skb, const struct net_device *dev, u32 id)
{
	const struct iphdr *iph = ip_hdr(skb);
	struct flowi4 fl4 = { .daddr = iph->daddr, .saddr = iph->saddr, .flowi4_dscp = ip4h_dscp(iph) };
	struct net *net = dev_net(dev);
	struct fib_result res;

	return !mwb_fib_look_up(net, id, &fl4, &res) && mwb_take_route(net, skb, dev, &res);
}

/* Gives a packet the route that main has for it, or if that is no more than a default route, a table. */
bool mwb_helper_route_by_main_or_table(struct sk_buff *skb, const struct net_device *dev, u32 id)
{
	struct net *net = dev_net(dev);
	struct fib_result res;
	struct flowi4 fl4;
	int err;

	err = mwb_fib_main(net, skb, dev, &fl4, &res);
	if (err == -EAGAIN || (!err && !res.prefixlen))
		err = mwb_fib_look_up(net, id, &fl4, &res);
	return !err && mwb_take_route(net, skb, dev, &res);
}

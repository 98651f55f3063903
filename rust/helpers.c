// SPDX-License-Identifier: GPL-2.0
/*
 * One function per inline function or macro of the kernel that Rust cannot call. No policy here.
 */
#include <linux/cred.h>
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rtnetlink.h>
#include <linux/skbuff.h>
#include <linux/workqueue.h>
#include <net/addrconf.h>
#include <net/dst.h>
#include <net/geneve.h>
#include <net/gre.h>
#include <net/icmp.h>
#include <net/inet_dscp.h>
#include <net/ip.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_core.h>
#include <net/netfilter/nf_conntrack_ecache.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netfilter/nf_conntrack_zones.h>
#include <net/netfilter/nf_nat.h>
#include <net/netns/generic.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/tcp.h>
#include <net/vxlan.h>
#include <net/xfrm.h>

#include "helpers.h"

/* netns */

void *mwb_helper_net_generic(const struct net *net, unsigned int id)
{
	return net_generic(net, id);
}

bool mwb_helper_check_net(const struct net *net)
{
	return check_net(net);
}

/* skb, dst */

void mwb_helper_skb_dst_drop(struct sk_buff *skb)
{
	skb_dst_drop(skb);
}

/* What a bridge that is `dev` gives to the hooks of IP, and whether it is for the router. */
enum mwb_bridged mwb_helper_skb_bridged(const struct sk_buff *skb, const struct net_device *dev)
{
#if IS_ENABLED(CONFIG_BRIDGE_NETFILTER)
	if (!skb_ext_exist(skb, SKB_EXT_BRIDGE_NF))
		return MWB_BRIDGED_NO;
	if (netif_is_bridge_master(dev) && ether_addr_equal(eth_hdr(skb)->h_dest, dev->dev_addr))
		return MWB_BRIDGED_ROUTED;
	return MWB_BRIDGED_THROUGH;
#else
	return MWB_BRIDGED_NO;
#endif
}

bool mwb_helper_skb_has_secpath(const struct sk_buff *skb)
{
#ifdef CONFIG_XFRM
	return skb_sec_path(skb);
#else
	return false;
#endif
}

#ifdef CONFIG_XFRM
/* As xfrm4_route_forward() will find it. */
static noinline bool mwb_skb_wants_xfrm(struct net *net, struct sk_buff *skb)
{
	struct dst_entry *dst = skb_dst(skb), *found;
	struct flowi fl;
	bool wants;

	if (!dst || xfrm_decode_session(net, skb, &fl, AF_INET) < 0 || !dst_hold_safe(dst))
		return true;
	found = xfrm_lookup(net, dst, &fl, NULL, XFRM_LOOKUP_QUEUE);
	if (IS_ERR_OR_NULL(found))
		return true;
	wants = found != dst;
	dst_release(found);
	return wants;
}
#endif

bool mwb_helper_skb_wants_xfrm(struct net *net, struct sk_buff *skb)
{
#ifdef CONFIG_XFRM
	return (READ_ONCE(net->xfrm.policy_count[XFRM_POLICY_OUT]) ||
		READ_ONCE(net->xfrm.policy_default[XFRM_POLICY_OUT]) != XFRM_USERPOLICY_ACCEPT) &&
	       mwb_skb_wants_xfrm(net, skb);
#else
	return false;
#endif
}

enum mwb_bound mwb_helper_skb_bound(const struct sk_buff *skb, struct sock *sk)
{
	if (IPCB(skb)->flags & IPSKB_XFRM_TRANSFORMED)
		return MWB_BOUND_ADDRESS;
	sk = sk_to_full_sk(sk);
	if (!sk || !sk_fullsock(sk))
		return MWB_BOUND_NO;
	if (READ_ONCE(sk->sk_bound_dev_if))
		return MWB_BOUND_DEVICE;
	if (sk->sk_userlocks & SOCK_BINDADDR_LOCK)
		return MWB_BOUND_ADDRESS;
	/* A raw socket has no such flag; when it is connected, it has got its address by that. */
	if (sk->sk_family == AF_INET && sk->sk_type == SOCK_RAW &&
	    sk->sk_state != TCP_ESTABLISHED && inet_sk(sk)->inet_saddr)
		return MWB_BOUND_ADDRESS;
	return MWB_BOUND_NO;
}

/* To who sends it, who is on this host. */
void mwb_helper_skb_unreachable(struct sk_buff *skb)
{
	icmp_send(skb, ICMP_DEST_UNREACH, ICMP_NET_UNREACH, 0);
}

bool mwb_helper_sk_is_kernel(const struct sock *sk)
{
	return !sk || !sk_fullsock(sk) || sk->sk_kern_sock;
}

/* As ip_rcv_finish() does it, also when it is not the first lookup. 0, -ENOMEM, or another error: no route. */
int mwb_helper_route_input(struct sk_buff *skb, struct net_device *dev)
{
	const struct iphdr *iph = ip_hdr(skb);

	IPCB(skb)->flags &= ~MWB_IPSKB_LOOKUP;
	switch (ip_route_input_noref(skb, iph->daddr, iph->saddr, ip4h_dscp(iph), dev)) {
	case SKB_NOT_DROPPED_YET:
		return 0;
	case SKB_DROP_REASON_NOMEM:
		return -ENOMEM;
	default:
		return -EHOSTUNREACH;
	}
}

/* Soon, also where the kernel is lazy: a slot waits for it. */
void mwb_helper_call_rcu(struct rcu_head *head, rcu_callback_t fn)
{
	call_rcu_hurry(head, fn);
}

bool mwb_helper_dst_hold_safe(struct dst_entry *dst)
{
	return dst_hold_safe(dst);
}

/* Without it nobody sets the member. */
static bool mwb_has_tclassid(const struct rtable *rt)
{
#ifdef CONFIG_IP_ROUTE_CLASSID
	return rt->dst.tclassid;
#else
	return false;
#endif
}

/*
 * A route that many packets may share: unicast, or local without a tclassid (local ones with one are
 * on no list of the kernel's that releases their device), and neither an error, a redirect to be
 * sent, one of several paths, nor uncached.
 */
bool mwb_helper_rtable_is_plain(const struct rtable *rt, const struct sk_buff *skb)
{
	return (rt->rt_type == RTN_UNICAST ||
		(rt->rt_type == RTN_LOCAL && !mwb_has_tclassid(rt))) &&
	       !rt->dst.error && rt->dst.obsolete == DST_OBSOLETE_FORCE_CHK &&
	       list_empty(&rt->dst.rt_uncached) && !(IPCB(skb)->flags & MWB_IPSKB_LOOKUP);
}

int mwb_helper_dst_ifindex(const struct dst_entry *dst)
{
	return READ_ONCE(dst_dev_rcu(dst)->ifindex);
}

bool mwb_helper_dst_is_xfrm(const struct dst_entry *dst)
{
#ifdef CONFIG_XFRM
	return dst->xfrm;
#else
	return false;
#endif
}

/* conntrack */

/* All of the bits that there are. */
int mwb_helper_labels_get(struct net *net)
{
#ifdef CONFIG_NF_CONNTRACK_LABELS
	return nf_connlabels_get(net, XT_CONNLABEL_MAXBIT);
#else
	return -EOPNOTSUPP;
#endif
}

void mwb_helper_labels_put(struct net *net)
{
#ifdef CONFIG_NF_CONNTRACK_LABELS
	nf_connlabels_put(net);
#endif
}

int mwb_helper_labels_used(const struct net *net)
{
#ifdef CONFIG_NF_CONNTRACK_LABELS
	return atomic_read(&net->ct.labels_used);
#else
	return 0;
#endif
}

void mwb_helper_ct_event_mark(struct nf_conn *ct)
{
	nf_conntrack_event_cache(IPCT_MARK, ct);
}

/* The device that the connection is masqueraded on, 0 if it is not. */
int mwb_helper_ct_masqueraded(const struct nf_conn *ct)
{
#if IS_ENABLED(CONFIG_NF_NAT_MASQUERADE)
	const struct nf_conn_nat *nat = nfct_nat(ct);

	return nat ? READ_ONCE(nat->masq_index) : 0;
#else
	return 0;
#endif
}

/* The reply comes from where the connection really goes to. */
void mwb_helper_ct_flow(const struct nf_conn *ct, struct mwb_flow *flow)
{
	const struct nf_conntrack_tuple *orig = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	const struct nf_conntrack_tuple *reply = nf_ct_tuple(ct, IP_CT_DIR_REPLY);

	*flow = (struct mwb_flow){
		.saddr = orig->src.u3.ip,
		.daddr = reply->src.u3.ip,
		.called = orig->dst.u3.ip,
		.answered = reply->dst.u3.ip,
		.zone = nf_ct_zone_id(nf_ct_zone(ct), IP_CT_DIR_ORIGINAL),
		.protocol = nf_ct_protonum(ct),
	};
	switch (flow->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		flow->has_ports = true;
		flow->dport = ntohs(reply->src.u.all);
	}
}

struct mwb_visitor {
	bool (*keep)(struct nf_conn *ct, void *data);
	void *data;
};

static int mwb_ct_visit(struct nf_conn *ct, void *data)
{
	const struct mwb_visitor *visitor = data;

	/* What this returns is whether it goes. */
	return nf_ct_l3num(ct) == NFPROTO_IPV4 && !visitor->keep(ct, visitor->data);
}

void mwb_helper_ct_for_each(struct net *net, bool (*keep)(struct nf_conn *ct, void *data), void *data)
{
	struct mwb_visitor visitor = { .keep = keep, .data = data };
	struct nf_ct_iter_data iter_data = { .net = net, .data = &visitor };

	nf_ct_iterate_cleanup_net(mwb_ct_visit, &iter_data);
}

/* netdev */

struct net_device *mwb_helper_dev_hold(struct net *net, const char *name)
{
	return dev_get_by_name(net, name);
}

struct net_device *mwb_helper_dev_hold_index(struct net *net, int ifindex)
{
	return dev_get_by_index(net, ifindex);
}

/* `name` has IFNAMSIZ bytes. What is renamed this very moment may have something of both names. */
void mwb_helper_dev_name(const struct net_device *dev, char *name)
{
	strscpy(name, dev->name, IFNAMSIZ);
}

void mwb_helper_dev_put(struct net_device *dev)
{
	dev_put(dev);
}

bool mwb_helper_dev_running_now(struct net *net, int ifindex)
{
	struct net_device *dev;
	bool ok;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	ok = dev && netif_running(dev) && netif_carrier_ok(dev);
	rcu_read_unlock();
	return ok;
}

bool mwb_helper_dev_is_l3mdev(const struct net_device *dev)
{
	return netif_is_l3_slave(dev) || netif_is_l3_master(dev);
}

/* A name that changes meanwhile is at worst neither of both. */
bool mwb_helper_dev_has_name(const struct net_device *dev, const char *name)
{
	return !strncmp(dev->name, name, IFNAMSIZ);
}

/* What it sends goes out once more, in a packet of the router's own. */
bool mwb_helper_dev_is_tunnel(const struct net_device *dev)
{
	switch (dev->type) {
	case ARPHRD_NONE:
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
		return true;
	}
	return netif_is_vxlan(dev) || netif_is_geneve(dev) || netif_is_gretap(dev) ||
	       netif_is_ip6gretap(dev);
}

/* It drops what comes from where the kernel would not send to through it. */
bool mwb_helper_dev_is_strict(const struct net_device *dev)
{
	const struct in_device *in_dev;
	bool strict;

	rcu_read_lock();
	in_dev = __in_dev_get_rcu(dev);
	strict = in_dev && IN_DEV_RPFILTER(in_dev) == 1;
	rcu_read_unlock();
	return strict;
}

/* That question is asked with the mark of the packet. */
bool mwb_helper_dev_checks_mark(const struct net_device *dev)
{
	const struct in_device *in_dev;
	bool checks;

	rcu_read_lock();
	in_dev = __in_dev_get_rcu(dev);
	checks = in_dev && IN_DEV_SRC_VMARK(in_dev);
	rcu_read_unlock();
	return checks;
}

/* One of its own addresses. */
bool mwb_helper_dev_has_this_addr4(struct net *net, int ifindex, __be32 addr)
{
	const struct in_device *in_dev;
	const struct in_ifaddr *ifa;
	struct net_device *dev;
	bool has = false;

	rcu_read_lock();
	dev = dev_get_by_index_rcu(net, ifindex);
	in_dev = dev ? __in_dev_get_rcu(dev) : NULL;
	if (in_dev) {
		in_dev_for_each_ifa_rcu(ifa, in_dev)
			has |= ifa->ifa_local == addr;
	}
	rcu_read_unlock();
	return has;
}

/* The device that the kernel would send to this address through; 0 if none. */
int mwb_helper_oif(struct net *net, __be32 addr, u32 mark)
{
	struct flowi4 fl4 = { .daddr = addr, .flowi4_mark = mark };
	struct rtable *rt = ip_route_output_key(net, &fl4);
	int oif;

	if (IS_ERR(rt))
		return 0;
	/* The reference keeps the route, but not its device. */
	rcu_read_lock();
	oif = mwb_helper_dst_ifindex(&rt->dst);
	rcu_read_unlock();
	ip_rt_put(rt);
	return oif;
}

/* Where the rules and tables lead such a packet: a type of route (RTN_*), and the device of a unicast one. */
void mwb_helper_probe(struct net *net, struct mwb_probe *probe)
{
	struct flowi4 fl4 = {
		.saddr = probe->saddr,
		.daddr = probe->daddr,
		.flowi4_iif = probe->iif,
		.flowi4_mark = probe->mark,
		.flowi4_dscp = inet_dsfield_to_dscp(probe->dscp << 2),
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_proto = probe->protocol,
		.fl4_dport = probe->dport,
	};
	struct fib_result res = {};
	struct net_device *via;

	probe->type = RTN_UNREACHABLE;
	probe->oif = 0;
	probe->metric = 0;
	rcu_read_lock();
	if (!fib_lookup(net, &fl4, &res, 0)) {
		probe->type = res.type;
		via = dev_get_by_index_rcu(net, probe->via);
		if (!res.prefixlen && res.table->tb_id == RT_TABLE_MAIN && via && fib_info_nh_uses_dev(res.fi, via))
			probe->metric = res.fi->fib_priority;
		if (res.type == RTN_UNICAST && FIB_RES_DEV(res))
			probe->oif = FIB_RES_DEV(res)->ifindex;
	}
	rcu_read_unlock();
}

/* The device that has this address, 0 if none. */
int mwb_helper_addr_ifindex(struct net *net, __be32 addr)
{
	const struct net_device *dev;
	int ifindex;

	rcu_read_lock();
	dev = __ip_dev_find(net, addr, false);
	ifindex = dev ? dev->ifindex : 0;
	rcu_read_unlock();
	return ifindex;
}

unsigned int mwb_helper_dev_flags(const struct net_device *dev)
{
	return READ_ONCE(dev->flags);
}

bool mwb_helper_dev_running(const struct net_device *dev)
{
	return netif_running(dev) && netif_carrier_ok(dev);
}

/* A flowtable takes what comes in through the device, before the devices above it see that. */
static bool mwb_dev_has_flowtable(const struct net_device *dev)
{
#ifdef CONFIG_NETFILTER_INGRESS
	const struct nf_hook_entries *hooks = rcu_dereference(dev->nf_hooks_ingress);
	struct nf_hook_ops **ops;
	unsigned int i;

	if (!hooks)
		return false;
	ops = nf_hook_entries_get_hook_ops(hooks);
	for (i = 0; i < hooks->num_hook_entries; i++) {
		if (READ_ONCE(ops[i])->hook_ops_type == NF_HOOK_OP_NFT_FT)
			return true;
	}
#endif
	return false;
}

static int mwb_dev_is_flowtables(struct net_device *dev, struct netdev_nested_priv *priv)
{
	return mwb_dev_has_flowtable(dev);
}

/* Another device than `but` is up above it, so that it counts packets of theirs. */
static bool mwb_dev_is_below_others(struct net_device *dev, const struct net_device *but)
{
	struct net_device *upper;
	struct list_head *iter;

	netdev_for_each_upper_dev_rcu(dev, upper, iter) {
		if (upper != but && netif_running(upper))
			return true;
	}
	return false;
}

/* Packets may be its own. A link-local address does not count, every device has one. */
static bool mwb_dev_has_addr(struct net_device *dev)
{
#if IS_ENABLED(CONFIG_IPV6)
	const struct inet6_dev *idev = __in6_dev_get(dev);
	const struct inet6_ifaddr *ifa;

	if (idev) {
		list_for_each_entry_rcu(ifa, &idev->addr_list, if_list) {
			if (!(ipv6_addr_type(&ifa->addr) & IPV6_ADDR_LINKLOCAL))
				return true;
		}
	}
#endif
	return mwb_helper_dev_has_addr4(dev);
}

/*
 * Goes down from `dev` as a flowtable does, to the device that it sends by and receives from without the help of
 * those above. Who else uses that one: devices above it and addresses of its own tell. Sessions of PPPoE do not,
 * so the caller compares those of all WANs.
 */
static void mwb_dev_look_below(struct net_device *dev, struct mwb_traffic *traffic)
{
	struct net_device_path_ctx ctx = { .dev = dev, .ether_type = htons(ETH_P_IP) };
	struct netdev_nested_priv none = {};
	struct rtnl_link_stats64 stats;
	struct net_device_path path;
	struct net_device *line = dev;
	bool shared = false;
	int i;

	for (i = 0; i < NET_DEVICE_PATH_STACK_MAX; i++) {
		const struct net_device *above = line;

		if (netif_is_bridge_master(line) || !line->netdev_ops->ndo_fill_forward_path)
			break;
		memset(&path, 0, sizeof(path));
		/* Without a way down there is none for a flowtable. */
		if (line->netdev_ops->ndo_fill_forward_path(&ctx, &path) < 0)
			return;
		if (path.type == DEV_PATH_TUN) {
			shared = true;
			dst_release(path.tun.dst);
		} else if (path.type != DEV_PATH_VLAN && path.type != DEV_PATH_PPPOE) {
			break;
		}
		line = (struct net_device *)ctx.dev;
		/* Indices there say nothing here, nor can who uses it be seen. */
		if (!net_eq(dev_net(line), dev_net(dev)))
			return;
		shared |= mwb_dev_is_below_others(line, above) || mwb_dev_has_addr(line);
		/* A tunnel's packets are part of what its WAN below carries. */
		if (above == dev && path.type != DEV_PATH_TUN)
			traffic->below = line->ifindex;
	}
	if (netif_is_bridge_master(line)) {
		/* Which of its ports it is, packets alone can tell. */
		shared = true;
		traffic->bypassed = netdev_walk_all_lower_dev_rcu(line, mwb_dev_is_flowtables, &none);
	} else if (line != dev) {
		traffic->bypassed = mwb_dev_has_flowtable(line);
	}
	if (traffic->bypassed && !shared) {
		dev_get_stats(line, &stats);
		traffic->line = line->ifindex;
		traffic->line_tx = stats.tx_bytes;
		traffic->line_rx = stats.rx_bytes;
	}
}

/* Under RCU: a reference does not keep what a driver counts in. False without the device. */
bool mwb_helper_dev_traffic(struct net *net, const char *name, struct mwb_traffic *traffic)
{
	struct rtnl_link_stats64 stats;
	struct net_device *dev;

	rcu_read_lock();
	dev = dev_get_by_name_rcu(net, name);
	if (dev) {
		dev_get_stats(dev, &stats);
		*traffic = (struct mwb_traffic){
			.dev = dev->ifindex,
			.tx = stats.tx_bytes,
			.rx = stats.rx_bytes,
			.mixed = mwb_dev_is_below_others(dev, netdev_master_upper_dev_get_rcu(dev)),
		};
		mwb_dev_look_below(dev, traffic);
	}
	rcu_read_unlock();
	return dev;
}

bool mwb_helper_dev_has_addr4(const struct net_device *dev)
{
	const struct in_device *in_dev;
	bool has;

	rcu_read_lock();
	in_dev = __in_dev_get_rcu(dev);
	has = in_dev && rcu_access_pointer(in_dev->ifa_list);
	rcu_read_unlock();
	return has;
}

bool mwb_helper_dev_onlink4(const struct net_device *dev, __be32 addr)
{
	const struct in_device *in_dev;
	const struct in_ifaddr *ifa;
	bool onlink = false;

	rcu_read_lock();
	in_dev = __in_dev_get_rcu(dev);
	if (in_dev) {
		in_dev_for_each_ifa_rcu(ifa, in_dev) {
			/* A point-to-point address has its peer in ifa_address. */
			if (inet_ifa_match(addr, ifa) && addr != ifa->ifa_local)
				onlink = true;
		}
	}
	rcu_read_unlock();
	return onlink;
}

/* per-CPU counters */

u64 __percpu *mwb_helper_alloc_counters(size_t n)
{
	return __alloc_percpu(n * sizeof(u64), __alignof__(u64));
}

void mwb_helper_free_counters(u64 __percpu *counters)
{
	free_percpu(counters);
}

void mwb_helper_count(u64 __percpu *counters, size_t i)
{
	this_cpu_inc(counters[i]);
}

u64 mwb_helper_counter_sum(u64 __percpu *counters, size_t i)
{
	u64 sum = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu_ptr(counters, cpu)[i]);
	return sum;
}

/* work */

void mwb_helper_init_delayed_work(struct delayed_work *work, void (*fn)(struct work_struct *work))
{
	INIT_DELAYED_WORK(work, fn);
}

/* Asking when it is due, and changing that, are one step. */
static DEFINE_SPINLOCK(mwb_schedule_lock);

/* An earlier run takes the place of a later one. */
void mwb_helper_schedule(struct delayed_work *work, unsigned int delay_ms)
{
	unsigned long delay = msecs_to_jiffies(delay_ms);
	unsigned long flags;

	spin_lock_irqsave(&mwb_schedule_lock, flags);
	if (!delayed_work_pending(work) || time_before(jiffies + delay, work->timer.expires))
		mod_delayed_work(system_dfl_wq, work, delay);
	/* What is due at once has no timer, and is not to be put off by one that there was. */
	if (!delay)
		work->timer.expires = jiffies;
	spin_unlock_irqrestore(&mwb_schedule_lock, flags);
}

/* time, contexts */

void mwb_helper_bh_disable(void)
{
	local_bh_disable();
}

void mwb_helper_bh_enable(void)
{
	local_bh_enable();
}

/* rtnetlink */

int mwb_helper_rtnl_open(struct net *net, u32 groups, struct socket **res)
{
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK, .nl_groups = groups };
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	struct socket *sock;
	int tries = 16, one = 1, err;

	err = sock_create_kern(net, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, &sock);
	if (err)
		return err;
	/* Not the number of the process that asks for this, which may want it for itself. */
	do {
		addr.nl_pid = S32_MIN + get_random_u32_below(-4096 - S32_MIN);
		err = kernel_bind(sock, (struct sockaddr_unsized *)&addr, sizeof(addr));
	} while (err == -EADDRINUSE && --tries);
	/* Nobody but the kernel may send to it: what arrives here is believed. */
	if (!err)
		err = kernel_connect(sock, (struct sockaddr_unsized *)&kernel, sizeof(kernel), 0);
	/* Without it a dump takes no filter and walks every route there is. */
	if (!err)
		err = sock->ops->setsockopt(sock, SOL_NETLINK, NETLINK_GET_STRICT_CHK,
					    KERNEL_SOCKPTR(&one), sizeof(one));
	if (err) {
		sock_release(sock);
		return err;
	}
	*res = sock;
	return 0;
}

int mwb_helper_rtnl_send(struct socket *sock, void *buf, size_t len)
{
	/* To the kernel, by address: without a name the permission check dereferences a NULL file. */
	struct sockaddr_nl addr = { .nl_family = AF_NETLINK };
	struct msghdr msg = { .msg_name = &addr, .msg_namelen = sizeof(addr) };
	struct kvec vec = { .iov_base = buf, .iov_len = len };
	int sent = 0;

	/* Who asks for a change has shown that he may; who removes the module need not have CAP_NET_ADMIN. */
	scoped_with_kernel_creds()
		sent = kernel_sendmsg(sock, &msg, &vec, 1, len);
	return sent;
}

int mwb_helper_rtnl_recv(struct socket *sock, void *buf, size_t len)
{
	struct msghdr msg = {};
	struct kvec vec = { .iov_base = buf, .iov_len = len };

	return kernel_recvmsg(sock, &msg, &vec, 1, len, MSG_DONTWAIT);
}

/* Of this socket, 0 if it has none. */
u32 mwb_helper_rtnl_portid(struct socket *sock)
{
	struct sockaddr_nl addr = {};

	return kernel_getsockname(sock, (struct sockaddr *)&addr) < 0 ? 0 : addr.nl_pid;
}

/* With sk_callback_lock. */
static void mwb_rtnl_tell(struct sock *sk, const struct sk_buff *skb)
{
	struct mwb_ears *ears = sk->sk_user_data;

	if (ears)
		ears->hear(ears, skb ? skb->data : NULL, skb ? skb->len : 0);
}

static void mwb_rtnl_data_ready(struct sock *sk)
{
	struct sk_buff *skb;

	while ((skb = skb_dequeue(&sk->sk_receive_queue))) {
		read_lock_bh(&sk->sk_callback_lock);
		mwb_rtnl_tell(sk, skb);
		read_unlock_bh(&sk->sk_callback_lock);
		consume_skb(skb);
	}
}

/* Messages were lost. netlink_set_err() says so with interrupts off, and they must stay off. */
static void mwb_rtnl_error_report(struct sock *sk)
{
	unsigned long flags;

	read_lock_irqsave(&sk->sk_callback_lock, flags);
	mwb_rtnl_tell(sk, NULL);
	read_unlock_irqrestore(&sk->sk_callback_lock, flags);
}

/* What all of these sockets have before. */
static void (*mwb_rtnl_default_ready)(struct sock *sk);
static void (*mwb_rtnl_default_error)(struct sock *sk);

void mwb_helper_rtnl_listen(struct socket *sock, struct mwb_ears *ears)
{
	struct sock *sk = sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = ears;
	WRITE_ONCE(mwb_rtnl_default_ready, sk->sk_data_ready);
	WRITE_ONCE(mwb_rtnl_default_error, sk->sk_error_report);
	sk->sk_data_ready = mwb_rtnl_data_ready;
	sk->sk_error_report = mwb_rtnl_error_report;
	write_unlock_bh(&sk->sk_callback_lock);
}

void mwb_helper_rtnl_unlisten(struct socket *sock)
{
	struct sock *sk = sock->sk;

	write_lock_bh(&sk->sk_callback_lock);
	sk->sk_user_data = NULL;
	sk->sk_data_ready = READ_ONCE(mwb_rtnl_default_ready);
	sk->sk_error_report = READ_ONCE(mwb_rtnl_default_error);
	write_unlock_bh(&sk->sk_callback_lock);
}

/* notifiers */

struct net_device *mwb_helper_notifier_dev(void *ptr)
{
	return netdev_notifier_info_to_dev(ptr);
}

struct net_device *mwb_helper_ifa_dev(const struct in_ifaddr *ifa)
{
	return ifa->ifa_dev->dev;
}

bool mwb_helper_dev_is_in(const struct net_device *dev, const struct net *net)
{
	return net_eq(dev_net(dev), net);
}

/* TCP resets */

/*
 * What tells who opened a TCP connection that the other end is gone; false if it is no such connection, or
 * over. Of the two numbers one is what he expects next: the end of all that he was sent, or, should part of
 * that not have reached him, the last that he has acknowledged. Those of a connection in a flowtable stand
 * still, and he learns of it with his next packet.
 */
bool mwb_helper_ct_reset(const struct nf_conn *ct, struct mwb_reset *reset)
{
	const struct nf_conntrack_tuple *tuple = nf_ct_tuple(ct, IP_CT_DIR_ORIGINAL);
	const struct ip_ct_tcp *tcp = &ct->proto.tcp;
	const struct ip_ct_tcp_state *own = &tcp->seen[IP_CT_DIR_ORIGINAL];

	if (nf_ct_protonum(ct) != IPPROTO_TCP)
		return false;
	switch (READ_ONCE(tcp->state)) {
	case TCP_CONNTRACK_SYN_SENT:
	case TCP_CONNTRACK_SYN_RECV:
	case TCP_CONNTRACK_ESTABLISHED:
	case TCP_CONNTRACK_FIN_WAIT:
	case TCP_CONNTRACK_CLOSE_WAIT:
	case TCP_CONNTRACK_LAST_ACK:
	case TCP_CONNTRACK_TIME_WAIT:	/* or half closed, when a FIN came twice */
		break;
	default:
		return false;
	}
	*reset = (struct mwb_reset){
		.saddr = tuple->dst.u3.ip,
		.daddr = tuple->src.u3.ip,
		.sport = tuple->dst.u.tcp.port,
		.dport = tuple->src.u.tcp.port,
		.seqs = {
			READ_ONCE(tcp->seen[IP_CT_DIR_REPLY].td_end),
			READ_ONCE(own->td_maxack),
		},
		.ack = READ_ONCE(own->td_end),
	};
	return true;
}

static void mwb_reset_send(struct net *net, const struct mwb_reset *reset, u32 seq)
{
	struct flowi4 fl4 = {
		.daddr = reset->daddr,
		.saddr = reset->saddr,
		.fl4_sport = reset->sport,
		.fl4_dport = reset->dport,
		.flowi4_proto = IPPROTO_TCP,
		.flowi4_scope = RT_SCOPE_UNIVERSE,
		.flowi4_flags = FLOWI_FLAG_ANYSRC,	/* in the name of the other end */
	};
	struct rtable *rt = ip_route_output_key(net, &fl4);
	struct sk_buff *skb;
	struct tcphdr *th;
	struct iphdr *iph;

	if (IS_ERR(rt))
		return;
	skb = alloc_skb(LL_MAX_HEADER + sizeof(*iph) + sizeof(*th), GFP_KERNEL);
	if (!skb) {
		ip_rt_put(rt);
		return;
	}
	skb_reserve(skb, LL_MAX_HEADER);
	skb_dst_set(skb, &rt->dst);
	skb->protocol = htons(ETH_P_IP);
	skb_reset_network_header(skb);
	iph = skb_put_zero(skb, sizeof(*iph));
	iph->version = 4;
	iph->ihl = sizeof(*iph) / 4;
	iph->frag_off = htons(IP_DF);
	iph->ttl = ip4_dst_hoplimit(&rt->dst);
	iph->protocol = IPPROTO_TCP;
	iph->saddr = reset->saddr;
	iph->daddr = reset->daddr;
	skb_set_transport_header(skb, sizeof(*iph));
	th = skb_put_zero(skb, sizeof(*th));
	th->source = reset->sport;
	th->dest = reset->dport;
	th->seq = htonl(seq);
	th->ack_seq = htonl(reset->ack);
	th->doff = sizeof(*th) / 4;
	th->rst = 1;
	th->ack = 1;
	th->check = tcp_v4_check(sizeof(*th), iph->saddr, iph->daddr, csum_partial(th, sizeof(*th), 0));
	/* The connection that it is about is no more, and it is not to look like the first of another one. */
	nf_ct_set(skb, NULL, IP_CT_UNTRACKED);
	ip_local_out(net, NULL, skb);
}

void mwb_helper_reset_send(struct net *net, const struct mwb_reset *reset)
{
	mwb_reset_send(net, reset, reset->seqs[0]);
	if (reset->seqs[1] != reset->seqs[0])
		mwb_reset_send(net, reset, reset->seqs[1]);
	cond_resched();
}

/* genetlink */

struct net *mwb_helper_genl_info_net(const struct genl_info *info)
{
	return genl_info_net(info);
}

struct net *mwb_helper_skb_net(const struct sk_buff *skb)
{
	return sock_net(skb->sk);
}

void *mwb_helper_genlmsg_put_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_iput(skb, info);
}

void *mwb_helper_genlmsg_put_dump(struct sk_buff *skb, struct netlink_callback *cb)
{
	const struct genl_info *info = genl_info_dump(cb);

	return genlmsg_put(skb, NETLINK_CB(cb->skb).portid, cb->nlh->nlmsg_seq, info->family,
			   NLM_F_MULTI, info->genlhdr->cmd);
}

/* Marks a message of a dump when the dumped objects have changed since the one before. */
void mwb_helper_genl_dump_check(struct netlink_callback *cb, void *hdr)
{
	genl_dump_check_consistent(cb, hdr);
}

int mwb_helper_skb_len(const struct sk_buff *skb)
{
	return skb->len;
}

struct sk_buff *mwb_helper_genlmsg_new(size_t payload)
{
	return genlmsg_new(payload, GFP_KERNEL);
}

void mwb_helper_genlmsg_end(struct sk_buff *skb, void *hdr)
{
	genlmsg_end(skb, hdr);
}

void mwb_helper_genlmsg_cancel(struct sk_buff *skb, void *hdr)
{
	genlmsg_cancel(skb, hdr);
}

bool mwb_helper_genl_has_listeners(const struct genl_family *family, struct net *net,
				   unsigned int group)
{
	return genl_has_listeners(family, net, group);
}

/* NULL also without an skb. */
void *mwb_helper_genl_notice_put(struct sk_buff *skb, const struct genl_family *family, u8 cmd)
{
	return skb ? genlmsg_put(skb, 0, 0, family, 0, cmd) : NULL;
}

void mwb_helper_genl_notice_send(const struct genl_family *family, struct net *net,
				 struct sk_buff *skb, unsigned int group)
{
	genlmsg_multicast_netns(family, net, skb, 0, group, GFP_KERNEL);
}

/* Whoever listens finds ENOBUFS, as if the message had not fitted into his buffer. */
void mwb_helper_genl_notice_lost(const struct genl_family *family, struct net *net,
				 unsigned int group)
{
	genl_set_err(family, net, 0, group, -ENOBUFS);
}

int mwb_helper_genlmsg_reply(struct sk_buff *skb, struct genl_info *info)
{
	return genlmsg_reply(skb, info);
}

void mwb_helper_nlmsg_free(struct sk_buff *skb)
{
	nlmsg_free(skb);
}

int mwb_helper_nla_put_u64(struct sk_buff *skb, int attr, u64 value, int pad)
{
	return nla_put_u64_64bit(skb, attr, value, pad);
}

void *mwb_helper_nla_data(const struct nlattr *attr)
{
	return nla_data(attr);
}

int mwb_helper_nla_len(const struct nlattr *attr)
{
	return nla_len(attr);
}

/* The attribute of the request after `prev`, the first one after NULL. */
const struct nlattr *mwb_helper_genl_next_attr(const struct genl_info *info,
					       const struct nlattr *prev)
{
	const struct nlattr *attr = nlmsg_attrdata(info->nlhdr, GENL_HDRLEN);
	int rem = nlmsg_attrlen(info->nlhdr, GENL_HDRLEN);

	if (prev) {
		rem -= (const char *)prev - (const char *)attr;
		attr = nla_next(prev, &rem);
	}
	return nla_ok(attr, rem) ? attr : NULL;
}

int mwb_helper_nla_type(const struct nlattr *attr)
{
	return nla_type(attr);
}

struct nlattr *mwb_helper_nla_nest_start(struct sk_buff *skb, int type)
{
	return nla_nest_start(skb, type);
}

void mwb_helper_nla_nest_end(struct sk_buff *skb, struct nlattr *nest)
{
	nla_nest_end(skb, nest);
}

int mwb_helper_nla_parse_nested(struct nlattr **tb, int maxtype, const struct nlattr *nest,
				const struct nla_policy *policy, struct netlink_ext_ack *extack)
{
	return nla_parse_nested(tb, maxtype, nest, policy, extack);
}

/* May whoever sent the request change things? */
bool mwb_helper_is_admin(struct sk_buff *skb, const struct net *net)
{
	return netlink_ns_capable(skb, net->user_ns, CAP_NET_ADMIN);
}

u32 mwb_helper_genl_portid(const struct genl_info *info)
{
	return info->snd_portid;
}

/* `text` is copied; what does not fit is cut off. */
void mwb_helper_set_err_text(struct netlink_ext_ack *extack, const char *text,
			     const struct nlattr *attr)
{
	if (!extack)
		return;
	strscpy(extack->_msg_buf, text, sizeof(extack->_msg_buf));
	mwb_helper_set_err(extack, extack->_msg_buf, attr);
}

void mwb_helper_set_err(struct netlink_ext_ack *extack, const char *msg, const struct nlattr *attr)
{
	if (!extack)
		return;
	extack->_msg = msg;
	extack->bad_attr = attr;
	extack->policy = NULL;
}

void mwb_helper_set_missing(struct netlink_ext_ack *extack, const char *msg, int attr)
{
	if (!extack)
		return;
	extack->_msg = msg;
	extack->miss_nest = NULL;
	extack->miss_type = attr;
}

/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The part of the kernel's C API that rust/ uses, as bindgen sees it.
 */
#include <linux/fib_rules.h>
#include <linux/inetdevice.h>
#include <linux/ip.h>
#include <linux/jiffies.h>
#include <linux/netdevice.h>
#include <linux/netfilter_ipv4.h>
#include <linux/percpu.h>
#include <linux/random.h>
#include <linux/rcupdate.h>
#include <linux/rtnetlink.h>
#include <linux/siphash.h>
#include <linux/skbuff.h>
#include <linux/sort.h>
#include <linux/timekeeping.h>
#include <linux/workqueue.h>
#include <net/dst.h>
#include <net/genetlink.h>
#include <net/ip.h>
#include <net/net_namespace.h>
#include <net/netfilter/nf_conntrack.h>
#include <net/netfilter/nf_conntrack_extend.h>
#include <net/netfilter/nf_conntrack_labels.h>
#include <net/netns/generic.h>
#include <net/route.h>
#include <net/sock.h>
#include <net/xfrm.h>

#include "../helpers.h"

/*
 * Members that live in anonymous unions and structs have names in Rust that change with the kernel;
 * their offsets do not depend on that.
 */
static const size_t MWB_OFFSET_SKB_REFDST = offsetof(struct sk_buff, _skb_refdst);
static const size_t MWB_OFFSET_SKB_NFCT = offsetof(struct sk_buff, _nfct);
static const size_t MWB_OFFSET_SKB_MARK = offsetof(struct sk_buff, mark);
static const size_t MWB_OFFSET_SKB_SK = offsetof(struct sk_buff, sk);
static const size_t MWB_OFFSET_SKB_HEAD = offsetof(struct sk_buff, head);
static const size_t MWB_OFFSET_SKB_NETWORK_HEADER = offsetof(struct sk_buff, network_header);
#ifdef CONFIG_SKB_EXTENSIONS
static const size_t MWB_OFFSET_SKB_EXTENSIONS = offsetof(struct sk_buff, active_extensions);
#endif
static const size_t MWB_OFFSET_SKB_IP_FLAGS = offsetof(struct sk_buff, cb) + offsetof(struct inet_skb_parm, flags);
static const size_t MWB_OFFSET_NET_RT_GENID = offsetof(struct net, ipv4.rt_genid);
#ifdef CONFIG_XFRM
static const size_t MWB_OFFSET_NET_XFRM_OUT = offsetof(struct net, xfrm.policy_count[XFRM_POLICY_OUT]);
static const size_t MWB_OFFSET_NET_XFRM_OUT_DEFAULT = offsetof(struct net, xfrm.policy_default[XFRM_POLICY_OUT]);
#endif
static const size_t MWB_OFFSET_DEV_IFINDEX = offsetof(struct net_device, ifindex);

static const int MWB_NF_IP_PRI_NAT_DST = NF_IP_PRI_NAT_DST;
static const u16 MWB_IPSKB_XFRM_TRANSFORMED = IPSKB_XFRM_TRANSFORMED;
static const u8 MWB_XFRM_USERPOLICY_ACCEPT = XFRM_USERPOLICY_ACCEPT;

/*
 * Numbers with the type that messages have them in; as enumerators, bindgen would give them names that
 * change with the kernel.
 */
#define MWB_NUMBER(type, name) static const type MWB_##name = name

MWB_NUMBER(u16, NLMSG_ERROR);
MWB_NUMBER(u16, NLMSG_DONE);
MWB_NUMBER(u16, NLM_F_REQUEST);
MWB_NUMBER(u16, NLM_F_ACK);
MWB_NUMBER(u16, NLM_F_DUMP);
MWB_NUMBER(u16, NLM_F_DUMP_INTR);
MWB_NUMBER(u16, NLM_F_CREATE);
MWB_NUMBER(u16, NLM_F_EXCL);
MWB_NUMBER(u16, NLM_F_APPEND);

MWB_NUMBER(u8, AF_INET);
MWB_NUMBER(u8, AF_INET6);
MWB_NUMBER(u8, RTPROT_KERNEL);
MWB_NUMBER(u8, RTPROT_BOOT);
MWB_NUMBER(u8, RTPROT_STATIC);
MWB_NUMBER(u8, RTPROT_DHCP);
MWB_NUMBER(u8, RTPROT_BGP);
MWB_NUMBER(u8, RTPROT_OSPF);
MWB_NUMBER(u8, RTN_UNICAST);
MWB_NUMBER(u8, RT_SCOPE_UNIVERSE);
MWB_NUMBER(u8, RT_SCOPE_LINK);
MWB_NUMBER(u8, FR_ACT_TO_TBL);
MWB_NUMBER(u8, FR_ACT_UNREACHABLE);
MWB_NUMBER(u32, FIB_RULE_INVERT);
MWB_NUMBER(u32, RT_TABLE_LOCAL);
MWB_NUMBER(u32, RT_TABLE_MAIN);
MWB_NUMBER(u32, RTM_F_CLONED);
MWB_NUMBER(u32, RTNH_F_ONLINK);

MWB_NUMBER(u16, RTM_NEWLINK);
MWB_NUMBER(u16, RTM_DELLINK);
MWB_NUMBER(u16, RTM_NEWADDR);
MWB_NUMBER(u16, RTM_DELADDR);
MWB_NUMBER(u16, RTM_NEWROUTE);
MWB_NUMBER(u16, RTM_DELROUTE);
MWB_NUMBER(u16, RTM_GETROUTE);
MWB_NUMBER(u16, RTM_NEWRULE);
MWB_NUMBER(u16, RTM_DELRULE);
MWB_NUMBER(u16, RTM_GETRULE);

MWB_NUMBER(u16, RTA_DST);
MWB_NUMBER(u16, RTA_OIF);
MWB_NUMBER(u16, RTA_GATEWAY);
MWB_NUMBER(u16, RTA_PRIORITY);
MWB_NUMBER(u16, RTA_PREFSRC);
MWB_NUMBER(u16, RTA_TABLE);

MWB_NUMBER(u16, FRA_PRIORITY);
MWB_NUMBER(u16, FRA_FWMARK);
MWB_NUMBER(u16, FRA_SUPPRESS_PREFIXLEN);
MWB_NUMBER(u16, FRA_TABLE);
MWB_NUMBER(u16, FRA_FWMASK);
MWB_NUMBER(u16, FRA_PROTOCOL);

MWB_NUMBER(u32, RTNLGRP_LINK);
MWB_NUMBER(u32, RTNLGRP_IPV4_IFADDR);
MWB_NUMBER(u32, RTNLGRP_IPV4_ROUTE);
MWB_NUMBER(u32, RTNLGRP_IPV4_RULE);
MWB_NUMBER(u32, RTNLGRP_IPV4_NETCONF);

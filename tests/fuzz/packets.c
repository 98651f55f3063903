// SPDX-License-Identifier: GPL-2.0
/*
 * Packets that no host would send, from all sides of the lab's router at once: packets SEED COUNT WANS LAB.
 *
 * A side is a device from whose far end frames come in to the router (the LAN's and each ISP's), or the router
 * itself. What a side sends is new, or like what it has sent before, or an answer to what it has seen, or an
 * ICMP error about that; so connections come about, of both directions, and live. Then it is mutated. Most of
 * it must be right enough to be tracked, or the stack drops it before anybody has to do with it.
 *
 * Meanwhile the labels and marks of live connections are written over by ctnetlink, connections deleted, all of
 * them flushed, routes made obsolete.
 *
 * Rules that make strays tell something, see t-packets:
 * - Who has an address of the Internet sends to that of a line through this line, or else from 203.0.113.0/24: the
 *   reply leaves by the line that the packet has come in through, or, if the address was forged in the LAN or by
 *   the router itself, by main's default route.
 * - A label is copied only from connections with no end on a line's own subnet, but for the router's address: there,
 *   main's connected route has the last word, whatever the mark.
 * - The WAN's part of a mark is written over only where the connection is masqueraded: then NAT ends those that
 *   leave by another line.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "chance.h"

#define MAX_WANS 8
#define BATCH 48
#define RING 512
#define SNAP 1600
#define SAMPLE 1024
#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

struct packet {
	uint32_t len;
	uint8_t data[65600];
};

struct kept {
	uint32_t len;
	uint8_t data[SNAP];
};

/* Packets on their way into a socket. */
struct out {
	int fd;
	bool has_vnet;
	unsigned int count;
	size_t used;
	struct mmsghdr msgs[BATCH];
	struct iovec iovs[BATCH];
	struct sockaddr_in to[BATCH];
	uint8_t arena[4 * 65536];
};

struct side {
	/* 0 for the LAN, -1 for the router itself. */
	int wan;
	int rx;
	struct out plain, vnet;
	uint8_t mac[6], router_mac[6];
	unsigned int sent_count, seen_count;
	struct kept sent[RING], seen[RING];
};

static struct {
	uint64_t sent, refused, fragments, gso, answers, errors, labels, copied, marks, deleted, flushes;
	uint64_t conns_peak, slab_peak;
} stats;

static struct side *sides[MAX_WANS + 2];
static unsigned int wans;
static const char *lab;

static void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", strerror(errno));
	exit(1);
}

#define pick(...)                                                        \
	({                                                               \
		const uint32_t of[] = { __VA_ARGS__ };                   \
		of[below(ARRAY_SIZE(of))];                               \
	})

static void noise(uint8_t *to, size_t len)
{
	for (size_t i = 0; i < len; i++)
		to[i] = chance();
}

/* -- bytes --------------------------------------------------------------------------------------- */

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static uint32_t sum(uint32_t sum, const uint8_t *p, size_t len)
{
	for (; len > 1; len -= 2, p += 2)
		sum += get16(p);
	if (len)
		sum += *p << 8;
	return (sum & 0xffff) + (sum >> 16);
}

static uint16_t folded(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static uint32_t ihl(const uint8_t *ip)
{
	return (ip[0] & 15) * 4;
}

/* Where a protocol has its checksum; 0 for one that has none over its data. */
static uint32_t sum_at(uint8_t proto)
{
	switch (proto) {
	case IPPROTO_TCP: return 16;
	case IPPROTO_UDP: return 6;
	case IPPROTO_UDPLITE: return 6;
	case IPPROTO_ICMP: return 2;
	case IPPROTO_IGMP: return 2;
	case IPPROTO_ICMPV6: return 2;
	case IPPROTO_DCCP: return 6;
	default: return 0;
	}
}

static void fix_sum(uint8_t *l4, uint32_t len, uint8_t proto, uint32_t pseudo)
{
	uint32_t at = sum_at(proto);

	if (!at || len < at + 2)
		return;
	put16(l4 + at, 0);
	if (proto == IPPROTO_ICMP || proto == IPPROTO_IGMP)
		pseudo = 0;
	put16(l4 + at, folded(sum(pseudo, l4, len)) ?: 0xffff);
}

static uint32_t pseudo4(const uint8_t *ip, uint32_t len)
{
	return sum(ip[9] + len, ip + 12, 8);
}

static void fix_header(uint8_t *ip)
{
	put16(ip + 10, 0);
	put16(ip + 10, folded(sum(0, ip, ihl(ip))));
}

/* The length and the checksums of a packet. */
static void fix(struct packet *p)
{
	uint8_t *ip = p->data;
	uint32_t hlen = ihl(ip), len = p->len - hlen;

	put16(ip + 2, p->len);
	/* The rest of a fragment is elsewhere. */
	if (!(get16(ip + 6) & 0x3fff))
		fix_sum(ip + hlen, len, ip[9], pseudo4(ip, len));
	fix_header(ip);
}

/* -- sending ------------------------------------------------------------------------------------- */

static void flush(struct out *out)
{
	unsigned int done = 0;

	while (done < out->count) {
		int sent = sendmmsg(out->fd, out->msgs + done, out->count - done, MSG_DONTWAIT);

		if (sent > 0) {
			stats.sent += sent;
			done += sent;
		} else {
			/* Not what the socket takes, or more than fits. */
			stats.refused++;
			done++;
		}
	}
	out->count = 0;
	out->used = 0;
}

static uint8_t *room(struct out *out, size_t len)
{
	if (out->count == BATCH || out->used + len > sizeof(out->arena))
		flush(out);
	out->iovs[out->count] = (struct iovec){ out->arena + out->used, len };
	out->msgs[out->count] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &out->iovs[out->count], .msg_iovlen = 1 } };
	out->used += len;
	return out->iovs[out->count++].iov_base;
}

static void put_frame(uint8_t *to, struct side *s, uint16_t type, uint16_t vlan, const uint8_t *data, uint32_t len)
{
	memcpy(to, s->router_mac, 6);
	memcpy(to + 6, s->mac, 6);
	if (one_in(100))
		memset(to, pick(0xff, 0x01, 0x02), 6);
	to += 12;
	if (vlan) {
		put16(to, one_in(16) ? ETH_P_8021AD : ETH_P_8021Q);
		put16(to + 2, vlan);
		to += 4;
	}
	put16(to, type);
	memcpy(to + 2, data, len);
}

static void send_as(struct side *s, uint16_t type, const uint8_t *data, uint32_t len)
{
	uint16_t vlan = one_in(50) ? pick(5, 5, 5, 0x2005, 6, 0xf000) : 0;

	if (s->wan < 0) {
		uint8_t *to = room(&s->plain, len);
		struct sockaddr_in *addr = &s->plain.to[s->plain.count - 1];
		struct msghdr *msg = &s->plain.msgs[s->plain.count - 1].msg_hdr;

		memcpy(to, data, len);
		addr->sin_family = AF_INET;
		memcpy(&addr->sin_addr, data + 16, 4);
		msg->msg_name = addr;
		msg->msg_namelen = sizeof(*addr);
		return;
	}
	put_frame(room(&s->plain, 14 + (vlan ? 4 : 0) + len), s, type, vlan, data, len);
}

/* With offloads: checksums to be filled in, segments to be cut, by headers that may be nonsense. */
static void send_vnet(struct side *s, struct packet *p)
{
	struct virtio_net_hdr h = { 0 };
	uint8_t *ip = p->data, *to;
	uint32_t hlen = ihl(ip), l4 = ip[9] == IPPROTO_TCP ? 20 : 8;

	h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h.csum_start = 14 + hlen;
	h.csum_offset = sum_at(ip[9]);
	h.gso_type = ip[9] == IPPROTO_TCP ? VIRTIO_NET_HDR_GSO_TCPV4 : pick(VIRTIO_NET_HDR_GSO_UDP_L4, VIRTIO_NET_HDR_GSO_UDP);
	/* Of the small ones, few: each is a packet of its own in the end. */
	h.gso_size = p->len < 3000 ? pick(8, 100, 536, 1000, 1448, 1472) : pick(1000, 1400, 1448, 1460, 3000, 9000);
	h.hdr_len = 14 + hlen + l4;
	if (p->len > hlen + sum_at(ip[9]) + 2)
		put16(ip + hlen + sum_at(ip[9]), folded(~(uint32_t)folded(pseudo4(ip, p->len - hlen))) ^ 0xffff);
	switch (below(24)) {
	case 0: h.gso_type = chance(); break;
	case 1: h.gso_size = chance(); break;
	case 2: h.hdr_len = below(p->len + 40); break;
	case 3: h.csum_start = below(p->len + 40); break;
	case 4: h.csum_offset = below(64); break;
	case 5: h.flags = chance(); break;
	case 6: h.gso_type |= VIRTIO_NET_HDR_GSO_ECN; break;
	case 7: h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6; break;
	case 8: h.hdr_len = 0; break;
	case 9: h.gso_type = VIRTIO_NET_HDR_GSO_NONE; break;
	}
	if (h.gso_size && p->len / h.gso_size > 400)
		h.gso_size = 1000;
	to = room(&s->vnet, sizeof(h) + 14 + p->len);
	memcpy(to, &h, sizeof(h));
	put_frame(to + sizeof(h), s, ETH_P_IP, 0, ip, p->len);
	stats.gso++;
}

static void keep(struct kept *ring, unsigned int *count, const struct packet *p)
{
	struct kept *to = &ring[(*count)++ % RING];

	to->len = p->len < SNAP ? p->len : SNAP;
	memcpy(to->data, p->data, to->len);
}

/* In pieces: of any size and order, perhaps twice, overlapping, or not all of them. */
static void send_fragments(struct side *s, const struct packet *p)
{
	uint32_t hlen = ihl(p->data), len = p->len - hlen, at = 0, count = 0, size = 8 * (1 + below(one_in(2) ? 4 : 180));
	struct { uint32_t at, len; } cut[64];
	static uint8_t piece[65600];

	while (at < len && count < ARRAY_SIZE(cut) - 4) {
		cut[count].at = at;
		cut[count].len = len - at < size ? len - at : size;
		at += cut[count++].len;
		if (one_in(3))
			size = 8 * (1 + below(60));
	}
	if (at < len) {
		cut[count].at = at;
		cut[count++].len = len - at;
	}
	switch (below(8)) {
	case 0: /* Not all of them. */
		count--;
		cut[below(count + 1)] = cut[count];
		break;
	case 1: /* Twice. */
		cut[count] = cut[below(count)];
		count++;
		break;
	case 2: { /* Into its neighbour. */
		uint32_t i = below(count);

		cut[i].len = cut[i].at + cut[i].len + 8 <= len ? cut[i].len + 8 : cut[i].len;
		break;
	}
	case 3: /* Last first. */
		for (uint32_t i = 0; i < count / 2; i++) {
			typeof(*cut) other = cut[i];

			cut[i] = cut[count - 1 - i];
			cut[count - 1 - i] = other;
		}
		break;
	case 4: /* In any order. */
		for (uint32_t i = count; i > 1; i--) {
			uint32_t j = below(i);
			typeof(*cut) other = cut[i - 1];

			cut[i - 1] = cut[j];
			cut[j] = other;
		}
		break;
	}
	for (uint32_t i = 0; i < count; i++) {
		bool is_last = cut[i].at + cut[i].len >= len;
		uint32_t off = cut[i].at / 8;

		memcpy(piece, p->data, hlen);
		memcpy(piece + hlen, p->data + hlen + cut[i].at, cut[i].len);
		if (one_in(200))
			off = below(0x2000);
		put16(piece + 2, hlen + cut[i].len);
		put16(piece + 6, off | (is_last != one_in(100) ? 0 : 0x2000));
		fix_header(piece);
		send_as(s, ETH_P_IP, piece, hlen + cut[i].len);
		stats.fragments++;
	}
}

/* -- new packets --------------------------------------------------------------------------------- */

#define IP(a, b, c, d) ((uint32_t)(a) << 24 | (b) << 16 | (c) << 8 | (d))

static uint32_t gateway(int wan) { return IP(100, 64, wan, 1); }
static uint32_t own(int wan) { return IP(100, 64, wan, 2); }
static int any_wan(void) { return 1 + below(wans); }
static uint32_t client(void) { return IP(10, 0, 0, 11 + below(8)); }
static uint32_t server(void) { return one_in(6) ? IP(203, 0, 113, 1 + below(8)) : IP(198, 51, 100, 1 + below(4)); }

static uint32_t odd(void)
{
	return pick(0, 0xffffffff, IP(127, 0, 0, 1), IP(224, 0, 0, 1), IP(239, 1, 2, 3), IP(240, 0, 0, 1),
		    IP(169, 254, 1, 1), IP(10, 0, 0, 255), IP(10, 0, 0, 0), IP(10, 0, 0, 200), IP(10, 0, 5, 11),
		    IP(10, 0, 5, 1), IP(8, 0, 0, 0) + below(1 << 24), IP(10, 0, 0, 1));
}

static void addresses(const struct side *s, uint32_t *from, uint32_t *to)
{
	int other = any_wan();

	if (s->wan < 0) {
		*from = pick(0, 0, 0, own(other), own(other), IP(10, 0, 0, 1), IP(127, 0, 0, 1), IP(198, 51, 100, 9), client());
		*to = one_in(4) ? pick(client(), gateway(any_wan()), own(any_wan()), odd(), odd()) : server();
	} else if (!s->wan) {
		*from = one_in(12) ? pick(own(other), gateway(other), server(), odd(), odd(), odd()) : client();
		*to = one_in(8) ? pick(IP(10, 0, 0, 1), own(other), gateway(other), IP(100, 64, other, 255), client(), odd(), odd()) : server();
	} else {
		*from = one_in(8) ? pick(gateway(s->wan), IP(100, 64, s->wan, 255), own(s->wan), IP(100, 64, other, 1), client(), odd(), odd()) : server();
		*to = one_in(5) ? pick(client(), client(), IP(10, 0, 0, 1), IP(100, 64, s->wan, 255), gateway(s->wan), IP(224, 0, 0, 5), 0xffffffff, IP(127, 0, 0, 1)) : own(s->wan);
		if (one_in(30))
			*to = own(other);
	}
}

static uint32_t payload(const struct side *s)
{
	if (one_in(300))
		return s->wan ? below(1473) : below(8900);
	return one_in(10) ? below(1300) : below(48);
}

static uint32_t port(bool is_service)
{
	if (one_in(200))
		return 0;
	if (one_in(40))
		return below(65536);
	return is_service ? pick(80, 80, 443, 53, 8080, 8081, 21, 7) : 10000 + below(64);
}

static void fresh(struct side *s, struct packet *p)
{
	uint32_t from, to, len;
	uint8_t *ip = p->data, *l4 = ip + 20;
	uint8_t proto = one_in(8) ? pick(IPPROTO_SCTP, IPPROTO_DCCP, IPPROTO_GRE, IPPROTO_ESP, IPPROTO_AH, IPPROTO_IPIP,
					 IPPROTO_IGMP, IPPROTO_UDPLITE, IPPROTO_IPV6, IPPROTO_COMP, below(256)) :
				    pick(IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_UDP, IPPROTO_ICMP);

	addresses(s, &from, &to);
	memset(ip, 0, 20);
	ip[0] = 0x45;
	ip[1] = one_in(4) ? pick(0xb8, 0x20, 0x10, 0x02, chance()) : 0;
	put16(ip + 4, chance());
	put16(ip + 6, one_in(3) ? 0x4000 : 0);
	ip[8] = 64;
	ip[9] = proto;
	put32(ip + 12, from);
	put32(ip + 16, to);

	len = payload(s);
	memset(l4, 0, 40);
	switch (proto) {
	case IPPROTO_TCP:
		put16(l4, port(s->wan > 0));
		put16(l4 + 2, port(true));
		put32(l4 + 4, chance());
		l4[12] = 5 << 4;
		l4[13] = one_in(4) ? pick(0x10, 0x18, 0x12, 0x04, 0x14, 0x11, 0x01) : 0x02;
		if (l4[13] != 2)
			put32(l4 + 8, chance());
		put16(l4 + 14, pick(65535, 1000, 0, 29200));
		if (l4[13] & 2 && !one_in(4)) {
			/* MSS, window scale, SACK permitted. */
			static const uint8_t options[] = { 2, 4, 5, 0xb4, 1, 3, 3, 7, 4, 2, 1, 0 };

			memcpy(l4 + 20, options, sizeof(options));
			l4[12] = 8 << 4;
			len = one_in(8) ? len : 0;
		}
		len += (l4[12] >> 4) * 4;
		break;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		put16(l4, port(s->wan > 0));
		put16(l4 + 2, port(true));
		len += 8;
		put16(l4 + 4, proto == IPPROTO_UDP ? len : 0);
		break;
	case IPPROTO_ICMP:
		l4[0] = one_in(4) ? pick(13, 15, 17, 0, 9, 10, chance()) : 8;
		put16(l4 + 4, below(16));
		put16(l4 + 6, chance());
		len += 8;
		break;
	case IPPROTO_SCTP:
	case IPPROTO_DCCP:
		put16(l4, port(false));
		put16(l4 + 2, port(true));
		put32(l4 + 4, chance());
		l4[8] = proto == IPPROTO_DCCP ? 4 : 0;
		l4[12] = 1;
		l4[15] = 20;
		len += 32;
		break;
	default:
		len += 16;
		noise(l4, 16);
		if (proto == IPPROTO_IPIP) {
			memcpy(l4, ip, 20);
			len += 4;
		}
	}
	if (one_in(4) && len > 40)
		noise(l4 + 40, len - 40);
	p->len = 20 + len;
	fix(p);
}

static void from_kept(struct packet *p, const struct kept *k)
{
	p->len = k->len;
	memcpy(p->data, k->data, k->len);
	/* Whatever was cut off is no part of it. */
	if (ihl(p->data) < 20 || ihl(p->data) > p->len)
		p->data[0] = 0x45;
	put16(p->data + 2, p->len);
}

/* The next packet of the same sender, or the same once more. */
static void again(struct packet *p, const struct kept *k)
{
	uint8_t *ip = p->data, *l4;

	from_kept(p, k);
	l4 = ip + ihl(ip);
	put16(ip + 4, chance());
	if (ip[9] == IPPROTO_TCP && p->len >= ihl(ip) + 20 && one_in(2)) {
		put32(l4 + 4, get32(l4 + 4) + pick(1, 1, below(100), p->len - ihl(ip) - 20));
		l4[13] = pick(0x10, 0x10, 0x18, 0x11, 0x04, 0x02);
	}
	fix(p);
}

/* What the receiver of a packet says to its sender. */
static void answer(struct packet *p, const struct kept *k)
{
	uint8_t *ip = p->data, *l4, t[4];
	uint32_t hlen, len;

	from_kept(p, k);
	hlen = ihl(ip);
	len = p->len - hlen;
	l4 = ip + hlen;
	memcpy(t, ip + 12, 4);
	memcpy(ip + 12, ip + 16, 4);
	memcpy(ip + 16, t, 4);
	ip[8] = 64;
	put16(ip + 6, 0);
	if (len < 8)
		goto out;
	if (ip[9] != IPPROTO_ICMP && sum_at(ip[9] == IPPROTO_SCTP ? IPPROTO_TCP : ip[9])) {
		memcpy(t, l4, 2);
		memcpy(l4, l4 + 2, 2);
		memcpy(l4 + 2, t, 2);
	}
	if (ip[9] == IPPROTO_TCP && len >= 20) {
		uint32_t seq = get32(l4 + 4), ack = get32(l4 + 8);
		uint32_t hsize = (l4[12] >> 4) * 4, data = len > hsize ? len - hsize : 0;

		put32(l4 + 4, l4[13] & 0x10 ? ack : (uint32_t)chance());
		put32(l4 + 8, seq + data + !!(l4[13] & 3));
		if (l4[13] & 2)
			/* Now and then, both have opened at once. */
			l4[13] = l4[13] & 0x10 ? 0x10 : one_in(16) ? 0x02 : 0x12;
		else
			l4[13] = l4[13] & 1 ? 0x11 : pick(0x10, 0x18);
	} else if (ip[9] == IPPROTO_ICMP) {
		l4[0] = l4[0] == 8 ? 0 : l4[0] == 13 ? 14 : l4[0] == 15 ? 16 : l4[0] == 17 ? 18 : l4[0];
	} else if (ip[9] == IPPROTO_SCTP && len >= 16) {
		l4[12] = l4[12] == 1 ? 2 : l4[12] == 2 ? 10 : l4[12] == 10 ? 11 : 0;
	} else if (ip[9] == IPPROTO_DCCP && len >= 12) {
		l4[8] = l4[8] == 0 ? 2 : l4[8];
	}
out:
	fix(p);
	stats.answers++;
}

/* An ICMP error about a packet. */
static void error(struct side *s, struct packet *p, const struct kept *k)
{
	uint8_t *ip = p->data, *icmp = ip + 20;
	uint32_t quote = one_in(3) ? below(64) : 28 + below(100);
	uint8_t type = one_in(10) ? chance() : pick(3, 3, 3, 3, 4, 5, 5, 11, 11, 12);
	uint8_t code = one_in(10) ? chance() : type == 3 ? below(2) ? 4 : below(16) : below(4);

	if (quote > k->len)
		quote = k->len;
	memset(ip, 0, 28);
	ip[0] = 0x45;
	ip[8] = 64;
	ip[9] = IPPROTO_ICMP;
	memcpy(ip + 12, k->data + 16, 4);
	memcpy(ip + 16, k->data + 12, 4);
	if (one_in(3))
		put32(ip + 12, pick(gateway(any_wan()), server(), client(), odd()));
	icmp[0] = type;
	icmp[1] = code;
	if (type == 5)
		put32(icmp + 4, pick(gateway(any_wan()), IP(100, 64, s->wan, 77), client(), odd()));
	else if (type == 3 && code == 4)
		put16(icmp + 6, pick(0, 1, 68, 552, 576, 1000, 1280, 1400, 1499, 1500, 65535));
	else if (one_in(8))
		noise(icmp + 4, 4);
	memcpy(icmp + 8, k->data, quote);
	if (quote && one_in(4))
		for (int i = below(4); i >= 0; i--)
			icmp[8 + below(quote)] ^= 1 << below(8);
	p->len = 28 + quote;
	fix(p);
	stats.errors++;
}

/* -- mutations ----------------------------------------------------------------------------------- */

static void add_options(struct packet *p)
{
	uint8_t options[44];
	uint32_t len = 0, old = ihl(p->data), most = 4 * (1 + below(10));

	if (old != 20 || p->len + 40 > sizeof(p->data))
		return;
	while (len < most) {
		uint8_t *o = options + len;
		uint32_t left = most - len, size = left < 3 ? left : 3 + below(left - 2);

		if (left < 3 || one_in(4)) {
			*o = pick(1, 1, 1, 0);
			len++;
			continue;
		}
		noise(o, size);
		o[0] = pick(7, 7, 68, 68, 131, 137, 148, 130, 134, chance());
		/* Record route and the source routes hold addresses from their fourth byte. */
		o[1] = one_in(12) ? chance() : size;
		o[2] = one_in(3) ? below(size + 4) : 4;
		if (o[0] == 148 && size >= 4)
			o[2] = o[3] = 0;
		if (o[0] == 68 && size >= 4)
			o[3] = pick(0, 1, 3, chance());
		for (uint32_t i = 3; i + 4 <= size && o[0] != 68; i += 4)
			put32(o + i, pick(gateway(any_wan()), own(any_wan()), IP(10, 0, 0, 1), server(), client()));
		len += size;
	}
	memmove(p->data + 20 + most, p->data + 20, p->len - 20);
	memcpy(p->data + 20, options, most);
	p->data[0] = 0x40 | (20 + most) / 4;
	p->len += most;
}

static void mutate(struct packet *p)
{
	uint8_t *ip = p->data, *l4 = ip + ihl(ip);
	uint32_t len = p->len - ihl(ip);
	bool is_tcp = ip[9] == IPPROTO_TCP && len >= 20, is_udp = ip[9] == IPPROTO_UDP && len >= 8;

	switch (below(20)) {
	case 0:
		ip[1] = chance();
		break;
	case 1:
		ip[8] = pick(0, 1, 1, 1, 2, 64, 255);
		break;
	case 2: case 3:
		add_options(p);
		break;
	case 4: case 5:
		if (is_tcp)
			l4[13] = chance();
		break;
	case 6:
		if (is_tcp)
			put32(l4 + 4, pick(chance(), get32(l4 + 4) + below(65536), get32(l4 + 4) - below(65536), 0, ~0u));
		break;
	case 7:
		if (is_tcp)
			put32(l4 + 8, pick(chance(), get32(l4 + 8) + below(65536), get32(l4 + 8) - below(65536), 0, ~0u));
		break;
	case 8: /* Reset, by one who knows the connection or guesses. */
		if (is_tcp) {
			l4[13] = pick(0x04, 0x14);
			if (one_in(2))
				put32(l4 + 4, chance());
		}
		break;
	case 9:
		if (is_tcp && one_in(2))
			l4[12] = one_in(2) ? chance() : 0x50 + 16 * below(11);
		else if (is_tcp && l4[12] > 0x50 && p->len >= ihl(ip) + (l4[12] >> 4) * 4)
			noise(l4 + 20, (l4[12] >> 4) * 4 - 20);
		break;
	case 10:
		if (is_tcp)
			put16(l4 + 14, pick(0, 1, 65535, chance()));
		break;
	case 11:
		if (is_udp)
			put16(l4 + 4, one_in(4) ? pick(0, 7, 8, len + 1, 65535, chance()) : 8 + below(len - 7));
		break;
	case 12: /* Ends early. */
		if (one_in(3))
			p->len = ihl(ip) + below(len + 1);
		break;
	case 13:
		if (one_in(6))
			put16(ip + 6, one_in(2) ? 0x8000 : chance());
		else
			put16(ip + 6, pick(0x4000, 0));
		break;
	case 14: /* Not the header's: its addresses stay. */
		for (int i = below(6); i >= 0 && len; i--)
			l4[below(len < 40 ? len : 40)] ^= 1 << below(8);
		break;
	case 15:
		if (one_in(4))
			ip[9] = chance();
		break;
	case 16: /* Another port, so perhaps another connection. */
		if ((is_tcp || is_udp) && one_in(4))
			put16(l4 + 2 * below(2), port(one_in(2)));
		break;
	case 17:
		if (is_tcp && l4[13] & 2 && p->len + 100 < 1400) {
			noise(ip + p->len, 100);
			p->len += below(100);
		}
		break;
	case 18: /* To be fragmented, or not to pass. */
		if (p->len < 1300 && one_in(20)) {
			uint32_t more = 1300 + below(180) - p->len;

			noise(ip + p->len, more);
			p->len += more;
		}
		break;
	}
}

/* What the stack drops before anybody else sees it; sometimes, that too. */
static void spoil(struct packet *p)
{
	uint8_t *ip = p->data;

	switch (below(8)) {
	case 0: put16(ip + 10, chance()); break;
	case 1: ip[0] = chance(); break;
	case 2: put16(ip + 2, chance()); break;
	case 3: put16(ip + 2, below(p->len + 1)); fix_header(ip); break;
	case 4: p->len = 1 + below(p->len); break;
	case 5: ip[0] = 0x40 | below(16); break;
	case 6: memset(ip + p->len, 0xa5, 20); p->len += below(20); break;
	case 7: if (p->len > 21) ip[20 + below(p->len - 20)] ^= 0x10; break;
	}
}

/* -- IPv6 ---------------------------------------------------------------------------------------- */

static void send_ipv6(struct side *s)
{
	static uint8_t b[2048];
	uint8_t *at = b + 40, *next = b + 6, proto = pick(IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMPV6, 59, chance());
	uint32_t len = 24 + below(200), l4;

	memset(b, 0, 40);
	b[0] = 0x60;
	b[7] = pick(64, 64, 1, 0);
	b[8] = b[24] = 0xfd;
	b[9] = s->wan > 0;
	b[25] = s->wan <= 0;
	b[23] = 0x11;
	b[39] = 1 + below(3);
	if (one_in(8))
		noise(b + 8 + 16 * below(2), 16);
	while (one_in(3) && at < b + 400) {
		*next = pick(0, 43, 44, 60, 51);
		next = at;
		noise(at, 24);
		at[1] = one_in(8) ? chance() : pick(0, 1, 2);
		at += 8 + 8 * (at[1] < 3 ? at[1] : 0);
	}
	*next = proto;
	noise(at, len);
	if (proto == IPPROTO_TCP)
		at[12] = 5 << 4;
	else if (proto == IPPROTO_UDP)
		put16(at + 4, len);
	else if (proto == IPPROTO_ICMPV6)
		at[0] = pick(128, 129, 1, 2, 3, 4, 133, 134, 135, 136, 137);
	l4 = at - b;
	fix_sum(at, len, proto, sum(proto + len, b + 8, 32));
	put16(b + 4, one_in(20) ? chance() : l4 - 40 + len);
	send_as(s, ETH_P_IPV6, b, l4 + len);
}

/* -- a side -------------------------------------------------------------------------------------- */

/* By the first of the rules above. */
static void obey(const struct side *s, struct packet *p)
{
	uint32_t from = get32(p->data + 12), to = get32(p->data + 16);

	if (to >> 16 != IP(0, 0, 100, 64) || to == own(s->wan))
		return;
	if (from && from >> 24 != 10 && from >> 24 != 127 && from >> 16 != IP(0, 0, 100, 64))
		put32(p->data + 12, IP(203, 0, 113, 1 + below(8)));
}

static void grow(struct side *s, struct packet *p)
{
	uint8_t *ip = p->data;
	uint32_t hlen = ihl(ip), more = below(one_in(8) ? 56000 : 6000);

	if ((ip[9] != IPPROTO_TCP && ip[9] != IPPROTO_UDP) || hlen > 20 || p->len < 48) {
		send_as(s, ETH_P_IP, ip, p->len);
		return;
	}
	if (ip[9] == IPPROTO_TCP)
		ip[hlen + 12] = 5 << 4;
	memset(ip + p->len, 0x5a, more);
	p->len += more;
	if (ip[9] == IPPROTO_UDP)
		put16(ip + hlen + 4, p->len - hlen);
	fix(p);
	send_vnet(s, p);
}

static void one(struct side *s)
{
	static struct packet p;
	uint32_t r = below(100);
	const struct kept *seen = s->seen_count ? &s->seen[below(s->seen_count < RING ? s->seen_count : RING)] : NULL;
	const struct kept *sent = s->sent_count ? &s->sent[below(s->sent_count < RING ? s->sent_count : RING)] : NULL;

	if (r < 2 && s->wan >= 0) {
		if (one_in(4)) {
			static uint8_t junk[1500];

			noise(junk, 60);
			send_as(s, pick(ETH_P_IP, ETH_P_ARP, ETH_P_IPV6, ETH_P_PPP_SES, chance()), junk, 1 + below(1500));
		} else {
			send_ipv6(s);
		}
		return;
	}
	if (r < 42 && seen)
		answer(&p, seen);
	else if (r < 50 && seen)
		error(s, &p, seen);
	else if (r < 88 && sent)
		again(&p, sent);
	else
		fresh(s, &p);
	if (r < 42 || r >= 88)
		keep(s->sent, &s->sent_count, &p);
	if (one_in(2))
		for (int i = below(3); i >= 0; i--)
			mutate(&p);
	obey(s, &p);
	fix(&p);
	if (one_in(40)) {
		spoil(&p);
		send_as(s, ETH_P_IP, p.data, p.len);
	} else if (one_in(60) && p.len >= ihl(p.data) + 16) {
		send_fragments(s, &p);
	} else if (s->wan >= 0 && one_in(50)) {
		grow(s, &p);
	} else {
		send_as(s, ETH_P_IP, p.data, p.len);
	}
}

/* What the router has sent there. */
static void look(struct side *s)
{
	static struct kept got[BATCH];
	static struct mmsghdr msgs[BATCH];
	static struct iovec iovs[BATCH];
	int count;

	if (s->wan < 0)
		return;
	for (int i = 0; i < BATCH; i++) {
		iovs[i] = (struct iovec){ got[i].data, SNAP };
		msgs[i] = (struct mmsghdr){ .msg_hdr = { .msg_iov = &iovs[i], .msg_iovlen = 1 } };
	}
	count = recvmmsg(s->rx, msgs, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++) {
		got[i].len = msgs[i].msg_len < SNAP ? msgs[i].msg_len : SNAP;
		if (got[i].len < 20 || got[i].data[0] >> 4 != 4)
			continue;
		s->seen[s->seen_count++ % RING] = got[i];
	}
}

/* -- labels and marks ---------------------------------------------------------------------------- */

struct conn {
	uint8_t tuple[160];
	uint32_t tuple_len;
	uint8_t labels[16];
	bool has_labels, is_masqueraded, is_on_link;
};

static int ctnl;
static struct conn sample[SAMPLE];
static uint32_t sampled;

static const struct nlattr *find(const void *data, int len, uint16_t type)
{
	const struct nlattr *a = data;

	while (len >= (int)sizeof(*a) && a->nla_len >= sizeof(*a) && a->nla_len <= len) {
		if ((a->nla_type & NLA_TYPE_MASK) == type)
			return a;
		len -= NLA_ALIGN(a->nla_len);
		a = (const void *)a + NLA_ALIGN(a->nla_len);
	}
	return NULL;
}

#define DATA(a) ((const void *)(a) + NLA_HDRLEN)
#define inside(a, type) find(DATA(a), (a)->nla_len - NLA_HDRLEN, type)

static uint32_t address(const struct nlattr *tuple, uint16_t type)
{
	const struct nlattr *ip = inside(tuple, CTA_TUPLE_IP), *a = ip ? inside(ip, type) : NULL;

	return a ? get32(DATA(a)) : 0;
}

static bool is_on_link(uint32_t addr)
{
	return addr >> 16 == IP(0, 0, 100, 64) && (addr & 0xff) != 2;
}

static void take(const struct nlmsghdr *n, uint32_t at)
{
	const void *attrs = NLMSG_DATA(n) + sizeof(struct nfgenmsg);
	int len = n->nlmsg_len - NLMSG_HDRLEN - sizeof(struct nfgenmsg);
	const struct nlattr *orig = find(attrs, len, CTA_TUPLE_ORIG), *reply = find(attrs, len, CTA_TUPLE_REPLY);
	const struct nlattr *labels = find(attrs, len, CTA_LABELS);
	struct conn *c;
	uint32_t src, dst;

	if (at >= SAMPLE)
		at = below(at);
	if (!orig || !reply || orig->nla_len > sizeof(c->tuple) || at >= SAMPLE)
		return;
	c = &sample[at];
	if (at >= sampled)
		sampled = at + 1;
	c->tuple_len = NLA_ALIGN(orig->nla_len);
	memcpy(c->tuple, orig, c->tuple_len);
	c->has_labels = labels && labels->nla_len == NLA_HDRLEN + 16;
	/* Not those of who was here before. */
	memset(c->labels, 0, 16);
	if (c->has_labels)
		memcpy(c->labels, DATA(labels), 16);
	src = address(orig, CTA_IP_V4_SRC);
	dst = address(orig, CTA_IP_V4_DST);
	c->is_masqueraded = src >> 24 == 10 && address(reply, CTA_IP_V4_DST) >> 16 == IP(0, 0, 100, 64);
	c->is_on_link = is_on_link(src) || is_on_link(dst);
}

/* The connections that there are, or a sample of them. */
static void dump(void)
{
	static uint8_t buf[65536];
	struct {
		struct nlmsghdr n;
		struct nfgenmsg g;
	} req = { { sizeof(req), NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET, NLM_F_REQUEST | NLM_F_DUMP, 0, 0 }, { AF_INET, 0, 0 } };
	uint32_t at = 0;

	sampled = 0;
	if (send(ctnl, &req, sizeof(req), 0) < 0)
		die("dump");
	for (;;) {
		int len = recv(ctnl, buf, sizeof(buf), 0);

		if (len < 0)
			die("dump");
		for (struct nlmsghdr *n = (void *)buf; NLMSG_OK(n, (unsigned int)len); n = NLMSG_NEXT(n, len)) {
			if (n->nlmsg_type == NLMSG_DONE)
				return;
			if (n->nlmsg_type == NLMSG_ERROR)
				die("dump");
			take(n, at++);
		}
	}
}

static bool request(uint16_t type, const struct conn *c, ...)
{
	static uint8_t buf[1024];
	struct nlmsghdr *n = (void *)buf;
	struct nfgenmsg *g = NLMSG_DATA(n);
	uint8_t *at = (void *)(g + 1);
	const void *data;
	va_list args;
	int attr;

	memset(buf, 0, sizeof(*n) + sizeof(*g));
	g->nfgen_family = AF_INET;
	if (c) {
		memcpy(at, c->tuple, c->tuple_len);
		at += c->tuple_len;
	}
	va_start(args, c);
	while ((attr = va_arg(args, int))) {
		struct nlattr *a = (void *)at;
		int len = va_arg(args, int);

		data = va_arg(args, const void *);
		a->nla_type = attr;
		a->nla_len = NLA_HDRLEN + len;
		memcpy(at + NLA_HDRLEN, data, len);
		at += NLA_ALIGN(a->nla_len);
	}
	va_end(args);
	n->nlmsg_len = at - buf;
	n->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | type;
	n->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	if (send(ctnl, buf, n->nlmsg_len, 0) < 0 || recv(ctnl, buf, sizeof(buf), 0) < 0)
		die("ctnetlink");
	return n->nlmsg_type == NLMSG_ERROR && ((struct nlmsgerr *)NLMSG_DATA(n))->error == 0;
}

static void scribble(void)
{
	dump();
	for (uint32_t i = 0; i < sampled; i++) {
		struct conn *c = &sample[i], *other = &sample[below(sampled)];
		uint8_t labels[16], mark[4], mask[4];

		switch (below(8)) {
		case 0: case 1: /* Anything. */
			noise(labels, 16);
			break;
		case 2: /* Nearly the same. */
			memcpy(labels, c->labels, 16);
			labels[below(16)] ^= 1 << below(8);
			break;
		case 3: /* Both directions' words changed for each other. */
			memcpy(labels, c->labels + 8, 8);
			memcpy(labels + 8, c->labels, 8);
			break;
		case 4: case 5: /* Another one's. */
			if (!other->has_labels || other->is_on_link)
				continue;
			memcpy(labels, other->labels, 16);
			stats.copied++;
			break;
		case 6:
			noise(mark, 4);
			put32(mask, c->is_masqueraded ? 0xffffffff : 0x00ffffff);
			if (c->is_masqueraded && !one_in(4))
				mark[0] = below(wans + 1);
			if (!c->is_masqueraded)
				mark[0] = 0;
			stats.marks += request(IPCTNL_MSG_CT_NEW, c, CTA_MARK, 4, mark, CTA_MARK_MASK, 4, mask, 0);
			continue;
		case 7:
			if (one_in(2))
				stats.deleted += request(IPCTNL_MSG_CT_DELETE, c, 0);
			continue;
		}
		stats.labels += request(IPCTNL_MSG_CT_NEW, c, CTA_LABELS, 16, labels, 0);
	}
}

/* -- the rest ------------------------------------------------------------------------------------ */

static int enter(const char *ns)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s%s", lab, ns);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die("%s", path);
	return close(fd);
}

static uint64_t number_in(const char *path, const char *key)
{
	char line[256];
	uint64_t n = 0;
	FILE *f = fopen(path, "r");

	if (!f)
		die("%s", path);
	while (fgets(line, sizeof(line), f) && strncmp(line, key, strlen(key)))
		;
	sscanf(line + strlen(key), "%lu", &n);
	fclose(f);
	return n;
}

static void watch(void)
{
	uint64_t conns = number_in("/proc/sys/net/netfilter/nf_conntrack_count", ""), slab = number_in("/proc/meminfo", "Slab:");

	if (conns > stats.conns_peak)
		stats.conns_peak = conns;
	if (slab > stats.slab_peak)
		stats.slab_peak = slab;
}

static void route_flush(void)
{
	int fd = open("/proc/sys/net/ipv4/route/flush", O_WRONLY);

	if (fd < 0 || write(fd, "1\n", 2) != 2)
		die("route/flush");
	close(fd);
}

static void hwaddr(int fd, const char *dev, uint8_t *mac, int *index)
{
	struct ifreq ifr = { 0 };

	strncpy(ifr.ifr_name, dev, IFNAMSIZ - 1);
	if (ioctl(fd, SIOCGIFHWADDR, &ifr))
		die("%s", dev);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);
	if (index && ioctl(fd, SIOCGIFINDEX, &ifr))
		die("%s", dev);
	if (index)
		*index = ifr.ifr_ifindex;
}

static int packet_socket(int type, uint16_t proto, int index)
{
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_protocol = htons(proto), .sll_ifindex = index };
	int fd = socket(AF_PACKET, type, 0);

	if (fd < 0 || bind(fd, (void *)&to, sizeof(to)))
		die("packet socket");
	return fd;
}

static void set(int fd, int level, int option, int value)
{
	if (setsockopt(fd, level, option, &value, sizeof(value)))
		die("socket option %d", option);
}

static struct side *open_side(int wan)
{
	char ns[16] = "lan", dev[16] = "eth0", peer[16] = "lan0";
	struct side *s = calloc(1, sizeof(*s));
	int fd, index;

	if (!s)
		die("memory");
	s->wan = wan;
	s->rx = -1;
	if (wan < 0) {
		s->plain.fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
		if (s->plain.fd < 0)
			die("raw socket");
		set(s->plain.fd, SOL_SOCKET, SO_BROADCAST, 1);
		return s;
	}
	if (wan) {
		snprintf(ns, sizeof(ns), "isp%d", wan);
		strcpy(dev, "wan");
		snprintf(peer, sizeof(peer), "wan%d", wan);
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	hwaddr(fd, peer, s->router_mac, NULL);
	close(fd);
	enter(ns);
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	hwaddr(fd, dev, s->mac, &index);
	close(fd);
	s->rx = packet_socket(SOCK_DGRAM, ETH_P_ALL, index);
	set(s->rx, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	for (int i = 0; i < 2; i++) {
		struct out *out = i ? &s->vnet : &s->plain;

		out->fd = packet_socket(SOCK_RAW, 0, index);
		set(out->fd, SOL_PACKET, PACKET_QDISC_BYPASS, 1);
		if (i)
			set(out->fd, SOL_PACKET, PACKET_VNET_HDR, 1);
	}
	enter("router");
	return s;
}

int main(int argc, char **argv)
{
	uint64_t count, next_scribble = 5000, next_flush = 150000, next_watch = 0;
	unsigned int all;

	if (argc != 5)
		return fprintf(stderr, "usage: packets SEED COUNT WANS LAB\n"), 1;
	seed = strtoull(argv[1], NULL, 10);
	count = strtoull(argv[2], NULL, 10);
	wans = atoi(argv[3]);
	lab = argv[4];
	if (!wans || wans > MAX_WANS)
		return fprintf(stderr, "packets: 1 to %d WANs\n", MAX_WANS), 1;
	enter("router");
	ctnl = socket(AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	if (ctnl < 0)
		die("ctnetlink");
	all = wans + 2;
	for (unsigned int i = 0; i < all; i++)
		sides[i] = open_side((int)i - 1);

	while (stats.sent < count) {
		/* As much from the LAN as from all WANs; of the router itself, less. */
		struct side *s = one_in(12) ? sides[0] : one_in(2) ? sides[1] : sides[2 + below(wans)];

		for (int i = 8 + below(BATCH); i > 0; i--)
			one(s);
		flush(&s->plain);
		if (s->wan >= 0)
			flush(&s->vnet);
		for (unsigned int i = 0; i < all; i++)
			look(sides[i]);
		if (stats.sent >= next_watch) {
			watch();
			next_watch = stats.sent + 10000;
		}
		if (stats.sent >= next_scribble) {
			scribble();
			if (one_in(4))
				route_flush();
			next_scribble = stats.sent + 10000 + below(40000);
		}
		if (stats.sent >= next_flush) {
			stats.flushes += request(IPCTNL_MSG_CT_DELETE, NULL, 0);
			next_flush = stats.sent + 50000 + below(400000);
		}
	}
	/* As t-packets reads them. */
	printf("%lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu %lu\n", stats.sent, stats.refused, stats.fragments, stats.gso,
	       stats.answers, stats.errors, stats.labels, stats.copied, stats.marks, stats.deleted, stats.flushes,
	       stats.conns_peak, stats.slab_peak);
	return 0;
}

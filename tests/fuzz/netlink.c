// SPDX-License-Identifier: GPL-2.0
/*
 * Sends the family what nobody would: netlink one|many SEED MESSAGES.
 *
 *   one   from one process, in the network namespace that it is started in. A seed gives the same messages again.
 *   many  from several in namespaces of their own, which end while they are used.
 *
 * Half of the messages could be right, so that there is something to break; the others have been tampered with.
 * Every answer is looked at: there is one to each request, it is made of what the contract tells, has no byte
 * that nobody wrote and no address of the kernel, and an error says in words what is wrong. What was refused has
 * changed nothing. Says on stdout what was wrong, and the figures; fails when anything was.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "chance.h"
#include "mwb.h"

enum kind { NOTHING, PAD, FLAG, U32, U64, STRING, BINARY, NEST };

struct attr {
	const char *name;
	enum kind kind;
	int nest;		/* the set that is nested in it */
	uint64_t min, max;	/* of the number, or of the bytes */
};

struct set {
	const char *name;
	const struct attr *attrs;
	int count;
	uint8_t request[64], reply[64];
};

struct op {
	const char *name;
	int set;
	bool is_do, is_dump, is_admin;
	uint8_t request[64], reply[64];
};

#include "table.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define OPS ((int)ARRAY_SIZE(ops))

/* The ways in which an attribute is not as it should be, see odd(). */
#define ODD 14

/* What all processes share. */
static struct shared {
	long sent, faults, left, interrupted, parts, events, compared;
	long ok[OPS], refused[OPS];
	long odd[ARRAY_SIZE(sets)][64][ODD];	/* by set, attribute, and what is wrong with it */
	uint64_t hash;
} *all;

static bool is_alone;		/* nobody else changes this namespace's instance */
static uint64_t low, high;	/* where the addresses of a User-Mode kernel are */
static int family, group;

/* -- what is wrong ----------------------------------------------------------------------------------- */

#define ENOUGH 200

/* The message that is looked at. */
static const void *shown;
static size_t shown_len;

__attribute__((format(printf, 1, 2))) static void fault(const char *format, ...)
{
	/* A few of each kind are enough. */
	static struct { const char *format; int count; } kinds[64];
	char text[2048];
	va_list args;
	int at = 0;

	__atomic_add_fetch(&all->faults, 1, __ATOMIC_RELAXED);
	while (kinds[at].format && kinds[at].format != format)
		at++;
	kinds[at].format = format;
	if (kinds[at].count++ > 2)
		return;
	va_start(args, format);
	at = vsnprintf(text, 512, format, args);
	va_end(args);
	if (at > 511)
		at = 511;
	at += sprintf(text + at, ":");
	for (size_t i = 0; i < shown_len && i < 512; i++)
		at += sprintf(text + at, "%s%02x", i % 4 ? "" : " ", ((const uint8_t *)shown)[i]);
	text[at++] = '\n';
	if (write(1, text, at) != at)
		abort();
}

static void must(bool is_true, const char *what)
{
	if (is_true)
		return;
	printf("%s: %m\n", what);
	fflush(stdout);
	if (all)
		all->faults++;
	_exit(2);
}

#define ANY(list) ((list)[below(ARRAY_SIZE(list))])

/* -- writing ------------------------------------------------------------------------------------------ */

static _Alignas(8) uint8_t out[256 << 10];
static size_t used;

static void *room(size_t len)
{
	size_t at = used;

	if (NLMSG_ALIGN(len) > sizeof(out) - used)
		return NULL;
	used += NLMSG_ALIGN(len);
	return memset(out + at, 0, NLMSG_ALIGN(len));
}

static struct nlattr *put(int type, const void *data, size_t len)
{
	struct nlattr *attr = room(NLA_HDRLEN + len);

	if (!attr)
		return NULL;
	attr->nla_type = type;
	attr->nla_len = NLA_HDRLEN + len;
	if (len)
		memcpy(attr + 1, data, len);
	return attr;
}

static void end(struct nlattr *nest)
{
	size_t len = nest ? (size_t)(out + used - (uint8_t *)nest) : 0;

	if (nest)
		nest->nla_len = len > 65535 ? 65535 : len;
}

/* What the message at hand is about, so that its attributes fit together: the WAN wN is by the device fN. */
static struct {
	int number;
	bool src, dst, ports;
} about;

#define DEVICES 6

static void text(int type, const char *format, ...)
{
	char s[64];
	va_list args;

	va_start(args, format);
	vsnprintf(s, sizeof(s), format, args);
	va_end(args);
	put(type, s, strlen(s) + 1);
}

static void string(int n, const struct set *set)
{
	static const char *const devices[] = { "nosuch", "wan1", "wan2", "lan0", "f0" };
	const char *name = set->attrs[n].name;
	int number = one_in(8) ? below(DEVICES + 2) : (unsigned int)about.number;
	bool is_dev = !strcmp(name, "dev") || !strcmp(name, "iif");

	if (is_dev && one_in(12))
		text(n, "%s", ANY(devices));
	else if (is_dev)
		text(n, "f%d", number);
	else if (!strcmp(name, "to") && one_in(3))
		text(n, "main");
	else if (!strcmp(name, "to") ? one_in(2) : !strcmp(set->name, "group") && !strcmp(name, "name"))
		text(n, "g%d", number);
	else if (!strcmp(name, "wan"))
		text(n, "w%d", below(DEVICES));
	else
		text(n, "w%d", number);
}

/* No number that could be taken for an address. */
static uint64_t harmless(uint64_t value)
{
	return value >= low && value < high ? value & 0xfffffff : value;
}

static uint64_t number(const struct attr *a)
{
	static const uint32_t masks[] = { 0xff000000, 0xff0000, 0x7f00, 0xffff0000, 0x70, 0xfff };
	static const uint8_t protocols[] = { 6, 6, 17, 132 };
	uint64_t span = a->max - a->min;

	if (!strcmp(a->name, "gateway4"))
		return htonl(one_in(6) ? 0 : (one_in(8) ? chance() : 0x64400001u + 256 * (100 + about.number)));
	if (!strcmp(a->name, "src-len") || !strcmp(a->name, "dst-len"))
		return 16 + below(17);
	if (!strcmp(a->name, "dport-min"))
		return below(1000);
	if (!strcmp(a->name, "dport-max"))
		return 1000 + below(1000);
	if (!strcmp(a->name, "proto") && !one_in(6))
		return ANY(protocols);
	if (!strcmp(a->name, "threshold-percent"))
		return 50 + below(51);
	if (!strcmp(a->name, "exit-percent"))
		return 1 + below(60);
	if (!strcmp(a->name, "mark-mask"))
		return ANY(masks);
	if (!strcmp(a->name, "pref"))
		return below(100);
	if (!strcmp(a->name, "weight") || span >= UINT32_MAX)
		return a->min + (one_in(5) ? chance() % (span ?: 1) : chance() % 1000000 % (span ?: 1));
	return a->min + (one_in(8) ? (one_in(2) ? span : 0) : chance() % (span + 1));
}

static void set_of(const struct set *set, const uint8_t *list, bool is_sane, int depth);

/* An attribute as it should be. */
static void sane(const struct set *set, int n, bool is_sane, int depth)
{
	const struct attr *a = &set->attrs[n];
	uint32_t address = htonl(0x0a000000 | below(4) << 16), u32;
	struct nlattr *nest;
	uint64_t u64;

	switch (a->kind) {
	case U32:
		u32 = number(a);
		put(n, &u32, sizeof(u32));
		break;
	case U64:
		u64 = harmless(number(a));
		put(n, &u64, sizeof(u64));
		break;
	case STRING:
		string(n, set);
		break;
	case BINARY:
		put(n, &address, sizeof(address));
		break;
	case NEST:
		nest = put(n | NLA_F_NESTED, NULL, 0);
		set_of(&sets[a->nest], sets[a->nest].request, is_sane, depth + 1);
		end(nest);
		break;
	default:
		put(n, NULL, 0);
	}
}

static void bytes(int type, size_t len)
{
	struct nlattr *attr = put(type, NULL, 0);

	if (!attr || !room(len))
		return;
	attr->nla_len = NLA_HDRLEN + len;
	for (size_t i = 0; i < len; i++)
		((uint8_t *)(attr + 1))[i] = chance();
}

/* An attribute as it should not be. */
static void odd(const struct set *set, int n, int depth)
{
	static const char *const strings[] = {
		"", "main", "a b", "a/b", "a,b", "a\nb", "..", ".", "%s%n%p", "w0\0x", "all", "default", "lo", "\xff\xfe\x80",
		"fifteen-letters", "sixteen-letters!", "seventeen-letters", "\x7f", "0", "-1",
	};
	const struct attr *a = &set->attrs[n];
	const uint64_t numbers[] = {
		0, 1, a->max, a->max + 1, a->min - 1, 1ull << 31, (1ull << 31) - 1, 1ull << 32, UINT32_MAX, 1ull << 63,
		UINT64_MAX, UINT64_MAX - 1, chance(),
	};
	uint64_t value = harmless(ANY(numbers));
	struct nlattr *attr, *nests[64];
	const struct set *inner;
	const char *s = ANY(strings);
	size_t at = used, len;
	int i, deep, way = below(ODD);

	__atomic_add_fetch(&all->odd[set - sets][n][way], 1, __ATOMIC_RELAXED);
	switch (way) {
	case 0:
		bytes(n, below(24));
		return;
	case 1:
		bytes(n, one_in(30) ? below(65000) : below(300));
		return;
	case 2:
		sane(set, n, true, depth);
		if (used > at)
			((struct nlattr *)(out + at))->nla_type ^= NLA_F_NESTED;
		return;
	case 3:
		sane(set, n, true, depth);
		if (used > at)
			((struct nlattr *)(out + at))->nla_type |= NLA_F_NET_BYTEORDER;
		return;
	case 4:		/* attributes where there should be none, or of another set */
		attr = put(n | (one_in(3) ? 0 : NLA_F_NESTED), NULL, 0);
		inner = one_in(2) ? set : &ANY(sets);
		if (depth < 4)
			set_of(inner, one_in(2) ? inner->request : inner->reply, one_in(2), depth + 1);
		end(attr);
		return;
	case 5:
		deep = 1 + below(one_in(4) ? 64 : 8);
		for (i = 0; i < deep; i++)
			nests[i] = put(n | NLA_F_NESTED, NULL, 0);
		sane(set, n, true, 9);
		while (i--)
			end(nests[i]);
		return;
	case 6:
	case 7:
	case 8:
		if (a->kind == U32)
			put(n, &value, 4);
		else if (a->kind == U64)
			put(n, &value, 8);
		else
			put(n, s, strlen(s) + below(3));
		return;
	case 9:		/* of no set, or not for requests */
		bytes(one_in(2) ? below(set->count + 3) : below(0x4000), ANY(((uint8_t[]){ 0, 4, 8 })));
		return;
	case 10:	/* a length that lies */
		sane(set, n, true, depth);
		attr = (struct nlattr *)(out + at);
		if (used > at)
			attr->nla_len = one_in(2) ? below(8) : attr->nla_len + (one_in(2) ? below(16) : below(65000));
		return;
	case 11:	/* several */
		for (i = 1 + below(3); i >= 0; i--)
			sane(set, n, true, depth);
		return;
	case 12:	/* not at all */
		return;
	default:	/* not to its end */
		sane(set, n, true, depth);
		len = used - at;
		if (len)
			((struct nlattr *)(out + at))->nla_len = below(len + 1);
	}
}

/* A set of attributes, those of a list that ends with a 0. */
static void set_of(const struct set *set, const uint8_t *list, bool is_sane, int depth)
{
	int most = 1;

	if (depth > 6)
		return;
	if (!strcmp(set->name, "policy")) {
		about.src = one_in(2);
		about.dst = one_in(3);
		about.ports = one_in(4);
	}
	for (; *list; list++) {
		const char *name = set->attrs[*list].name;
		bool is_there = one_in(2);

		/* What must be there, mostly. */
		if (!strcmp(name, "name") || !strcmp(name, "to") || (!strcmp(set->name, "explain") && strlen(name) == 3))
			is_there = strcmp(name, "iif") ? true : one_in(4);
		else if (!strcmp(name, "dev"))
			is_there = list[1] && about.number % 2 ? one_in(2) : true;
		else if (!strcmp(name, "id") || !strcmp(name, "strict") || !strcmp(name, "iif"))
			is_there = one_in(6);
		else if (!strcmp(name, "mark-mask") || !strcmp(name, "rule-pref") || !strcmp(name, "table-base"))
			is_there = one_in(60);	/* takes a look at all rules and routes */
		else if (!strcmp(set->name, "policy") && !strncmp(name, "src", 3))
			is_there = about.src;
		else if (!strcmp(set->name, "policy") && !strncmp(name, "dst", 3))
			is_there = about.dst;
		else if (!strncmp(name, "dport", 5) || !strcmp(name, "proto"))
			is_there = about.ports;
		most = !strcmp(set->name, "group") && !strcmp(name, "wan") ? 1 + below(4) : 1;
		if (set->attrs[*list].kind == NEST)
			most = one_in(40) ? 100 : below(6);
		if (!is_sane && one_in(3)) {
			odd(set, *list, depth);
			continue;
		}
		while (is_there && most--)
			sane(set, *list, is_sane, depth);
	}
	if (!is_sane && one_in(6))
		odd(set, 1 + below(set->count), depth);
}

/* What no attribute has where a message that lies about its length leaves another one behind. */
#define NUMBERS 0x50000000

/* Of what is sent by chance, and of what depends on the state as well: the former shall be the same again. */
static uint32_t sequences[2];
static bool by_chance;

static struct nlmsghdr *head(int type, int flags)
{
	struct nlmsghdr *h = room(sizeof(*h));

	must(h, "no room for a message");
	h->nlmsg_type = type;
	h->nlmsg_flags = flags;
	h->nlmsg_seq = NUMBERS | ++sequences[by_chance] << 1 | by_chance;
	return h;
}

static void finish(struct nlmsghdr *h) { h->nlmsg_len = out + used - (uint8_t *)h; }

static void genl(int cmd)
{
	struct genlmsghdr *g = room(sizeof(*g));

	must(g, "no room for a header");
	g->cmd = cmd;
	g->version = 1;
}

/* The operations as often as it takes to have something: WANs rather come than go. */
static int any_op(void)
{
	static const uint8_t often[] = {
		MWB_CMD_WAN_ADD, MWB_CMD_WAN_ADD, MWB_CMD_WAN_SET, MWB_CMD_WAN_SET, MWB_CMD_GROUP_SET, MWB_CMD_POLICY_ADD,
		MWB_CMD_POLICY_ADD, MWB_CMD_POLICY_REPLACE, MWB_CMD_CONFIG_SET, MWB_CMD_EXPLAIN, MWB_CMD_WAN_GET,
	};
	int cmd;

	if (one_in(2))
		return ANY(often);
	do
		cmd = 1 + below(OPS - 1);
	while (!ops[cmd].is_do && !ops[cmd].is_dump);
	return cmd;
}

static struct nlmsghdr *message(int cmd, bool is_sane)
{
	const struct op *op = &ops[cmd];
	bool is_dump = op->is_dump && (!op->is_do || one_in(3));
	struct nlmsghdr *h = head(family, NLM_F_REQUEST | NLM_F_ACK | (is_dump ? NLM_F_DUMP : 0));
	struct genlmsghdr *g = (struct genlmsghdr *)(out + used);

	genl(cmd);
	about.number = below(DEVICES);
	if (cmd == MWB_CMD_POLICY_DEL && is_sane && one_in(2))
		sane(&sets[op->set], MWB_A_POLICY_PREF, true, 0);
	else if (!is_dump || !is_sane)
		set_of(&sets[op->set], op->request, is_sane, 0);
	finish(h);
	if (is_sane)
		return h;
	if (one_in(20))
		g->version = chance();
	if (one_in(40))
		g->cmd = one_in(2) ? chance() : below(OPS);
	if (one_in(60))
		g->reserved = chance();
	if (one_in(12))
		h->nlmsg_flags ^= 1 << below(16);
	if (one_in(20))
		h->nlmsg_flags ^= NLM_F_DUMP;
	if (one_in(60))
		h->nlmsg_flags = chance();
	if (one_in(80))
		h->nlmsg_type = one_in(2) ? below(16) : GENL_ID_CTRL + 1000 + below(60000);
	if (one_in(20) && h->nlmsg_len > NLMSG_HDRLEN) {	/* cut off */
		h->nlmsg_len -= below(h->nlmsg_len - NLMSG_HDRLEN + 1);
		used = (uint8_t *)h - out + NLMSG_ALIGN(h->nlmsg_len);
	}
	return h;
}

/* -- what is expected of the kernel ---------------------------------------------------------------------- */

struct want {
	uint32_t seq;
	int cmd, answers, objects;
	bool is_ours, is_nobodys, is_dump, must_answer;
	uint8_t bytes[64];	/* how it begins */
	size_t len;
};

struct sock {
	int fd, count;
	bool is_open_ended;	/* what was expected of it is no longer known */
	struct want want[512];
};

static int last_changes;	/* how many requests that change something were granted, or may be, since it was 0 */

/* The messages that the kernel finds in what is sent, as it goes about that. */
static void expect(struct sock *s, const uint8_t *p, size_t len, bool is_nobodys)
{
	while (len >= NLMSG_HDRLEN) {
		const struct nlmsghdr *h = (const void *)p;
		const struct genlmsghdr *g = NLMSG_DATA(h);
		struct want *w = &s->want[s->count];
		size_t step = NLMSG_ALIGN(h->nlmsg_len);
		bool is_request = h->nlmsg_flags & NLM_F_REQUEST && h->nlmsg_type >= NLMSG_MIN_TYPE;

		if (h->nlmsg_len < NLMSG_HDRLEN || h->nlmsg_len > len)
			return;
		must(s->count < (int)ARRAY_SIZE(s->want), "too many messages");
		s->count++;
		*w = (struct want){ .seq = h->nlmsg_seq, .is_nobodys = is_nobodys, .must_answer = h->nlmsg_flags & NLM_F_ACK };
		w->len = h->nlmsg_len < sizeof(w->bytes) ? h->nlmsg_len : sizeof(w->bytes);
		memcpy(w->bytes, h, w->len);
		if (is_request && h->nlmsg_type == family && h->nlmsg_len >= NLMSG_LENGTH(GENL_HDRLEN)) {
			w->is_dump = (h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
			if (g->cmd < OPS && (w->is_dump ? ops[g->cmd].is_dump : ops[g->cmd].is_do)) {
				w->is_ours = true;
				w->cmd = g->cmd;
			}
			if (w->is_dump)
				w->must_answer = true;
		}
		all->sent++;
		if (step > len)
			return;
		p += step;
		len -= step;
	}
}

static bool is_listed(const uint8_t *list, int n)
{
	while (*list && *list != n)
		list++;
	return *list;
}

/* No address of the kernel's. */
static bool is_secret(uint64_t value)
{
	return value >= 0xffff800000000000 || (value >= low && value < high);
}

/*
 * What could be an address of a User-Mode kernel: any time, and a capacity that somebody wrote, which a flipped bit
 * takes there past harmless().
 */
static bool is_arbitrary(const char *name)
{
	return strstr(name, "-ns") || strstr(name, "-capacity-bps") || strstr(name, "-given-bps") || strstr(name, "-reckoned-bps");
}

/* What the debug kernels fill memory with that has no owner, or a new one (slub_debug and page_poison, tests/vm/uml). */
static bool is_poison(const uint8_t *p, size_t len)
{
	return memmem(p, len, "kkkk", 4) || memmem(p, len, "ZZZZ", 4) || memmem(p, len, "\xaa\xaa\xaa\xaa", 4);
}

/* Attributes that the module tells: of a list, of the right type, in range, and nothing beside their payload. */
static void look(const struct set *set, const uint8_t *list, const uint8_t *p, size_t len)
{
	while (len) {
		const struct nlattr *nla = (const void *)p;
		size_t size = len >= NLA_HDRLEN ? nla->nla_len : 0, i;
		int n = len >= NLA_HDRLEN ? nla->nla_type & NLA_TYPE_MASK : 0;
		const struct attr *a = n > 0 && n <= set->count ? &set->attrs[n] : NULL;
		const uint8_t *data = p + NLA_HDRLEN;
		uint64_t value = 0;

		if (size < NLA_HDRLEN || NLA_ALIGN(size) > len) {
			fault("an attribute of %zu bytes where %zu are left", size, len);
			return;
		}
		if (!a || (a->kind != PAD && !is_listed(list, n))) {
			fault("%s: attribute %d is not told", set->name, n);
			return;
		}
		for (i = size; i < NLA_ALIGN(size); i++)
			if (p[i])
				fault("%s: padding is %02x after %s", set->name, p[i], a->name);
		len -= NLA_ALIGN(size);
		p += NLA_ALIGN(size);
		size -= NLA_HDRLEN;
		/* Nanoseconds have any bytes in time. */
		if (a->kind != NEST && (a->kind == U64 ? size == 8 && is_poison(data, 4) && is_poison(data + 4, 4) :
						       is_poison(data, size)))
			fault("%s: %s is memory that was not written to", set->name, a->name);
		if (a->kind == U32 && size == 4)
			value = *(const uint32_t *)data;
		if (a->kind == U64 && size == 8)
			memcpy(&value, data, 8);
		switch (a->kind) {
		case U32:
		case U64:
			if (size != (a->kind == U32 ? 4 : 8))
				fault("%s: %s has %zu bytes", set->name, a->name, size);
			else if (value < a->min || value > a->max)
				fault("%s: %s is out of range: %llu", set->name, a->name, (unsigned long long)value);
			if (a->kind == U64 && is_secret(value) && !(low && is_arbitrary(a->name)))
				fault("%s: %s looks like an address: %llx", set->name, a->name, (unsigned long long)value);
			break;
		case STRING:
			if (!size || size > a->max + 1 || memchr(data, 0, size) != data + size - 1)
				fault("%s: %s is no string", set->name, a->name);
			break;
		case BINARY:
			if (size != 4 && size != 16)
				fault("%s: %s has %zu bytes", set->name, a->name, size);
			break;
		case NEST:
			look(&sets[a->nest], sets[a->nest].reply, data, size);
			break;
		default:
			if (size)
				fault("%s: %s has %zu bytes", set->name, a->name, size);
		}
	}
}

/* A message of the family, an answer or a notice. */
static void told(const struct nlmsghdr *h, int cmd)
{
	const struct genlmsghdr *g = NLMSG_DATA(h);
	bool has_head = h->nlmsg_len >= NLMSG_LENGTH(GENL_HDRLEN);

	if (!has_head || !g->cmd || g->cmd >= OPS || (cmd && g->cmd != cmd) || g->version != 1 || g->reserved)
		fault("not the head of an answer to %s", ops[cmd].name ?: "anything");
	else
		look(&sets[ops[g->cmd].set], ops[g->cmd].reply, (const uint8_t *)g + GENL_HDRLEN,
		     h->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN));
}

/* The attributes of an extended ack: whether they explain an error. */
static bool explains(const uint8_t *p, size_t len)
{
	bool is_told = false;

	while (len >= NLA_HDRLEN) {
		const struct nlattr *nla = (const void *)p;
		size_t size = nla->nla_len, i;

		if (size < NLA_HDRLEN || NLA_ALIGN(size) > len) {
			fault("an extended ack that lies");
			return true;
		}
		if (nla->nla_type == NLMSGERR_ATTR_MSG) {
			for (i = NLA_HDRLEN; i + 1 < size; i++)
				if (p[i] < ' ' || p[i] > '~')
					fault("a sentence with the byte %02x", p[i]);
			is_told = size > NLA_HDRLEN + 1 && !p[size - 1];
		}
		is_told |= nla->nla_type == NLMSGERR_ATTR_OFFS || nla->nla_type == NLMSGERR_ATTR_MISS_TYPE;
		for (i = size; i < NLA_ALIGN(size); i++)
			if (p[i])
				fault("padding is %02x in an extended ack", p[i]);
		p += NLA_ALIGN(size);
		len -= NLA_ALIGN(size);
	}
	return is_told;
}

static void outcome(const struct nlmsghdr *h, struct want *w)
{
	const uint8_t *data = NLMSG_DATA(h);
	size_t head = h->nlmsg_type == NLMSG_DONE ? 4 : 4 + NLMSG_HDRLEN, len = h->nlmsg_len - NLMSG_HDRLEN;
	int error = -*(const int *)data;
	bool has_more = h->nlmsg_flags & NLM_F_ACK_TLVS;
	const struct op *op = &ops[w->cmd];

	if (len < head) {
		fault("an outcome of %zu bytes", len);
		return;
	}
	if (w->answers++)
		fault("answer %d to one request of %s", w->answers, op->name ?: "something else");
	if (error < 0 || error > 4095)
		fault("%s: error %d", op->name ?: "something else", error);
	if (!w->is_ours)
		return;
	if (!w->is_dump && w->objects != (!error && op->reply[0]))
		fault("%s: %d objects with error %d", op->name, w->objects, error);
	__atomic_add_fetch(error ? &all->refused[w->cmd] : &all->ok[w->cmd], 1, __ATOMIC_RELAXED);
	if (op->is_admin && !error) {
		last_changes++;
		if (w->is_nobodys)
			fault("%s: granted to nobody", op->name);
	}
	/* Without privilege, without memory, with a dump under way: these need no explanation. */
	if (!error || error == EPERM || error == ENOMEM || (error == EBUSY && w->is_dump))
		explains(data + head, has_more ? len - head : 0);
	else if (!explains(data + head, has_more ? len - head : 0))
		fault("%s: %s, and nothing else is said", op->name, strerrorname_np(error));
}

static void judge(struct sock *s, const struct nlmsghdr *h)
{
	struct want *w = NULL;
	int i;

	for (i = 0; i < s->count; i++) {
		if (s->want[i].seq != h->nlmsg_seq)
			continue;
		w = &s->want[i];
		if (!w->answers)
			break;
	}
	if (!w) {
		fault("an answer to nothing, number %u", h->nlmsg_seq);
	} else if (h->nlmsg_type == NLMSG_ERROR || h->nlmsg_type == NLMSG_DONE) {
		outcome(h, w);
	} else if (h->nlmsg_type != family || !w->is_ours) {
		fault("an answer of type %u", h->nlmsg_type);
	} else {
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			all->interrupted++;
		all->parts++;
		w->objects++;
		told(h, w->cmd);
	}
}

/* Most of a dump's part. */
#define PART (36 << 10)
#define PARTS 32
static _Alignas(8) uint8_t in[PARTS][PART];

static void take(struct sock *s, const void *datagram, ssize_t len, void (*f)(struct sock *, const struct nlmsghdr *))
{
	const struct nlmsghdr *h = datagram;

	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		shown = h;
		shown_len = h->nlmsg_len;
		f(s, h);
	}
	shown_len = 0;
	if (len)
		fault("%zd bytes after the last message", len);
}

/*
 * Calls `f` for each message of so many datagrams, if they are there; false if there are no more. In one system
 * call, for those are what takes long.
 */
static bool receive(struct sock *s, int most, void (*f)(struct sock *, const struct nlmsghdr *))
{
	struct mmsghdr parts[PARTS] = { 0 };
	struct iovec rooms[PARTS];
	int count;

	for (int i = 0; i < PARTS; i++) {
		rooms[i] = (struct iovec){ in[i], PART };
		parts[i].msg_hdr.msg_iov = &rooms[i];
		parts[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(s->fd, parts, most, MSG_DONTWAIT, NULL);
	if (count < 0 && errno == ENOBUFS && s->is_open_ended)
		return true;
	must(count > 0 || errno == EAGAIN, "recvmmsg");
	for (int i = 0; i < count; i++) {
		must(!(parts[i].msg_hdr.msg_flags & MSG_TRUNC), "a datagram of that size");
		take(s, in[i], parts[i].msg_len, f);
	}
	return count == most;
}

/* Reads all that there is. The kernel answers while one sends and reads, so nothing follows later. */
static void drain(struct sock *s)
{
	while (receive(s, PARTS, judge))
		;
	for (int i = 0; i < s->count; i++) {
		struct want *w = &s->want[i];

		shown = w->bytes;
		shown_len = w->len;
		if (!w->answers && w->must_answer)
			fault("no answer to number %x of %d, a %s of %s; then %zd, %m", w->seq, s->count,
			      w->is_dump ? "dump" : "request", ops[w->cmd].name ?: "something else",
			      recv(s->fd, in[0], PART, MSG_DONTWAIT));
		/* One that asked for no answer gets none when it is granted. */
		if (!w->answers && ops[w->cmd].is_admin)
			last_changes++;
	}
	shown_len = 0;
	s->count = 0;
}

static void notice(struct sock *s, const struct nlmsghdr *h)
{
	(void)s;
	all->events++;
	if (h->nlmsg_type == family)
		told(h, 0);
	else
		fault("a notice of type %u", h->nlmsg_type);
}

/* -- sockets and devices ------------------------------------------------------------------------------- */

static void open_socket(struct sock *s)
{
	static const int options[] = { NETLINK_CAP_ACK, NETLINK_EXT_ACK };
	struct sockaddr_nl any = { .nl_family = AF_NETLINK };
	int one = 1, size = 16 << 20;

	s->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	/* Bound, or it gets no notices before it has sent something. */
	must(s->fd >= 0 && !bind(s->fd, (struct sockaddr *)&any, sizeof(any)), "socket");
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		must(!setsockopt(s->fd, SOL_NETLINK, options[i], &one, sizeof(one)), "netlink option");
	must(!setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), "receive buffer");
	must(!setsockopt(s->fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)), "send buffer");
	s->count = 0;
}

static void post(struct sock *s)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	must(sendto(s->fd, out, used, 0, (struct sockaddr *)&kernel, sizeof(kernel)) == (ssize_t)used, "send");
}

static const struct nlattr *find(const void *attrs, size_t len, int type)
{
	const uint8_t *p = attrs;

	while (len >= NLA_HDRLEN) {
		const struct nlattr *nla = (const void *)p;
		size_t step = NLA_ALIGN(nla->nla_len);

		if ((nla->nla_type & NLA_TYPE_MASK) == type)
			return nla;
		if (step < NLA_HDRLEN || step > len)
			break;
		p += step;
		len -= step;
	}
	return NULL;
}

/* The numbers of the family and its group. */
static void resolve(void)
{
	const struct nlattr *nla, *groups;
	struct nlmsghdr *h, *answer = (void *)in[0];
	struct sock s = { 0 };
	size_t len;

	open_socket(&s);
	used = 0;
	h = head(GENL_ID_CTRL, NLM_F_REQUEST);
	genl(CTRL_CMD_GETFAMILY);
	text(CTRL_ATTR_FAMILY_NAME, "mwb");
	finish(h);
	post(&s);
	must(recv(s.fd, in[0], PART, 0) > (ssize_t)NLMSG_LENGTH(GENL_HDRLEN), "recv");
	close(s.fd);
	must(answer->nlmsg_type == GENL_ID_CTRL, "no family mwb");
	len = answer->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	h = (void *)(in[0] + NLMSG_LENGTH(GENL_HDRLEN));
	nla = find(h, len, CTRL_ATTR_FAMILY_ID);
	groups = find(h, len, CTRL_ATTR_MCAST_GROUPS);
	must(nla && groups, "no numbers");
	family = *(const uint16_t *)(nla + 1);
	/* The first and only one. */
	nla = find(groups + 2, groups->nla_len - 2 * NLA_HDRLEN, CTRL_ATTR_MCAST_GRP_ID);
	must(nla, "no group");
	group = *(const uint32_t *)(nla + 1);
}

static void listen_to(struct sock *s)
{
	open_socket(s);
	s->is_open_ended = true;
	must(!setsockopt(s->fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)), "group");
}

static int inet_fd;

static struct ifreq named(int n)
{
	struct ifreq r = { 0 };

	snprintf(r.ifr_name, sizeof(r.ifr_name), "f%d", n);
	return r;
}

static void set_up(int n, bool is_up)
{
	struct ifreq r = named(n);

	if (ioctl(inet_fd, SIOCGIFFLAGS, &r))
		return;
	r.ifr_flags = is_up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP;
	ioctl(inet_fd, SIOCSIFFLAGS, &r);
}

static void set_address(int n, uint32_t address)
{
	struct ifreq r = named(n);
	struct sockaddr_in *in4 = (void *)&r.ifr_addr;

	in4->sin_family = AF_INET;
	in4->sin_addr.s_addr = htonl(address);
	if (ioctl(inet_fd, SIOCSIFADDR, &r) || !address)
		return;
	in4->sin_addr.s_addr = htonl(0xffffff00);
	ioctl(inet_fd, SIOCSIFNETMASK, &r);
}

/* device: makes the dummy device fN, with an address, or removes it. */
static void device(int n, bool is_there)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	struct ifinfomsg *info;
	struct nlmsghdr *h;
	struct nlattr *nest;

	must(fd >= 0, "socket");
	used = 0;
	h = head(is_there ? RTM_NEWLINK : RTM_DELLINK, NLM_F_REQUEST | (is_there ? NLM_F_CREATE | NLM_F_EXCL : 0));
	info = room(sizeof(*info));
	must(info, "no room for a device");
	text(IFLA_IFNAME, "f%d", n);
	nest = put(IFLA_LINKINFO, NULL, 0);
	text(IFLA_INFO_KIND, "dummy");
	end(nest);
	finish(h);
	post(&(struct sock){ .fd = fd });
	close(fd);
	if (!is_there)
		return;
	set_address(n, 0x64400002 + 256 * (100 + n));
	set_up(n, true);
}

static void devices(bool are_there)
{
	for (int i = 0; i < DEVICES; i++)
		device(i, are_there);
}

/* -- what is configured ---------------------------------------------------------------------------------- */

static uint64_t configured;
static int named_count;
static struct { int cmd; char name[16]; } found[512];
static _Alignas(8) uint8_t config[512];
static size_t config_len;

static uint64_t fold(uint64_t hash, const uint8_t *p, size_t len)
{
	while (len--)
		hash = (hash ^ *p++) * 0x100000001b3;
	return hash;
}

/* Adds what a dumped object has been given, and nothing that moves by itself. */
static void add_to_picture(struct sock *s, const struct nlmsghdr *h)
{
	const struct genlmsghdr *g = NLMSG_DATA(h);
	const uint8_t *p = (const uint8_t *)g + GENL_HDRLEN;
	size_t len;

	(void)s;
	if (h->nlmsg_type != family)
		return;
	len = h->nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN);
	if (g->cmd == MWB_CMD_CONFIG_GET && len <= sizeof(config)) {
		memcpy(config, p, len);
		config_len = len;
	}
	if (g->cmd == MWB_CMD_WAN_GET || g->cmd == MWB_CMD_GROUP_GET) {
		const struct nlattr *name = find(p, len, g->cmd == MWB_CMD_WAN_GET ? MWB_A_WAN_NAME : MWB_A_GROUP_NAME);

		if (name && named_count < (int)ARRAY_SIZE(found)) {
			found[named_count].cmd = g->cmd == MWB_CMD_WAN_GET ? MWB_CMD_WAN_DEL : MWB_CMD_GROUP_DEL;
			snprintf(found[named_count++].name, sizeof(found->name), "%s", (const char *)(name + 1));
		}
	}
	configured = fold(configured, &g->cmd, 1);
	bool is_learned = g->cmd == MWB_CMD_WAN_GET && find(p, len, MWB_A_WAN_GATEWAY_LEARNED);
	while (len >= NLA_HDRLEN) {
		const struct nlattr *nla = (const void *)p;
		size_t step = NLA_ALIGN(nla->nla_len);
		int n = nla->nla_type & NLA_TYPE_MASK;
		bool counts = true;

		if (g->cmd == MWB_CMD_WAN_GET)
			counts = (is_listed(ops[MWB_CMD_WAN_SET].request, n) && n != MWB_A_WAN_UP_CAPACITY_BPS &&
				  n != MWB_A_WAN_DOWN_CAPACITY_BPS && !(is_learned && n == MWB_A_WAN_GATEWAY4)) ||
				 n == MWB_A_WAN_ID || n == MWB_A_WAN_UP_GIVEN_BPS || n == MWB_A_WAN_DOWN_GIVEN_BPS;
		if (g->cmd == MWB_CMD_POLICY_GET)
			counts = is_listed(ops[MWB_CMD_POLICY_ADD].request, n);
		if (step < NLA_HDRLEN || step > len)
			break;
		if (counts)
			configured = fold(configured, p, step);
		p += step;
		len -= step;
	}
}

/* A number for all that is configured; the names of the groups and WANs are in `found`. */
static uint64_t picture(struct sock *s)
{
	static const uint8_t cmds[] = { MWB_CMD_GROUP_GET, MWB_CMD_WAN_GET, MWB_CMD_POLICY_GET, MWB_CMD_CONFIG_GET };

	configured = 0xcbf29ce484222325;
	named_count = 0;
	for (size_t i = 0; i < ARRAY_SIZE(cmds); i++) {
		struct nlmsghdr *h;

		used = 0;
		h = head(family, NLM_F_REQUEST | (ops[cmds[i]].is_dump ? NLM_F_DUMP : NLM_F_ACK));
		genl(cmds[i]);
		finish(h);
		post(s);
		while (receive(s, PARTS, add_to_picture))
			;
	}
	return configured;
}

static void one_message(struct sock *s)
{
	expect(s, out, used, false);
	post(s);
	drain(s);
}

/* wipe: nothing is configured any more. */
static void wipe(struct sock *s)
{
	struct nlmsghdr *h;

	drain(s);
	used = 0;
	h = head(family, NLM_F_REQUEST | NLM_F_ACK);
	genl(MWB_CMD_POLICY_REPLACE);
	put(MWB_A_POLICIES_BEGIN, NULL, 0);
	finish(h);
	one_message(s);
	picture(s);
	for (int i = 0; i < named_count; i++) {
		used = 0;
		h = head(family, NLM_F_REQUEST | NLM_F_ACK);
		genl(found[i].cmd);
		put(found[i].cmd == MWB_CMD_WAN_DEL ? MWB_A_WAN_NAME : MWB_A_GROUP_NAME,
		    found[i].name, strlen(found[i].name) + 1);
		finish(h);
		one_message(s);
	}
}

/* -- the run ------------------------------------------------------------------------------------------------ */

/* A set of policies that takes several messages, and its dump several parts. */
static void large_set(struct sock *s)
{
	int messages = 2 + below(6);

	drain(s);
	for (int i = 0; i < messages; i++) {
		struct nlmsghdr *h;

		used = 0;
		h = head(family, NLM_F_REQUEST | NLM_F_ACK);
		genl(MWB_CMD_POLICY_REPLACE);
		if (!i)
			put(MWB_A_POLICIES_BEGIN, NULL, 0);
		if (i + 1 < messages)
			put(MWB_A_POLICIES_MORE, NULL, 0);
		for (uint32_t j = 0; j < 100; j++) {
			struct nlattr *nest = put(MWB_A_POLICIES_POLICY | NLA_F_NESTED, NULL, 0);
			uint32_t pref = i * 100 + j, address = htonl(0x0a000000 | below(256) << 16), len = 16;

			put(MWB_A_POLICY_PREF, &pref, sizeof(pref));
			put(MWB_A_POLICY_SRC, &address, sizeof(address));
			put(MWB_A_POLICY_SRC_LEN, &len, sizeof(len));
			text(MWB_A_POLICY_TO, one_in(2) ? "main" : "w0");
			end(nest);
		}
		finish(h);
		one_message(s);
	}
}

static void disturb(void)
{
	int n = below(DEVICES);

	switch (below(12)) {
	case 0:
		device(n, one_in(2));
		break;
	case 1:
	case 2:
		set_address(n, one_in(2) ? 0 : 0x64400002 + 256 * (100 + n));
		break;
	default:
		set_up(n, !one_in(3));
	}
}

/* One datagram of requests on one of the sockets, and most of the time all the answers to them. */
static void batch(struct sock *socks, int sockets, struct sock *checker)
{
	struct sock *s = &socks[below(sockets)];
	bool is_nobodys = one_in(30), is_checked = is_alone && one_in(3), is_odd = one_in(3);
	int messages = 1 + below(is_checked ? 4 : 48);
	uint64_t before = 0, after;
	static uint8_t kept[512];
	size_t sent;

	/* What an earlier one has left is read on, and nothing is asked of a socket that could be full. */
	if (s->count && (is_checked || s->count > 200 || one_in(2)))
		drain(s);
	if (one_in(60))
		disturb();
	if (one_in(150))
		large_set(s);
	if (one_in(4000))
		wipe(s);
	if (is_checked)
		before = picture(checker);
	used = 0;
	by_chance = true;
	while (messages-- && used < sizeof(out) / 4) {
		struct nlmsghdr *h = message(any_op(), !is_odd && !one_in(4));

		/* The last one may say that it is longer than it is, or so short that what it has looks like another. */
		if ((!messages || used >= sizeof(out) / 4) && one_in(12))
			h->nlmsg_len = one_in(2) ? below(h->nlmsg_len + 1) : h->nlmsg_len + below(100);
	}
	by_chance = false;
	all->hash = fold(all->hash, out, used);
	sent = used < sizeof(kept) ? used : sizeof(kept);
	memcpy(kept, out, sent);
	expect(s, out, used, is_nobodys);
	last_changes = 0;
	must(!is_nobodys || !seteuid(65534), "seteuid");
	post(s);
	must(!is_nobodys || !seteuid(0), "seteuid");
	if (is_checked) {
		drain(s);
		if (last_changes)
			return;
		all->compared++;
		after = picture(checker);
		shown = kept;
		shown_len = sent;
		if (after != before)
			fault("what was refused has changed something");
		shown_len = 0;
		return;
	}
	switch (below(12)) {
	case 0:		/* left with what there is to read, dumps in their middle */
		if (one_in(2))
			receive(s, 1, judge);
		close(s->fd);
		open_socket(s);
		break;
	case 1:
	case 2:		/* read on later */
		receive(s, 1, judge);
		break;
	default:
		drain(s);
	}
}

static void run(uint64_t start, long messages)
{
	struct sock *socks = calloc(5, sizeof(*socks)), *checker = socks + 3, *listener = socks + 4;
	long sent = 0, before;

	must(socks, "calloc");
	seed = start;
	inet_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	must(inet_fd >= 0, "socket");
	for (int i = 0; i < 4; i++)
		open_socket(&socks[i]);
	listen_to(listener);
	while (sent < messages && all->faults < ENOUGH) {
		before = all->sent;
		batch(socks, 3, checker);
		sent += is_alone ? all->sent - before : 20;
		while (receive(listener, PARTS, notice))
			;
	}
	for (int i = 0; i < 3; i++)
		drain(&socks[i]);
	free(socks);
}

static void one(long messages)
{
	static uint8_t first[sizeof(config)];
	struct sock s = { 0 };
	struct nlmsghdr *h;
	uint64_t clean;
	size_t len;

	is_alone = true;
	open_socket(&s);
	inet_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	devices(true);
	clean = picture(&s);
	must(!named_count, "not empty");
	len = config_len;
	memcpy(first, config, len);
	run(seed, messages);
	wipe(&s);
	used = 0;
	h = head(family, NLM_F_REQUEST | NLM_F_ACK);
	genl(MWB_CMD_CONFIG_SET);
	memcpy(room(len), first, len);
	finish(h);
	one_message(&s);
	if (picture(&s) != clean)
		fault("it is not as it was before");
	devices(false);
}

/* A namespace of its own, whose processes go on until they are killed, or have sent enough. */
static pid_t namespace(uint64_t start, long messages)
{
	pid_t pid = fork();

	must(pid >= 0, "fork");
	if (pid) {
		setpgid(pid, pid);
		return pid;
	}
	setpgid(0, 0);
	must(!unshare(CLONE_NEWNET), "unshare");
	inet_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	devices(true);
	for (int i = 1; i < 3; i++)
		if (!fork())
			start ^= (uint64_t)i << 56;
	run(start, messages);
	_exit(0);
}

static void judge_end(int status)
{
	if (WIFSIGNALED(status) ? WTERMSIG(status) != SIGKILL : WEXITSTATUS(status))
		fault("a process ended with the status %x", status);
}

static void many(long messages)
{
	enum { NAMESPACES = 4 };
	pid_t pids[NAMESPACES];
	long next = below(4000);
	int status;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	for (int i = 0; i < NAMESPACES; i++)
		pids[i] = namespace(chance(), messages / 4);
	while (all->sent < messages && all->faults < ENOUGH) {
		pid_t ended;

		usleep(20000);
		while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
			judge_end(status);
			for (int i = 0; i < NAMESPACES; i++)
				if (pids[i] == ended) {
					kill(-ended, SIGKILL);
					pids[i] = namespace(chance(), messages / (i ? 200 : 4));
					all->left++;
				}
		}
		/* The first one stays to its end; the others end in the middle of what they do, or by themselves. */
		if (all->sent < next)
			continue;
		next = all->sent + below(4000);
		kill(-pids[1 + below(NAMESPACES - 1)], SIGKILL);
	}
	for (int i = 0; i < NAMESPACES; i++)
		kill(-pids[i], SIGKILL);
	while (wait(&status) > 0)
		judge_end(status);
}

/* How often each attribute of a list was wrong in each way, at least. */
static void least_odd(int set, const uint8_t *list, bool is_long, long *least)
{
	for (; *list; list++)
		for (int way = 0; way < ODD; way++) {
			long times = all->odd[set][*list][way];

			*least = times < *least ? times : *least;
			if (is_long && !times)
				fault("%s: %s was never made wrong in way %d", sets[set].name, sets[set].attrs[*list].name, way);
		}
}

int main(int argc, char **argv)
{
	bool is_one = argc == 4 && !strcmp(argv[1], "one");
	long messages = argc == 4 ? atol(argv[3]) : 0, least = LONG_MAX;
	FILE *info = fopen("/proc/cpuinfo", "re");
	uint64_t first;
	char line[256];

	if (argc != 4 || messages <= 0 || (!is_one && strcmp(argv[1], "many"))) {
		fprintf(stderr, "usage: netlink one|many SEED MESSAGES\n");
		return 2;
	}
	seed = first = strtoull(argv[2], NULL, 0);
	/* Text, data and memory of a User-Mode kernel, as it is started for tests. */
	while (info && fgets(line, sizeof(line), info))
		if (strstr(line, "User Mode"))
			low = 0x60000000, high = 0x200000000;
	if (info)
		fclose(info);
	all = mmap(NULL, sizeof(*all), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(all != MAP_FAILED, "mmap");
	resolve();
	if (is_one)
		one(messages);
	else
		many(messages);
	for (int i = 1; i < OPS; i++) {
		if (!ops[i].is_do && !ops[i].is_dump)
			continue;
		printf("# %s: %ld granted, %ld refused\n", ops[i].name, all->ok[i], all->refused[i]);
		if (messages >= 30000 && (!all->ok[i] || !all->refused[i]))
			fault("%s was never granted, or never refused", ops[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sets); i++)
		least_odd(i, sets[i].request, messages >= 30000, &least);
	for (int i = 1; i < OPS; i++)
		least_odd(ops[i].set, ops[i].request, messages >= 30000, &least);
	printf("# each attribute of a request was made wrong in each of %d ways, %ld times at least\n", ODD, least);
	printf("# %ld messages, seed %llu, hash %016llx: %ld objects told, %ld notices, %ld dumps overtaken, %ld comparisons",
	       all->sent, (unsigned long long)first, (unsigned long long)all->hash, all->parts, all->events,
	       all->interrupted, all->compared);
	printf(is_one ? "\n" : ", %ld namespaces ended\n", all->left);
	return all->faults ? 1 : 0;
}

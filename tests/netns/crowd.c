// SPDX-License-Identifier: GPL-2.0
/*
 * Up to two million connections of UDP at a time: crowd PREFIX. The clients of the LAN, each with an address of its
 * own, say one thing at a time in each of their connections, and servers in the Internet tell them which address it
 * has come from. No two connections have a port and a server in common, so NAT has no need to change a port.
 *
 * Lines of stdin, and what is answered to each as a line of JSON:
 *   talk FIRST COUNT [AGAIN]   one packet of each of these connections, and the answer to it: how many were sent and
 *                              answered; by which lines; how many that had been on a line are on another one now, by
 *                              the line that they were on; how long it took, and the longest batch of it. AGAIN is
 *                              the number of another connection of the same client and server, 0 that of the first
 *   push FIRST COUNT           packets without a wait for answers, which are lost
 *   forget                     on which lines they have been
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 2000000, BATCH = 256, LINES = 256, PORTS = 60000, SERVERS = 4, WAIT_MS = 5000 };

struct packet {
	struct iphdr ip;
	struct udphdr udp;
	uint32_t number;
	uint32_t came_from;
};

static struct packet packets[BATCH];
static struct iovec vecs[BATCH];
static struct sockaddr_in peers[BATCH];
static struct mmsghdr headers[BATCH];
static uint8_t line_of[MAX];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* A socket for whole IP packets in a namespace. */
static int raw_socket(const char *prefix, const char *ns)
{
	char path[128];
	int fd, one = 1, room = 16 << 20;

	snprintf(path, sizeof(path), "/run/netns/%s%s", prefix, ns);
	fd = open(path, O_RDONLY);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
	if (fd < 0 || setsockopt(fd, IPPROTO_IP, IP_HDRINCL, &one, sizeof(one)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)))
		die("socket");
	return fd;
}

static void send_all(int fd, int count)
{
	for (int i = 0; i < count; i++) {
		peers[i].sin_family = AF_INET;
		peers[i].sin_addr.s_addr = packets[i].ip.daddr;
		headers[i].msg_hdr.msg_name = &peers[i];
		headers[i].msg_hdr.msg_namelen = sizeof(peers[i]);
		vecs[i].iov_len = sizeof(packets[i]);
	}
	for (int done = 0, n; done < count; done += n) {
		n = sendmmsg(fd, headers + done, count - done, 0);
		/* Refused, as some are meant to be: it does not count as answered. */
		if (n < 0)
			n = 1;
	}
}

/* What has come, 0 if nothing does. */
static int receive(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int n;

	if (poll(&poll_fd, 1, WAIT_MS) == 0)
		return 0;
	for (int i = 0; i < BATCH; i++) {
		headers[i].msg_hdr.msg_name = NULL;
		headers[i].msg_hdr.msg_namelen = 0;
		vecs[i].iov_len = sizeof(packets[i]);
	}
	n = recvmmsg(fd, headers, BATCH, MSG_DONTWAIT, NULL);
	if (n < 0)
		die("recvmmsg");
	return n;
}

static void drain(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, MSG_DONTWAIT) >= 0)
		;
}

static void speak(int fd, uint32_t first, int count, uint32_t again)
{
	for (int i = 0; i < count; i++) {
		uint32_t n = first + i;

		packets[i] = (struct packet) {
			.ip = {
				.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP,
				.tot_len = htons(sizeof(struct packet)),
				.saddr = htonl((10 << 24 | 64 << 16) + n),
				.daddr = htonl((198u << 24 | 51 << 16 | 100 << 8) + 1 + n / PORTS % SERVERS),
			},
			.udp = {
				.source = htons(1024 + n % PORTS),
				.dest = htons(7000 + 100 * again + n / PORTS / SERVERS),
				.len = htons(sizeof(struct packet) - sizeof(struct iphdr)),
			},
			.number = n,
		};
	}
	send_all(fd, count);
}

/* Answers what has come; returns how much that was. */
static int answer(int fd)
{
	int n = receive(fd);

	for (int i = 0; i < n; i++) {
		struct packet *p = &packets[i];
		uint32_t addr = p->ip.daddr;
		uint16_t port = p->udp.dest;

		p->came_from = p->ip.saddr;
		p->ip.daddr = p->ip.saddr;
		p->ip.saddr = addr;
		p->udp.dest = p->udp.source;
		p->udp.source = port;
		p->udp.check = 0;
		p->ip.ttl = 64;
	}
	send_all(fd, n);
	return n;
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

static void print_counts(const char *name, const uint32_t *counts)
{
	const char *comma = "";

	printf(", \"%s\": {", name);
	for (int i = 0; i < LINES; i++) {
		if (counts[i]) {
			printf("%s\"%d\": %u", comma, i, counts[i]);
			comma = ", ";
		}
	}
	printf("}");
}

static void talk(int lan, int inet, uint32_t first, uint32_t count, uint32_t again)
{
	static uint32_t lines[LINES], moved[LINES];
	double start = now_ms(), longest = 0;
	uint32_t answered = 0;

	memset(lines, 0, sizeof(lines));
	memset(moved, 0, sizeof(moved));
	for (uint32_t at = 0; at < count; at += BATCH) {
		int size = count - at < BATCH ? count - at : BATCH;
		double began = now_ms();

		speak(lan, first + at, size, again);
		for (int asked = 0, n; asked < size && (n = answer(inet)); )
			asked += n;
		for (int got = 0, n; got < size && (n = receive(lan)); got += n) {
			for (int i = 0; i < n; i++) {
				uint32_t number = packets[i].number;
				/* 100.64.LINE.2 */
				uint8_t line = ntohl(packets[i].came_from) >> 8;

				if (number < first + at || number >= first + at + size)
					continue;
				if (line_of[number] && line_of[number] != line)
					moved[line_of[number]]++;
				line_of[number] = line;
				lines[line]++;
				answered++;
			}
		}
		if (now_ms() - began > longest)
			longest = now_ms() - began;
	}
	printf("{\"sent\": %u, \"answered\": %u, \"ms\": %.0f, \"longest_ms\": %.0f", count, answered,
	       now_ms() - start, longest);
	print_counts("lines", lines);
	print_counts("moved", moved);
	printf("}\n");
}

static void push(int lan, int inet, uint32_t first, uint32_t count)
{
	for (uint32_t at = 0; at < count; at += BATCH)
		speak(lan, first + at, count - at < BATCH ? count - at : BATCH, 0);
	usleep(100000);
	drain(inet);
	printf("{\"sent\": %u}\n", count);
}

int main(int argc, char **argv)
{
	const char *prefix = argc > 1 ? argv[1] : "";
	int lan = raw_socket(prefix, "lan"), inet = raw_socket(prefix, "inet");
	char line[128], verb[16];
	uint32_t first, count, again;

	for (int i = 0; i < BATCH; i++) {
		vecs[i].iov_base = &packets[i];
		headers[i].msg_hdr.msg_iov = &vecs[i];
		headers[i].msg_hdr.msg_iovlen = 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	while (fgets(line, sizeof(line), stdin)) {
		first = count = again = 0;
		sscanf(line, "%15s %u %u %u", verb, &first, &count, &again);
		if (first > MAX || count > MAX - first) {
			puts("{\"error\": \"too many\"}");
		} else if (!strcmp(verb, "talk")) {
			talk(lan, inet, first, count, again);
		} else if (!strcmp(verb, "push")) {
			push(lan, inet, first, count);
		} else {
			memset(line_of, 0, sizeof(line_of));
			puts("{}");
		}
	}
	return 0;
}

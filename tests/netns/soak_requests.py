# SPDX-License-Identifier: GPL-2.0
"""Who configures, who looks, who meddles with connections, who takes the module away: workers of soak."""

import ctypes
import errno
import itertools
import os
import random
import socket
import struct
import time

from nl import Mwb, Netlink, DUMP, NETLINK_NETFILTER, attr, attributes, attrs, call, libc, number, u32
from soak_worker import KO, LABS, LEGAL, MAYFLIES, SEEN, SHELF, WANS, PATIENCE, Worker, gateway, routers, wan_base

# -- who configures --------------------------------------------------------------------------------------------------

DEVS = [f"wan{n}" for n in WANS]
GHOSTS = ("ghost1", "ghost2")
GROUPS = ("all", "some", "one")


# So few that what is to be removed is often there.
PREFS = range(500, 506)


def policy(rng):
    """A policy of not too many different ones."""
    out = {"pref": rng.choice(PREFS)}
    if rng.random() < 0.5:
        out |= {"src": bytes([10, 0, 0, rng.randrange(11, 19)]), "src_len": 32}
    if rng.random() < 0.5:
        out |= {"dst": bytes([198, 51, 100, rng.randrange(1, 5)]), "dst_len": rng.choice((24, 32))}
        if out["dst_len"] == 24:
            out["dst"] = bytes([198, 51, 100, 0])
    if rng.random() < 0.2:
        out["iif"] = rng.choice(("lan0", "lo", "wan1", "nosuch"))
    if rng.random() < 0.4:
        out |= {"proto": 17, "dport_min": 9}
    out["to"] = rng.choice((*DEVS, *GROUPS, "main", "ghost1"))
    if out["to"] != "main" and rng.random() < 0.1:
        out["strict"] = True
    return out


class Configurer(Worker):
    KINDS = {"wan_add": 5, "wan_set": 10, "wan_del": 2, "group_set": 3, "group_del": 1, "policy_add": 5,
             "policy_del": 3, "policies": 3, "config_set": 3}

    def plan(self, rng):
        while True:
            yield self.pace(rng, 0.03)
            ns = rng.choice((*routers(), *routers(), SHELF, f"{rng.choice(MAYFLIES)}router"))
            what = rng.choices(list(self.KINDS), self.KINDS.values())[0]
            args = getattr(self, f"plan_{what}")(rng)
            yield what, ns, *args
            # Where all takes long, what somebody else is to remove is seldom there.
            undo = {"group_set": "group_del", "policy_add": "policy_del"}.get(what)
            if undo and rng.random() < 0.3:
                yield undo, ns, args[0]

    def plan_wan_add(self, rng):
        if rng.random() < 0.15:
            ghost = rng.choice(GHOSTS)
            return [dict(name=ghost, dev=ghost)]
        n = rng.choice(WANS)
        wan = wan_base(n) | {"id": n}
        if rng.random() < 0.3:
            wan["gateway4"] = bytes(4)
        if rng.random() < 0.3:
            wan["tier"] = rng.randrange(1, 4)
        return [wan]

    def plan_wan_set(self, rng):
        n = rng.choice(WANS)
        what = rng.choice(("tier", "admin", "health", "gateway4", "dev", "weight", "up_capacity_bps"))
        value = {"tier": lambda: rng.randrange(1, 4),
                 "admin": lambda: rng.choice((0, 0, 1, 2)),
                 "health": lambda: rng.choice((0, 0, 1)),
                 "gateway4": lambda: rng.choice((gateway(n), bytes(4), gateway(99))),
                 "dev": lambda: rng.choice((f"wan{n}", f"wan{n}", f"old{n}", "ghost1", "wan1")),
                 "weight": lambda: rng.randrange(10),
                 "up_capacity_bps": lambda: rng.choice((0, 10**6, 10**9))}[what]()
        return [{"name": f"wan{n}", what: value}]

    def plan_wan_del(self, rng):
        return [rng.choice((*DEVS, *GHOSTS, *GHOSTS))]

    def plan_group_set(self, rng):
        return [rng.choice(GROUPS), rng.sample((*DEVS, "ghost1"), rng.randrange(1, 4))]

    def plan_group_del(self, rng):
        return [rng.choice(GROUPS)]

    def plan_policy_add(self, rng):
        return [policy(rng)]

    def plan_policy_del(self, rng):
        return [policy(rng) if rng.random() < 0.3 else {"pref": rng.choice(PREFS)}]

    def plan_policies(self, rng):
        count = rng.choice((0, 3, 20, 200, 1000))
        return [count, rng.randrange(1 << 16), rng.choice(DEVS), rng.choice((*DEVS, "main")), rng.random() < 0.3]

    def plan_config_set(self, rng):
        return [{what: value(rng) for what, value in rng.sample(list(CONFIG.items()), 2)}]

    def do_wan_add(self, ns, wan):
        with self.mwb(ns) as mwb:
            mwb.request("WAN_ADD", attrs("WAN", **wan))

    def do_wan_set(self, ns, wan):
        with self.mwb(ns) as mwb:
            mwb.request("WAN_SET", attrs("WAN", **wan))

    def do_wan_del(self, ns, name):
        with self.mwb(ns) as mwb:
            mwb.request("WAN_DEL", attrs("WAN", name=name))

    def do_group_set(self, ns, name, wans):
        with self.mwb(ns) as mwb:
            mwb.request("GROUP_SET", attrs("GROUP", name=name, wan=wans))

    def do_group_del(self, ns, name):
        with self.mwb(ns) as mwb:
            mwb.request("GROUP_DEL", attrs("GROUP", name=name))

    def do_policy_add(self, ns, policy):
        with self.mwb(ns) as mwb:
            mwb.request("POLICY_ADD", attrs("POLICY", **policy))

    def do_policy_del(self, ns, policy):
        with self.mwb(ns) as mwb:
            mwb.request("POLICY_DEL", attrs("POLICY", **policy))

    def do_policies(self, ns, count, start, to, other, has_group):
        """Replaces them all, in several messages if there are many."""
        with self.mwb(ns) as mwb:
            begin = attrs("POLICIES", begin=True)
            if has_group:
                mwb.request("POLICY_REPLACE", begin + attrs("POLICIES", more=True))
                mwb.request("GROUP_SET", attrs("GROUP", name="staged", wan=to, staged=True))
                begin, to = b"", "staged"
            for at in range(0, max(1, count), 100):
                more = attrs("POLICIES", more=True) if at + 100 < count else b""
                some = b""
                for n in range(start + at, start + min(at + 100, count)):
                    some += attr(number["MWB_A_POLICIES_POLICY"] | 0x8000, attrs(
                        "POLICY", src=bytes([10, 1, n >> 8 & 255, n & 255]), src_len=32, to=(to, other)[n % 2]))
                mwb.request("POLICY_REPLACE", begin + some + more)
                begin = b""

    def do_config_set(self, ns, config):
        with self.mwb(ns) as mwb:
            mwb.request("CONFIG_SET", attrs("CONFIG", **config))


CONFIG = {
    "granularity": lambda rng: rng.randrange(2),
    "pair_timeout": lambda rng: rng.choice((1, 60)),
    "last_resort": lambda rng: rng.randrange(2),
    "on_down": lambda rng: rng.randrange(2),
    "failback": lambda rng: rng.randrange(3),
    "mode": lambda rng: rng.randrange(3),
    "interval_ms": lambda rng: rng.choice((50, 200, 1000)),
    "average_ms": lambda rng: rng.choice((100, 600)),
    "credit_cap_percent": lambda rng: rng.choice((0, 50)),
    "table_base": lambda rng: rng.choice((7000, 7000, 9000)),
}
CONFIG_BASE = {"granularity": 0, "pair_timeout": 600, "last_resort": 0, "on_down": 0, "failback": 0, "mode": 2,
               "interval_ms": 200, "average_ms": 600, "credit_cap_percent": 50}


# -- who only looks --------------------------------------------------------------------------------------------------

class Dumper(Worker):
    DUMPS = {"WAN_GET": "WAN", "POLICY_GET": "POLICY", "GROUP_GET": "GROUP"}

    def plan(self, rng):
        while True:
            yield self.pace(rng, 0.03)
            ns = rng.choice((*routers(), *routers(), SHELF, f"{rng.choice(MAYFLIES)}router"))
            yield rng.choice((
                ("dump", ns, rng.choice(list(self.DUMPS))),
                ("begin", ns, rng.choice(list(self.DUMPS)), rng.randrange(20)),
                ("read", ns, rng.choice(("STATS", "CONFIG"))),
                ("explain", ns, rng.randrange(11, 19), rng.randrange(1, 5)),
                ("listen", ns, rng.randrange(200)),
                ("kernel", rng.choice(routers()), rng.choice(("rules", "routes", "connections"))),
            ))

    def do_dump(self, ns, op):
        with self.mwb(ns) as mwb:
            mwb.request(op, flags=DUMP)

    def do_begin(self, ns, op, ms):
        with Mwb(ns) as mwb:
            mwb.begin(op)
            time.sleep(ms / 1000)

    def do_read(self, ns, what):
        with self.mwb(ns) as mwb:
            mwb.request(f"{what}_GET")

    def do_explain(self, ns, src, dst):
        with self.mwb(ns) as mwb:
            mwb.request("EXPLAIN", attrs("EXPLAIN", src=bytes([10, 0, 0, src]), dst=bytes([198, 51, 100, dst])))

    def do_listen(self, ns, ms):
        """To events, without reading them."""
        with Mwb(ns) as mwb:
            answer = mwb.ask(16, struct.pack("=BBH", 3, 1, 0) + attr(2, "mwb"))
            groups = attributes(attributes(answer[0][4:])[7])
            mwb.s.setsockopt(270, 1, u32(attributes(groups[1])[2]))
            time.sleep(ms / 1000)

    def do_kernel(self, ns, what):
        with Netlink(ns, NETLINK_NETFILTER if what == "connections" else 0) as sock:
            body = bytes([socket.AF_INET]) + bytes(11)
            if what == "connections":
                # One part of it is enough.
                sock.send(0x101, struct.pack("=BBH", socket.AF_INET, 0, 0), DUMP)
                sock.s.recv(1 << 17)
            else:
                sock.ask(34 if what == "rules" else 26, body, DUMP)


LEGAL["read"] = {"ENOENT"}


# -- connection tracking and labels ----------------------------------------------------------------------------------

class Tracking(Worker):
    """Of one router: connections are forgotten, or written to, and somebody else uses labels for a while."""

    def __init__(self, lab):
        super().__init__(f"{lab}tracking")
        self.lab, self.has_labels = lab, False

    def start(self):
        ns = f"{self.lab}router"
        self.sock = Netlink(ns, NETLINK_NETFILTER)
        lib = self.lib = ctypes.CDLL("libnftables.so.1")
        lib.nft_ctx_new.restype = lib.nft_ctx_get_error_buffer.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(lib.nft_ctx_new(0))
        lib.nft_ctx_buffer_error(self.context)

    def plan(self, rng):
        has_labels = False
        while True:
            yield self.pace(rng, 0.5)
            what = rng.choice(("flush", "flush_mark", "scribble", "scribble", "labels"))
            # Most of the time routes are kept.
            if has_labels and rng.random() < 0.6:
                what = "labels"
            if what == "labels":
                has_labels = not has_labels
                yield what, has_labels
            elif what == "flush_mark":
                yield what, rng.choice(WANS)
            elif what == "scribble":
                yield what, rng.randrange(1 << 30)
            else:
                yield what,

    HEAD = struct.pack("=BBH", socket.AF_INET, 0, 0)

    def do_flush(self):
        self.sock.ask(0x102, self.HEAD)

    def do_flush_mark(self, n):
        self.sock.ask(0x102, self.HEAD + attr(8, struct.pack("!I", n << 24)) + attr(21, struct.pack("!I", 0x7f << 24)))

    def do_scribble(self, seed):
        """Into labels and the user's part of marks, of a few connections."""
        rng = random.Random(seed)
        with Netlink(f"{self.lab}router", NETLINK_NETFILTER) as other:
            other.send(0x101, self.HEAD, DUMP)
            data, at, tuples = other.s.recv(1 << 17), 0, []
            while at < len(data) and len(tuples) < 20:
                length, kind = struct.unpack_from("=IH", data, at)
                if kind == 0x100:
                    tuples.append(attributes(data[at + 20:at + length])[1])
                at += (length + 3) & ~3
        for tuple_ in tuples:
            body = self.HEAD + attr(0x8001, tuple_)
            if rng.random() < 0.5:
                body += attr(22, rng.randbytes(16))
            else:
                body += attr(8, struct.pack("!I", rng.randrange(1 << 24))) + attr(21, struct.pack("!I", 0xffffff))
            self.sock.ask(0x100, body)

    def nft(self, commands):
        if self.lib.nft_run_cmd_from_buffer(self.context, commands.encode()):
            why = ctypes.string_at(self.lib.nft_ctx_get_error_buffer(self.context)).decode()
            raise OSError(errno.EPROTO, why)

    def do_labels(self, is_on):
        self.has_labels = is_on
        if is_on:
            self.nft("table ip soak { chain pre { type filter hook prerouting priority 0; "
                     "udp dport 9 ct label set 1; }; }")
        else:
            self.nft("delete table ip soak")

    def mend(self):
        if self.has_labels:
            self.nft("delete table ip soak")

    def spoil(self):
        if self.has_labels:
            self.do_labels(True)


# -- the module ------------------------------------------------------------------------------------------------------

def insmod(params):
    file = os.open(KO, os.O_RDONLY)
    try:
        call(libc.syscall, 313, file, params.encode(), 0)  # finit_module
    finally:
        os.close(file)


def rmmod():
    call(libc.syscall, 176, b"mwb", os.O_NONBLOCK)  # delete_module


def look(ns):
    """The counters of an instance; nothing while there is none."""
    try:
        with Mwb(ns) as mwb:
            stats = mwb.read("STATS_GET", "STATS")
            return {name: stats[name] for name in SEEN}
    except OSError as e:
        if e.errno != errno.ENOENT:
            raise
        return {}


class Module(Worker):
    def plan(self, rng):
        for has_labels in itertools.cycle((True, False, True, True)):
            # The slower the machine, the longer it takes to configure everything again.
            yield self.pace(rng, PATIENCE / 8)
            yield "reload", has_labels, round(rng.expovariate(10), 4)
            for ns in rng.sample(routers(), len(LABS)):
                for n in rng.sample(WANS, len(WANS)):
                    yield "wan_add", ns, n

    def do_reload(self, has_labels, gap):
        for ns in routers():
            self.seen.update(look(ns))
        for left in reversed(range(20)):
            try:
                rmmod()
                break
            except OSError as e:
                # A dump holds it.
                if e.errno != errno.EAGAIN or not left:
                    raise
            time.sleep(0.02)
        time.sleep(gap)
        insmod("" if has_labels else "labels=0")

    def do_wan_add(self, ns, n):
        with Mwb(ns) as mwb:
            mwb.request("WAN_ADD", attrs("WAN", id=n, **wan_base(n)))

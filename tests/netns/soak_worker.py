# SPDX-License-Identifier: GPL-2.0
"""What the workers of soak have in common: an action after the other, and what may come of each."""

from collections import Counter
import errno
import json
import mmap
import os
import random
import socket
import struct
import sys
import time
import traceback

from nl import Mwb, enter

LABS, WANS = ("a-", "b-"), (1, 2, 3, 4)
# Its devices are those that routers have lost for a while; it has WANs of the same names.
SHELF = "shelf"
MAYFLIES = ("m1-", "m2-")
PATIENCE = float(os.environ.get("MWB_PATIENCE", 60))
KO = os.environ.get("MWB_KO", "")
SEEN = ("packets", "dst_hits", "dst_lookups", "dst_obsolete", "connections", "inbound", "not_balanced", "by_policy",
        "unreachable", "ended", "resets", "released", "route_syncs", "route_changes")

# What may come of an action, other than success. ENOENT is also what one is told while the module is not loaded.
NO_WAY = {"ENETUNREACH", "ENETDOWN", "EHOSTUNREACH", "ENODEV", "EINVAL", "EEXIST", "ESRCH"}
LEGAL = {
    # Its name, id or device is taken; the gateway is off the link; the routes changed while they were looked through.
    "wan_add": {"EEXIST", "EALREADY", "EBUSY", "EINVAL", "EAGAIN"},
    "wan_set": {"ENOENT", "EBUSY", "EINVAL"},
    "wan_del": {"ENOENT", "EBUSY"},
    "group_set": {"ENOENT"},
    "group_del": {"ENOENT", "EBUSY"},
    "policy_add": {"ENOENT", "EEXIST"},
    "policy_del": {"ENOENT", "ENOTUNIQ"},
    # Another one has begun a set; a WAN or a group of it has gone.
    "policies": {"ENOENT", "ECANCELED", "ESTALE"},
    "config_set": {"EBUSY"},
    "explain": {"ENODEV", "ENETUNREACH"},
    # The kernel's, of a module that is about to go.
    "dump": {"EPROTONOSUPPORT"},
    "reload": {"EAGAIN"},
    # A connection of the dump has gone since, or has no labels.
    "scribble": {"ENOENT", "ENOSPC", "EOPNOTSUPP"},
    "break": NO_WAY,
    "repair": NO_WAY,
    "mayfly": {"EEXIST", "EALREADY", "EBUSY", "EINVAL", "EAGAIN", "ENODEV"},
    "connect": {"ECONNRESET", "ETIMEDOUT", "EHOSTUNREACH", "ENETUNREACH", "EPIPE", "ECONNREFUSED", "ENOBUFS"},
    "send": {"EPERM", "EHOSTUNREACH", "ENETUNREACH", "ENOBUFS", "ECONNREFUSED"},
}
for _name in ("wan_add", "group_set", "config_set", "explain", "dump", "begin", "listen"):
    LEGAL[_name] = LEGAL.get(_name, set()) | {"ENOENT"}


# Which of its arguments says more about what an action does.
SORTS = {"break": 1, "repair": 1, "mayfly": 0, "labels": 0, "dump": 1, "begin": 1, "read": 1, "kernel": 1,
         "reload": 0}


def kind(what, args):
    """What actions are counted as."""
    return f"{what} {args[SORTS[what]]}" if what in SORTS else what


class Board:
    """What coordinator and workers know of each other at any time."""

    SLOT = 256

    def __init__(self, workers):
        self.map = mmap.mmap(-1, self.SLOT * (workers + 1))

    def pause(self, is_on):
        self.map[0] = is_on

    def is_paused(self):
        return self.map[0]

    def set(self, n, what):
        """A worker begins this; None if it waits."""
        line = (what or "").encode()[:self.SLOT - 10]
        at = self.SLOT * (n + 1)
        self.map[at:at + 10 + len(line)] = struct.pack("=dH", time.monotonic() if what else 0, len(line)) + line

    def get(self, n):
        """Since when, and what."""
        at = self.SLOT * (n + 1)
        since, length = struct.unpack_from("=dH", self.map, at)
        return since, self.map[at + 10:at + 10 + length].decode(errors="replace")


# Of this run.
board = None


def routers():
    return [f"{lab}router" for lab in LABS]


class Worker:
    """An action is a method of it, with its arguments."""

    def __init__(self, name):
        self.name = name
        self.counts, self.faults, self.seen = Counter(), [], Counter()
        self.sockets = {}

    def plan(self, rng):
        """Yields actions, knowing nothing of what has come of the last ones."""
        raise NotImplementedError

    def pace(self, rng, mean):
        return "rest", round(rng.expovariate(1 / mean), 4)

    def rest(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0 and not board.is_paused():
            time.sleep(min(left, 0.1))

    def mwb(self, ns):
        """A socket in a router that stays; in one that does not, as briefly as that takes."""
        if ns.startswith(MAYFLIES):
            return Mwb(ns)
        if ns not in self.sockets:
            self.sockets[ns] = Kept(ns)
        return self.sockets[ns]

    def run(self, n, seed, talk):
        self.n, self.talk = n, talk
        # Before the traffic, which takes all there is.
        os.nice(-10)
        log = open(f"{os.environ['MWB_OUT']}/soak-{self.name}.log", "w", buffering=1)
        self.start()
        for what, *args in self.plan(random.Random(f"{seed}/{self.name}")):
            if board.is_paused():
                self.barrier()
                log.seek(0)
                log.truncate()
            line = f"{what} {' '.join(map(str, args))}"[:1000]
            if what == "rest":
                self.rest(*args)
                continue
            board.set(n, line)
            start = time.monotonic()
            try:
                getattr(self, f"do_{what}")(*args)
                outcome = "ok"
            except OSError as e:
                outcome = errno.errorcode.get(e.errno, type(e).__name__)
                self.judge(what, outcome, args, e)
            if self.is_visit(args):
                # Whoever stays keeps it.
                enter(SHELF)
            board.set(n, None)
            self.counts[f"{kind(what, args)} {outcome}"] += 1
            print(f"{start:.3f} {time.monotonic() - start:.3f} {outcome} {line}", file=log)

    @staticmethod
    def is_visit(args):
        return args and str(args[0]).startswith(MAYFLIES)

    def judge(self, what, outcome, args, e):
        # Where a name is that has no namespace yet, or no longer.
        if self.is_visit(args) and outcome in ("ENOENT", "EINVAL"):
            return
        if outcome not in LEGAL.get(what, ()):
            traceback.print_exception(e, file=sys.stderr)
            self.faults.append(f"{what}: {outcome} {e}, {self.name} {args}"[:400])

    def start(self):
        pass

    def quiet(self):
        """Comes to rest."""

    def mend(self):
        """Takes back what it has left changed."""

    def spoil(self):
        """Puts that back."""

    def barrier(self):
        self.quiet()
        while True:
            said = {"counts": self.counts, "faults": self.faults, "seen": self.seen}
            self.talk.sendall(json.dumps(said).encode() + b"\n")
            self.counts.clear(), self.faults.clear(), self.seen.clear()
            order = self.talk.recv(1)
            if order in (b"", b"q"):
                os._exit(0)
            try:
                {b"m": self.mend, b"g": self.spoil}[order]()
            except OSError as e:
                self.faults.append(f"{self.name}: at a quiet point: {e}")
            if order == b"g":
                return


class Kept(Mwb):
    """Stays open."""

    def __exit__(self, *_):
        pass


def gateway(n):
    return socket.inet_aton(f"100.64.{n}.1")


def wan_base(n):
    return dict(name=f"wan{n}", dev=f"wan{n}", gateway4=gateway(n), up_capacity_bps=10**9, down_capacity_bps=10**9)

# SPDX-License-Identifier: GPL-2.0
"""Who sends: workers of soak."""

import errno
import os
import random
import re
import selectors
import socket
import struct
import time

from nl import Route, attributes, enter
from soak_worker import WANS, Worker
import soak_worker

# -- traffic ---------------------------------------------------------------------------------------------------------

def pktgen(file, *lines):
    for line in lines:
        with open(f"/proc/net/pktgen/{file}", "w") as out:
            out.write(line)


class Flood(Worker):
    """Of the kernel's own generator, on all processors: small packets of UDP, from the LAN to the Internet, or back."""

    def __init__(self, lab, ns):
        super().__init__(f"{lab}{ns}-flood")
        self.ns, self.lab = f"{lab}{ns}", lab
        self.each = 1000

    def start(self):
        enter(self.ns)
        cpus = range(os.cpu_count())
        if self.ns == f"{self.lab}lan":
            self.devs = [f"eth0@{cpu}" for cpu in cpus]
            hops = {dev: (f"{self.lab}router", "lan0") for dev in self.devs}
        else:
            self.devs = [f"isp{n}@{cpus[n % len(cpus)]}" for n in WANS]
            hops = {f"isp{n}@{cpus[n % len(cpus)]}": (f"{self.lab}isp{n}", "net") for n in WANS}
        for cpu in cpus:
            pktgen(f"kpktgend_{cpu}", "rem_device_all")
        for dev in self.devs:
            with Route(hops[dev][0]) as far:
                info = far.ask(18, struct.pack("=BxHiII", 0, 0, far.index(hops[dev][1]), 0, 0))[0]
            mac = ":".join(f"{b:02x}" for b in attributes(info[16:])[1])
            enter(self.ns)
            pktgen(f"kpktgend_{dev.split('@')[1]}", f"add_device {dev}")
            pktgen(dev, f"dst_mac {mac}", "delay 0", "flag IPSRC_RND", "flag IPDST_RND", "flag UDPSRC_RND",
                   "flag UDPDST_RND")

    def plan(self, rng):
        while True:
            yield "burst", rng.choice((1, 8, 64, 256)), rng.choice((60, 60, 300, 1400))

    def do_burst(self, ports, size):
        for dev in self.devs:
            if self.ns == f"{self.lab}lan":
                far = "dst_min 198.51.100.1", "dst_max 198.51.100.4", "udp_dst_min 9", "udp_dst_max 9", \
                    "src_min 10.0.0.11", "src_max 10.0.0.18", "udp_src_min 1024", f"udp_src_max {1024 + ports}"
            else:
                n = int(dev[3])
                # What the routers have sent, as it is answered, as long as masquerade leaves them their ports.
                far = f"dst_min 100.64.{n}.2", f"dst_max 100.64.{n}.2", "udp_dst_min 1024", \
                    f"udp_dst_max {1024 + ports}", "src_min 198.51.100.1", "src_max 198.51.100.4", "udp_src_min 9", \
                    "udp_src_max 9"
            pktgen(dev, f"count {self.each}", f"pkt_size {size}", *far)
        start = time.monotonic()
        pktgen("pgctrl", "start")
        # It comes back too early when a thread takes long to begin; and whoever changes the size then, has the kernel
        # write past the end of a packet.
        sent = [self.sent(dev) for dev in self.devs]
        took = max(0.01, time.monotonic() - start)
        self.each = max(100, min(100_000, int(self.each * min(2, 0.7 / took))))
        self.seen["sent"] += sum(sent)

    @staticmethod
    def sent(dev):
        """Once it has come to its end."""
        while True:
            with open(f"/proc/net/pktgen/{dev}") as file:
                said = file.read()
            if re.search(r"^Result: OK: \d+\(c", said, re.M):
                return int(said.split("pkts-sofar: ")[1].split()[0])
            time.sleep(0.02)


ECHO, WHO = 7, 8
BULK = bytes(1 << 16)


def serve(lab):
    """Every server: says what it is told, sends or takes without end, or tells the client's address."""
    enter(f"{lab}inet")
    selector, kinds = selectors.EpollSelector(), {}
    for port in (ECHO, WHO):
        listener = socket.create_server(("", port), backlog=256)
        listener.setblocking(False)
        selector.register(listener, selectors.EVENT_READ, port)
    while True:
        for key, events in selector.select():
            s = key.fileobj
            try:
                if key.data == ECHO:
                    s, _ = s.accept()
                    patient(s)
                    selector.register(s, selectors.EVENT_READ, "new")
                elif key.data == WHO:
                    s, peer = s.accept()
                    s.sendall(f"{peer[0]}\n".encode())
                    s.close()
                elif key.data == "down":
                    s.send(BULK)
                else:
                    if not (data := s.recv(1 << 18)):
                        raise ConnectionResetError
                    if key.data == "new" and data[:1] == b"d":
                        selector.modify(s, selectors.EVENT_WRITE, "down")
                    elif key.data == "new":
                        selector.modify(s, selectors.EVENT_READ, "up" if data[:1] == b"u" else "echo")
                    elif key.data == "echo":
                        s.send(data)
            except BlockingIOError:
                pass
            except OSError:
                if key.data not in (ECHO, WHO):
                    selector.unregister(s)
                s.close()


def patient(s):
    """Neither end waits long for one that has gone, and nothing is left of a connection that was closed."""
    s.setblocking(False)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (socket.TCP_KEEPIDLE, 5), (socket.TCP_KEEPINTVL, 2), (socket.TCP_KEEPCNT, 2), \
            (socket.TCP_USER_TIMEOUT, 10_000):
        s.setsockopt(socket.IPPROTO_TCP, option, value)


class Tcp(Worker):
    """Connections of TCP, most of hosts in the LAN, some of the router: dialogues, uploads and downloads."""

    COUNT = 24

    def __init__(self, lab):
        super().__init__(f"{lab}tcp")
        self.lab = lab

    def start(self):
        self.selector = selectors.EpollSelector()
        self.live = {}

    def plan(self, rng):
        while True:
            yield "traffic", rng.randrange(1 << 30)

    def open(self, rng):
        is_own = rng.random() < 0.2
        enter(f"{self.lab}{'router' if is_own else 'lan'}")
        s = socket.socket()
        patient(s)
        if not is_own:
            s.bind((f"10.0.0.{rng.randrange(11, 19)}", 0))
        error = s.connect_ex((f"198.51.100.{rng.randrange(1, 5)}", ECHO))
        if error not in (0, errno.EINPROGRESS):
            s.close()
            self.end(error)
            return
        self.live[s] = time.monotonic() + rng.choice((0.5, 3, 30))
        self.selector.register(s, selectors.EVENT_WRITE, ("new", rng.choice("eeeud"), rng.randrange(1, 1400)))

    def end(self, error):
        outcome = errno.errorcode[error] if error else "ok"
        self.counts[f"connect {outcome}"] += 1
        if error:
            self.judge("connect", outcome, (), OSError(error, ""))

    def close(self, s, error):
        self.selector.unregister(s)
        del self.live[s]
        s.close()
        self.end(error)

    def do_traffic(self, seed):
        rng, end = random.Random(seed), time.monotonic() + 1
        while time.monotonic() < end and not soak_worker.board.is_paused():
            if len(self.live) < self.COUNT:
                self.open(rng)
            for key, _ in self.selector.select(0.05):
                s, (state, kind, size) = key.fileobj, key.data
                try:
                    if state == "new":
                        if error := s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                            raise OSError(error, "")
                        s.send(kind.encode() * size)
                        is_up = kind == "u"
                        self.selector.modify(s, selectors.EVENT_WRITE if is_up else selectors.EVENT_READ,
                                             ("open", kind, size))
                    elif kind == "u":
                        self.seen["tcp bytes"] += s.send(BULK)
                    else:
                        data = s.recv(1 << 18)
                        if not data:
                            raise ConnectionResetError(errno.ECONNRESET, "")
                        self.seen["tcp bytes"] += len(data)
                        if kind == "e":
                            s.send(data)
                except BlockingIOError:
                    pass
                except OSError as e:
                    self.close(s, e.errno)
            now = time.monotonic()
            for s in [s for s, until in self.live.items() if until < now]:
                self.close(s, 0)

    def quiet(self):
        for s in list(self.live):
            self.close(s, 0)

# SPDX-License-Identifier: GPL-2.0
"""Whose devices, addresses, routes and namespaces change: workers of soak."""

import errno
import os
import signal
import socket
import time

from nl import Mwb, Netlink, Route, add_ns, attr, attrs, del_ns, enter
from soak_worker import LEGAL, NO_WAY, PATIENCE, SHELF, WANS, Worker, wan_base

# -- devices, addresses, routes --------------------------------------------------------------------------------------

class Devices(Worker):
    """Of one router. Whatever it breaks, one thing of a device at a time, it repairs later."""

    WAYS = ("link", "cut", "name", "place", "address", "other", "gone", "mtu")

    def __init__(self, lab):
        super().__init__(f"{lab}devices")
        self.lab, self.broken = lab, {}

    def start(self):
        self.router = Route(f"{self.lab}router")
        self.shelf = Route(SHELF)
        self.isp = {n: Route(f"{self.lab}isp{n}") for n in WANS}

    def plan(self, rng):
        broken = {}
        things = [f"wan{n}" for n in WANS] * 3 + [f"default{n}" for n in WANS] + ["lan", "rule", "static", "filter"]
        while True:
            yield self.pace(rng, 0.15)
            thing = rng.choice(things)
            if thing in broken:
                yield "repair", thing, broken.pop(thing)
                continue
            broken[thing] = rng.choice(self.WAYS) if thing.startswith("wan") else thing.rstrip("1234")
            yield "break", thing, broken[thing]

    def mend(self):
        for thing, way in sorted(self.broken.items(), key=lambda item: not item[0].startswith("wan")):
            self.change(thing, way, True)
        # What could not be removed while its device had another name.
        for thing, way in ("static", "static"), *((f"default{n}", "default") for n in WANS):
            if thing not in self.broken:
                self.change(thing, way, True)

    def spoil(self):
        for thing, way in list(self.broken.items()):
            self.change(thing, way, False)

    def settle(self, n):
        self.router.address(f"wan{n}", f"100.64.{n}.2", True)
        self.router.link(f"wan{n}", 1)

    def do_break(self, thing, way):
        self.broken[thing] = way
        self.change(thing, way, False)

    def do_repair(self, thing, way):
        del self.broken[thing]
        self.change(thing, way, True)

    def change(self, thing, way, is_repair):
        n = int(thing[-1]) if thing[-1].isdigit() else 1
        try:
            getattr(self, f"way_{way}")(n, is_repair)
        except OSError as e:
            # A route needs a device that may be broken just now, and goes with it.
            name = errno.errorcode.get(e.errno)
            if way not in ("default", "static") or name not in NO_WAY:
                self.faults.append(f"{self.name}: {'repair' if is_repair else 'break'} {way} of {thing}: {name}")
                raise

    def way_link(self, n, is_up):
        self.router.link(f"wan{n}", is_up)

    def way_cut(self, n, is_up):
        self.isp[n].link("wan", is_up)

    def way_name(self, n, is_back):
        self.router.rename(*(f"old{n}", f"wan{n}") if is_back else (f"wan{n}", f"old{n}"))

    def way_place(self, n, is_back):
        there = f"wan{n}" if self.lab == "a-" else f"gast{n}"
        if is_back:
            self.shelf.move(there, f"{self.lab}router", f"wan{n}")
            self.settle(n)
        else:
            self.router.move(f"wan{n}", SHELF, there)
            self.shelf.address(there, f"100.64.{n}.2", True)
            self.shelf.link(there, 1)

    def way_address(self, n, is_there):
        self.router.address(f"wan{n}", f"100.64.{n}.2", is_there)

    def way_other(self, n, is_back):
        self.router.address(f"wan{n}", f"100.64.{n}.{7 if is_back else 2}", False)
        self.router.address(f"wan{n}", f"100.64.{n}.{2 if is_back else 7}", True)

    def way_gone(self, n, is_back):
        if not is_back:
            # Either end takes the other one with it.
            (self.router if n % 2 else self.isp[n]).remove(f"wan{n}" if n % 2 else "wan")
            return
        self.router.add_veth(f"wan{n}", "wan", f"{self.lab}isp{n}")
        self.isp[n].address("wan", f"100.64.{n}.1", True)
        self.isp[n].link("wan", 1)
        self.settle(n)

    def way_mtu(self, n, is_back):
        self.router.link(f"wan{n}", None, attr(4, 1500 if is_back else 1300))

    def way_default(self, n, is_back):
        """A default route of the user's own, that a gateway can be learned from."""
        self.router.route(not is_back, "0.0.0.0", 0, f"100.64.{n}.1", f"wan{n}", 500 + n)

    def way_static(self, _, is_back):
        self.router.route(not is_back, "203.0.113.0", 24, "100.64.1.1", "wan1")

    def way_lan(self, _, is_back):
        self.router.address("lan0", "10.0.9.1", not is_back)

    def way_rule(self, _, is_back):
        self.router.rule(not is_back, 100, 0x77, 253)

    def way_filter(self, _, is_back):
        """The kernel drops what comes in where its answer would not go out."""
        enter(f"{self.lab}router")
        with open("/proc/sys/net/ipv4/conf/all/rp_filter", "w") as file:
            file.write("2" if is_back else "1")



class Mayflies(Worker):
    """Small routers, with a LAN and a line each, that end amid their traffic."""

    ENDS = ("router", "isp", "lan", "place", "emptied", "held")

    def __init__(self, lab):
        super().__init__(f"{lab}mayflies")
        self.lab = lab

    def plan(self, rng):
        while True:
            yield self.pace(rng, 1)
            yield "mayfly", rng.choice(self.ENDS), rng.randrange(10, 1000), rng.random() < 0.5

    def do_mayfly(self, end, ms, has_socket):
        lan, router, isp = (f"{self.lab}{i}" for i in ("lan", "router", "isp"))
        child, socks, traffic = 0, [], None
        try:
            for ns in (lan, isp, router):
                add_ns(ns)
            # In the router now.
            for key in ("ip_forward", "conf/all/rp_filter"):
                with open(f"/proc/sys/net/ipv4/{key}", "w") as file:
                    file.write("1" if key == "ip_forward" else "2")
            ends = {ns: Route(ns) for ns in (lan, isp, router)}
            socks += ends.values()
            for dev, peer, ns, net in ("lan0", "eth0", lan, "10.0.0"), ("wan1", "wan", isp, "100.64.1"):
                ends[router].add_veth(dev, peer, ns)
                ends[router].address(dev, f"{net}.{1 if ns == lan else 2}", True)
                ends[ns].address(peer, f"{net}.{11 if ns == lan else 1}", True)
                ends[router].link(dev, 1)
                ends[ns].link(peer, 1)
            ends[lan].route(True, "0.0.0.0", 0, "10.0.0.1", "eth0")
            self.counts["mayfly configured"] += self.configure(router)
            traffic = os.fork()
            if not traffic:
                self.flood(lan)
            if has_socket:
                # Of the router's own.
                enter(router)
                own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                socks.append(own)
                self.shout(own)
            time.sleep(ms / 1000)
            if end == "place":
                ends[router].move("wan1", SHELF, f"{self.lab}wan")
            elif end == "emptied":
                try:
                    ends[router].s.settimeout(PATIENCE)
                    with Mwb(router) as mwb:
                        mwb.request("WAN_DEL", attrs("WAN", name="wan1"))
                except OSError as e:
                    if e.errno not in (errno.ENOENT, errno.EBUSY):
                        raise
            elif end == "held":
                try:
                    held = Mwb(router)
                    socks.append(held)
                    held.begin("WAN_GET")
                except OSError as e:
                    if e.errno != errno.ENOENT:
                        raise
            for sock in socks:
                if not isinstance(sock, Mwb):
                    (sock.s if isinstance(sock, Netlink) else sock).close()
            enter(SHELF)
            for ns in sorted((lan, isp, router), key=lambda ns: not ns.endswith(end)):
                del_ns(ns)
                if ns.endswith(end):
                    time.sleep(0.02)
            if end == "place":
                # It ends with its peer, but when that is, is not for us to say.
                with Route(SHELF) as shelf:
                    try:
                        shelf.remove(f"{self.lab}wan")
                    except OSError as e:
                        if e.errno != errno.ENODEV:
                            raise
        finally:
            if traffic:
                os.kill(traffic, signal.SIGKILL)
                os.waitpid(traffic, 0)
            for sock in socks:
                (sock.s if isinstance(sock, Netlink) else sock).close()
            enter(SHELF)
            for ns in (lan, isp, router):
                try:
                    del_ns(ns)
                except OSError:
                    # Not mounted, or gone.
                    if os.path.exists(f"/run/netns/{ns}"):
                        os.unlink(f"/run/netns/{ns}")

    def configure(self, router):
        try:
            with Mwb(router) as mwb:
                mwb.request("WAN_ADD", attrs("WAN", **wan_base(1)))
            return 1
        except OSError as e:
            if e.errno not in (errno.ENOENT, errno.EEXIST, errno.EALREADY, errno.EBUSY, errno.EAGAIN):
                raise
            return 0

    @staticmethod
    def shout(sock):
        for port in range(20):
            try:
                sock.sendto(b"x", ("198.51.100.1", 1000 + port))
            except OSError as e:
                if errno.errorcode[e.errno] not in LEGAL["send"]:
                    raise

    def flood(self, lan):
        """As fast as it can, until it is ended."""
        try:
            enter(lan)
            socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(64)]
            for n, s in enumerate(socks):
                s.connect((f"198.51.100.{1 + n % 4}", 9))
            while True:
                for s in socks:
                    s.send(b"x")
        except OSError:
            # The device, or the route, has gone.
            pass
        os._exit(0)

# SPDX-License-Identifier: GPL-2.0
"""What a router should be by its configuration and its devices, reckoned anew, and what it is."""

import errno
import socket
import struct

from nl import Mwb, Route, attributes, enter, number, u32

PROTOCOL, MAIN, MASK = 119, 254, 0x7f << 24


class Model:
    """A router as it is, and as its configuration and its devices want it."""

    def __init__(self, ns):
        self.mwb, self.route = Mwb(ns), Route(ns)
        self.ns = ns

    def close(self):
        self.mwb.s.close(), self.route.s.close()

    def read(self):
        try:
            self.config = self.mwb.read("CONFIG_GET", "CONFIG")
            self.wans = sorted(self.mwb.all("WAN_GET", "WAN"), key=lambda wan: wan["id"])
        except OSError as e:
            if e.errno != errno.ENOENT:
                raise
            self.config, self.wans = None, []
        self.links, self.addrs = {}, {}
        for body in self.route.whole(18, struct.pack("=BxHiII", 0, 0, 0, 0, 0)):
            _, _, index, flags, _ = struct.unpack_from("=BxHiII", body)
            self.links[attributes(body[16:])[3].rstrip(b"\0").decode()] = index, flags
        for body in self.route.whole(22, struct.pack("=BBBBi", socket.AF_INET, 0, 0, 0, 0)):
            length, index = body[1], struct.unpack_from("=i", body, 4)[0]
            found = attributes(body[8:])
            self.addrs.setdefault(index, []).append((found[2], found.get(1, found[2]), length))
        self.routes = []
        for body in self.route.whole(26, bytes([socket.AF_INET]) + bytes(11)):
            found = attributes(body[12:])
            metric, oif = (u32(found[kind]) if kind in found else 0 for kind in (6, 4))
            table = u32(found[15])
            self.routes.append((body[5], body[6], (table, found.get(1, bytes(4)), body[1], metric, found.get(5), oif,
                                                   found.get(7))))
        self.rules = set()
        for body in self.route.whole(34, bytes([socket.AF_INET]) + bytes(11)):
            found = attributes(body[12:])
            if found.get(21) != bytes([PROTOCOL]):
                continue
            mark, mask, table, suppress = (u32(found[kind]) if kind in found else None for kind in (10, 16, 15, 14))
            is_not = u32(body[8:12]) & 2
            self.rules.add((u32(found[6]), mark or 0, mask or 0, is_not, body[7], table or 0,
                            None if suppress == 0xffffffff else suppress))

    def sysctl(self, name):
        enter(self.ns)
        with open(f"/proc/sys/net/ipv4/conf/{name}") as file:
            return int(file.read())

    def is_onlink(self, index, address):
        def net(octets, length):
            return int.from_bytes(octets, "big") >> (32 - length)
        return any(net(address, length) == net(other, length) and address != local
                   for local, other, length in self.addrs.get(index, ()))

    def state(self, wan, taken):
        """And the gateway."""
        index, flags = self.links.get(wan["dev"], (0, 0))
        if index in taken:
            index = 0
        via = None
        if index and "gateway4" in wan and "gateway_learned" not in wan:
            via = socket.inet_aton(wan["gateway4"])
        elif index:
            mine = [(route[3], at, route[4]) for at, (protocol, _, route) in enumerate(self.routes)
                    if protocol != PROTOCOL and route[0] == MAIN and route[2] == 0 and route[5] == index and route[4]]
            via = min(mine)[2] if mine else None
        is_given = "gateway4" in wan and "gateway_learned" not in wan
        admin = number["MWB_WAN_ADMIN_DISABLED"], number["MWB_WAN_ADMIN_DRAIN"]
        if wan["dev"] in self.links and not index:
            state = "DOWN"
        elif wan["admin"] == admin[0]:
            state = "DISABLED"
        elif not index or not flags & 1:
            state = "DOWN"
        elif not flags & 0x10000:  # IFF_LOWER_UP
            state = "NO_CARRIER"
        elif index not in self.addrs:
            state = "NO_ADDRESS"
        elif is_given and not self.is_onlink(index, via):
            state = "NO_GATEWAY"
        elif not via:
            state = "NO_GATEWAY"
        elif wan["health"] == number["MWB_WAN_HEALTH_DEAD"]:
            state = "DEAD"
        elif wan["admin"] == admin[1]:
            state = "DRAIN"
        else:
            state = "UP"
        return state, via, index

    def wanted(self):
        """States, rules and routes."""
        states, uplinks, taken = {}, [], set()
        for wan in self.wans:
            state, via, index = self.state(wan, taken)
            # Whoever comes first has the device.
            if index:
                taken.add(index)
            states[wan["name"]] = state
            if state in ("DEAD", "DRAIN", "UP"):
                metric = 256 * (wan["tier"] - 1) + wan["id"] + (0 if state == "UP" else 4096)
                uplinks.append((metric, wan, index, via))
        is_strict = self.links and self.sysctl("all/rp_filter") == 1 and not self.sysctl("all/src_valid_mark")
        if is_strict and uplinks:
            first = min(uplinks, key=lambda uplink: uplink[0])
            for uplink in uplinks:
                if uplink is not first and self.is_strict(uplink[1]["dev"]):
                    states[uplink[1]["name"]] = "FILTERED"
            uplinks = [u for u in uplinks if states[u[1]["name"]] != "FILTERED"]
        rules, routes = set(), set()
        if not self.wans:
            return states, rules, routes
        base, table = self.config["rule_pref"], self.config["table_base"]
        is_nothing = not uplinks and self.config["last_resort"] == number["MWB_LAST_RESORT_UNREACHABLE"]
        rules.add((base, 0, 0, 0, 1, MAIN, 0))
        rules.add((base + 127, 0, MASK, 2, 7, 0, None))
        if is_nothing:
            rules.add((base + 128, 0, 0, 0, 7, 0, None))
        connected = [route for protocol, scope, route in self.routes
                     if protocol in (2, 16) and scope == 253 and route[0] == MAIN and route[2]]
        for metric, wan, index, via in uplinks:
            own = table + wan["id"]
            rules.add((base + wan["id"], wan["id"] << 24, MASK, 0, 1, own, None))
            routes.add((MAIN, bytes(4), 0, metric, via, index, None))
            routes.add((own, bytes(4), 0, 0, via, index, None))
            routes |= {(own, *route[1:]) for route in connected}
        return states, rules, routes

    def is_strict(self, dev):
        return max(self.sysctl("all/rp_filter"), self.sysctl(f"{dev}/rp_filter")) == 1

    def difference(self):
        """What is not as it should be, in words; nothing if all is."""
        self.read()
        states, rules, routes = self.wanted()
        is_ = {wan["name"]: STATES[wan["state"]] for wan in self.wans}
        ours = {route for protocol, _, route in self.routes if protocol == PROTOCOL}
        out = [f"{name} is {is_[name]} instead of {states[name]}" for name in is_ if is_[name] != states[name]]
        for what, found, should in ("rule", self.rules, rules), ("route", ours, routes):
            out += [f"no {what} {one}" for one in should - found] + [f"a {what} {one}" for one in found - should]
        return "; ".join(out)


STATES = {value: name[14:] for name, value in number.items()
          if name.startswith("MWB_WAN_STATE_") and not name.endswith("MAX")}

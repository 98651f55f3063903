# SPDX-License-Identifier: GPL-2.0
"""The routers that are compared, each in a namespace of its own.

    lan0  10.0.0.1   a client, 10.0.0.11
    wanN  100.64.N.2   a gateway, 100.64.N.1: N = 1 ..., all of them dummies, which count what leaves
    198.18.0.0/15   servers, a block of them for each WAN

A connection is a port of the client and a server. Which WAN it takes is for each router to say; but before anything
is measured, each is told by the server, for a generator cannot look a connection's address up: so the connections
are the same ones, on the same WANs, everywhere.

plain         forwards, without conntrack
masq          conntrack, masquerade and one default route: a router without multi-WAN. All goes by wan1
nft           the strongest that is written by hand: the mark of the connection for packets from the LAN, a map of a
              counter for new ones, one rule per WAN, and the LAN's prefix in front of them
mwan3         as mwan3 does it: connmark restored and saved for every packet, the set of connected networks, a chain
              per interface and for the policy; for each WAN, a rule by its device and one by its mark
mwb           with every route kept
again         the same once more: what differs between the two is noise
nolabels      mwb, where somebody else uses labels: every packet is looked up, as with labels=0
policies      mwb with 100,000 policies
...+ft        with a flowtable"""

from ipaddress import ip_address
from math import gcd
import subprocess

from pktgen import Netns

CLIENT = "10.0.0.11"
FIRST_SERVER = ip_address("198.18.0.0")
FIRST_PORT = 1024
MAC, PEER = "02:00:00:00:00:01", "02:00:00:00:00:02"
NAMES = ["plain", "masq", "masq+ft", "mwan3", "mwan3+ft", "nft", "nft+ft", "mwb", "again", "mwb+ft", "nolabels"]


class Connections:
    """`ports` of the client times servers, `block` of them for each of `wans`."""

    def __init__(self, wans, count):
        used = min(wans, count)
        first = (wans - used) // 2 + 1
        self.wans = range(first, first + used)
        self.block = 1
        while count > 50000 * used * self.block:
            self.block *= 2
        servers = used * self.block
        # Ports and servers go up in step: only then do they meet in all ways.
        around = count / servers
        self.ports = min((p for p in range(1, 60000) if gcd(p, servers) == 1), key=lambda p: abs(p - around))
        self.count = self.ports * servers

    def servers(self, wan):
        """The first one of a WAN; also of the one behind the last."""
        return FIRST_SERVER + (wan - 1) * self.block


def ranged(name, first, count, at_random):
    """pktgen takes the last address of a range in turns only, not at random."""
    if count == 1:
        return [f"{name} {first}" if name == "dst" else f"{name}_min {first}", f"{name}_max {first}"][: 1 if name == "dst" else 2]
    return [f"{name}_min {first}", f"{name}_max {first + count - (not at_random)}"]


class Router(Netns):
    def __init__(self, spec, index, wans, connections, rp_filter=0):
        self.spec = spec
        name, *settings = spec.split()
        self.settings = {key: int(value) for key, value in (setting.split("=") for setting in settings)}
        self.kind, self.is_offloaded = name.split("@")[0].removesuffix("+ft"), "+ft" in name
        if "@" in name:
            wans = int(name.split("@")[1])
        self.wans = wans
        self.has_wans = self.kind not in ("generator", "plain", "masq")
        self.is_mwb = self.kind in ("mwb", "again", "nolabels", "policies")
        self.flows = Connections(wans, connections)
        super().__init__(f"b{index}")
        self.sysctl(
            ipv6__conf__all__disable_ipv6=1, ipv4__ip_forward=1, ipv4__conf__all__rp_filter=rp_filter,
            ipv4__conf__default__rp_filter=rp_filter,
        )
        devs = {"lan0": ("10.0.0.1", CLIENT)} | {f"wan{n}": (f"100.64.{n}.2", f"100.64.{n}.1") for n in range(1, wans + 1)}
        self.add_devs(devs)
        self.ip(*(
            line
            for dev, (own, neighbour) in devs.items()
            for line in (
                f"addr add {own}/24 dev {dev}", f"link set {dev} up",
                f"neigh add {neighbour} lladdr {PEER} dev {dev} nud permanent",
            )
        ), "link set lo up")
        if self.kind != "generator":
            self.ip("route add default via 100.64.1.1")
        if self.kind not in ("generator", "plain"):
            self.run("nft", "-f", "-", text="""table ip nat { chain post {
                type nat hook postrouting priority srcnat; oifname "wan*" masquerade; }; }""")
            self.sysctl(netfilter__nf_conntrack_udp_timeout=36000, netfilter__nf_conntrack_udp_timeout_stream=36000)
        getattr(self, f"set_up_{self.kind}", lambda: None)()

    def add_devs(self, devs):
        self.ip(*(f"link add {dev} address {MAC} type dummy" for dev in devs))

    # -- kinds -----------------------------------------------------------------------------------------

    def set_up_nft(self):
        self.ip("rule add pref 100 to 10.0.0.0/24 lookup main", *(
            line
            for n in range(1, self.wans + 1)
            for line in (
                f"route add default via 100.64.{n}.1 table {1000 + n}",
                f"rule add pref {1000 + n} fwmark {n} lookup {1000 + n}",
            )
        ))

    def set_up_mwan3(self):
        self.ip(*(
            line
            for n in range(1, self.wans + 1)
            for line in (
                f"route add default via 100.64.{n}.1 table {1000 + n}",
                f"route add 100.64.{n}.0/24 dev wan{n} table {1000 + n}",
                f"route add 10.0.0.0/24 dev lan0 table {1000 + n}",
                f"rule add pref {1000 + n} iif wan{n} lookup {1000 + n}",
                f"rule add pref {2000 + n} fwmark {n << 8:#x}/0xff00 lookup {1000 + n}",
            )
        ))

    def set_up_mwb(self):
        self.run("mwb", "apply", "-", text=self.mwb_config())
        self.wait_for_wans()

    set_up_again = set_up_policies = set_up_mwb

    def set_up_nolabels(self):
        # A chain that nothing comes through: that it is there is enough.
        self.run("nft", "table ip labels { chain never { ct label set 1; }; }")
        self.set_up_mwb()

    def wait_for_wans(self):
        while self.run("mwb", "-j", "show").count('"state":"up"') != self.wans:
            pass

    def mwb_config(self):
        mask = "0xff800000" if self.wans > 120 else "0xff000000"
        return f"[config]\nmark-mask = {mask}\n" + "".join(
            f'[wan.wan{n}]\nid = {n}\ndev = "wan{n}"\ngateway = "100.64.{n}.1"\n' for n in range(1, self.wans + 1)
        )

    def steer(self, is_by_server):
        """New connections go by their server, or by the router's own choice."""
        every = range(1, self.wans + 1)
        length = 33 - self.flows.block.bit_length()
        if self.is_mwb:
            self.run("mwb", "policy", "flush")
            if is_by_server:
                self.run("mwb", "policy", "replace", "-", text="".join(
                    f"--dst {self.flows.servers(n)}/{length} --to wan{n}\n" for n in every
                ))
            elif self.kind == "policies":
                self.run("mwb", "policy", "replace", "-", text="".join(
                    f"--src 172.{16 + i // 65536}.{i // 256 % 256}.{i % 256} --to wan1\n" for i in range(100000)
                ))
        elif self.kind == "nft":
            servers = ", ".join(f"{self.flows.servers(n)}/{length} : {n}" for n in every)
            choice = f"ip daddr map {{ {servers} }}" if is_by_server else (
                f"numgen inc mod {self.wans} map {{ {', '.join(f'{n - 1} : {n}' for n in every)} }}")
            devs = ", ".join(f'"wan{n}" : {n}' for n in every)
            self.balance(f"""
                chain pre {{
                    type filter hook prerouting priority mangle;
                    iif "lan0" ct mark != 0 meta mark set ct mark accept
                    ct mark != 0 accept
                    iif "lan0" meta mark set {choice} ct mark set meta mark accept
                    ct mark set iif map {{ {devs} }}
                }}""")
        elif self.kind == "mwan3":
            mark = lambda n: f"meta mark set meta mark & 0xffff00ff | {n << 8:#x}"
            servers = "\n".join(f"ip daddr {self.flows.servers(n)}/{length} meta mark & 0xff00 == 0 {mark(n)}" for n in every)
            # Of what the WANs before it have left, each takes its share.
            shares = "\n".join(
                f"meta mark & 0xff00 == 0 numgen random mod {self.wans - n + 1} == 0 {mark(n)}" for n in every
            )
            into = "\n".join(f"meta mark & 0xff00 == 0 jump in_{n}" for n in every)
            self.balance(f"""
                set connected {{ type ipv4_addr; flags interval; elements = {{
                    10.0.0.0/24, 100.64.0.0/10, 127.0.0.0/8, 224.0.0.0/3 }} }}
                {"".join(f'''chain in_{n} {{
                    iifname "wan{n}" ip saddr @connected meta mark & 0xff00 == 0 {mark(255)}
                    iifname "wan{n}" meta mark & 0xff00 == 0 {mark(n)}
                }}
                ''' for n in every)}
                chain ifaces_in {{ {into}; }}
                chain connected {{ ip daddr @connected {mark(255)}; }}
                chain balanced {{ {servers if is_by_server else shares}; }}
                chain rules {{ meta mark & 0xff00 == 0 jump balanced; }}
                chain pre {{
                    type filter hook prerouting priority mangle;
                    meta mark & 0xff00 == 0 meta mark set ct mark & 0xff00
                    meta mark & 0xff00 == 0 jump ifaces_in
                    meta mark & 0xff00 == 0 jump connected
                    meta mark & 0xff00 == 0 jump rules
                    ct mark set meta mark & 0xff00
                    meta mark & 0xff00 != 0xff00 jump connected
                }}""")

    def balance(self, chains):
        self.run("nft", "-f", "-", text=f"table ip balance\ndelete table ip balance\ntable ip balance {{ {chains}\n}}\n")

    def offload(self):
        self.sysctl(netfilter__nf_flowtable_udp_timeout=36000)
        devs = ", ".join(["lan0"] + [f"wan{n}" for n in range(1, self.wans + 1)])
        self.run("nft", "-f", "-", text=f"""table ip fast {{
            flowtable f {{ hook ingress priority 0; devices = {{ {devs} }}; }}
            chain forward {{ type filter hook forward priority filter; ip protocol {{ tcp, udp }} flow add @f; }}
        }}""")

    # -- traffic ---------------------------------------------------------------------------------------

    def mac(self):
        # A packet for somebody else goes no further than ip_rcv().
        return "dst_mac " + ("02:00:00:00:00:ff" if self.kind == "generator" else MAC)

    def to_servers(self, at_random, ports=None):
        """From the client to all servers; by ports from..to of those that there are."""
        flows, (low, high) = self.flows, ports or (0, self.flows.ports)
        flags = ["flag UDPSRC_RND", "flag IPDST_RND"] if at_random else []
        return [
            self.mac(), f"src_min {CLIENT}", f"src_max {CLIENT}", "udp_dst_min 9", "udp_dst_max 9",
            f"udp_src_min {FIRST_PORT + low}", f"udp_src_max {FIRST_PORT + high}", *flags,
            *ranged("dst", flows.servers(flows.wans[0]), len(flows.wans) * flows.block, at_random),
        ]

    def from_servers(self, wan, at_random):
        """From the servers of a WAN, to where their connections have come from."""
        flows = self.flows
        to = {"plain": CLIENT, "masq": "100.64.1.2"}.get(self.kind, f"100.64.{wan}.2")
        flags = ["flag UDPDST_RND"] + ["flag IPSRC_RND"] * (flows.block > 1) if at_random else []
        first = flows.servers(wan)
        return [
            self.mac(), f"dst {to}", f"src_min {first}", f"src_max {first + flows.block - (not at_random or flows.block == 1)}",
            "udp_src_min 9", "udp_src_max 9", *flags,
            f"udp_dst_min {FIRST_PORT}", f"udp_dst_max {FIRST_PORT + flows.ports}",
        ]

    def enters(self, wan):
        return f"wan{wan if self.has_wans else 1}"

    def prime(self):
        """Makes all connections, a packet in each direction, as the measured rules have it."""
        if self.kind == "generator":
            return
        self.steer(True)
        self.pass_all([("lan0", self.to_servers(False))], self.flows.count)
        if self.is_offloaded:
            self.offload()
        wans = list(self.flows.wans)
        # A stream takes some memory, so not all at once.
        for some in (wans[i:i + 16] for i in range(0, len(wans), 16)):
            streams = [(f"{self.enters(wan)}@{wan}", self.from_servers(wan, False)) for wan in some]
            self.pass_all(streams, self.flows.count // len(wans) * len(some))
        if self.is_offloaded:
            self.pass_all([("lan0", self.to_servers(False))], self.flows.count)
        self.steer(False)

    def pass_all(self, streams, packets):
        self.streams(streams)
        self.start(packets)
        self.result()

    def reply_wans(self, count):
        """So many of them, from the first to the last."""
        wans = self.flows.wans
        return [wans[i * (len(wans) - 1) // max(count - 1, 1)] for i in range(count)]

    def aim(self, direction, spread, replying):
        if direction == "reply":
            self.streams([(f"{self.enters(wan)}@{wan}", self.from_servers(wan, True)) for wan in self.reply_wans(replying)])
        elif spread == "zipf":
            # By octaves: 1 port, 2, 4 ..., each as often as the others.
            bounds, ports = [0], self.flows.ports
            while bounds[-1] < ports:
                width = 2 * bounds[-1] + 1
                bounds.append(width if 2 * width + 1 <= ports else ports)
            self.streams([
                (f"lan0@{i}", self.to_servers(True, range_)) for i, range_ in enumerate(zip(bounds, bounds[1:]))
            ])
        else:
            self.streams([("lan0", self.to_servers(True))])

    def check(self, direction, before, after, packets):
        """That every packet has left, through the right devices."""
        gone = {dev: after[dev] - before[dev] for dev in after if after[dev] != before[dev]}
        if self.kind == "generator":
            right = set()
        elif direction == "reply":
            right = {"lan0"}
        else:
            right = {self.enters(wan) for wan in self.flows.wans}
        if sum(gone.values()) != (packets if right else 0) or not set(gone) <= right:
            raise SystemExit(f"{self.spec}: {packets} packets sent, but these left: {gone}")
        # Connections are taken at random: their WANs must have about equal shares.
        share = packets / max(len(right), 1)
        for dev in right:
            if share > 1000 and not 0.8 * share < gone.get(dev, 0) < 1.2 * share:
                raise SystemExit(f"{self.spec}: {gone.get(dev, 0)} packets left through {dev}, not about {share:.0f}")


def prepare(module):
    """What the routers are made of, where it is not built in."""
    subprocess.run(["modprobe", "-qa", "pktgen", "dummy", "nf_conntrack", "nf_flow_table", "nft_flow_offload", "nf_flow_table_inet"])
    subprocess.run(["insmod", module], check=True)

# SPDX-License-Identifier: GPL-2.0
"""Netlink, as far as tests need it that cannot wait for tools to start: rtnetlink, ctnetlink, and mwb's family by the
numbers of its contract."""

import ctypes
import errno
import fcntl
import mmap
import os
import re
import socket
import struct
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
NETLINK_ROUTE, NETLINK_NETFILTER, NETLINK_GENERIC = 0, 12, 16
ACK, DUMP, CREATE, EXCL = 4, 0x300, 0x400, 0x200
libc = ctypes.CDLL(None, use_errno=True)

number = {}
with open(f"{HERE}/../../uapi/mwb.h") as header:
    for block in re.findall(r"^enum[^{;]*{([^}]*)}", header.read(), re.M):
        at = 0
        for name, value in re.findall(r"(\w+)(?: = (\d+))?,", block):
            at = int(value or at)
            number[name], at = at, at + 1


def enter(ns):
    with open(f"/run/netns/{ns}") as file:
        os.setns(file.fileno(), os.CLONE_NEWNET)


def call(function, *args):
    """A call of the C library, that sets errno."""
    if (result := function(*args)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return result


def add_ns(ns):
    """A namespace with a name, which the caller is in from then on."""
    os.close(os.open(f"/run/netns/{ns}", os.O_CREAT | os.O_EXCL))
    os.unshare(os.CLONE_NEWNET)
    call(libc.mount, b"/proc/self/ns/net", f"/run/netns/{ns}".encode(), b"none", 4096, None)


def del_ns(ns):
    """Takes away its name. It ends when nobody has a socket there any more."""
    call(libc.umount2, f"/run/netns/{ns}".encode(), 2)
    os.unlink(f"/run/netns/{ns}")


def attr(kind, payload):
    if isinstance(payload, str):
        payload = payload.encode() + b"\0"
    elif isinstance(payload, int):
        payload = struct.pack("=I", payload)
    return struct.pack("=HH", 4 + len(payload), kind) + payload + bytes(-len(payload) % 4)


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        if length < 4:
            break
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3:]
    return found


def u32(data):
    return struct.unpack("=I", data)[0]


def text(data):
    return data.rstrip(b"\0").decode()


class Netlink:
    """A socket in a namespace. Refusals are OSError; nothing is waited for longer than `patience`."""

    patience = 60

    def __init__(self, ns, protocol=NETLINK_ROUTE):
        enter(ns)
        self.s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
        self.s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.s.bind((0, 0))
        self.s.settimeout(self.patience)
        self.seq = 0
        self.is_interrupted = False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.s.close()

    def send(self, kind, body, flags):
        self.seq += 1
        self.s.send(struct.pack("=IHHII", 16 + len(body), kind, 1 | flags, self.seq, 0) + body)

    def ask(self, kind, body=b"", flags=0):
        """The messages of the answer: their bodies."""
        self.send(kind, body, ACK | flags)
        self.is_interrupted = False
        said = []
        while True:
            data = self.s.recv(1 << 17)
            at = 0
            while at < len(data):
                length, kind, flags, seq, _ = struct.unpack_from("=IHHII", data, at)
                body = data[at + 16:at + length]
                at += (length + 3) & ~3
                if seq != self.seq:
                    continue
                self.is_interrupted |= bool(flags & 0x10)
                if kind not in (2, 3):
                    said.append(body)
                    continue
                # NLMSG_ERROR, NLMSG_DONE
                if error := -struct.unpack_from("=i", body)[0]:
                    raise OSError(error, os.strerror(error))
                return said

    def whole(self, kind, body=b"", tries=100):
        """A dump that nothing has changed under."""
        for _ in range(tries):
            said = self.ask(kind, body, DUMP)
            if not self.is_interrupted:
                return said
        raise OSError(errno.EAGAIN, "a dump is changed under all the time")


class Held:
    """RTNL is held for as long as this lasts: the answer of an ioctl is to be written to memory that is not there
    before (userfaultfd). Its device is in a namespace of the caller's choice."""

    def __init__(self, ns):
        enter(ns)
        self.tun = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self.tun, 0x400454CA, struct.pack("=16sH22x", b"held%d", 1))  # TUNSETIFF, IFF_TUN
        self.memory = mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.at = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))
        self.faults = call(libc.syscall, 323, os.O_CLOEXEC)  # userfaultfd
        fcntl.ioctl(self.faults, 0xC018AA3F, struct.pack("=QQQ", 0xAA, 0, 0))  # UFFDIO_API
        # UFFDIO_REGISTER, UFFDIO_REGISTER_MODE_MISSING
        fcntl.ioctl(self.faults, 0xC020AA00, struct.pack("=QQQQ", self.at, mmap.PAGESIZE, 1, 0))
        # TUNGETIFF
        asked = ctypes.c_int(self.tun), ctypes.c_ulong(0x800454D2), ctypes.c_void_p(self.at)
        self.thread = threading.Thread(target=libc.ioctl, args=asked)

    def __enter__(self):
        self.thread.start()
        os.read(self.faults, 32)

    def __exit__(self, *_):
        fcntl.ioctl(self.faults, 0xC020AA04, struct.pack("=QQQQ", self.at, mmap.PAGESIZE, 0, 0))  # UFFDIO_ZEROPAGE
        self.thread.join()
        os.close(self.faults)
        os.close(self.tun)


def asleep(thread):
    """Waits until a thread of ours waits for a lock of the kernel."""
    end = time.monotonic() + Netlink.patience
    while True:
        with open(f"/proc/self/task/{thread.native_id}/stat") as file:
            if file.read().rpartition(")")[2].split()[0] == "D":
                return
        assert thread.is_alive() and time.monotonic() < end, "it does not wait"
        time.sleep(0.001)


class Route(Netlink):
    """rtnetlink."""

    def index(self, dev):
        body = self.ask(18, struct.pack("=BxHiII", 0, 0, 0, 0, 0) + attr(3, dev))[0]
        return struct.unpack_from("=i", body, 4)[0]

    def link(self, dev, flags=None, *attrs):
        """Changes a device; None leaves its flags."""
        header = struct.pack("=BxHiII", 0, 0, self.index(dev), flags or 0, 0 if flags is None else 1)
        self.ask(16, header + b"".join(attrs))

    def rename(self, dev, name):
        self.link(dev, None, attr(3, name))

    def rename_all(self, *names):
        """Names for devices by their indices, one right after the other."""
        message = b""
        for index, name in names:
            body = struct.pack("=BxHiII", 0, 0, index, 0, 0) + attr(3, name)
            message += struct.pack("=IHHII", 16 + len(body), 16, 1 | ACK, self.seq, 0) + body
        self.s.send(message)
        for _ in names:
            if error := -struct.unpack_from("=i", self.s.recv(4096), 16)[0]:
                raise OSError(error, os.strerror(error))

    def move(self, dev, ns, name=None):
        with open(f"/run/netns/{ns}") as file:
            self.link(dev, None, attr(28, file.fileno()), *([attr(3, name)] if name else []))

    def remove(self, dev):
        self.ask(17, struct.pack("=BxHiII", 0, 0, self.index(dev), 0, 0))

    def add_veth(self, dev, peer, ns):
        """The peer is in another namespace."""
        header = struct.pack("=BxHiII", 0, 0, 0, 0, 0)
        with open(f"/run/netns/{ns}") as file:
            other = attr(1, header + attr(3, peer) + attr(28, file.fileno()))
            self.ask(16, header + attr(3, dev) + attr(18, attr(1, "veth") + attr(2, other)), CREATE | EXCL)

    def address(self, dev, address, is_there, length=24):
        octets = socket.inet_aton(address)
        body = struct.pack("=BBBBi", socket.AF_INET, length, 0, 0, self.index(dev)) + attr(1, octets) + attr(2, octets)
        self.ask(20 if is_there else 21, body, CREATE if is_there else 0)

    def route(self, is_there, dst, length, gateway, dev, metric=0, table=254):
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, length, 0, 0, table, 4, 0, 1, 0)
        if length:
            body += attr(1, socket.inet_aton(dst))
        body += attr(5, socket.inet_aton(gateway)) + attr(4, self.index(dev))
        body += attr(6, metric) if metric else b""
        self.ask(24 if is_there else 25, body, CREATE if is_there else 0)

    def rule(self, is_there, pref, mark, table):
        body = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, table, 0, 0, 1, 0)
        body += attr(6, pref) + attr(10, mark) + attr(16, 0xff)
        self.ask(32 if is_there else 33, body, CREATE if is_there else 0)


class Mwb(Netlink):
    """The module. ENOENT while it is not loaded."""

    def __init__(self, ns):
        super().__init__(ns, NETLINK_GENERIC)
        self.family = None

    def find(self):
        answer = self.ask(16, struct.pack("=BBH", 3, 1, 0) + attr(2, "mwb"))
        self.family = struct.unpack("=H", attributes(answer[0][4:])[1])[0]

    def request(self, op, attrs=b"", flags=0):
        for _ in range(2):
            known = self.family
            if not known:
                self.find()
            try:
                return self.ask(self.family, struct.pack("=BBH", number[f"MWB_CMD_{op}"], 1, 0) + attrs, flags)
            except OSError as e:
                # It may have another number since it was loaded anew.
                if e.errno != errno.ENOENT or not known:
                    raise
                self.family = None

    def notify(self, op, attrs):
        """Sends a request that only its failure is answered to, beside one that is under way."""
        body = struct.pack("=BBH", number[f"MWB_CMD_{op}"], 1, 0) + attrs
        self.s.send(struct.pack("=IHHII", 16 + len(body), self.family, 1, 0, 0) + body)

    def begin(self, op):
        """Begins a dump, whose answer nobody reads to its end."""
        self.find()
        self.send(self.family, struct.pack("=BBH", number[f"MWB_CMD_{op}"], 1, 0), DUMP)

    def read(self, op, kind):
        """What it answers to one request, by the names of attributes."""
        return named(kind, self.request(op)[0])

    def all(self, op, kind):
        for _ in range(100):
            said = self.request(op, flags=DUMP)
            if not self.is_interrupted:
                return [named(kind, body) for body in said]
        raise OSError(errno.EAGAIN, "a dump is changed under all the time")


def attrs(_kind, **values):
    """Attributes of the contract, by their names."""
    out = b""
    for name, value in values.items():
        for one in value if isinstance(value, (list, tuple)) else [value]:
            if name.endswith("_bps"):
                one = struct.pack("=Q", one)
            elif one is True:
                one = b""
            out += attr(number[f"MWB_A_{_kind}_{name.upper()}"], one)
    return out


def policies(first, last, **flags):
    """A part of a set of policies: those of these preferences, which lead to main."""
    parts = (attrs("POLICY", pref=pref, to="main") for pref in range(first, last + 1))
    return attrs("POLICIES", **flags) + b"".join(attr(number["MWB_A_POLICIES_POLICY"] | 0x8000, part) for part in parts)


def named(kind, body):
    """The attributes of a message, whose values are numbers where they have the length of one."""
    names = {value: name for name, value in number.items() if name.startswith(f"MWB_A_{kind}_")}
    found = {}
    for at, value in attributes(body[4:]).items():
        name = names[at][len(f"MWB_A_{kind}_"):].lower()
        if name in ("name", "dev"):
            found[name] = text(value)
        elif name == "gateway4":
            found[name] = socket.inet_ntoa(value)
        else:
            found[name] = int.from_bytes(value, "little")
    return found

# SPDX-License-Identifier: GPL-2.0
"""Network namespaces, and the kernel's packet generator in each of them.

pktgen has a thread per CPU and namespace. It calls netif_receive_skb() for each packet, so that the whole way of a
packet runs inline in that thread, and notes how long it was not on the CPU: what is left is the time of its
packets, also when the threads of many namespaces take turns on one CPU."""

from concurrent.futures import ThreadPoolExecutor
import os
import re
import subprocess
import time


class Netns:
    """A network namespace, with two threads that live in it: one may wait for pktgen while the other works."""

    def __init__(self, name):
        self.name = name
        subprocess.run(["ip", "netns", "add", name], check=True)
        fd = os.open(f"/run/netns/{name}", os.O_RDONLY)
        enter = lambda: os.setns(fd, os.CLONE_NEWNET)
        self.worker = ThreadPoolExecutor(1, initializer=enter)
        self.waiter = ThreadPoolExecutor(1, initializer=enter)
        self.fd = fd

    def end(self):
        self.worker.shutdown()
        self.waiter.shutdown()
        os.close(self.fd)
        subprocess.run(["ip", "netns", "del", self.name], check=True)

    def inside(self, f, *args):
        return self.worker.submit(f, *args).result()

    def run(self, *command, text=None):
        def call():
            done = subprocess.run(command, input=text, capture_output=True, text=True)
            if done.returncode:
                raise SystemExit(f"{self.name}: {' '.join(command)[:200]}: {done.stderr.strip()[:500]}")
            return done.stdout

        return self.inside(call)

    def ip(self, *lines):
        self.run("ip", "-batch", "-", text="\n".join(lines) + "\n")

    def read(self, path):
        def call():
            with open(path) as f:
                return f.read()

        return self.inside(call)

    def sysctl(self, **values):
        """Names have two underscores for a dot."""

        def call():
            for name, value in values.items():
                with open("/proc/sys/net/" + name.replace("__", "/"), "w") as f:
                    f.write(str(value))

        self.inside(call)

    def sent(self):
        """Packets that left, by device."""
        lines = self.read("/proc/thread-self/net/dev").splitlines()[2:]
        return {name.strip(): int(numbers.split()[9]) for name, numbers in (line.split(":") for line in lines)}

    def connections(self):
        return int(self.read("/proc/sys/net/netfilter/nf_conntrack_count"))

    # -- pktgen --------------------------------------------------------------------------------------

    def control(self, file, *lines):
        def call():
            fd = os.open(f"/proc/thread-self/net/pktgen/{file}", os.O_WRONLY)
            try:
                for line in lines:
                    os.write(fd, line.encode())
            except OSError as e:
                raise SystemExit(f"{self.name}: pktgen {file}: {line}: {e}") from e
            finally:
                os.close(fd)

        return call

    def has_devices(self):
        lines = self.read("/proc/thread-self/net/pktgen/kpktgend_0").splitlines()
        return any(line.split()[1:] for line in lines if line.startswith(("Running:", "Stopped:")))

    def streams(self, streams):
        """What to send: per device, what pktgen is told. Several on one device are dev@1, dev@2 ..."""
        self.devs = [dev for dev, _ in streams]
        # pktgen's thread may do that after the write is over, and would take what is added meanwhile as well.
        if self.has_devices():
            self.inside(self.control("kpktgend_0", "rem_device_all"))
        end = time.monotonic() + 60
        while self.has_devices():
            if time.monotonic() > end:
                raise SystemExit(f"{self.name}: pktgen keeps its devices")
            time.sleep(0.01)
        self.inside(self.control("kpktgend_0", *(f"add_device {dev}" for dev in self.devs)))
        # Of several without a delay, the second would wait until the first is done.
        delay = int(len(streams) > 1)
        for dev, lines in streams:
            common = ["xmit_mode netif_receive", "flag !SHARED", "burst 1", "pkt_size 60", "flag NO_TIMESTAMP"]
            self.inside(self.control(dev, *common, f"delay {delay}", *lines))

    def start(self, packets=0):
        """Sends so many packets, or until it is stopped."""
        each = -(-packets // len(self.devs))
        for dev in self.devs:
            self.inside(self.control(dev, f"count {each}"))
        self.under_way = self.waiter.submit(self.control("pgctrl", "start"))

    def stop(self):
        self.inside(self.control("pgctrl", "stop"))

    def result(self, is_to_stop=False):
        """Nanoseconds of CPU, and packets. What was started may be noticed only when the kernel has given up to wait
        for it, and a stop before that is none."""
        self.under_way.result()
        started, stopped, idle, packets = [], [], 0, 0
        end = time.monotonic() + 300
        for dev in self.devs:
            while True:
                text = self.read(f"/proc/thread-self/net/pktgen/{dev}")
                if re.search(r"Result: OK: \d+\(c", text):
                    break
                if time.monotonic() > end:
                    raise SystemExit(f"{self.name}: pktgen {dev}: {text[-400:]}")
                if is_to_stop:
                    self.stop()
                time.sleep(0.05)
            found = re.search(r"pkts-sofar: (\d+) .*\s+started: (\d+)us  stopped: (\d+)us idle: (\d+)us", text)
            numbers = [int(n) for n in found.groups()]
            packets += numbers[0]
            started.append(numbers[1])
            stopped.append(numbers[2])
            idle += numbers[3]
        return 1000 * (max(stopped) - min(started) - idle), packets


def run(spaces, seconds=0, packets=0):
    """All of them at once, for so long or so many packets; a result each."""
    for ns in spaces:
        ns.start(packets)
    if not packets:
        time.sleep(seconds)
        while not all(ns.under_way.done() for ns in spaces):
            for ns in spaces:
                ns.stop()
            time.sleep(0.05)
    return [ns.result(not packets) for ns in spaces]

"""Two hosts in namespaces joined by a cable a NIC. Reads two nodes from stdin, prints which NIC carried each transfer.

Run inside a user and network namespace of its own: `unshare -Urn python rail_world.py`.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

CLONE_NEWNET = 0x40000000
BYTES = 300_000
libc = ctypes.CDLL(None, use_errno=True)


class Host:
    """One network stack. `run` and `inside` work in it; the process itself stays where it is."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(["unshare", "-n", "cat"], stdin=subprocess.PIPE)
        here = Path("/proc/self/ns/net").readlink()
        there = Path(f"/proc/{self.process.pid}/ns/net")
        while there.readlink() == here:
            pass

    def run(self, *command: str) -> None:
        subprocess.run(["nsenter", "-t", str(self.process.pid), "-n", *command], check=True)

    def inside(self) -> None:
        """Move the calling thread into this host's stack."""
        with Path(f"/proc/{self.process.pid}/ns/net").open() as ns:
            if libc.setns(ns.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    def sent(self) -> dict[str, int]:
        text = subprocess.run(
            ["nsenter", "-t", str(self.process.pid), "-n", "cat", "/proc/net/dev"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        rows = [line.split(":") for line in text.splitlines()[2:]]
        return {name.strip(): int(numbers.split()[8]) for name, numbers in rows}


def configure(host: Host, node: dict[str, Any]) -> None:
    settings = ["net.ipv4.conf.all.rp_filter=2", "net.ipv4.conf.all.ignore_routes_with_linkdown=1"]
    settings += [f"net.ipv4.conf.{nic}.arp_announce=2" for nic in node["links"] if nic != node["interface"]]
    host.run("sysctl", "-qw", *settings)
    for nic, address in node["links"].items():
        host.run("ip", "address", "add", address, "dev", nic)
        host.run("ip", "link", "set", nic, "up")


def route(host: Host, node: dict[str, Any]) -> None:
    for r in node["routes"]:
        host.run(
            "ip", "route", "add", r["to"], "dev", r["dev"], "src", r["source"], "metric", str(r["metric"])
        )


def transfer(sender: Host, receiver: Host, address: str) -> str:
    """Send to the node address over TCP and name the NIC that most of it left by."""
    ready, port = threading.Event(), 5000

    def serve() -> None:
        receiver.inside()
        with socket.create_server((address, port)) as server:
            ready.set()
            connection, _ = server.accept()
            with connection:
                while connection.recv(65536):
                    pass

    def send() -> None:
        sender.inside()
        with socket.create_connection((address, port), timeout=10) as connection:
            connection.sendall(b"x" * BYTES)

    before = sender.sent()
    serving = threading.Thread(target=serve, daemon=True)
    serving.start()
    if not ready.wait(10):
        raise TimeoutError("no server")
    sending = threading.Thread(target=send)
    sending.start()
    sending.join()
    serving.join(10)
    after = sender.sent()
    nic = max(after, key=lambda n: after[n] - before.get(n, 0))
    if after[nic] - before.get(nic, 0) < BYTES:
        raise RuntimeError(f"the transfer is spread or lost: {before} {after}")
    return nic


def main() -> None:
    nodes = json.load(sys.stdin)
    hosts = [Host(), Host()]
    try:
        for nic in nodes[0]["links"]:
            subprocess.run(["ip", "link", "add", "end0", "type", "veth", "peer", "name", "end1"], check=True)
            for i, host in enumerate(hosts):
                subprocess.run(
                    ["ip", "link", "set", f"end{i}", "netns", str(host.process.pid), "name", nic], check=True
                )
        for host, node in zip(hosts, nodes, strict=True):
            configure(host, node)
        for host, node in zip(hosts, nodes, strict=True):
            route(host, node)
        here, there = hosts
        used = {"all rails": transfer(here, there, nodes[1]["address"])}
        for r in nodes[0]["routes"]:
            there.run("ip", "link", "set", r["dev"], "down")
            used[f"without {r['dev']}"] = transfer(here, there, nodes[1]["address"])
        sys.stdout.write(json.dumps(used))
    finally:
        for host in hosts:
            host.process.terminate()
            host.process.wait()


if __name__ == "__main__":
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    main()

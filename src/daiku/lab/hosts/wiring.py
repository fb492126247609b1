"""Bridges and cables: one Linux bridge a segment, one veth pair a port, all in the fabric's network namespace."""

from __future__ import annotations

import itertools
import subprocess
import threading
from collections.abc import Iterable, Sequence

from daiku.errors import LabError
from daiku.lab.topology import Segment

_HOST_MTU = 1500
"""What a freshly plugged port has inside the host, until the host's own netplan says otherwise."""

_WIRE_SIZED = "gso_max_segs 1"
"""Packets leave a host in the size that a wire would carry. With larger bundles, which bridges pass on unchecked, TCP
would work across a segment whose MTU is too small for it."""


def ip_batch(lines: Iterable[str]) -> None:
    """Run `ip -batch` in this thread's network namespace. Raises LabError with the line that failed."""
    text = "".join(line + "\n" for line in lines)
    if not text:
        return
    done = subprocess.run(["ip", "-batch", "-"], input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        number = done.stderr.rpartition("-:")[2].strip()
        failed = text.splitlines()[int(number) - 1] if number.isdigit() else text
        raise LabError(f"ip {failed}: {done.stderr.splitlines()[0] if done.stderr else 'failed'}")


class Wiring:
    """The L2 of the lab. Methods are for one thread at a time per port; segments change under `apply` only."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._bridges: dict[str, str] = {}
        self._mtu: dict[str, int] = {}
        self._members: dict[str, set[str]] = {}
        self._lock = threading.Lock()

    def prepare(self, segments: Sequence[Segment]) -> None:
        """Make missing segments and change the MTU of those that differ."""
        lines: list[str] = []
        for segment in segments:
            if segment.id not in self._bridges:
                number = next(self._numbers)
                bridge = f"br{number}"
                # A bridge without an address of its own borrows one from its ports and changes it as they come and
                # go, which breaks everybody's ARP tables; so it gets a fixed one.
                mac = f"02:da:1b:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"
                kind = "type bridge forward_delay 0 stp_state 0 mcast_snooping 0"
                lines += [
                    f"link add {bridge} address {mac} mtu {segment.mtu} {kind}",
                    f"link set dev {bridge} addrgenmode none up",
                ]
                self._bridges[segment.id], self._members[segment.id] = bridge, set()
            elif self._mtu[segment.id] != segment.mtu:
                ports = [*sorted(self._members[segment.id]), self._bridges[segment.id]]
                lines += [f"link set dev {port} mtu {segment.mtu}" for port in ports]
            self._mtu[segment.id] = segment.mtu
        ip_batch(lines)

    def forget(self, segments: Sequence[Segment]) -> None:
        """Remove the bridges of segments that are no longer in the topology."""
        wanted = {segment.id for segment in segments}
        gone = sorted(set(self._bridges) - wanted)
        ip_batch(f"link del {self._bridges[segment]}" for segment in gone)
        for segment in gone:
            del self._bridges[segment], self._mtu[segment], self._members[segment]

    def connect(self, namespace: str, ports: Sequence[tuple[str, str, str | None]]) -> dict[str, str]:
        """Put NICs (name, MAC, segment) into a network namespace, given as a path or a PID.

        Returns for each name the cable's end in the fabric.
        """
        cables = {name: f"p{next(self._numbers)}" for name, _, _ in ports}
        lines = [
            f"link add {cables[name]} type veth peer name {name} address {mac} "
            f"mtu {_HOST_MTU} {_WIRE_SIZED} netns {namespace}"
            for name, mac, _ in ports
        ]
        for name, _, segment in ports:
            lines += self._plug(cables[name], segment)
        ip_batch(lines)
        return cables

    def move(self, cables: Iterable[tuple[str, str | None]]) -> None:
        """Plug cables into other segments; None unplugs, and the NIC at the other end loses its carrier."""
        ip_batch([line for cable, segment in cables for line in self._plug(cable, segment)])

    def remove(self, cables: Iterable[str]) -> None:
        """Take cables away with the NICs at their other end."""
        cables = list(cables)
        self.forget_cables(cables)
        ip_batch(f"link del {cable}" for cable in cables)

    def forget_cables(self, cables: Iterable[str]) -> None:
        """Cables that ended together with their host's namespace."""
        with self._lock:
            for members in self._members.values():
                members.difference_update(cables)

    def _plug(self, cable: str, segment: str | None) -> list[str]:
        self.forget_cables([cable])
        if segment is None:
            return [f"link set dev {cable} nomaster down"]
        if segment not in self._bridges:
            raise LabError(f"segment {segment} of a port is not in the topology")
        with self._lock:
            self._members[segment].add(cable)
        bridge, mtu = self._bridges[segment], self._mtu[segment]
        return [f"link set dev {cable} mtu {mtu} master {bridge} addrgenmode none up"]

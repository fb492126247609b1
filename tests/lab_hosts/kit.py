"""Short words to describe machines and to speak SSH with them."""

from __future__ import annotations

import itertools
import shlex
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daiku.lab.hosts import Hosts, HostStatus, supports_namespaces
from daiku.lab.topology import INTERNET, Forward, Machine, Nic, Router, Segment, Topology
from daiku.ledger.keys import ensure_deploy_key

ROUTER_MAC = "02:aa:00:00:00:01"
_numbers = itertools.count(1)


@dataclass
class Lab:
    """One router at `address`; its port 2200 + n leads to port 22 of 10.10.0.n."""

    hosts: Hosts
    key: Path
    folder: Path
    address: str
    said: list[str] = field(default_factory=list)
    left: list[tuple[str, int]] = field(default_factory=list)

    def machine(self, number: int, **changes: object) -> Machine:
        """Machine `number`: eth0 = 10.10.0.<number>/20 on `node`, a disk that no other call got."""
        settings: dict[str, object] = {
            "id": f"m{number}",
            "kind": "vm",
            "power": True,
            "boots": 1,
            "root": f"disk-{next(_numbers)}",
            "hostname": f"host{number}",
            "login": "root",
            "authorized_keys": (self.key.with_suffix(".pub").read_text(),),
            "nics": (self.nic(number),),
            **changes,
        }
        return Machine(**settings)  # type: ignore[arg-type]

    def nic(self, number: int, **changes: object) -> Nic:
        settings: dict[str, object] = {
            "name": "eth0",
            "mac": f"02:00:00:00:00:{number:02x}",
            "segment": "node",
            "addresses": (f"10.10.0.{number}/20",),
            "gateway": "10.10.0.1",
            **changes,
        }
        return Nic(**settings)  # type: ignore[arg-type]

    def topology(self, *machines: Machine, **changes: object) -> Topology:
        outer = Nic("eth0", ROUTER_MAC, INTERNET, ("198.51.100.10/24",), "198.51.100.1")
        inner = Nic("eth1", "02:aa:00:00:00:02", "node", ("10.10.0.1/20",))
        forwards = tuple(Forward(2200 + n, f"10.10.0.{n}", 22) for n in range(2, 20))
        settings: dict[str, object] = {
            "segments": (Segment("node"), Segment("rail", 9000), Segment(INTERNET)),
            "machines": machines,
            "routers": (Router("r", True, self.address, (outer, inner), forwards, nat=True),),
            **changes,
        }
        return Topology(**settings)  # type: ignore[arg-type]

    def apply(self, *machines: Machine, **changes: object) -> None:
        self.hosts.apply(self.topology(*machines, **changes))

    def status(self, identity: str) -> HostStatus:
        return next(row for row in self.hosts.status() if row.id == identity)

    def ssh_command(self, number: int, user: str = "root") -> list[str]:
        options = [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "BatchMode=yes",
            "ConnectTimeout=5",
        ]
        flags = [word for option in (*options, "LogLevel=ERROR") for word in ("-o", option)]
        return [
            "ssh",
            "-F",
            "none",
            "-i",
            str(self.key),
            *flags,
            "-p",
            str(2200 + number),
            f"{user}@{self.address}",
        ]

    def try_ssh(self, number: int, command: str, user: str = "root") -> subprocess.CompletedProcess[str]:
        words = [*self.ssh_command(number, user), command]
        return subprocess.run(
            words, capture_output=True, text=True, timeout=25, check=False, stdin=subprocess.DEVNULL
        )

    def ssh(self, number: int, command: str, user: str = "root") -> str:
        done = self.try_ssh(number, command, user)
        assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def write(self, number: int, path: str, text: str) -> None:
        self.ssh(number, f"mkdir -p $(dirname {path}); umask 077; printf %s {shlex.quote(text)} > {path}")

    def host_key(self, number: int) -> str:
        return self.ssh(number, "cat /etc/ssh/ssh_host_ed25519_key.pub").split()[1]


@contextmanager
def lab_of_a_cluster(folder: Path, worker_id: str) -> Generator[Lab]:
    """A lab whose hosts know a cluster's own deploy key, for tests that converge them; below `folder`."""
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    key, public = ensure_deploy_key(folder / "keys")
    shutil.copy(key, folder / "key")
    (folder / "key.pub").write_text(public)
    worker = int(worker_id.removeprefix("gw") or 0) if worker_id.startswith("gw") else 0
    said: list[str] = []
    with Hosts(folder / "state", log=said.append) as hosts:
        yield Lab(hosts, folder / "key", folder, f"127.77.210.{worker + 1}", said)

"""Hosts share this machine's kernel: what they do to themselves must not reach it, and nothing may stay behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from daiku.errors import LabError
from daiku.lab.hosts import Hosts
from tests.lab_hosts.kit import Lab

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def ready(lab: Lab) -> Lab:
    lab.apply(lab.machine(2, login="root"))
    return lab


def test_sysctls_outside_the_network_are_the_hosts_own(ready: Lab) -> None:
    before = Path("/proc/sys/vm/swappiness").read_text()
    ready.ssh(2, "sysctl -w vm.swappiness=1 kernel.panic=77 fs.file-max=12345")
    assert ready.ssh(2, "sysctl -n vm.swappiness kernel.panic fs.file-max").split() == ["1", "77", "12345"]
    assert Path("/proc/sys/vm/swappiness").read_text() == before
    assert Path("/proc/sys/kernel/panic").read_text() != "77\n"


def test_network_sysctls_are_the_kernels(ready: Lab) -> None:
    ready.ssh(
        2, "sysctl -w net.ipv4.conf.eth0.arp_ignore=1 net.core.rmem_max=16777216 net.core.somaxconn=5000"
    )
    assert (
        ready.ssh(2, "cat /proc/sys/net/ipv4/conf/eth0/arp_ignore /proc/sys/net/core/somaxconn") == "1\n5000"
    )


@pytest.mark.parametrize(
    "command",
    [
        "date -s 2030-01-01",
        "mknod /dev/disk b 254 0",
        "echo 1 > /sys/kernel/mm/ksm/run",
        "dmesg --clear",
        "kill -9 1; test -e /proc/2/nothing",
    ],
)
def test_harm_is_refused(ready: Lab, command: str) -> None:
    assert ready.try_ssh(2, command).returncode != 0
    assert ready.ssh(2, "echo alive") == "alive"


def test_there_are_no_block_devices_no_swap_and_no_foreign_processes(ready: Lab) -> None:
    assert ready.ssh(2, "find /dev -type b; tail -n +2 /proc/swaps; swapoff -a") == ""
    assert ready.ssh(2, "cat /proc/1/comm") == "daiku-init"
    assert str(os.getpid()) not in ready.ssh(2, "ls /proc").split()


def test_homes_passwords_and_settings_of_this_machine_stay_outside(ready: Lab) -> None:
    assert ready.ssh(2, "ls -A /root /home /etc/netplan").split() == [
        "/etc/netplan:",
        "50-cloud-init.yaml",
        "/home:",
        "/root:",
        ".ssh",
    ]
    assert ready.ssh(2, "cut -d: -f2 /etc/shadow | sort -u; ls /etc/shadow- 2>/dev/null || true") == "*"


def test_the_operators_environment_does_not_reach_a_host(
    namespaces: None, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-hosts")
    with Hosts(tmp_path / "state", log=lambda _: None) as hosts:
        other = replace(lab.topology(lab.machine(4)).routers[0], public_address="127.77.210.1")
        hosts.apply(lab.topology(lab.machine(4), routers=(other,)))
        pid = next(row.pid for row in hosts.status())
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        assert b"PATH=" in environment
        assert b"AWS" not in environment


def test_modprobe_only_records(ready: Lab) -> None:
    assert ready.ssh(
        2, "modprobe overlay && modprobe -a br_netfilter nf_conntrack && cat /run/modules"
    ).split() == [
        "overlay",
        "br_netfilter",
        "nf_conntrack",
    ]


def traces(state: Path) -> list[str]:
    """Processes and mounts of this machine that have to do with the hosts of `state`, and all its interfaces."""
    found = [path.name for path in Path("/sys/class/net").iterdir()]
    found += [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(state) in line]
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            if any(str(state) in word for word in words):
                found.append(f"{folder.name} {words[0]}")
    return sorted(found)


def test_close_leaves_nothing_behind(lab: Lab, tmp_path: Path) -> None:
    before = traces(tmp_path)
    with Hosts(tmp_path / "state", log=lambda _: None) as hosts:
        hosts.apply(lab.topology(lab.machine(3), routers=()))
        during = traces(tmp_path)
        assert len(during) == len(before) + 4  # launcher, fabric, the machine's holder and its PID 1
    assert traces(tmp_path) == before
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["fabric.log"]
    assert (tmp_path / "state/fabric.log").read_text() == ""
    with pytest.raises(LabError, match="closed"):
        hosts.status()


OWNER = """
import sys
from pathlib import Path
from daiku.lab.hosts import Hosts
from daiku.lab.topology import Machine, Topology
hosts = Hosts(Path(sys.argv[1]), log=lambda line: None)
hosts.apply(Topology(machines=(Machine("m", "vm", True, 1, "r", "h", "root", (), ()),)))
print("up", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("victim", ["owner", "launcher"])
def test_a_killed_lab_takes_everything_with_it(namespaces: None, tmp_path: Path, victim: str) -> None:
    before = traces(tmp_path)
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path / "state")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with owner:
        assert owner.stdout
        assert owner.stdout.readline() == b"up\n"
        children = Path(f"/proc/{owner.pid}/task/{owner.pid}/children").read_text().split()
        os.kill(owner.pid if victim == "owner" else int(children[0]), signal.SIGKILL)
        deadline = time.monotonic() + 10
        while (left := [line for line in traces(tmp_path) if not line.startswith(f"{owner.pid} ")]) != before:
            assert time.monotonic() < deadline, left
            time.sleep(0.05)

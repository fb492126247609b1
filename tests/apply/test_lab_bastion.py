"""The ways through a bastion that runs OpenSSH, with its limits."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from daiku.apply.fleet import Settings
from daiku.lab.topology import Machine
from daiku.render.bundle import HostBundle, HostFile
from tests.apply.lab_fleet import LOOPBACKS, converge
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

pytestmark = [pytest.mark.lab, pytest.mark.allow_hosts(LOOPBACKS)]
HOSTS = ("host3", "host4", "host5")
A_WAY_EACH = Settings(timeout=30, patience=90, hosts_a_way=1)
OURS = "pgrep -f '^sshd: ubuntu$'"
"""Connections of the account that run no command: the ways."""


def bundles(text: str) -> dict[str, HostBundle]:
    return {name: HostBundle(name, (HostFile("/etc/motd", text.encode()),), ()) for name in HOSTS}


def together(action: Callable[[], object]) -> Callable[[object], None]:
    """An approval that waits for all hosts, does `action` once, and lets them change."""
    barrier = threading.Barrier(len(HOSTS), action)
    return lambda _report: barrier.wait(120) and None


def test_further_connections_are_made_one_log_in_at_a_time(lab: Lab, machines: dict[int, Machine]) -> None:
    # sshd counts a log-in until a moment after it has ended, hence two and not one.
    lab.ssh(2, "echo MaxStartups 2 | sudo tee /etc/ssh/sshd_config.d/few.conf", "ubuntu")
    lab.ssh(2, "sudo systemctl reload ssh", "ubuntu")
    ways: list[str] = []
    count = together(lambda: ways.extend(lab.ssh(2, OURS, "ubuntu").split()))
    report = converge(lab, bundles("one\n"), Pins(), settings=A_WAY_EACH, approve=count)
    assert report.failures == ()
    assert (len(report.reports), report.connections, len(ways)) == (3, 6, 3)


def test_hosts_of_a_way_whose_sshd_dies_go_on_over_another(lab: Lab, machines: dict[int, Machine]) -> None:
    kill = together(lambda: lab.ssh(2, f"sudo kill -9 $({OURS} | head -1)", "ubuntu"))
    report = converge(lab, bundles("two\n"), Pins(), settings=A_WAY_EACH, approve=kill)
    assert report.failures == ()
    assert len(report.reports) == 3
    # Three ways and three hosts; then one of each again, unless another way had become free.
    assert report.connections in (7, 8)
    assert {lab.ssh(n, "cat /etc/motd", "root" if n == 3 else "ubuntu") for n in (3, 4, 5)} == {"two"}

"""Load balancers: connections go to healthy real servers only."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from daiku.lab.topology import Balancer, Nic, RealServer, VirtualIp
from tests.lab_hosts.kit import Lab

pytestmark = pytest.mark.lab

VIP = "10.10.0.100"
SERVE = "mkdir -p /run/www && hostname > /run/www/index.html && cd /run/www && "
SERVE += "(nohup python3 -m http.server 80 >/dev/null 2>&1 </dev/null &)"
ASK = f"curl -s -m 2 http://{VIP}:6443/"


def balancer(check: str, *servers: RealServer) -> Balancer:
    nic = Nic("eth0", "02:bb:00:00:00:01", "node", ("10.10.0.90/20",), "10.10.0.1")
    checked = tuple(
        replace(server, check=check, path="/" if check.startswith("http") else "") for server in servers
    )
    return Balancer("lb", True, nic, (VirtualIp(VIP, 6443, checked),))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline, "it did not become so"
        time.sleep(0.05)


def ups(lab: Lab) -> dict[str, bool]:
    return {row.address: row.up for row in lab.hosts.lb_status()}


@pytest.mark.parametrize("check", ["tcp", "http", "ping"])
def test_a_vip_answers_from_every_healthy_server(lab: Lab, check: str) -> None:
    machines = [lab.machine(n) for n in (2, 3, 4)]
    servers = (
        RealServer("10.10.0.2", 80, True),
        RealServer("10.10.0.3", 80, True),
        RealServer("10.10.0.5", 80, True),
    )
    lab.apply(*machines, balancers=(balancer(check, *servers),))
    for number in (2, 3):
        lab.ssh(number, SERVE)
    wait_until(lambda: ups(lab) == {"10.10.0.2": True, "10.10.0.3": True, "10.10.0.5": False})
    assert lab.ssh(4, f"{ASK}") in {"host2", "host3"}
    lab.apply(replace(machines[0], power=False), *machines[1:], balancers=(balancer(check, *servers),))
    wait_until(lambda: not ups(lab)["10.10.0.2"])
    assert lab.ssh(4, f"{ASK}; {ASK}") == "host3\nhost3"


def test_a_disabled_server_gets_nothing_and_without_servers_the_connection_is_reset(lab: Lab) -> None:
    machines = [lab.machine(n) for n in (6, 7)]
    server = RealServer("10.10.0.6", 80, True)
    lab.apply(*machines, balancers=(balancer("http", server),))
    lab.ssh(6, SERVE)
    wait_until(lambda: ups(lab)["10.10.0.6"])
    assert lab.ssh(7, ASK) == "host6"
    lab.apply(*machines, balancers=(balancer("http", replace(server, enabled=False)),))
    assert lab.hosts.lb_status()[0].up is False
    assert lab.try_ssh(7, ASK).returncode in {7, 56}  # curl: not connected, or reset at once


def test_a_balancer_that_is_switched_off_is_gone(lab: Lab) -> None:
    machine = lab.machine(8)
    lab.apply(machine, balancers=(balancer("tcp"),))
    lab.apply(machine, balancers=(replace(balancer("tcp"), power=False),))
    assert lab.hosts.lb_status() == ()
    assert lab.try_ssh(8, ASK).returncode in {7, 28}

"""The running machine on lab hosts: what is changed by hand, and networks that cut a host off."""

from __future__ import annotations

import time

import pytest

from daiku.apply.fleet import Settings
from daiku.errors import HostError
from daiku.lab.topology import Machine
from daiku.render.bundle import Expectation, HostBundle, HostFile, Trigger
from tests.apply.lab_fleet import LOOPBACKS, converge
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

pytestmark = [pytest.mark.lab, pytest.mark.allow_hosts(LOOPBACKS)]
NETPLAN = Trigger("netplan", ("netplan", "apply"), 50, guarded=True)
SYSCTL = Trigger("sysctl", ("sysctl", "-q", "-p", "/etc/sysctl.d/90-daiku.conf"), 30)
UNITS = Trigger("units", ("systemctl", "enable", "--now", "worker.service"), 70)
UNIT = "[Service]\nExecStart=/bin/sleep 600\n[Install]\nWantedBy=multi-user.target\n"


def netplan(address: str, extra: str = "") -> str:
    return (
        "network:\n  version: 2\n  ethernets:\n    eth0:\n      mtu: 1450\n"
        f"      addresses: [{address}/20]\n"
        "      routes: [{to: default, via: 10.10.0.1}, {to: 10.64.0.0/16, via: 10.10.0.1}]\n"
        f"{extra}"
    )


def bundle(address: str = "10.10.0.3", extra: str = "") -> HostBundle:
    files = (
        HostFile(
            "/etc/netplan/50-cloud-init.yaml", netplan(address, extra).encode(), 0o600, trigger="netplan"
        ),
        HostFile(
            "/etc/sysctl.d/90-daiku.conf", b"net.ipv4.ip_forward = 1\nvm.panic_on_oom = 0\n", trigger="sysctl"
        ),
        HostFile("/etc/systemd/system/worker.service", UNIT.encode(), trigger="units"),
    )
    expectations = (
        Expectation("sysctl", "net.ipv4.ip_forward", "1", "sysctl"),
        Expectation("sysctl", "vm.panic_on_oom", "0", "sysctl"),
        Expectation("sysctl", "net.no.such", "1", "sysctl"),
        Expectation("link", "eth0", "up", "netplan"),
        Expectation("mtu", "eth0", "1450", "netplan"),
        Expectation("address", f"eth0 {address}/20", "present", "netplan"),
        Expectation("address", "eth7 10.99.0.1/20", "present", "netplan"),
        Expectation("route", "eth0 default 10.10.0.1", "present", "netplan"),
        Expectation("route", "eth0 10.64.0.0/16 10.10.0.1", "present", "netplan"),
        Expectation("unit-file-state", "worker.service", "enabled", "units"),
        Expectation("unit-state", "worker.service", "active", "units"),
        Expectation("unit-state", "missing.service", "active", "units"),
    )
    return HostBundle("host3", files, (SYSCTL, NETPLAN, UNITS), expectations)


def test_what_is_changed_by_hand_is_seen_and_mended(lab: Lab, machines: dict[int, Machine]) -> None:
    pins, wanted = Pins(), {"host3": bundle()}
    assert converge(lab, wanted, pins).failures == ()
    (unchanged,) = converge(lab, wanted, pins).reports
    assert (unchanged.changed, unchanged.round_trips) == (False, 1)
    lab.ssh(
        3,
        "sysctl -qw vm.panic_on_oom=1; ip route del 10.64.0.0/16; ip link set eth0 mtu 1400;"
        " systemctl stop worker; systemctl disable worker",
    )
    (planned,) = converge(lab, wanted, pins, dry_run=True).reports
    (done,) = converge(lab, wanted, pins).reports
    assert planned.drift == done.drift
    assert {(d.kind, d.name): (d.before, d.after, d.trigger) for d in done.drift} == {
        ("sysctl", "vm.panic_on_oom"): ("1", "0", "sysctl"),
        ("route", "eth0 10.64.0.0/16 10.10.0.1"): ("absent", "present", "netplan"),
        ("mtu", "eth0"): ("1400", "1450", "netplan"),
        ("unit-file-state", "worker.service"): ("disabled", "enabled", "units"),
        ("unit-state", "worker.service"): ("inactive", "active", "units"),
    }
    assert (done.changes, [t.name for t in done.triggers]) == ((), ["sysctl", "netplan", "units"])
    assert not any(r.changed for r in converge(lab, wanted, pins).reports)


def test_a_trigger_that_does_not_bring_about_what_it_should_is_told(
    lab: Lab,
    machines: dict[int, Machine],
) -> None:
    idle = Trigger("sysctl", ("true",), 30)
    wanted = HostBundle("host4", (), (idle,), (Expectation("sysctl", "vm.panic_on_oom", "2", "sysctl"),))
    (failure,) = converge(lab, {"host4": wanted}, Pins()).failures
    assert (failure.step, type(failure)) == ("verify", HostError)
    assert "sysctl vm.panic_on_oom is 0, not 2 (trigger sysctl)" in str(failure)


def test_a_network_that_cuts_the_host_off_is_rolled_back_by_the_host(
    lab: Lab, machines: dict[int, Machine]
) -> None:
    pins = Pins()
    assert converge(lab, {"host3": bundle()}, pins).failures == ()
    lab.ssh(3, "ip address show eth0 > /tmp/before")
    settings = Settings(timeout=4, silence=2, confirm=3)
    began = time.monotonic()
    wrong = {"host3": bundle("10.10.0.99")}
    (failure,) = converge(lab, wrong, pins, settings=settings).failures
    assert (failure.host, failure.exit_code) == ("host3", 22)
    assert "after trigger netplan this host could not be reached for 3 s; the network that it had" in str(
        failure
    )
    assert time.monotonic() - began < 40
    assert "10.10.0.3/20" in lab.ssh(3, "ip -o address show eth0; cat /etc/netplan/50-cloud-init.yaml")
    assert not any(r.changed for r in converge(lab, {"host3": bundle()}, pins).reports if r.changes)
    # A network that is no netplan at all is refused, and taken back at once.
    refused = {"host3": bundle("10.10.0.3", "  bridges: {br0: {}}\n")}
    (failure,) = converge(lab, refused, pins, settings=Settings(confirm=30)).failures
    assert "the network that it had before was restored" in str(failure)
    assert lab.ssh(3, "cat /etc/netplan/*") == netplan("10.10.0.3").strip()
    assert converge(lab, {"host3": bundle()}, pins).failures == ()
    assert not any(r.changed for r in converge(lab, {"host3": bundle()}, pins).reports)

"""A fleet of lab hosts: real sshd, real sudo, a real bastion behind a router, real addresses that change."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daiku.apply.fleet import Settings
from daiku.errors import HostDiskFullError, HostKeyError, HostUnreachableError
from daiku.lab.topology import Machine
from daiku.ledger.database import Database
from daiku.ledger.host_keys import PinnedHostKeys
from daiku.observe.hosts import read
from daiku.render.bundle import HostBundle, HostFile, Trigger
from daiku.wire.ssh import connect
from daiku.wire.ssh_types import Endpoint
from tests.apply.lab_fleet import LOOPBACKS, converge
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

pytestmark = [pytest.mark.lab, pytest.mark.allow_hosts(LOOPBACKS)]
NETPLAN = Trigger("netplan", ("netplan", "apply"), 90)
NOTE = Trigger("note", ("sh", "-c", "echo >> /var/log/noted"), 10)


def bundle(name: str, *files: HostFile) -> HostBundle:
    motd = HostFile("/etc/motd", f"this is {name}\n".encode(), trigger="note")
    key = HostFile("/etc/daiku/secret", b"for root alone", 0o600)
    return HostBundle(name, (motd, key, *files), (NOTE, NETPLAN))


def test_first_unchanged_and_drifted_runs(lab: Lab, machines: dict[int, Machine]) -> None:
    pins, bundles = Pins(), {f"host{n}": bundle(f"host{n}") for n in machines}
    first = converge(lab, bundles, pins)
    assert first.failures == ()
    assert [r.host for r in first.reports] == ["host2", "host3", "host4", "host5"]
    assert {r.round_trips for r in first.reports} == {2}
    second = converge(lab, bundles, pins)
    assert not any(r.changed for r in second.reports)
    assert {r.round_trips for r in second.reports} == {1}
    assert second.connections == 4

    lab.ssh(4, "sudo sh -c 'echo by hand >> /etc/motd; chmod 644 /etc/daiku/secret'", "ubuntu")
    planned = converge(lab, bundles, pins, dry_run=True)
    done = converge(lab, bundles, pins)
    assert (
        [r.host for r in planned.reports if r.changed]
        == [r.host for r in done.reports if r.changed]
        == ["host4"]
    )
    changes = {c.path: c for report in done.reports for c in report.changes}
    assert "-by hand\n" in changes["/etc/motd"].diff
    assert changes["/etc/daiku/secret"].what == ("mode",)
    assert lab.ssh(
        4, "cat /etc/motd; sudo stat -c '%a %U' /etc/daiku/secret; wc -l < /var/log/noted", "ubuntu"
    ) == ("this is host4\n600 root\n2")


def test_what_a_host_says_of_itself(lab: Lab, machines: dict[int, Machine]) -> None:
    bundles = {"host2": bundle("host2")}
    converge(lab, bundles, Pins())
    with connect(
        "host2", Endpoint(lab.address, 2202, "ubuntu"), key_file=lab.key, host_keys=Pins()
    ) as session:
        status = read(session)
    assert (status.hostname, status.bundle) == ("host2", bundles["host2"].digest())
    assert ("eth0", "10.10.0.2/20") in status.addresses
    assert not any(address.startswith("127.") for _, address in status.addresses)


def test_a_reinstalled_host_has_a_new_key_by_right_and_any_other_is_refused(
    lab: Lab, machines: dict[int, Machine], tmp_path: Path
) -> None:
    database = Database(tmp_path / "ledger.sqlite")
    bundles = {f"host{n}": bundle(f"host{n}") for n in (3, 4)}
    incarnations = {"host3": "disk-1", "host4": "disk-1"}
    assert converge(lab, bundles, PinnedHostKeys(database, incarnations)).failures == ()
    machines[3] = replace(machines[3], root="another-disk-3")
    lab.apply(*machines.values())
    (failure,) = converge(lab, bundles, PinnedHostKeys(database, incarnations)).failures
    assert (failure.host, type(failure)) == ("host3", HostKeyError)
    reinstalled = converge(lab, bundles, PinnedHostKeys(database, {**incarnations, "host3": "disk-2"}))
    assert reinstalled.failures == ()
    assert [r.host for r in reinstalled.reports if r.changed] == ["host3"]


def test_a_host_that_is_off_stops_no_other(lab: Lab, machines: dict[int, Machine]) -> None:
    lab.apply(*(replace(m, power=n != 4) for n, m in machines.items()))
    bundles = {f"host{n}": bundle(f"host{n}") for n in machines}
    report = converge(lab, bundles, Pins(), settings=Settings(timeout=4))
    assert [(f.host, type(f)) for f in report.failures] == [("host4", HostUnreachableError)]
    assert "10.10.0.4:22 via bastion host2" in str(report.failures[0])
    assert len(report.reports) == 3


def test_a_network_that_is_made_anew_under_our_feet(lab: Lab, machines: dict[int, Machine]) -> None:
    """The new netplan drops the address that we come through and brings it back as part of a larger set."""
    text = (
        "network:\n  version: 2\n  ethernets:\n    eth0:\n      mtu: 1400\n"
        "      addresses: [10.10.0.3/20, 10.10.0.33/20]\n      routes: [{to: default, via: 10.10.0.1}]\n"
    )
    file = HostFile("/etc/netplan/60-daiku.yaml", text.encode(), 0o600, trigger="netplan")
    pins, bundles = Pins(), {"host3": bundle("host3", file)}
    cut = Trigger(
        "cut", ("sh", "-c", "ip link set eth0 down; sleep 1; ip link set eth0 up; netplan apply"), 80
    )
    with_cut = HostBundle("host3", bundles["host3"].files, (NOTE, NETPLAN, cut))
    report = converge(lab, {"host3": with_cut}, pins)
    assert report.failures == ()
    (host,) = report.reports
    assert [t.name for t in host.triggers] == ["note", "cut", "netplan"]
    assert "10.10.0.33/20" in lab.ssh(3, "ip -o address show eth0")
    assert not any(r.changed for r in converge(lab, {"host3": with_cut}, pins).reports)


def test_a_host_with_a_full_disk(lab: Lab, machines: dict[int, Machine]) -> None:
    lab.ssh(3, "mkdir -p /etc/full; mount -t tmpfs -o size=64k tmpfs /etc/full")
    big = HostFile("/etc/full/big", bytes(200_000))
    small = HostFile("/etc/full/small", b"fits")
    pins = Pins()
    report = converge(lab, {f"host{n}": bundle(f"host{n}", small, big) for n in (3, 4)}, pins)
    assert [(f.host, type(f)) for f in report.failures] == [("host3", HostDiskFullError)]
    assert "no space left on the file system /etc/full" in str(report.failures[0])
    assert lab.try_ssh(3, "test -e /etc/daiku/secret || grep -q 'this is host3' /etc/motd").returncode != 0
    assert lab.ssh(3, "ls -A /etc/full") == ""
    lab.ssh(3, "mount -o remount,size=1m /etc/full")
    assert converge(lab, {"host3": bundle("host3", small, big)}, pins).failures == ()
    assert lab.ssh(3, "ls /etc/full; cat /etc/motd") == "big\nsmall\nthis is host3"
    lab.ssh(3, "umount /etc/full")


def test_a_host_that_loses_power_in_the_middle(lab: Lab, machines: dict[int, Machine]) -> None:
    pins = Pins()
    slow = HostBundle("host4", bundle("host4").files, (NOTE, Trigger("slow", ("sleep", "2"), 20)))
    booted = replace(machines[4], boots=2)

    def reset(host: str, step: str, message: str) -> None:
        if (host, step, message) == ("host4", "trigger", "slow"):
            lab.apply(*({**machines, 4: booted}).values())

    report = converge(lab, {"host4": slow}, pins, on_event=reset)
    # The host is back before we give up: the files stay, only the trigger that had not ended runs again.
    assert report.failures == ()
    assert [t.name for t in report.reports[0].triggers] == ["note", "slow"]
    assert lab.ssh(4, "cat /etc/motd; wc -l < /var/log/noted", "ubuntu") == "this is host4\n1"
    assert not any(r.changed for r in converge(lab, {"host4": slow}, pins).reports)

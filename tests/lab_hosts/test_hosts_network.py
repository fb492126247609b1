"""NICs, cables and netplan: what a host's own files say, what the segments carry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daiku.errors import LabError
from daiku.lab.topology import Nic, Segment
from tests.lab_hosts.kit import Lab

pytestmark = pytest.mark.lab

RAIL = """network:
  version: 2
  ethernets:
    rail:
      match: {macaddress: "02:00:00:00:01:%02x"}
      set-name: gpu0
      mtu: 9000
      addresses: [10.80.0.%d/24]
      routes:
        - {to: 172.20.0.0/16, via: 10.80.0.254}
"""


def rail(number: int, segment: str | None = "rail") -> Nic:
    return Nic("eth1", f"02:00:00:00:01:{number:02x}", segment)


def carrier(lab: Lab, number: int, name: str = "eth1") -> str:
    return lab.ssh(number, f"ip link set {name} up; cat /sys/class/net/{name}/carrier")


def test_names_and_macs_are_those_of_the_topology(lab: Lab) -> None:
    lab.apply(lab.machine(2, nics=(lab.nic(2), rail(2))))
    assert lab.ssh(2, "cat /sys/class/net/eth0/address /sys/class/net/eth1/address").split() == [
        "02:00:00:00:00:02",
        "02:00:00:00:01:02",
    ]
    assert lab.ssh(2, "ls /etc/netplan") == "50-cloud-init.yaml"
    assert "default via 10.10.0.1 dev eth0" in lab.ssh(2, "ip route")


def test_netplan_apply_adds_and_takes_away_an_address_a_route_and_a_name(lab: Lab) -> None:
    lab.apply(lab.machine(3, nics=(lab.nic(3), rail(3))))
    lab.write(3, "/etc/netplan/60-rail.yaml", RAIL % (3, 3))
    lab.ssh(3, "netplan apply")
    lab.ssh(3, "netplan apply")
    assert lab.status("m3").addresses == ("10.10.0.3/20", "10.80.0.3/24")
    assert "172.20.0.0/16 via 10.80.0.254 dev gpu0" in lab.ssh(3, "ip route")
    assert lab.ssh(3, "cat /sys/class/net/gpu0/mtu") == "9000"
    lab.ssh(3, "rm /etc/netplan/60-rail.yaml; netplan apply")
    assert lab.status("m3").addresses == ("10.10.0.3/20",)
    assert "172.20" not in lab.ssh(3, "ip route")


def test_netplan_is_applied_at_every_boot(lab: Lab) -> None:
    machine = lab.machine(4, nics=(lab.nic(4), rail(4)))
    lab.apply(machine)
    lab.write(4, "/etc/netplan/60-rail.yaml", RAIL % (4, 4))
    lab.apply(replace(machine, boots=2))
    assert lab.status("m4").addresses == ("10.10.0.4/20", "10.80.0.4/24")


def test_netplan_refuses_what_it_cannot_follow_and_changes_nothing(lab: Lab) -> None:
    lab.apply(lab.machine(5))
    lab.write(5, "/etc/netplan/60-bond.yaml", "network: {version: 2, bonds: {bond0: {interfaces: [eth0]}}}\n")
    done = lab.try_ssh(5, "netplan apply")
    assert done.returncode == 1
    assert "network.bonds: the lab's netplan knows only `ethernets`" in done.stderr


def test_netplan_try_goes_back_when_nobody_confirms(lab: Lab) -> None:
    lab.apply(lab.machine(6, nics=(lab.nic(6), rail(6))))
    lab.write(6, "/etc/netplan/60-rail.yaml", RAIL % (6, 6))
    assert lab.try_ssh(6, "netplan try --timeout 0.3").returncode == 78
    assert lab.status("m6").addresses == ("10.10.0.6/20",)
    assert lab.try_ssh(6, "(sleep 0.2; echo) | netplan try --timeout 5").returncode == 0
    assert lab.status("m6").addresses == ("10.10.0.6/20", "10.80.0.6/24")


def test_an_unplugged_nic_has_no_carrier_and_gets_it_back_without_a_reboot(lab: Lab) -> None:
    machine = lab.machine(7, nics=(lab.nic(7), rail(7, None)))
    lab.apply(machine)
    pid = lab.status("m7").pid
    assert carrier(lab, 7) == "0"
    lab.apply(replace(machine, nics=(lab.nic(7), rail(7, "rail"))))
    assert carrier(lab, 7) == "1"
    lab.apply(replace(machine, nics=(lab.nic(7), rail(7, None))))
    assert carrier(lab, 7) == "0"
    assert lab.status("m7").pid == pid


def test_nics_come_and_go_while_the_machine_runs(lab: Lab) -> None:
    machine = lab.machine(8)
    lab.apply(machine)
    lab.apply(replace(machine, nics=(lab.nic(8), rail(8))))
    assert carrier(lab, 8) == "1"
    lab.apply(machine)
    assert lab.try_ssh(8, "test -e /sys/class/net/eth1").returncode == 1


def test_frames_larger_than_the_segment_are_lost(lab: Lab) -> None:
    machines = [lab.machine(n, nics=(lab.nic(n), rail(n))) for n in (9, 10)]
    lab.apply(*machines)
    for number in (9, 10):
        lab.write(number, "/etc/netplan/60-rail.yaml", RAIL % (number, number))
        lab.ssh(number, "netplan apply; head -c 1000000 /dev/zero > /run/big")
    lab.ssh(9, "cd /run; nohup python3 -m http.server 80 >/dev/null 2>&1 </dev/null & sleep 0.3")
    fetch = "curl -s -m 2 -o /dev/null -w %{size_download} http://10.80.0.9/big"
    assert lab.ssh(10, fetch) == "1000000"
    small = lab.topology().segments
    lab.apply(*machines, segments=tuple(replace(s, mtu=1500) if s.id == "rail" else s for s in small))
    assert lab.try_ssh(10, fetch).returncode == 28


def test_segments_are_apart(lab: Lab) -> None:
    machines = [lab.machine(n, nics=(lab.nic(n), rail(n))) for n in (11, 12)]
    moved = replace(machines[1], nics=(lab.nic(12), rail(12, "other")))
    lab.apply(*machines)
    for number in (11, 12):
        lab.write(number, "/etc/netplan/60-rail.yaml", RAIL % (number, number))
        lab.ssh(number, "netplan apply")
    ask = "timeout 1 bash -c 'exec 3<>/dev/tcp/10.80.0.12/22; head -c 3 <&3'"
    assert lab.ssh(11, ask) == "SSH"
    lab.apply(machines[0], moved, segments=(*lab.topology().segments, Segment("other")))
    assert lab.try_ssh(11, ask).returncode != 0


def test_nothing_leaves_the_lab(lab: Lab) -> None:
    lab.apply(lab.machine(13))
    assert lab.try_ssh(13, "timeout 1 bash -c 'exec 3<>/dev/tcp/192.0.2.1/80'").returncode != 0


def test_a_machine_that_cannot_be_wired_is_named_and_the_others_boot(lab: Lab) -> None:
    broken = lab.machine(14, nics=(lab.nic(14, segment="nowhere"),))
    with pytest.raises(LabError, match="segment nowhere of a port is not in the topology"):
        lab.apply(broken, lab.machine(15))
    assert lab.ssh(15, "echo on") == "on"
    lab.apply(replace(broken, nics=(lab.nic(14),)), lab.machine(15))
    assert lab.ssh(14, "echo on") == "on"


def test_a_router_that_could_not_be_wired_is_mended_by_the_next_apply(lab: Lab) -> None:
    good = lab.topology().routers[0]
    bad = replace(good, nics=(*good.nics, Nic("eth2", "02:aa:00:00:00:03", "nowhere", ("10.99.0.1/24",))))
    machine = lab.machine(16)
    with pytest.raises(LabError, match="nowhere"):
        lab.apply(machine, routers=(bad,))
    lab.apply(machine)
    assert lab.ssh(16, "echo on") == "on"

"""Fresh disks, and namespaces of routers, balancers and the internet's gateway, as plans."""

from __future__ import annotations

from dataclasses import replace

from daiku.lab.hosts.disk import accounts, first_files
from daiku.lab.hosts.nodes import node_plans
from daiku.lab.topology import (
    INTERNET,
    Balancer,
    Machine,
    Nic,
    RealServer,
    Router,
    Segment,
    Topology,
    VirtualIp,
)

OUTER = Nic("eth0", "02:aa:00:00:00:01", INTERNET, ("198.51.100.10/24",), "198.51.100.1")
INNER = Nic("eth1", "02:aa:00:00:00:02", "node", ("10.10.0.1/20",))
ROUTER = Router("r", True, "127.77.0.1", (OUTER, INNER), (), nat=True)
SEGMENTS = (Segment("node"), Segment(INTERNET))
PASSWD = (
    "root:x:0:0::/root:/bin/zsh\ndaemon:x:1:1::/:/bin/false\nsomebody:x:1000:1000::/home/somebody:/bin/bash\n"
)
GROUP = "root:x:0:\nadm:x:4:somebody\nsomebody:x:1000:\n"


def test_a_router_forwards_and_leaves_by_its_gateway() -> None:
    plan = node_plans(Topology(SEGMENTS, routers=(ROUTER,)))["router:r"]
    assert plan.forwards
    assert plan.routes == (("default", "198.51.100.1"),)
    assert [leg.addresses for leg in plan.legs] == [("198.51.100.10/24",), ("10.10.0.1/20",)]


def test_the_gateway_knows_the_way_back_only_to_routers_with_nat() -> None:
    gateway = node_plans(Topology(SEGMENTS, routers=(ROUTER,)))["gateway"]
    assert gateway.legs[0].addresses == ("198.51.100.1/24",)
    assert gateway.routes == (("10.10.0.0/20", "198.51.100.10"),)
    without = node_plans(Topology(SEGMENTS, routers=(replace(ROUTER, nat=False),)))["gateway"]
    assert without.routes == ()


def test_of_two_routers_with_one_private_range_the_first_by_id_gets_the_route() -> None:
    second = replace(ROUTER, id="a", nics=(replace(OUTER, addresses=("198.51.100.11/24",)), INNER))
    gateway = node_plans(Topology(SEGMENTS, routers=(ROUTER, second)))["gateway"]
    assert gateway.routes == (("10.10.0.0/20", "198.51.100.11"),)


def test_a_gateway_that_somebody_owns_is_not_ours_to_play() -> None:
    owner = Nic("eth0", "02:00:00:00:00:07", INTERNET, ("198.51.100.1/24",))
    machine = Machine("m", "vm", True, 1, "d", "h", "root", (), (owner,))
    assert "gateway" not in node_plans(Topology(SEGMENTS, machines=(machine,), routers=(ROUTER,)))


def test_what_is_off_has_no_namespace() -> None:
    off = replace(ROUTER, power=False)
    assert "router:r" not in node_plans(Topology(SEGMENTS, routers=(off,)))


def test_a_balancer_carries_each_vip_once() -> None:
    nic = Nic("eth0", "02:bb:00:00:00:01", "node", ("10.10.0.90/20",), "10.10.0.1")
    servers = (RealServer("10.10.0.2", 80, True),)
    vips = tuple(VirtualIp("10.10.0.100", port, servers) for port in (80, 443))
    plan = node_plans(Topology(SEGMENTS, balancers=(Balancer("b", True, nic, vips),)))["balancer:b"]
    assert plan.legs[0].addresses == ("10.10.0.90/20", "10.10.0.100/32")
    assert not plan.forwards


def test_accounts_carry_no_person_and_no_password() -> None:
    files = accounts(PASSWD, GROUP, with_ubuntu=False)
    assert all("somebody" not in file.text for file in files.values())
    assert "root:x:0:0:root:/root:/bin/bash\n" in files["etc/passwd"].text
    assert {line.split(":")[1] for line in files["etc/shadow"].text.splitlines()} == {"*"}
    assert (files["etc/shadow"].mode, "sshd:*:" in files["etc/shadow"].text) == (0o640, True)


def test_keys_open_only_the_account_of_the_machine() -> None:
    machine = Machine(
        "m", "vm", True, 1, "d", "h", "ubuntu", ("ssh-ed25519 AAA me\n", "ssh-ed25519 BBB you"), ()
    )
    files = first_files(machine, passwd=PASSWD, group=GROUP)
    assert files["home/ubuntu/.ssh/authorized_keys"].text == "ssh-ed25519 AAA me\nssh-ed25519 BBB you\n"
    assert files["home/ubuntu/.ssh/authorized_keys"].owner == 1000
    assert "root/.ssh/authorized_keys" not in files
    root = first_files(replace(machine, login="root"), passwd=PASSWD, group=GROUP)
    assert "root/.ssh/authorized_keys" in root
    assert "etc/sudoers.d/90-cloud-init-users" not in root

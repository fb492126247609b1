"""What is expected of the running machine: everything that the triggers bring about, and nothing that they cannot."""

from __future__ import annotations

import pytest

from daiku.render.bundle import Expectation, HostBundle, Trigger
from daiku.render.hosts import host_bundle
from tests.render.plans import facts, plan


def expected(name: str) -> set[Expectation]:
    made = plan()
    node = next(node for node in made.nodes if node.name == name)
    return set(host_bundle(made, facts(made), node).expectations)


def test_every_machine_has_its_network_settings_modules_and_units() -> None:
    made = plan()
    for node in made.nodes:
        found = expected(node.name)
        assert Expectation("address", f"{node.interface} {node.address_cidr}", "present", "netplan") in found
        assert Expectation("route", f"{node.interface} default {node.gateway}", "present", "netplan") in found
        assert Expectation("link", node.interface, "up", "netplan") in found
        assert Expectation("sysctl", "net.ipv4.ip_forward", "1", "sysctl") in found
        assert Expectation("module", "br_netfilter", "loaded", "modules") in found
        assert Expectation("unit-state", "containerd.service", "active", "containerd") in found
        for rail in node.rails:
            assert Expectation("address", f"{rail.nic} {rail.address_cidr}", "present", "netplan") in found
            assert Expectation("mtu", rail.nic, str(rail.mtu), "netplan") in found
            assert Expectation("sysctl", f"net.ipv4.conf.{rail.nic}.rp_filter", "2", "sysctl") in found


def test_the_kubelet_need_not_run_before_the_machine_has_joined() -> None:
    for node in plan().nodes:
        kinds = {e.kind for e in expected(node.name) if e.name == "kubelet.service"}
        assert kinds == {"unit-file-state"}


def test_packages_are_installed_only_where_that_is_asked_for() -> None:
    made = plan()
    node = made.by_role("gpu")[0]
    pinned = host_bundle(made, facts(made), node)
    installed = host_bundle(made, facts(made), node, install=True)
    assert not [e for e in pinned.expectations if e.kind == "package"]
    (trigger,) = set(installed.triggers) - set(pinned.triggers)
    assert trigger.packages == tuple(sorted(made.release.packages))
    assert {(e.name, e.value) for e in installed.expectations if e.kind == "package"} == set(trigger.packages)
    order = [t.name for t in installed.triggers]
    assert order.index("netplan") < order.index("packages") < order.index("hold") < order.index("units")


def test_a_bundle_without_expectations_keeps_its_digest() -> None:
    trigger = Trigger("t", ("true",), 1)
    one = HostBundle("n", (), (trigger,))
    assert "expectations" not in one.manifest()
    assert one.manifest()["triggers"] == [{"name": "t", "command": ["true"], "order": 1}]
    first, second = (Expectation("link", name, "up", "t") for name in ("eth0", "eth1"))
    assert (
        HostBundle("n", (), (trigger,), (first, second)).digest()
        == HostBundle("n", (), (trigger,), (second, first)).digest()
        != one.digest()
    )


def test_an_expectation_needs_its_trigger() -> None:
    with pytest.raises(ValueError, match="no trigger named netplan"):
        HostBundle("n", (), (), (Expectation("link", "eth0", "up", "netplan"),))

"""The network of machines: interfaces, rails, routes, virtual addresses, names."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network

import pytest
import yaml

from daiku.lab.hosts.guest.netplan_files import devices, merge
from daiku.plan.model import NodePlan, Route
from daiku.render.bundle import HostBundle
from daiku.render.hosts import host_bundle
from daiku.render.triggers import TRIGGERS
from tests.render.machines import BUNDLES, CONTROL, MANAGEMENT, NODES, PLAN, SERVER, VIPS, netplan, text
from tests.render.plans import facts


def sysctls(bundle: HostBundle) -> dict[str, str]:
    lines = text(bundle, "/etc/sysctl.d/90-daiku.conf").splitlines()
    pairs = [line.partition(" = ") for line in lines if line and not line.startswith("#")]
    assert all(separator for _, separator, _ in pairs)
    return {key: value for key, _, value in pairs}


@pytest.mark.parametrize("node", NODES)
def test_the_lab_follows_the_netplan_files_and_the_images_leave_nothing_behind(node: NodePlan) -> None:
    files = [f for f in BUNDLES[node.name].files if f.path.startswith("/etc/netplan/")]
    merged = merge([yaml.safe_load(f.content) for f in sorted(files, key=lambda f: f.path)])
    found = {device.key: device for device in devices(merged)}
    assert found.keys() == {
        node.interface,
        *(rail.nic for rail in node.rails),
        *(["lo"] if node.vips else []),
        *([node.provisioning_interface] if node.provisioning_interface else []),
    }
    assert found[node.interface].addresses == (node.address_cidr,)
    assert ("default", "via", node.gateway) in found[node.interface].routes


@pytest.mark.parametrize("node", NODES)
def test_only_the_node_interface_holds_up_the_boot_and_leads_out(node: NodePlan) -> None:
    ports = netplan(BUNDLES[node.name])
    assert [name for name, port in ports.items() if not port["optional"]] == [node.interface]
    defaults = [name for name, port in ports.items() for r in port.get("routes", []) if r["to"] == "default"]
    assert defaults == [node.interface]
    assert ports[node.interface]["nameservers"]["addresses"] == list(node.dns)
    assert ports[node.interface]["mtu"] == node.mtu
    assert all(port["dhcp4"] is port["dhcp6"] is port["accept-ra"] is False for port in ports.values())


def test_a_gpu_server_has_four_rails_with_routes_to_its_pool() -> None:
    ports = netplan(BUNDLES[SERVER])
    node = PLAN.node(SERVER)
    assert len(node.rails) == 4
    for rail in node.rails:
        port = ports[rail.nic]
        assert (port["addresses"], port["mtu"]) == ([rail.address_cidr], 9000)
        assert IPv4Interface(rail.address_cidr).ip not in IPv4Network(rail.pods_cidr)
        (route,) = port["routes"]
        assert route["to"] == "10.10.1.0/24"
        assert (route["scope"], route["from"]) == ("link", node.address)
        assert "via" not in route
    assert len({port["routes"][0]["metric"] for port in (ports[r.nic] for r in node.rails)}) == 4


def test_the_provisioning_port_is_there_without_address() -> None:
    port = netplan(BUNDLES[SERVER])["eno1"]
    assert port["optional"] is True
    assert not {"addresses", "routes", "nameservers"} & port.keys()
    assert port["link-local"] == []


def test_traffic_to_aws_takes_the_local_router_on_every_machine() -> None:
    for bundle in BUNDLES.values():
        routes = netplan(bundle)[PLAN.node(bundle.host).interface]["routes"]
        assert {"to": "10.64.0.0/16", "via": "10.10.0.5"} in routes


def test_a_route_through_a_device_that_is_not_there_is_refused() -> None:
    node = PLAN.node(CONTROL)
    broken = node.model_copy(update={"routes": (Route(to="10.0.0.0/8", dev="eth7", via="10.10.0.9"),)})
    with pytest.raises(ValueError, match=r"ishikari-cp-1: the route to 10\.0\.0\.0/8 leaves by eth7"):
        host_bundle(PLAN, facts(PLAN), broken)


def test_a_route_keeps_its_own_mtu_and_gateway() -> None:
    node = PLAN.node(CONTROL)
    route = Route(to="10.9.0.0/16", dev="eth0", via="10.10.0.9", metric=0, mtu=1400)
    bundle = host_bundle(PLAN, facts(PLAN), node.model_copy(update={"routes": (route,)}))
    assert netplan(bundle)["eth0"]["routes"][1] == {
        "to": "10.9.0.0/16",
        "via": "10.10.0.9",
        "metric": 0,
        "mtu": 1400,
    }


@pytest.mark.parametrize(
    ("host", "vip"), [(CONTROL, "10.10.0.100"), (MANAGEMENT, "10.10.0.101"), (SERVER, None)]
)
def test_the_virtual_address_is_on_loopback_and_silent(host: str, vip: str | None) -> None:
    bundle, node = BUNDLES[host], PLAN.node(host)
    # Apart from the rest, because a control plane must not have it before it has joined.
    assert "lo" not in netplan(bundle)
    assert (VIPS in {f.path for f in bundle.files}) == (vip is not None)
    if vip:
        expected = {"network": {"version": 2, "ethernets": {"lo": {"addresses": [f"{vip}/32"]}}}}
        assert yaml.safe_load(text(bundle, VIPS)) == expected
    keys = sysctls(bundle)
    assert keys.get(f"net.ipv4.conf.{node.interface}.arp_ignore") == ("1" if vip else None)
    assert keys.get(f"net.ipv4.conf.{node.interface}.arp_announce") == ("2" if vip else None)
    # The kernel takes the higher of `all` and the device: `all` would silence rails too.
    arp = [key for key in keys if key.rsplit(".", 1)[1].startswith("arp_")]
    assert not [key for key in arp if key.startswith(("net.ipv4.conf.all.", "net.ipv4.conf.default."))]


def test_rails_answer_for_the_node_address_and_name_their_own() -> None:
    keys = sysctls(BUNDLES[SERVER])
    for rail in PLAN.node(SERVER).rails:
        settings = [
            keys[f"net.ipv4.conf.{rail.nic}.{key}"] for key in ("rp_filter", "arp_ignore", "arp_announce")
        ]
        assert settings == ["2", "0", "2"]
    # Else a rail that lost its carrier keeps its route, and the traffic with it.
    assert keys["net.ipv4.conf.all.ignore_routes_with_linkdown"] == "1"
    assert not [key for key in sysctls(BUNDLES[CONTROL]) if "linkdown" in key]


def test_settings_of_bridges_are_apart_and_harmless_without_the_module() -> None:
    assert not [key for key in sysctls(BUNDLES[CONTROL]) if "bridge" in key]
    assert "/proc/sys/net/bridge" in " ".join(TRIGGERS["sysctl-bridge"].command)


@pytest.mark.parametrize("node", NODES)
def test_hosts_names_itself_control_planes_and_virtual_addresses_only(node: NodePlan) -> None:
    lines = [line.split() for line in text(BUNDLES[node.name], "/etc/hosts").splitlines() if line[0] != "#"]
    named = {name: address for address, *names in lines for name in names if "localhost" not in name}
    named.pop("ip6-loopback")
    expected = {n.name: n.address for n in PLAN.by_role("control-plane")} | {node.name: node.address}
    assert named == expected | {
        "ishikari-api": "10.10.0.100",
        "api.ishikari.internal": "10.10.0.100",
        "ishikari-ingress": "10.10.0.101",
    }
    assert len(lines) == len({line[0] for line in lines})

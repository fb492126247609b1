"""The cluster's network: Cilium and its rails, BGP, Multus, virtual functions."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from daiku.render.cluster import cluster_tree
from daiku.render.rail_cni import rail_name
from tests.render.plans import example, objects, plan, read

PLAN = plan()
TREE = cluster_tree(PLAN)


def test_cilium_leaves_rails_and_multus_alone() -> None:
    values = read(TREE, "10-cilium/values.yaml")
    assert values["cni"]["exclusive"] is False
    assert set(values["devices"]) == {"eth0", "eno2"}
    assert not {rail.nic for rail in PLAN.rails} & set(values["devices"])
    assert values["nodePort"]["addresses"] == [PLAN.node_network.cidr]
    assert values["MTU"] == 1500


def test_cilium_stands_in_for_kube_proxy_at_the_virtual_address() -> None:
    values = read(TREE, "10-cilium/values.yaml")
    assert values["kubeProxyReplacement"] is True
    assert (values["k8sServiceHost"], values["k8sServicePort"]) == ("10.10.0.100", 6443)
    assert "k8sServiceHostRef" not in values


def test_cilium_gives_pods_their_own_range() -> None:
    operator = read(TREE, "10-cilium/values.yaml")["ipam"]["operator"]
    assert operator == {"clusterPoolIPv4PodCIDRList": [PLAN.pods_cidr], "clusterPoolIPv4MaskSize": 24}


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("vxlan", {"routingMode": "tunnel", "tunnelProtocol": "vxlan", "tunnelPort": 8472}),
        (
            "native",
            {"routingMode": "native", "autoDirectNodeRoutes": True, "ipv4NativeRoutingCIDR": "10.244.0.0/16"},
        ),
    ],
)
def test_cilium_in_both_modes(mode: str, expected: dict[str, Any]) -> None:
    network = example()["network"]
    network["pods"]["mode"] = mode
    values = read(cluster_tree(plan(network=network)), "10-cilium/values.yaml")
    keys = ("routingMode", "tunnelProtocol", "tunnelPort", "autoDirectNodeRoutes", "ipv4NativeRoutingCIDR")
    assert {key: values[key] for key in keys if key in values} == expected
    # The chart's own guard for native mode does not fire when this is left out.
    assert values["enableIPv4Masquerade"] is True
    assert values["loadBalancer"]["acceleration"] == "disabled"


def test_bgp_announces_and_nothing_else() -> None:
    network = example()["network"]
    peers = [{"address": "10.10.0.1", "asn": 65000}, {"address": "192.0.2.7", "asn": 65010, "multihop": 3}]
    network["bgp"] = {"localAsn": 65001, "advertise": ["pods", "load-balancers"], "peers": peers}
    tree = cluster_tree(plan(network=network))
    assert read(tree, "10-cilium/values.yaml")["bgpControlPlane"] == {"enabled": True}
    (config,) = objects(tree, "CiliumBGPClusterConfig")
    assert config["spec"]["nodeSelector"] == {"matchLabels": {"daiku.io/pool": "management"}}
    (instance,) = config["spec"]["bgpInstances"]
    # Without a port it takes no connections: routers are asked, nobody asks.
    assert "localPort" not in instance
    configs = {c["metadata"]["name"]: c["spec"] for c in objects(tree, "CiliumBGPPeerConfig")}
    assert {p["peerConfigRef"]["name"] for p in instance["peers"]} == set(configs)
    assert [c.get("ebgpMultihop") for c in configs.values()] == [None, 3]
    (advertised,) = objects(tree, "CiliumBGPAdvertisement")
    labels = advertised["metadata"]["labels"]
    for spec in configs.values():
        assert [f["advertisements"]["matchLabels"] for f in spec["families"]] == [labels]
    pods, services = advertised["spec"]["advertisements"]
    # Cilium's own rules: a selector for services, none for ranges of pods.
    assert pods == {"advertisementType": "PodCIDR"}
    assert services["service"] == {"addresses": ["LoadBalancerIP"]}
    assert services["selector"]["matchExpressions"]


def test_without_bgp_nobody_speaks_it() -> None:
    assert "11-cilium-bgp/bgp.yaml" not in TREE
    assert "bgpControlPlane" not in read(TREE, "10-cilium/values.yaml")


def test_multus_is_pinned_and_has_room() -> None:
    daemon = next(d for d in objects(TREE, "DaemonSet") if "multus" in d["metadata"]["name"])
    pod = daemon["spec"]["template"]["spec"]
    images = {c["image"] for c in (*pod["containers"], *pod["initContainers"])}
    assert images == {dict(PLAN.release.images)["multus"]}
    assert pod["containers"][0]["resources"]["requests"]["memory"] == "256Mi"
    mounted = {m["name"] for c in (*pod["containers"], *pod["initContainers"]) for m in c["volumeMounts"]}
    assert mounted == {v["name"] for v in pod["volumes"]}


def test_tenants_may_name_the_rails_but_not_each_others_networks() -> None:
    config = next(c for c in objects(TREE, "ConfigMap") if "daemon-config.json" in c["data"])
    daemon = json.loads(config["data"]["daemon-config.json"])
    assert daemon["namespaceIsolation"] is True
    assert daemon["globalNamespaces"] == "rails"
    assert {n["spec"]["networkNamespace"] for n in objects(TREE, "SriovNetwork")} == {"rails"}


def test_each_rail_has_a_policy_and_a_network() -> None:
    policies = {p["metadata"]["name"]: p["spec"] for p in objects(TREE, "SriovNetworkNodePolicy")}
    networks = {n["metadata"]["name"]: n["spec"] for n in objects(TREE, "SriovNetwork")}
    assert policies.keys() == networks.keys() == {f"h100-rail{r.rail}" for r in PLAN.rails}
    assert {p["nicSelector"]["pfNames"][0] for p in policies.values()} == {r.nic for r in PLAN.rails}
    for name, policy in policies.items():
        assert re.fullmatch(r"[a-zA-Z0-9_]+", policy["resourceName"])
        assert policy["resourceName"] == networks[name]["resourceName"]
        assert (policy["deviceType"], policy["isRdma"], policy["mtu"]) == ("netdevice", True, 9000)
        assert policy["nodeSelector"] == {"daiku.io/rail-group": "h100"}


def test_pods_get_the_upper_half_of_the_rail_with_its_mask() -> None:
    for rail in PLAN.rails:
        (network,) = [
            n for n in objects(TREE, "SriovNetwork") if n["metadata"]["name"] == f"h100-rail{rail.rail}"
        ]
        ipam = json.loads(network["spec"]["ipam"])
        start, end = IPv4Address(ipam["range_start"]), IPv4Address(ipam["range_end"])
        assert ipam["range"] == rail.subnet
        assert start in IPv4Network(rail.pods_cidr)
        assert end in IPv4Network(rail.pods_cidr)
        assert end != IPv4Network(rail.subnet).broadcast_address
        assert json.loads(f"[{network['spec']['metaPlugins']}]")[0] == {"type": "rdma"}
    hosts = {p.address_cidr.partition("/")[0] for n in PLAN.nodes for p in n.rails}
    ranges = [IPv4Network(r.pods_cidr) for r in PLAN.rails]
    assert not [a for a in hosts for r in ranges if IPv4Address(a) in r]


def test_a_pool_without_virtual_functions_needs_none_of_it() -> None:
    bare = PLAN.model_copy(update={"rails": tuple(r.model_copy(update={"vfs": 0}) for r in PLAN.rails)})
    tree = cluster_tree(bare)
    assert not [path for path in tree if path.startswith(("20-", "21-", "22-", "23-"))]
    assert "rails" not in {n["metadata"]["name"] for n in objects(tree, "Namespace")}


def test_a_pool_name_with_hyphens_still_names_a_resource() -> None:
    name = rail_name("h100-big", 0)
    assert (name.network, name.resource, name.full_resource) == (
        "h100-big-rail0",
        "h100_big_rail0",
        "daiku.io/h100_big_rail0",
    )

"""Rails for pods in every way that the specification offers: names, addresses, routes, and the machine's part."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest

from daiku.plan.model import Plan, QosPlan
from daiku.render.bundle import HostBundle
from daiku.render.cluster import cluster_tree
from daiku.render.host_rails import CNI_FOLDER, qos, traffic_class
from daiku.render.hosts import host_bundle
from daiku.render.triggers import QOS_SCRIPT, QOS_UNIT_FILE
from tests.render import plans
from tests.render.plans import example, fabric, facts, plan

QOS = {"trust": "dscp", "dscp": 26, "priority": 3, "cnpDscp": 48, "cnpPriority": 6, "ecn": True}


def objects(made: Plan, kind: str) -> dict[str, dict[str, Any]]:
    """All manifests of a kind by their names."""
    return {found["metadata"]["name"]: found for found in plans.objects(cluster_tree(made), kind)}


def bundle(made: Plan, index: int = 1) -> HostBundle:
    return host_bundle(made, facts(made), made.node(f"ishikari-h100-{index:03d}"))


def networks(made: Plan, index: int) -> dict[str, dict[str, Any]]:
    """What lies on that machine for Multus, by the network's name."""
    files = [f for f in bundle(made, index).files if f.path.startswith(f"{CNI_FOLDER}/")]
    return {config["name"]: config for config in (json.loads(file.content) for file in files)}


def test_policies_say_what_the_inventory_says() -> None:
    policies = objects(plan(), "SriovNetworkNodePolicy")
    for policy, rail in zip(policies.values(), example()["gpuPools"][0]["fabric"]["rails"], strict=True):
        assert policy["spec"]["nicSelector"] == {
            "vendor": "15b3",
            "pfNames": [rail["nic"]],
            "rootDevices": [rail["pci"]],
        }
        assert policy["metadata"]["annotations"] == {"daiku.io/numa-node": str(rail["numa"])}
        assert (policy["spec"]["numVfs"], policy["spec"]["mtu"]) == (8, 9000)


def test_leased_addresses_put_nothing_on_the_machines() -> None:
    assert networks(plan(), 1) == {}
    assert "21-whereabouts/values.yaml" in cluster_tree(plan())


def test_computed_addresses_need_no_lease_and_no_two_pods_share_one() -> None:
    made = fabric(ipam="per-node")
    tree = cluster_tree(made)
    assert not [path for path in tree if "whereabouts" in path]
    assert objects(made, "SriovNetwork") == {}
    definitions = objects(made, "NetworkAttachmentDefinition")
    taken: set[IPv4Address] = set()
    hosts = {IPv4Address(p.address_cidr.partition("/")[0]) for n in made.nodes for p in n.rails}
    for index in range(1, 5):
        mine = networks(made, index)
        assert mine.keys() == definitions.keys() == {f"h100-rail{number}" for number in range(4)}
        for rail in made.rails:
            config = mine[f"h100-rail{rail.rail}"]
            assert [plugin["type"] for plugin in config["plugins"]] == ["sriov", "rdma", "tuning"]
            ((pool,),) = config["plugins"][0]["ipam"]["ranges"]
            first, last = IPv4Address(pool["rangeStart"]), IPv4Address(pool["rangeEnd"])
            assert pool["subnet"] == rail.subnet
            own = {IPv4Address(number) for number in range(int(first), int(last) + 1)}
            assert len(own) == rail.vfs
            assert all(address in IPv4Network(rail.pods_cidr) for address in (first, last))
            assert not own & (taken | hosts)
            taken |= own
    for name, definition in definitions.items():
        assert definition["metadata"]["annotations"] == {
            "k8s.v1.cni.cncf.io/resourceName": f"daiku.io/{name.replace('-', '_')}"
        }
        assert "spec" not in definition


def test_the_leases_of_a_machine_do_not_outlive_it() -> None:
    assert networks(fabric(ipam="per-node"), 1)["h100-rail0"]["plugins"][0]["ipam"]["dataDir"].startswith(
        "/run/"
    )


def test_whole_nics_move_with_the_machines_own_address() -> None:
    made = fabric(attach="host-device")
    assert not [path for path in cluster_tree(made) if "sriov" in path or "whereabouts" in path]
    assert {rail.vfs for rail in made.rails} == {0}
    config = networks(made, 3)["h100-rail1"]["plugins"]
    assert config[0] == {
        "type": "host-device",
        "ipam": {"type": "static", "addresses": [{"address": "10.32.16.3/20"}]},
    }
    # In the kernel's shared mode RDMA devices do not move: there is no plugin for them.
    assert [plugin["type"] for plugin in config] == ["host-device", "tuning"]


def test_whole_nics_are_offered_by_their_addresses() -> None:
    made = fabric(attach="host-device")
    config = json.loads(objects(made, "ConfigMap")["rail-device-plugin"]["data"]["config.json"])
    assert [(r["resourceName"], r["selectors"][0]["pciAddresses"]) for r in config["resourceList"]] == [
        (f"h100_rail{number}", [rail["pci"]])
        for number, rail in enumerate(example()["gpuPools"][0]["fabric"]["rails"])
    ]
    pod = objects(made, "DaemonSet")["rail-device-plugin"]["spec"]["template"]["spec"]
    assert {m["name"] for m in pod["containers"][0]["volumeMounts"]} == {v["name"] for v in pod["volumes"]}


def test_claims_need_neither_multus_nor_addresses() -> None:
    made = fabric(attach="dranet")
    paths = {path.partition("/")[0] for path in cluster_tree(made)}
    assert paths >= {"24-dranet", "25-rail-claims"}
    assert not paths & {"20-multus", "21-whereabouts", "22-sriov", "23-rails"}
    assert networks(made, 1) == {}
    classes = objects(made, "DeviceClass")
    assert list(classes) == [f"h100-rail{number}" for number in range(4)]
    (selector,) = classes["h100-rail2"]["spec"]["selectors"]
    assert selector["cel"]["expression"].startswith('device.driver == "dra.net" && has(')
    assert '.ifName == "ens3f0np0"' in selector["cel"]["expression"]


@pytest.mark.parametrize("ipam", ["whereabouts", "per-node"])
def test_a_rail_with_a_router_has_routes_and_a_table_of_its_own(ipam: str) -> None:
    made = fabric(rail={"gateway": "10.32.8.0", "routes": ["10.99.0.0/16"]}, ipam=ipam)
    if ipam == "whereabouts":
        network = objects(made, "SriovNetwork")["h100-rail0"]["spec"]
        addresses, chain = json.loads(network["ipam"]), json.loads(f"[{network['metaPlugins']}]")
    else:
        plugins = networks(made, 1)["h100-rail0"]["plugins"]
        addresses, chain = plugins[0]["ipam"], plugins[1:]
        assert addresses["ranges"][0][0]["gateway"] == "10.32.8.0"
    assert addresses["routes"] == [{"dst": "10.99.0.0/16", "gw": "10.32.8.0"}]
    assert [plugin["type"] for plugin in chain] == ["rdma", "tuning", "sbr"]
    others = objects(made, "SriovNetwork").get("h100-rail1")
    assert others is None or "sbr" not in others["spec"]["metaPlugins"]


def test_settings_of_pods_interfaces_replace_ours_by_name() -> None:
    made = fabric(
        sysctls=[
            {"name": "net.ipv4.conf.IFNAME.rp_filter", "value": "0"},
            {"name": "net.ipv4.neigh.IFNAME.gc_stale_time", "value": "600"},
        ]
    )
    chain = json.loads(f"[{objects(made, 'SriovNetwork')['h100-rail3']['spec']['metaPlugins']}]")
    (tuning,) = [plugin for plugin in chain if plugin["type"] == "tuning"]
    assert tuning["sysctl"] == {
        "net.ipv4.conf.IFNAME.arp_announce": "2",
        "net.ipv4.conf.IFNAME.arp_ignore": "1",
        "net.ipv4.conf.IFNAME.rp_filter": "0",
        "net.ipv4.neigh.IFNAME.gc_stale_time": "600",
    }


def test_nobody_touches_the_quality_of_service_unasked() -> None:
    assert not [f.path for f in bundle(plan()).files if "qos" in f.path]


def test_quality_of_service_is_set_on_each_rail_and_nowhere_else() -> None:
    made = fabric(qos=QOS)
    script = bundle(made).file(QOS_SCRIPT)
    text = script.content.decode()
    assert (script.mode, script.trigger) == (0o755, "rail-qos")
    assert "for nic in ens1f0np0 ens2f0np0 ens3f0np0 ens4f0np0 ; do" in text
    assert "--trust dscp --pfc 0,0,0,1,0,0,0,0 " in text
    assert "--dscp2prio set,26,3 " in text
    assert "--dscp2prio set,48,6 " in text
    assert 'echo 1 >"$net/ecn/roce_np/enable/3"' in text
    assert 'cma_roce_tos -d "${device##*/}" -t 106' in text
    assert bundle(made).file(QOS_UNIT_FILE).trigger == "rail-qos"
    assert not [
        f.path for f in host_bundle(made, facts(made), made.by_role("management")[0]).files if "qos" in f.path
    ]


@pytest.mark.parametrize(
    ("dscp", "ecn", "expected"),
    # 26 in the upper six bits is 104, and "ECN-capable" (10) in the lower two.
    [(26, True, 106), (26, False, 104), (0, False, 0), (63, True, 254)],
)
def test_the_traffic_class_is_the_headers_byte(dscp: int, ecn: bool, expected: int) -> None:
    plan_ = QosPlan(trust="dscp", dscp=dscp, priority=5, cnp_dscp=48, cnp_priority=6, ecn=ecn)
    assert traffic_class(plan_) == expected
    assert qos(plan_, ("a",)).pfc == "0,0,0,0,0,1,0,0"


def test_another_machine_changes_nothing_of_this_one() -> None:
    made, grown = fabric(qos=QOS, ipam="per-node"), fabric(gpus=5, qos=QOS, ipam="per-node")
    assert bundle(made).digest() == bundle(grown).digest()

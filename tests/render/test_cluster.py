"""What the cluster is given: the pitfalls of each part, and how it follows the specification."""

from __future__ import annotations

import json
import re
from ipaddress import IPv4Address, IPv4Network
from typing import Any

import pytest
import yaml

from daiku.plan.model import Plan
from daiku.render.cluster import GROWS_WITH_GPU_NODES, cluster_tree
from daiku.render.cluster_queues import capacity
from daiku.render.cluster_storage import device_filter
from daiku.render.rail_cni import rail_name
from daiku.render.tree import Tree
from tests.render.plans import example, objects, plan, read

PLAN = plan()
TREE = cluster_tree(PLAN)


def storage(**tiers: Any) -> Tree:
    return cluster_tree(plan(storage=example()["storage"] | tiers))


def tenants(*given: dict[str, Any]) -> Tree:
    return cluster_tree(plan(tenants=list(given)))


@pytest.mark.parametrize("path", list(TREE))
def test_every_file_is_yaml_and_ends_with_one_line_break(path: str) -> None:
    content = TREE[path].content.decode()
    assert [d for d in yaml.safe_load_all(content) if d]
    assert content.endswith("\n")
    assert not re.search(r"[ \t]$|\n\n\n", content, re.MULTILINE)


def test_every_object_has_a_kind_and_a_name_of_its_own() -> None:
    seen: set[tuple[str, str, str]] = set()
    for path, file in TREE.items():
        if path.endswith(("chart.yaml", "values.yaml")):
            continue
        for document in yaml.safe_load_all(file.content):
            if document is None:
                continue
            meta = document["metadata"]
            key = (document["kind"], meta.get("namespace", ""), meta["name"])
            assert key not in seen
            seen.add(key)


def test_every_namespace_that_is_used_is_made_before() -> None:
    made = {n["metadata"]["name"]: n for n in objects(TREE, "Namespace")} | {"kube-system": {}}
    for path, file in TREE.items():
        for document in yaml.safe_load_all(file.content):
            name = (document or {}).get("metadata", {}).get("namespace") or (
                document["namespace"] if path.endswith("chart.yaml") else "kube-system"
            )
            assert name in made, path


def test_charts_have_the_versions_of_the_release() -> None:
    locked = dict(PLAN.release.charts)
    charts = [read(TREE, path) for path in TREE if path.endswith("chart.yaml")]
    assert {c["chart"] for c in charts} >= {
        "cilium",
        "rook-ceph",
        "ceph-csi-drivers",
        "kueue",
        "gpu-operator",
    }
    for chart in charts:
        expected = locked.get(chart["chart"], dict(PLAN.release.images)["whereabouts"].rpartition(":v")[2])
        assert chart["version"] == expected


# Network
# -------------------------------------------------------------------------------------------------------------


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


# Storage
# -------------------------------------------------------------------------------------------------------------


def test_ceph_takes_its_own_disks_of_gpu_nodes_only() -> None:
    (ceph,) = objects(TREE, "CephCluster")
    spec = ceph["spec"]
    assert (spec["storage"]["useAllNodes"], spec["storage"]["useAllDevices"]) == (True, False)
    disks = re.compile(spec["storage"]["deviceFilter"])
    assert [n for n in range(12) if disks.match(f"nvme{n}n1")] == [0, 1]
    assert not disks.match("nvme0n1p1")
    osd = spec["placement"]["osd"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert osd["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] == ["h100"]
    assert spec["placement"]["osd"]["tolerations"][0]["key"] == "nvidia.com/gpu"
    assert spec["cleanupPolicy"] == {"confirmation": ""}
    assert spec["security"]["cephx"]["csi"]["keyType"] == "aes"


@pytest.mark.parametrize("count", [1, 2, 10, 12])
def test_a_device_filter_takes_that_many_disks(count: int) -> None:
    disks = re.compile(device_filter(count))
    assert [n for n in range(30) if disks.match(f"nvme{n}n1")] == list(range(count))


def test_monitors_are_odd_and_fit_the_machines() -> None:
    (ceph,) = objects(TREE, "CephCluster")
    assert ceph["spec"]["mon"] == {"count": 3, "allowMultiplePerNode": False}
    one = plan(gpus=1, management={"count": 1}, storage={"reliable": {"replicas": 1}}, tenants=[])
    (ceph,) = objects(cluster_tree(one), "CephCluster")
    assert ceph["spec"]["mon"]["count"] == 1
    pools = [p["spec"]["replicated"] for p in objects(cluster_tree(one), "CephBlockPool")]
    assert pools == [{"size": 1, "requireSafeReplicaSize": False}]


def test_storage_classes_name_what_exists() -> None:
    drivers = read(TREE, "41-ceph-csi/values.yaml")["drivers"]
    classes = {c["metadata"]["name"]: c for c in objects(TREE, "StorageClass")}
    assert classes["reliable-block"]["provisioner"] == drivers["rbd"]["name"]
    assert classes["reliable-files"]["provisioner"] == drivers["cephfs"]["name"]
    assert classes["reliable-block"]["parameters"]["pool"] in {
        p["metadata"]["name"] for p in objects(TREE, "CephBlockPool")
    }
    (files,) = objects(TREE, "CephFilesystem")
    pool = f"{files['metadata']['name']}-{files['spec']['dataPools'][0]['name']}"
    assert classes["reliable-files"]["parameters"]["pool"] == pool
    assert "replicated" in files["spec"]["dataPools"][0]
    (store,) = objects(TREE, "CephObjectStore")
    assert classes["reliable-objects"]["parameters"]["objectStoreName"] == store["metadata"]["name"]
    default = "storageclass.kubernetes.io/is-default-class"
    assert [n for n, c in classes.items() if default in c["metadata"].get("annotations", {})] == [
        "reliable-block"
    ]


def test_ceph_over_the_rails_keeps_its_public_side_on_the_node_network() -> None:
    (ceph,) = objects(storage(reliable={"replicas": 3, "network": "rails"}), "CephCluster")
    assert ceph["spec"]["network"] == {
        "provider": "host",
        "addressRanges": {"public": ["10.10.0.0/20"], "cluster": [rail.subnet for rail in PLAN.rails]},
    }
    (ceph,) = objects(TREE, "CephCluster")
    assert "network" not in ceph["spec"]


def test_the_fast_tier_caches_a_bucket_on_every_gpu_node() -> None:
    dataset = next(d for d in objects(TREE, "Dataset") if d["metadata"]["namespace"] == "fast-tier")
    (runtime,) = objects(TREE, "AlluxioRuntime")
    (claim,) = objects(TREE, "ObjectBucketClaim")
    assert dataset["metadata"] == runtime["metadata"] == claim["metadata"]
    assert dataset["spec"]["mounts"][0]["mountPoint"] == f"s3://{claim['spec']['bucketName']}/"
    keys = {o["valueFrom"]["secretKeyRef"]["name"] for o in dataset["spec"]["mounts"][0]["encryptOptions"]}
    assert keys == {claim["metadata"]["name"]}
    assert runtime["spec"]["replicas"] == len(PLAN.by_role("gpu"))


def test_the_cache_uses_all_its_disks() -> None:
    tree = storage(fast={"disksPerNode": 2, "quotaGib": 2000}, scratchDisksPerNode=0)
    (level,) = objects(tree, "AlluxioRuntime")[0]["spec"]["tieredstore"]["levels"]
    assert level["path"] == "/var/lib/daiku/fast/disk0,/var/lib/daiku/fast/disk1"
    assert level["quota"] == "2000Gi"


@pytest.mark.parametrize(
    ("tiers", "folders"),
    [
        ({}, {"40", "41", "42", "50", "51", "52"}),
        ({"fast": None}, {"40", "41", "42"}),
        ({"reliable": None}, {"52"}),
        ({"reliable": None, "fast": None}, set()),
    ],
)
def test_a_tier_that_is_off_leaves_nothing(tiers: dict[str, Any], folders: set[str]) -> None:
    tree = storage(**tiers)
    assert {path[:2] for path in tree if path[0] in "45"} == folders
    names = {n["metadata"]["name"] for n in objects(tree, "Namespace")}
    assert ("rook-ceph" in names) == ("40" in folders)
    assert ("fast-tier" in names) == ("52" in folders)
    assert ("fluid-system" in names) == ("50" in folders)
    assert [d["metadata"]["namespace"] for d in objects(tree, "Dataset")] == (
        ["fast-tier", "plamo"] if "51" in folders else []
    )


# Tenants
# -------------------------------------------------------------------------------------------------------------


def quotas(queue: dict[str, Any], key: str = "nominalQuota") -> dict[str, str | None]:
    (group,) = queue["spec"]["resourceGroups"]
    (flavor,) = group["flavors"]
    assert [r["name"] for r in flavor["resources"]] == group["coveredResources"]
    return {r["name"]: r.get(key) for r in flavor["resources"]}


def test_quotas_and_what_is_left_add_up_to_the_gpus() -> None:
    tree = tenants({"name": "a", "gpus": 8}, {"name": "b", "gpus": 10, "priority": "high", "borrow": False})
    (cohort,) = objects(tree, "Cohort")
    queues = {q["metadata"]["name"]: q for q in objects(tree, "ClusterQueue")}
    gpus = [int(quotas(q)["nvidia.com/gpu"] or 0) for q in (cohort, *queues.values())]
    assert gpus == [14, 8, 10]
    assert sum(gpus) == sum(capacity(PLAN).values()) == 32
    assert {q["spec"]["cohortName"] for q in queues.values()} == {cohort["metadata"]["name"]}
    assert quotas(queues["b"], "borrowingLimit")["nvidia.com/gpu"] == "0"
    assert quotas(queues["a"], "borrowingLimit")["nvidia.com/gpu"] is None
    assert [q["spec"]["fairSharing"]["weight"] for q in queues.values()] == ["1", "2"]


def test_a_machine_full_of_jobs_fits_the_machine() -> None:
    node = PLAN.by_role("gpu")[0]
    (queue,) = objects(tenants({"name": "a", "gpus": node.gpus}), "ClusterQueue")
    given = quotas(queue)
    assert int(given["cpu"] or 0) <= node.cpu
    assert int((given["memory"] or "").removesuffix("Gi")) <= node.memory_gib


def test_more_gpus_than_there_are_is_refused() -> None:
    (owner,) = PLAN.tenants
    greedy: Plan = PLAN.model_copy(update={"tenants": (owner.model_copy(update={"gpus": 33}),)})
    with pytest.raises(ValueError, match="tenant plamo lacks 1 GPUs"):
        cluster_tree(greedy)


def test_queues_reach_only_their_tenant_and_only_tenants_are_managed() -> None:
    tree = tenants({"name": "a", "gpus": 8}, {"name": "b", "gpus": 8})
    for queue in objects(tree, "ClusterQueue"):
        selector = queue["spec"]["namespaceSelector"]["matchLabels"]
        assert selector == {"kubernetes.io/metadata.name": queue["metadata"]["name"]}
    local = {(q["metadata"]["namespace"], q["spec"]["clusterQueue"]) for q in objects(tree, "LocalQueue")}
    assert local == {("a", "a"), ("b", "b")}
    config = yaml.safe_load(
        read(tree, "60-kueue/values.yaml")["managerConfig"]["controllerManagerConfigYaml"]
    )
    (expression,) = config["managedJobsNamespaceSelector"]["matchExpressions"]
    labelled = [n for n in objects(tree, "Namespace") if expression["key"] in n["metadata"]["labels"]]
    assert {n["metadata"]["name"] for n in labelled} == {"a", "b"}
    assert "daiku.io/" in config["resources"]["excludeResourcePrefixes"]


def test_a_tenant_is_fenced_in() -> None:
    tree = tenants({"name": "a", "gpus": 8, "allowFrom": ["10.64.0.0/16"]})
    policies = {p["metadata"]["name"]: p["spec"] for p in objects(tree, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    sources = policies["within-tenant"]["ingress"][0]["from"]
    assert sources == [{"podSelector": {}}, {"ipBlock": {"cidr": "10.64.0.0/16"}}]
    (internet,) = [
        peer["ipBlock"] for rule in policies["way-out"]["egress"] for peer in rule["to"] if "ipBlock" in peer
    ]
    inside = {PLAN.node_network.cidr, PLAN.pods_cidr, PLAN.services_cidr, *(r.subnet for r in PLAN.rails)}
    assert PLAN.aws
    assert set(internet["except"]) >= inside | {PLAN.aws.vpc_cidr}


@pytest.mark.parametrize(("borrow", "limit"), [(True, None), (False, "8")])
def test_only_a_tenant_that_may_not_borrow_has_a_hard_limit(borrow: bool, limit: str | None) -> None:
    quota, _ = objects(tenants({"name": "a", "gpus": 8, "borrow": borrow}), "ResourceQuota")
    assert quota["spec"]["hard"].get("requests.nvidia.com/gpu") == limit
    assert quota["spec"]["hard"]["services.nodeports"] == "0"


def test_without_tenants_there_are_no_queues() -> None:
    tree = tenants()
    assert not [path for path in tree if path[0] in "67"]


def test_without_gpu_pools_there_is_a_network_and_nothing_more() -> None:
    nothing: dict[str, Any] = {"gpuPools": [], "tenants": [], "storage": {"reliable": None, "fast": None}}
    balancer = {key: value for key, value in example()["loadBalancer"].items() if key != "ingress"}
    bare = plan(**nothing, loadBalancer=balancer, monitoring=None, aws=None)
    assert set(cluster_tree(bare)) == {
        "00-namespaces/namespaces.yaml",
        "10-cilium/chart.yaml",
        "10-cilium/values.yaml",
    }


def test_the_files_that_grow_exist() -> None:
    assert set(GROWS_WITH_GPU_NODES) <= set(TREE)

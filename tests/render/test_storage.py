"""Storage of the cluster: Ceph, its classes, and the cache of the fast tier."""

from __future__ import annotations

import re
from typing import Any

import pytest

from daiku.render.cluster import cluster_tree
from daiku.render.cluster_storage import device_filter
from daiku.render.tree import Tree
from tests.render.plans import example, objects, plan, read

PLAN = plan()
TREE = cluster_tree(PLAN)


def storage(**tiers: Any) -> Tree:
    return cluster_tree(plan(storage=example()["storage"] | tiers))


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

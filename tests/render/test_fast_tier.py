"""The fast tier stands by itself: without a reliable tier it is smaller, never silently gone."""

from __future__ import annotations

import json
from typing import Any

import yaml

from daiku.plan.review import warnings
from daiku.render.cluster import cluster_tree
from daiku.render.tree import Tree
from daiku.spec.load import parse
from tests.render.plans import example, objects, plan

OUTSIDE = {"reliable": None, "fast": {"source": {"endpoint": "https://s3.example.net", "bucket": "corpus"}}}


def storage(**tiers: Any) -> Tree:
    return cluster_tree(plan(storage=tiers))


def doubts(**tiers: Any) -> list[str]:
    text = yaml.safe_dump(example() | {"storage": tiers})
    return [w.message for w in warnings(parse(text, "cluster.yaml")) if w.path == "storage.fast"]


def test_without_a_reliable_tier_local_volumes_stay_and_the_missing_cache_is_told() -> None:
    tree = storage(reliable=None)
    assert [c["metadata"]["name"] for c in objects(tree, "StorageClass")] == ["fast-local"]
    assert not objects(tree, "AlluxioRuntime")
    assert doubts(reliable=None) == [
        "the fast tier has no bucket to cache: it is local volumes on NVMe and nothing more"
    ]


def test_who_turned_it_off_is_told_nothing() -> None:
    assert doubts(reliable=None, fast=None) == doubts() == doubts(**OUTSIDE) == []


def test_a_bucket_outside_is_cached_without_ceph() -> None:
    tree = storage(**OUTSIDE)
    assert not objects(tree, "CephCluster")
    assert not objects(tree, "ObjectBucketClaim")
    (dataset,) = [d for d in objects(tree, "Dataset") if d["metadata"]["namespace"] == "fast-tier"]
    (mount,) = dataset["spec"]["mounts"]
    assert mount["mountPoint"] == "s3://corpus/"
    assert mount["options"]["alluxio.underfs.s3.endpoint"] == "https://s3.example.net"
    (shared,) = [d for d in objects(tree, "Dataset") if d["metadata"]["namespace"] == "plamo"]
    assert shared["spec"]["mounts"][0]["mountPoint"] == "dataset://fast-tier/datasets"


def test_local_volumes_follow_the_pod_and_lie_on_every_fast_disk() -> None:
    tree = storage(reliable=None, fast={"disksPerNode": 2})
    (volumes,) = [c for c in objects(tree, "StorageClass") if c["metadata"]["name"] == "fast-local"]
    assert volumes["volumeBindingMode"] == "WaitForFirstConsumer"
    (config,) = [c for c in objects(tree, "ConfigMap") if c["metadata"]["name"] == "fast-local"]
    (nodes,) = json.loads(config["data"]["config.json"])["nodePathMap"]
    assert nodes["paths"] == [f"/var/lib/daiku/fast/disk{n}/volumes" for n in (0, 1)]
    helper = yaml.safe_load(config["data"]["helperPod.yaml"])
    assert "nvidia.com/gpu" in [t["key"] for t in helper["spec"]["tolerations"]]
    (deployment,) = objects(tree, "Deployment")
    assert deployment["spec"]["replicas"] == 1

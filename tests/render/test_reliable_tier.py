"""Where the reliable tier's data lies, and the example of a job that writes checkpoints through both tiers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.errors import SpecError
from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.spec.load import parse
from tests.render.plans import example, objects, plan

JOBS = Path(__file__).parents[2] / "docs/jobs"
TREE = cluster_tree(plan())


def two_pools(**reliable: Any) -> Plan:
    (pool,) = example()["gpuPools"]
    second = {
        "name": "store",
        "nodes": [{"index": i, "id": f"1138000000{i:02d}"} for i in (1, 2)],
        "fabric": {"rails": []},
        "disks": {"count": 8, "sizeGb": 3840, "type": "nvme"},
    }
    first = {**pool, "disks": {**pool["disks"], "count": 2}}
    storage = {"reliable": {"replicas": 2, "osdDisksPerNode": 6} | reliable}
    document = example() | {"gpuPools": [first, second], "storage": storage}
    return make(parse(yaml.safe_dump(document), "cluster.yaml"))


def test_data_lies_on_the_pools_that_are_named() -> None:
    (ceph,) = objects(cluster_tree(two_pools(pools=["store"])), "CephCluster")
    terms = ceph["spec"]["placement"]["osd"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert terms["nodeSelectorTerms"][0]["matchExpressions"][0]["values"] == ["store"]


def test_only_their_disks_are_counted() -> None:
    with pytest.raises(SpecError) as caught:
        two_pools()
    assert any("a node of pool h100 has 2 local disks" in fault.message for fault in caught.value.faults)


def test_replicas_need_nodes_of_those_pools() -> None:
    with pytest.raises(SpecError) as caught:
        two_pools(pools=["store"], replicas=3)
    assert any("3 replicas need as many GPU nodes" in fault.message for fault in caught.value.faults)


def test_the_checkpoint_job_names_what_the_cluster_has() -> None:
    claim, job = yaml.safe_load_all((JOBS / "checkpoint.yaml").read_text())
    classes = {c["metadata"]["name"] for c in objects(TREE, "StorageClass")}
    pod = job["spec"]["template"]["spec"]
    (fast,) = [v for v in pod["volumes"] if "ephemeral" in v]
    assert fast["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"] in classes
    assert claim["spec"]["storageClassName"] in classes
    tenants = {q["metadata"]["namespace"]: q["metadata"]["name"] for q in objects(TREE, "LocalQueue")}
    assert tenants[job["metadata"]["namespace"]] == job["metadata"]["labels"]["kueue.x-k8s.io/queue-name"]
    assert pod["priorityClassName"] in {c["metadata"]["name"] for c in objects(TREE, "PriorityClass")}
    named = job["metadata"]["labels"]["kueue.x-k8s.io/priority-class"]
    assert named in {c["metadata"]["name"] for c in objects(TREE, "WorkloadPriorityClass")}
    node = plan().by_role("gpu")[0]
    wanted = pod["containers"][0]["resources"]["requests"]
    assert (int(wanted["nvidia.com/gpu"]), int(wanted["cpu"]) <= node.cpu) == (node.gpus, True)
    assert int(wanted["memory"].removesuffix("Gi")) <= node.memory_gib

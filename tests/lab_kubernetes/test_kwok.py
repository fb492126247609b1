"""Nodes that KWOK plays beside the cluster's own: bound by the real scheduler, Ready by KWOK."""

from __future__ import annotations

import json

import pytest

from tests.lab_kubernetes.kit import Cluster, until

pytestmark = [pytest.mark.lab, pytest.mark.kubernetes, pytest.mark.timeout(600)]

COUNT = 20


def pod(gpus: int) -> str:
    limits = {"nvidia.com/gpu": str(gpus), "daiku.io/h100_rail0": "1"}
    spec = {
        "nodeSelector": {"daiku.io/lab-node": "true"},
        "restartPolicy": "Always",
        "tolerations": [{"operator": "Exists"}],
        "containers": [{"name": "c", "image": "train:1", "resources": {"limits": limits}}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"gpu-{gpus}"}, "spec": spec})


def test_fake_gpu_nodes_become_ready_and_take_pods(cluster: Cluster) -> None:
    first = cluster.control_planes[0]
    try:
        said = cluster.ssh(
            first,
            f"lab-nodes {COUNT} --resource nvidia.com/gpu=8 --resource daiku.io/h100_rail0=16 "
            "--label daiku.io/pool=h100 --taint nvidia.com/gpu=present:NoSchedule",
        )
        assert "all Ready" in said
        nodes = cluster.get("nodes -l daiku.io/lab-node=true")["items"]
        assert [node["status"]["allocatable"]["nvidia.com/gpu"] for node in nodes] == ["8"] * COUNT
        for gpus in (8, 9):
            cluster.write(first, "/run/pod.json", pod(gpus))
            cluster.kubectl("create -f /run/pod.json")
        cluster.kubectl("wait pod gpu-8 --for=condition=Ready --timeout=60s")
        assert cluster.get("pod gpu-8")["spec"]["nodeName"].startswith("kwok-")
        until(
            lambda: any(
                condition["reason"] == "Unschedulable"
                for condition in cluster.get("pod gpu-9")["status"].get("conditions", [])
            ),
            "nine GPUs refused by the scheduler",
        )
    finally:
        cluster.ssh(first, "lab-nodes 0")
        cluster.kubectl("delete pod gpu-8 gpu-9 --force --ignore-not-found")
    assert cluster.get("nodes -l daiku.io/lab-node=true")["items"] == []

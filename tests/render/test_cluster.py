"""What the cluster is given as a whole: every file, object, namespace and chart, and what there is without parts."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from daiku.render.cluster import GROWS_WITH_GPU_NODES, cluster_tree
from tests.render.plans import example, objects, plan, read

PLAN = plan()
TREE = cluster_tree(PLAN)


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
        assert chart["version"] == locked[chart["chart"]]
    # This chart is published with every version of the program, under its number.
    program = dict(PLAN.release.images)["whereabouts"]
    assert program.rpartition(":v")[2] == locked["whereabouts-chart"]


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

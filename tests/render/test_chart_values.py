"""Charts take misspelt keys without a word; our own lists of their keys do not."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from daiku.render.chart_values import known, unknown_keys
from daiku.render.cluster import cluster_tree
from tests.render.plans import example, plan, read

BALANCER = {key: value for key, value in example()["loadBalancer"].items() if key != "ingress"}
VARIANTS = {
    "example": plan(),
    "no storage": plan(storage={"reliable": None, "fast": None}),
    "other ports": plan(
        loadBalancer=BALANCER | {"ingress": {"vip": "10.10.0.101", "ports": [443, 8443, 80]}}, aws=None
    ),
    "no monitoring": plan(monitoring=None),
}


def listed(folder: str, tree: Any) -> str | None:
    chart = read(tree, f"{folder}/chart.yaml")["chart"]
    try:
        known(chart)
    except KeyError:
        return None
    return chart


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_value_has_a_key_of_its_chart(variant: str) -> None:
    tree = cluster_tree(VARIANTS[variant])
    checked = 0
    for folder in sorted({path.split("/")[0] for path in tree if path.endswith("chart.yaml")}):
        chart = listed(folder, tree)
        if chart is not None:
            assert unknown_keys(chart, read(tree, f"{folder}/values.yaml")) == (), folder
            checked += 1
    assert checked >= 1


def test_the_charts_of_the_platform_have_a_list() -> None:
    tree = cluster_tree(VARIANTS["example"])
    have = {listed(path.split("/")[0], tree) for path in tree if path.endswith("chart.yaml")}
    ours = {"ceph-csi-drivers", "fluid", "kube-prometheus-stack", "kueue", "rook-ceph", "traefik"}
    assert ours <= have
    assert all(known(chart)["seen"] for chart in ours)


@pytest.mark.parametrize(
    ("folder", "chart", "path"),
    [
        ("80-prometheus", "kube-prometheus-stack", "prometheus.prometheusSpec.retension"),
        ("60-kueue", "kueue", "controllerManager.manager.resource"),
        ("35-ingress", "traefik", "deployment.kinds"),
        ("40-rook", "rook-ceph", "csi.installCsiOperators"),
    ],
)
def test_a_misspelt_key_is_found(folder: str, chart: str, path: str) -> None:
    values = copy.deepcopy(read(cluster_tree(VARIANTS["example"]), f"{folder}/values.yaml"))
    *above, last = path.split(".")
    place = values
    for key in above:
        place = place[key]
    place[last] = "x"
    assert unknown_keys(chart, values) == (path,)

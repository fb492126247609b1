"""Charts take misspelt keys without a word; rendering, which knows the keys of each chart, does not."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from importlib.resources import files
from typing import Any

import pytest

from daiku.errors import RenderError
from daiku.plan.model import Plan
from daiku.render import chart_values
from daiku.render.acceptance import acceptance_tree
from daiku.render.chart_values import KnownKeys, check_values, known, parse, unknown_keys
from daiku.render.cluster import cluster_tree
from daiku.render.cluster_parts import chart_parts
from daiku.render.images import KUBERNETES
from daiku.render.tree import Tree
from tests.render.plans import example, fabric, plan, read

LISTED = sorted(
    file.name.removesuffix(".txt")
    for file in (files("daiku.render.data") / "known_keys").iterdir()
    if file.name.endswith(".txt")
)


def plans() -> Iterator[Plan]:
    """Plans that together install every chart, with every key that a chart can be given."""
    yield plan()
    network = example()["network"]
    network["pods"]["mode"] = "native"
    network["bgp"] = {"localAsn": 65001, "peers": [{"address": "10.10.0.1", "asn": 65000}]}
    yield plan(network=network)
    yield fabric(attach="dranet")
    (pool,) = example()["gpuPools"]
    for sharing in ("mig", "mps"):
        yield plan(gpuPools=[pool | {"sharing": sharing}])
    yield plan(gpuPools=[pool | {"sharing": "mps"}], kubernetes={"gpuStack": "device-plugin"})
    yield plan(storage={"reliable": None, "fast": None})
    balancer = {key: value for key, value in example()["loadBalancer"].items() if key != "ingress"}
    ports = {"ingress": {"vip": "10.10.0.101", "ports": [443, 8443, 80]}}
    yield plan(loadBalancer=balancer | ports, aws=None)
    yield plan(monitoring=None)


@cache
def trees() -> tuple[Tree, ...]:
    return tuple(cluster_tree(made) for made in plans())


def values(chart: str) -> list[dict[str, Any]]:
    """What a chart is given, by every plan that installs it."""
    return [
        read(tree, path.replace("chart.yaml", "values.yaml"))
        for tree in trees()
        for path in tree
        if path.endswith("/chart.yaml") and read(tree, path)["chart"] == chart
    ]


@pytest.mark.parametrize("chart", LISTED)
def test_every_list_is_used_and_knows_what_the_chart_is_given(chart: str) -> None:
    given = values(chart)
    assert given
    assert [unknown_keys(known(chart), one) for one in given] == [()] * len(given)


def test_the_release_pins_the_charts_that_are_installed_and_no_others() -> None:
    assert [name for name, _ in plan().release.charts] == LISTED


def test_the_release_pins_no_image_that_nobody_names() -> None:
    # Kubernetes' own are kubeadm's to name; those of charts are the charts'.
    made = [*plans(), fabric(attach="host-device")]
    given = b"".join(
        file.content for one in made for file in (*cluster_tree(one).values(), *acceptance_tree(one).values())
    )
    release = made[0].release
    own = {name for name, source in release.sources if source == KUBERNETES}
    assert [name for name, image in release.images if name not in own and not named(image, given)] == []


def named(image: str, given: bytes) -> bool:
    """As one reference, or as repository and tag apart."""
    repository, _, tag = image.rpartition(":")
    return image.encode() in given or (repository.encode() in given and tag.encode() in given)


@pytest.mark.parametrize("chart", LISTED)
def test_a_list_is_of_the_version_that_the_release_pins(chart: str) -> None:
    pinned = dict(plan().release.charts)
    assert known(chart).version == pinned[chart], (
        f"read values.yaml and the templates of {chart} {pinned[chart]}, and write its list anew: docs/rendering.md"
    )


@pytest.mark.parametrize("chart", LISTED)
def test_a_list_has_each_key_once(chart: str) -> None:
    lines = known(chart).lines
    assert known(chart).chart == chart
    assert len(lines) == len(set(lines))
    assert all(line.strip() == line for line in lines)


@pytest.mark.parametrize(
    ("chart", "path"),
    [
        ("ceph-csi-drivers", "drivers.rbd.nodePlugin.toleration"),
        ("cilium", "cni.exclusiv"),
        ("cilium", "tunelPort"),
        ("dranet", "arg"),
        ("fluid", "runtime.aluxio"),
        ("gpu-operator", "dcgmExporter.configuration"),
        ("kube-prometheus-stack", "prometheus.prometheusSpec.retension"),
        ("kube-prometheus-stack", "prometheus-node-exporter.extraArguments"),
        ("kueue", "controllerManager.manager.resource"),
        ("nvidia-device-plugin", "gfd.enable"),
        ("rook-ceph", "csi.installCsiOperators"),
        ("sriov-network-operator-chart", "operator.resourcesPrefix"),
        ("traefik", "deployment.kinds"),
        ("traefik", "ports.web.hostPorts"),
        ("whereabouts-chart", "reconciler.resource"),
    ],
)
def test_a_misspelt_key_is_found(chart: str, path: str) -> None:
    given = deepcopy(values(chart)[0])
    *above, last = path.split(".")
    place = given
    for key in above:
        place = place.setdefault(key, {})
    place[last] = "x"
    assert unknown_keys(known(chart), given) == (path,)


def test_a_list_says_what_is_free_and_what_is_not() -> None:
    there = parse("x 1.0.0\n# keys\nsize\nlabels.*\ngrafana\\.ini.server\nports.*.port\nports.web.tls\n")
    assert (there.chart, there.version, len(there.lines)) == ("x", "1.0.0", 5)
    assert (
        unknown_keys(there, {"size": 1, "labels": {"a.b/c": {"d": 1}}, "grafana.ini": {"server": {}}}) == ()
    )
    assert unknown_keys(there, {"ports": {"tcp-80": {"port": 1}, "web": {"tls": True}}}) == ()
    assert unknown_keys(there, {"ports": {"tcp-80": {"tls": True}}}) == ("ports.tcp-80.tls",)
    assert unknown_keys(there, {"size": {"GiB": 1}}) == ("size.GiB",)
    assert unknown_keys(there, {"grafana": {"ini": {}}, "grafana.ini": {"sever": {}}}) == (
        "grafana",
        r"grafana\.ini.sever",
    )


# As an error of rendering
# -------------------------------------------------------------------------------------------------------------


def test_rendering_stops_at_a_key_that_a_chart_does_not_have(monkeypatch: pytest.MonkeyPatch) -> None:
    real = known("kueue")
    lines = [line for line in real.lines if line != "controllerManager.replicas"]
    poorer = parse("\n".join((f"kueue {real.version}", *lines)))

    def of(chart: str) -> KnownKeys:
        return poorer if chart == "kueue" else known(chart)

    monkeypatch.setattr(chart_values, "known", of)
    with pytest.raises(
        RenderError, match=r"kueue 0\.19\.2 has no value controllerManager\.replicas"
    ) as caught:
        cluster_tree(plan())
    assert caught.value.where == "60-kueue/values.yaml"


def test_the_message_names_the_key_that_was_meant() -> None:
    content = b"controllerManager: {manager: {resource: {}}}\nnonsense: 1\n"
    with pytest.raises(RenderError) as caught:
        check_values("kueue", content, "60-kueue/values.yaml")
    assert caught.value.message == (
        "chart kueue 0.19.2 has no value controllerManager.manager.resource"
        " (is controllerManager.manager.resources meant?), nonsense"
    )


def test_a_chart_that_nobody_listed_is_refused() -> None:
    made = plan()
    release = made.release.model_copy(update={"charts": (*made.release.charts, ("unseen", "1.0.0"))})
    made = made.model_copy(update={"release": release})
    with pytest.raises(RenderError, match="nobody has listed which values chart unseen has") as caught:
        chart_parts(made, "99-unseen", "unseen", "x", "cluster/cache/fluid-values.yaml.j2")
    assert "known_keys/unseen.txt" in caught.value.hint
    assert caught.value.exit_code == 16


def test_values_of_another_chart_are_refused() -> None:
    with pytest.raises(RenderError, match=r"rook-ceph .* has no value dataset, .*runtime"):
        chart_parts(plan(), "40-rook", "rook-ceph", "x", "cluster/cache/fluid-values.yaml.j2")

"""Every object that is rendered from every example, shown to the real API server as a strict rehearsal.

The definitions of the projects come from DAIKU_CRDS, or from the folder `shared/crds` beside the checkout.
"""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.apply.cluster.model import Wanted
from daiku.apply.cluster.order import order
from daiku.apply.cluster.parts import wanted_objects
from daiku.errors import ApiError
from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.render.tree import Tree
from daiku.spec.load import parse
from daiku.wire.kubernetes import KubernetesApi, connect
from tests.kubernetes.conftest import Place
from tests.kubernetes.control_plane import ControlPlane
from tests.render.plans import example, plan

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(ROOT.glob("examples/**/*.yaml"))
CRDS = Path(os.environ.get("DAIKU_CRDS") or ROOT.parent / "shared/crds")

pytestmark = [
    pytest.mark.kubernetes,
    pytest.mark.timeout(400),
    pytest.mark.skipif(not CRDS.is_dir(), reason="DAIKU_CRDS names no folder of CustomResourceDefinitions"),
]


@cache
def definitions() -> dict[str, dict[str, Any]]:
    """The projects' CustomResourceDefinitions by name."""
    found: dict[str, dict[str, Any]] = {}
    for file in sorted(CRDS.glob("*.yaml")):
        for document in yaml.load_all(file.read_text(), yaml.CSafeLoader):
            if document and document["kind"] == "CustomResourceDefinition":
                # Where a definition wants its project's webhook for other versions, there is none to answer.
                document["spec"].pop("conversion", None)
                found[document["metadata"]["name"]] = document
    return found


def plans() -> dict[str, Plan]:
    """The examples, and the choices that none of them makes."""
    found = {path.stem: make(parse(path.read_text(), str(path))) for path in EXAMPLES}
    rails = example()["storage"] | {"reliable": {"replicas": 3, "network": "rails"}}
    owned = [
        {"name": "a", "gpus": 8},
        {"name": "b", "gpus": 8, "borrow": False, "allowFrom": ["10.64.0.0/16"]},
    ]
    return found | {"rails-and-owned": plan(storage=rails, tenants=owned)}


PLANS = plans()
ELSEWHERE = {"monitoring.coreos.com"}
"""Groups whose definitions come with a chart only: judged when the folder has them too."""


def rendered(name: str) -> tuple[Wanted, ...]:
    return judged(cluster_tree(PLANS[name]))


def judged(tree: Tree) -> tuple[Wanted, ...]:
    """The tree's objects in their order, less those that no definition at hand can judge."""
    unjudged = ELSEWHERE - {d["spec"]["group"] for d in definitions().values()}
    return tuple(one for one in order(wanted_objects(tree)) if one.ref.group not in unjudged)


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> Generator[KubernetesApi]:
    """With the definitions and the examples' namespaces in it: what a rehearsal needs to be let in."""
    everything = [one for name in PLANS for one in rendered(name)]
    groups = {one.ref.group for one in everything}
    needed = {name: d for name, d in definitions().items() if d["spec"]["group"] in groups}
    needed |= {one.ref.name: one.body for one in everything if one.ref.kind == "CustomResourceDefinition"}
    with connect(plane.admin) as made:
        for body in needed.values():
            made.apply(body)
        for one in everything:
            if one.ref.kind == "Namespace":
                made.apply(one.body)
        _served(made, {(one.api_version, one.ref.kind) for one in everything})
        yield made


def _served(api: KubernetesApi, kinds: set[tuple[str, str]]) -> None:
    """Wait until every kind is served; one that never comes is then refused by its name."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        api.forget_kinds()
        if all(api.kind(*kind) for kind in kinds):
            return
        time.sleep(0.3)


@pytest.mark.parametrize("name", PLANS)
def test_every_rendered_object_passes_a_strict_rehearsal(api: KubernetesApi, name: str) -> None:
    refused: list[str] = []
    objects = rendered(name)
    assert objects
    for one in objects:
        try:
            api.apply(one.body, dry_run=True)
        except ApiError as error:
            refused.append(f"{one.source} {one.ref}: {error} ({error.hint})")
    assert not refused, "\n".join(refused)


@pytest.fixture
def applied(api: KubernetesApi, place: Place) -> Generator[tuple[Place, tuple[Wanted, ...]]]:
    """The whole example for real. Namespaces and definitions stay: the other tests need them."""
    place.api = api
    objects = rendered("cluster")
    try:
        yield place, objects
    finally:
        for one in reversed(objects):
            if one.ref.kind not in {"Namespace", "CustomResourceDefinition"}:
                api.delete(one.body)


def test_the_whole_example_is_applied_and_a_second_run_writes_nothing(
    applied: tuple[Place, tuple[Wanted, ...]],
) -> None:
    place, objects = applied
    first = place.converge(*(one.body for one in objects), timeout=0)
    assert not first.failures
    assert len(first.changes) + len(first.unchanged) == len(objects)
    second = place.converge(*(one.body for one in objects), timeout=0)
    assert [(change.ref, change.fields) for change in second.changes] == []
    assert second.writes == 0
    # What is served, the inventory, one call a kind; and one for each object that the server writes in another way.
    kinds = {(one.api_version, one.ref.kind) for one in objects}
    assert second.calls <= 3 + len(kinds) + len(objects) // 4, second.calls


def test_a_change_of_a_fixed_field_says_what_to_do(applied: tuple[Place, tuple[Wanted, ...]]) -> None:
    place, objects = applied
    (topology,) = [one.body for one in objects if one.ref.kind == "Topology"]
    place.converge(topology)
    other = topology | {"spec": {"levels": [{"nodeLabel": "example.test/elsewhere"}]}}
    (failure,) = place.converge(other).failures
    assert "spec.levels" in failure.error.hint
    assert "delete the object" in failure.error.hint


def test_a_misspelt_field_of_a_project_is_found(api: KubernetesApi) -> None:
    queue = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "LocalQueue",
        "metadata": {"name": "default", "namespace": "default"},
        "spec": {"clusterQ": "a"},
    }
    with pytest.raises(ApiError, match="clusterQ"):
        api.apply(queue, dry_run=True)

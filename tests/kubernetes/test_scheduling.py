"""The real scheduler and controllers with what daiku rendered for a tenant: who gets GPUs and rails, who does not."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

import pytest

from daiku.apply.cluster.converge import converge
from daiku.apply.cluster.model import ClusterReport
from daiku.apply.cluster.parts import wanted_objects
from daiku.errors import ApiError, ObjectsError
from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.wire.kubernetes import KubernetesApi, Object
from tests.kubernetes.conftest import Place
from tests.kubernetes.control_plane import KWOK_NODE, ControlPlane
from tests.render.plans import plan

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(240)]

GPU = "nvidia.com/gpu"
TENANT = "solo"
STATUS = {"Content-Type": "application/strategic-merge-patch+json"}


def until(look: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < end, f"{what}: not within {seconds:.0f} s"
        time.sleep(0.1)
    return found


@contextmanager
def node(api: KubernetesApi, made: Plan) -> Generator[str]:
    """The first GPU server as a node that KWOK plays, with its GPUs and its rails' virtual functions; its name.

    It is gone when the block ends: other tests count on no node.
    """
    (machine, *_) = made.by_role("gpu")
    rails = {f"daiku.io/{rail.pool}_rail{rail.rail}": str(rail.vfs) for rail in made.rails}
    capacity = {"cpu": "192", "memory": "2000Gi", "pods": "110", GPU: str(machine.gpus), **rails}
    name = machine.name
    metadata = {"name": name, "labels": {"daiku.io/pool": machine.pool}, "annotations": {KWOK_NODE: "fake"}}
    api.call("POST", "/api/v1/nodes", body={"apiVersion": "v1", "kind": "Node", "metadata": metadata})
    status = {"capacity": capacity, "allocatable": capacity}
    api.call("PATCH", f"/api/v1/nodes/{name}/status", body={"status": status}, headers=STATUS)

    def ready() -> bool:
        found = (api.get("v1", "Node", name) or {})["status"].get("conditions") or []
        return any((one["type"], one["status"]) == ("Ready", "True") for one in found)

    until(ready, "KWOK's word that the node is ready")
    # The node life cycle, which would take this off, does not run: nobody renews the leases of other nodes here.
    api.call("PATCH", f"/api/v1/nodes/{name}", body={"spec": {"taints": None}}, headers=STATUS)
    try:
        yield name
    finally:
        api.delete({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}})


def pod(name: str, **resources: str) -> Object:
    wanted = {"cpu": "1", "memory": "1Gi", **resources}
    container = {
        "name": "work",
        "image": "registry.test/work:1",
        "resources": {"requests": wanted, "limits": wanted},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": TENANT},
        "spec": {"containers": [container]},
    }


def create(api: KubernetesApi, body: Object) -> Object:
    """Once the namespace's own account is there, as the controllers make it."""
    until(lambda: api.get("v1", "ServiceAccount", "default", TENANT), "the default account")
    return api.call("POST", f"/api/v1/namespaces/{TENANT}/pods", body=body)


def bound_to(api: KubernetesApi, name: str) -> str:
    live = api.get("v1", "Pod", name, TENANT)
    return str((live or {}).get("spec", {}).get("nodeName") or "")


def test_a_whole_node_with_four_rails_is_bound_and_a_ninth_gpu_exceeds_the_quota(
    controlled: ControlPlane, place: Place
) -> None:
    made = plan(tenants=[{"name": TENANT, "gpus": 8, "borrow": False}])
    tenant = [
        one
        for one in wanted_objects(cluster_tree(made))
        if TENANT in {one.ref.namespace, one.ref.name} and one.ref.kind != "ClusterQueue"
    ]
    rails = {f"daiku.io/{rail.pool}_rail{rail.rail}": "1" for rail in made.rails}
    assert len(rails) == 4
    api = place.api
    with node(api, made) as machine:
        report = converge(api, tenant, cluster=place.name, say=lambda _line: None)
        assert not report.failures
        # Until the quota's controller has counted, nothing is let in.
        until(
            lambda: (api.get("v1", "ResourceQuota", "tenant", TENANT) or {}).get("status", {}).get("used"),
            "the quota's count",
        )
        create(api, pod("whole", **{GPU: "8"}, **rails))
        assert until(lambda: bound_to(api, "whole"), "a node for the pod") == machine
        until(
            lambda: (api.get("v1", "Pod", "whole", TENANT) or {})["status"].get("phase") == "Running",
            "its run",
        )
        with pytest.raises(
            ApiError, match=r"exceeded quota: tenant.*requests\.nvidia\.com/gpu=1.*used: .*gpu=8"
        ) as caught:
            create(api, pod("ninth", **{GPU: "1"}))
        assert "tenant's share" in caught.value.hint
        until(
            lambda: (api.get("v1", "ResourceQuota", "no-critical-pods", TENANT) or {})["status"].get("used"),
            "the quota's count",
        )
        critical = pod("critical")
        critical["spec"]["priorityClassName"] = "system-node-critical"
        with pytest.raises(ApiError, match="exceeded quota: no-critical-pods"):
            create(api, critical)


def test_a_deployment_that_finds_no_place_says_what_the_scheduler_says(
    controlled: ControlPlane, place: Place
) -> None:
    labels = {"app": "greedy"}
    container = {"name": "work", "image": "registry.test/work:1", "resources": {"limits": {GPU: "1000"}}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "greedy", "namespace": place.name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
        },
    }

    def reported() -> ClusterReport | None:
        made = place.converge(place.namespace(), deployment, timeout=0.2)
        said = made.unready[0].reason if made.unready else ""
        return made if "Insufficient nvidia.com/gpu" in said or "no nodes available" in said else None

    # Controllers and scheduler take their time; each run says what it sees.
    report = until(reported, "the scheduler's word")
    (note,) = report.unready
    assert note.reason.startswith("0 of 1 pods available; pod greedy-")
    with pytest.raises(ObjectsError, match="greedy is not ready"):
        report.check()


def test_a_pruned_namespace_goes_with_all_that_daiku_put_there(
    controlled: ControlPlane, place: Place
) -> None:
    place.converge(place.namespace(), place.config(a="b"))
    until(lambda: place.api.get("v1", "ServiceAccount", "default", place.name), "the default account")
    report = place.converge()
    assert [change.ref.kind for change in report.changes] == ["ConfigMap", "Namespace"]
    until(lambda: place.get(place.namespace()) is None, "the namespace's end")


def test_a_namespace_on_its_way_out_is_waited_for_and_made_anew(
    controlled: ControlPlane, place: Place
) -> None:
    wanted = (place.namespace(), place.config(a="b"))
    place.converge(*wanted)
    until(lambda: place.api.get("v1", "ServiceAccount", "default", place.name), "the default account")
    before = place.get(place.namespace())
    assert before is not None
    place.api.delete(before)
    report = place.converge(*wanted)
    assert not report.failures
    assert not report.unready
    after = place.get(place.namespace())
    assert after is not None
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert place.get(place.config()) is not None

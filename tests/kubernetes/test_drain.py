"""Draining with the real API server: who goes, who stays, and whom a disruption budget keeps."""

from __future__ import annotations

import time
from typing import Any

import pytest

from daiku.apply.phases.drain import drain
from daiku.errors import DeadlineError
from daiku.wire.kubernetes import KubernetesApi, Object
from tests.kubernetes.conftest import Place
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.test_scheduling import node, until
from tests.render.plans import plan

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(240)]
PLAN = plan(gpus=1, storage={"reliable": None}, tenants=[])


def put(place: Place, machine: str, name: str, **metadata: Any) -> Object:
    """A pod on that node, running as KWOK plays it."""
    api, namespace = place.api, place.name
    place.converge(place.namespace())
    until(lambda: api.get("v1", "ServiceAccount", "default", namespace), "the default account")
    container = {"name": "work", "image": "registry.test/work:1"}
    body = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app": name}, **metadata},
        "spec": {"nodeName": machine, "containers": [container], "terminationGracePeriodSeconds": 1},
    }
    made = api.call("POST", f"/api/v1/namespaces/{namespace}/pods", body=body)
    until(lambda: phase(api, made) == "Running", f"pod {name}'s run")
    return made


def phase(api: KubernetesApi, pod: Object) -> str:
    found = api.get("v1", "Pod", pod["metadata"]["name"], pod["metadata"]["namespace"])
    return str((found or {}).get("status", {}).get("phase") or "")


def daemons(place: Place) -> str:
    """A DaemonSet's name; its pods go wherever they are let."""
    labels = {"app": "agent"}
    container = {"name": "agent", "image": "registry.test/agent:1"}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "tolerations": [{"operator": "Exists"}]},
    }
    place.api.apply(
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": {"name": "agent", "namespace": place.name},
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        }
    )
    return "agent"


def running(api: KubernetesApi, namespace: str, app: str) -> bool:
    pods = api.list("v1", "Pod", namespace=namespace, labels=f"app={app}")
    return any((pod.get("status") or {}).get("phase") == "Running" for pod in pods)


def quickly(_seconds: float) -> None:
    time.sleep(0.1)


def test_pods_go_daemons_stay_and_nothing_new_comes(controlled: ControlPlane, place: Place) -> None:
    api = place.api
    with node(api, PLAN) as machine:
        work = put(place, machine, "work")
        daemon = daemons(place)
        until(lambda: running(api, place.name, daemon), "the daemon's pod")
        said: list[str] = []
        assert drain(api, machine, said.append, sleep=quickly) == 1
        assert phase(api, work) == ""
        assert (api.get("v1", "Node", machine) or {})["spec"]["unschedulable"] is True
        assert any("work" in line for line in said)
        assert not any(daemon in line for line in said)
        assert drain(api, machine, said.append, sleep=quickly) == 0, "a second time there is nothing to do"
        assert running(api, place.name, daemon)


def test_a_budget_that_allows_nothing_is_named_and_lets_go_later(
    controlled: ControlPlane, place: Place
) -> None:
    api = place.api
    with node(api, PLAN) as machine:
        pod = put(place, machine, "precious")
        namespace = pod["metadata"]["namespace"]
        spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "precious"}}}
        budget: Object = {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "keep", "namespace": namespace},
            "spec": spec,
        }
        api.apply(budget)
        with pytest.raises(DeadlineError, match=f"{namespace}/precious .*disruption budget") as caught:
            drain(api, machine, lambda _line: None, stall=0.0, sleep=quickly)
        assert "daiku kubectl -- get pdb" in caught.value.hint
        assert phase(api, pod) == "Running"
        api.delete(budget)
        assert drain(api, machine, lambda _line: None, sleep=quickly) == 1


def test_a_node_that_is_not_there_is_drained(place: Place) -> None:
    assert drain(place.api, "nobody", lambda _line: None) == 0

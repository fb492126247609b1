"""Comparing objects, and reading whether they are ready, without a server."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from daiku.apply.cluster.compare import field_changes, marked, settled
from daiku.apply.cluster.model import FieldChange, Wanted
from daiku.apply.cluster.readiness import pods_reason, pods_selector, unready

SERVER = {
    "resourceVersion": "7",
    "uid": "u",
    "generation": 2,
    "managedFields": [{}],
    "creationTimestamp": "t",
}


def config(**data: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "b"},
        "data": data,
    }


def as_lived(body: dict[str, Any]) -> dict[str, Any]:
    live = copy.deepcopy(body)
    live["metadata"] |= SERVER
    return live | {"status": {"phase": "x"}}


def test_what_was_applied_and_still_stands_is_settled() -> None:
    applied = marked(Wanted(config(x="1")), "ishikari")
    live = as_lived(applied)
    assert settled(live, applied)
    live["data"]["theirs"] = "2"
    assert settled(live, applied)


@pytest.mark.parametrize(
    ("section", "drifted"), [("data", {"x": "2"}), ("data", {}), ("labels", {}), ("annotations", {})]
)
def test_anything_else_is_to_be_asked(section: str, drifted: dict[str, str]) -> None:
    applied = marked(Wanted(config(x="1")), "ishikari")
    live = as_lived(applied)
    (live if section == "data" else live["metadata"])[section] = drifted
    assert not settled(live, applied)


def test_a_field_that_is_wanted_no_more_changes_the_mark() -> None:
    live = as_lived(marked(Wanted(config(x="1", y="2")), "ishikari"))
    assert not settled(live, marked(Wanted(config(x="1")), "ishikari"))


def test_marking_leaves_the_wanted_object_alone() -> None:
    body = config(x="1")
    before = copy.deepcopy(body)
    marked(Wanted(body), "ishikari")
    assert body == before


def test_differences_name_list_items_by_their_keys_and_leave_the_servers_fields_out() -> None:
    def pod(image: str, *env: tuple[str, str]) -> dict[str, Any]:
        container = {"name": "x", "image": image, "env": [{"name": k, "value": v} for k, v in env]}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "a"},
            "spec": {"containers": [container]},
        }

    before, after = as_lived(pod("old", ("A", "1"))), pod("new", ("B", "2"), ("A", "1"))
    path = "spec.containers[name=x]"
    assert field_changes(before, after) == (
        FieldChange(f"{path}.env[name=B].name", "", '"B"'),
        FieldChange(f"{path}.env[name=B].value", "", '"2"'),
        FieldChange(f"{path}.image", '"old"', '"new"'),
    )


def test_a_key_with_dots_is_one_step() -> None:
    (change,) = field_changes(config(**{"a.json": "1"}), config(**{"a.json": "2"}))
    assert change.path == "data[a.json]"


def test_values_of_secrets_are_hidden_their_names_are_not() -> None:
    def secret(value: str) -> dict[str, Any]:
        return {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "a"},
            "data": {"tls.key": value, "k": value},
        }

    changes = field_changes(secret("aHVudGVy"), secret("b3RoZXI="))
    assert [(change.path, change.before, change.after) for change in changes] == [
        ("data.k", "(secret)", "(secret)"),
        ("data[tls.key]", "(secret)", "(secret)"),
    ]


def body(kind: str, status: dict[str, Any], **spec: Any) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "a", "generation": 3}, "spec": spec, "status": status}


def condition(name: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"conditions": [{"type": name, "status": status, "reason": reason, "message": message}]}


LEAVING = body(
    "Namespace", {"phase": "Terminating"} | condition("Finalizers", "True", "x", "waits for finalizers")
)
LEAVING["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
DONE = {"observedGeneration": 3}


@pytest.mark.parametrize(
    ("live", "reason"),
    [
        (body("ConfigMap", {}), ""),
        (body("Namespace", {"phase": "Active"}), ""),
        (LEAVING, "it is being deleted: waits for finalizers"),
        (body("CustomResourceDefinition", {}), "not established yet"),
        (body("CustomResourceDefinition", condition("NamesAccepted", "False", "x", "taken")), "taken"),
        (body("Deployment", {"observedGeneration": 2}), "its controller has not seen it yet"),
        (
            body("Deployment", DONE | {"updatedReplicas": 3, "availableReplicas": 1}, replicas=3),
            "1 of 3 pods available",
        ),
        (body("Deployment", DONE | {"updatedReplicas": 3, "availableReplicas": 3}, replicas=3), ""),
        (body("Deployment", DONE, replicas=0), ""),
        (
            body("Deployment", DONE | condition("Progressing", "False", "ProgressDeadlineExceeded", "late")),
            "ProgressDeadlineExceeded: late",
        ),
        (
            body(
                "DaemonSet",
                DONE | {"desiredNumberScheduled": 4, "updatedNumberScheduled": 4, "numberReady": 3},
            ),
            "3 of 4 pods ready",
        ),
        (body("DaemonSet", DONE | {"desiredNumberScheduled": 0}), ""),
        (body("StatefulSet", DONE | {"readyReplicas": 1}, replicas=2), "1 of 2 pods ready"),
        (body("Job", {}), ""),
        (body("Job", condition("Failed", "True", "BackoffLimitExceeded", "no")), "BackoffLimitExceeded: no"),
        (
            body("ClusterQueue", condition("Active", "False", "FlavorNotFound", "no flavor h100")),
            "FlavorNotFound: no flavor h100",
        ),
        (body("ClusterQueue", condition("Active", "True")), ""),
    ],
)
def test_readiness_is_read_from_the_status(live: dict[str, Any], reason: str) -> None:
    assert unready(live) == reason


def pod(name: str, **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "status": status}


@pytest.mark.parametrize(
    ("pods", "reason"),
    [
        ([], ""),
        ([pod("a", **condition("Ready", "True"))], ""),
        ([pod("b"), pod("a", **condition("Ready", "True"))], "pod b: Pending, containers not ready"),
        (
            [pod("a", **condition("PodScheduled", "False", "Unschedulable", "0/4 nodes are available"))],
            "pod a: 0/4 nodes are available",
        ),
        (
            [
                pod(
                    "a",
                    containerStatuses=[
                        {"name": "x", "state": {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}}
                    ],
                )
            ],
            "pod a: container x ImagePullBackOff: no",
        ),
        (
            [pod("a", phase="Failed", reason="TopologyAffinityError", message="numa")],
            "pod a: TopologyAffinityError: numa",
        ),
    ],
)
def test_the_first_unready_pod_says_why(pods: list[dict[str, Any]], reason: str) -> None:
    assert pods_reason(pods) == reason


def test_a_workloads_pods_are_found_by_its_labels() -> None:
    live = body("DaemonSet", {}, selector={"matchLabels": {"b": "2", "a": "1"}})
    assert pods_selector(live) == "a=1,b=2"

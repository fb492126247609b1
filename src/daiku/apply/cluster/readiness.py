"""Whether an object does its work yet, and if not, why: from its own status, in its controllers' words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, cast

from daiku.apply.cluster.model import Object

_GOOD = ("Ready", "Available", "Active", "Established")
"""Conditions that controllers set to False while their object cannot be used."""


def unready(body: Object) -> str:
    """The reason why an object is not ready; "" if it is, or if its kind knows no such state."""
    if body["metadata"].get("deletionTimestamp"):
        held = [str(c.get("message")) for c in _conditions_of(body) if c.get("status") == "True"]
        return "it is being deleted" + (f": {held[0]}" if held else "")
    judge = _JUDGES.get(str(body["kind"]))
    return judge(body) if judge else _conditions(body)


def pods_selector(body: Object) -> str:
    """The label selector of a workload's pods, "" where it has none or one that is not only labels."""
    selector = _mapping(_mapping(body.get("spec")).get("selector"))
    labels = _mapping(selector.get("matchLabels"))
    if body["kind"] not in {"Deployment", "DaemonSet", "StatefulSet"} or selector.get("matchExpressions"):
        return ""
    return ",".join(f"{key}={value}" for key, value in sorted(labels.items()))


def pods_reason(pods: Iterable[Object]) -> str:
    """What keeps the first unready pod, by name: `pod NAME: REASON`; "" when none is unready."""
    for pod in sorted(pods, key=lambda one: str(one["metadata"]["name"])):
        status = _mapping(pod.get("status"))
        if status.get("phase") == "Succeeded" or _condition(status, "Ready").get("status") == "True":
            continue
        return f"pod {pod['metadata']['name']}: {_pod(status)}"
    return ""


def _pod(status: dict[str, Any]) -> str:
    scheduled = _condition(status, "PodScheduled")
    if scheduled.get("status") == "False":
        return str(scheduled.get("message") or "not scheduled")
    for field in ("initContainerStatuses", "containerStatuses"):
        for container in cast("list[Object]", status.get(field) or []):
            waiting = _mapping(_mapping(container.get("state")).get("waiting"))
            if waiting.get("reason") and waiting["reason"] not in {"PodInitializing", "ContainerCreating"}:
                said = f": {waiting['message']}" if waiting.get("message") else ""
                return f"container {container['name']} {waiting['reason']}{said}"
    if status.get("reason"):
        return f"{status['reason']}: {status.get('message') or ''}".rstrip(": ")
    return f"{status.get('phase') or 'Pending'}, containers not ready"


def _definition(body: Object) -> str:
    for name in ("NamesAccepted", "Established"):
        condition = _condition(_mapping(body.get("status")), name)
        if condition.get("status") != "True":
            return str(condition.get("message") or "not established yet")
    return ""


def _namespace(body: Object) -> str:
    return "" if _mapping(body.get("status")).get("phase") == "Active" else "not open yet"


def _deployment(body: Object) -> str:
    spec, status = _mapping(body.get("spec")), _mapping(body.get("status"))
    for name, bad in (("ReplicaFailure", "True"), ("Progressing", "False")):
        condition = _condition(status, name)
        if condition.get("status") == bad:
            return f"{condition.get('reason')}: {condition.get('message')}"
    wanted = int(spec.get("replicas", 1))
    counts = min(int(status.get("updatedReplicas") or 0), int(status.get("availableReplicas") or 0))
    return _seen(body) or _count(counts, wanted, "available")


def _daemon_set(body: Object) -> str:
    status = _mapping(body.get("status"))
    wanted = int(status.get("desiredNumberScheduled") or 0)
    counts = min(int(status.get("updatedNumberScheduled") or 0), int(status.get("numberReady") or 0))
    return _seen(body) or _count(counts, wanted, "ready")


def _stateful_set(body: Object) -> str:
    status = _mapping(body.get("status"))
    wanted = int(_mapping(body.get("spec")).get("replicas", 1))
    return _seen(body) or _count(int(status.get("readyReplicas") or 0), wanted, "ready")


def _job(body: Object) -> str:
    failed = _condition(_mapping(body.get("status")), "Failed")
    return f"{failed.get('reason')}: {failed.get('message')}" if failed.get("status") == "True" else ""


def _seen(body: Object) -> str:
    observed = int(_mapping(body.get("status")).get("observedGeneration") or 0)
    return (
        ""
        if observed >= int(body["metadata"].get("generation") or 0)
        else "its controller has not seen it yet"
    )


def _count(have: int, wanted: int, word: str) -> str:
    return "" if have >= wanted else f"{have} of {wanted} pods {word}"


def _conditions(body: Object) -> str:
    for condition in _conditions_of(body):
        if condition.get("type") in _GOOD and condition.get("status") == "False":
            return ": ".join(
                str(part) for part in (condition.get("reason"), condition.get("message")) if part
            )
    return ""


def _conditions_of(body: Object) -> list[dict[str, Any]]:
    found: object = _mapping(body.get("status")).get("conditions")
    return cast("list[dict[str, Any]]", found) if isinstance(found, list) else []


def _condition(status: dict[str, Any], name: str) -> dict[str, Any]:
    for condition in cast("list[dict[str, Any]]", status.get("conditions") or []):
        if condition.get("type") == name:
            return condition
    return {}


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


_JUDGES: Final[dict[str, Callable[[Object], str]]] = {
    "CustomResourceDefinition": _definition,
    "Namespace": _namespace,
    "Deployment": _deployment,
    "DaemonSet": _daemon_set,
    "StatefulSet": _stateful_set,
    "Job": _job,
}

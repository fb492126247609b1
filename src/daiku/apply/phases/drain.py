"""Draining a Node: no new pods, and those that are there go by eviction, which asks their disruption budgets."""

from __future__ import annotations

import time
from collections.abc import Callable

from daiku.apply.phases.work import node_seen
from daiku.errors import ApiError, DeadlineError, NotFoundError
from daiku.wire.kubernetes import KubernetesApi, Object

MIRROR = "kubernetes.io/config.mirror"
STALL_SECONDS = 300.0
"""How long pods may stay, beyond the time that they ask for to end, without one of them going."""
POLL_SECONDS = 1.0
TOO_MANY = 429
_NAMED = 5


def drain(
    api: KubernetesApi,
    name: str,
    say: Callable[[str], None],
    *,
    stall: float = STALL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> int:
    """Empty the Node; how many pods were evicted. Pods of DaemonSets and static pods stay: they go with the machine.

    When its kubelet falls silent meanwhile, nobody is waited for any more. A Node that is gone is drained. ApiError;
    DeadlineError names the pods that stay and why.
    """
    if not _cordoned(api, name):
        return 0
    evicted = set[str]()
    refused: dict[str, str] = {}
    left, end = -1, 0.0
    while pods := _evictable(api, name):
        if len(pods) != left:
            left, end = len(pods), clock() + stall + max(map(_grace, pods))
        for pod in pods:
            place = _place(pod)
            if place in evicted and place not in refused:
                continue
            refused.pop(place, None)
            if why := _evict(api, pod):
                refused[place] = why
            else:
                evicted.add(place)
        told = ", ".join(f"{place}{_why(refused, place)}" for place in sorted(map(_place, pods))[:_NAMED])
        say(f"{len(pods)} pods are still there: {told}")
        body = api.get("v1", "Node", name)
        if body is None or not node_seen(body).ready:
            break
        if clock() > end:
            raise DeadlineError(
                f"{len(pods)} pods do not go: {told}",
                where=f"Node {name}",
                hint="it takes no new pods; see `daiku kubectl -- get pdb -A`, end the pods or let them "
                "end, then run the same command again",
            )
        sleep(POLL_SECONDS)
    return len(evicted)


def _cordoned(api: KubernetesApi, name: str) -> bool:
    """Have it take no new pods; False when it is not there."""
    try:
        api.call(
            "PATCH",
            f"/api/v1/nodes/{name}",
            body={"spec": {"unschedulable": True}},
            headers={"Content-Type": "application/merge-patch+json"},
            where=f"Node {name}",
        )
    except NotFoundError:
        return False
    return True


def _evictable(api: KubernetesApi, node: str) -> list[Object]:
    listed = api.call("GET", "/api/v1/pods", query={"fieldSelector": f"spec.nodeName={node}"})
    return [pod for pod in listed.get("items") or [] if _goes(pod)]


def _goes(pod: Object) -> bool:
    metadata = pod["metadata"]
    owners = metadata.get("ownerReferences") or []
    stays = any(one.get("controller") and one["kind"] == "DaemonSet" for one in owners)
    ended = (pod.get("status") or {}).get("phase") in {"Succeeded", "Failed"}
    return not stays and not ended and MIRROR not in (metadata.get("annotations") or {})


def _evict(api: KubernetesApi, pod: Object) -> str:
    """Ask for it; why it is refused for now, "" when it is on its way."""
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp"):
        return ""
    name, namespace = metadata["name"], metadata["namespace"]
    body = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": namespace},
    }
    try:
        api.call(
            "POST",
            f"/api/v1/namespaces/{namespace}/pods/{name}/eviction",
            body=body,
            where=f"Pod {_place(pod)}",
        )
    except NotFoundError:
        return ""
    except ApiError as error:
        if error.status != TOO_MANY:
            raise
        return error.message
    return ""


def _grace(pod: Object) -> float:
    return float(pod["spec"].get("terminationGracePeriodSeconds") or 0)


def _place(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _why(refused: dict[str, str], place: str) -> str:
    return f" ({refused[place]})" if place in refused else ""

"""Pods as this kubelet reports them: mirrors of its static pods, and a pretence for all others. Pure."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from daiku.lab.hosts.guest.kubelet.manifest import StaticPod
from daiku.lab.hosts.guest.kubelet.processes import Process

MIRROR = "kubernetes.io/config.mirror"
_CONDITIONS = ("PodReadyToStartContainers", "Initialized", "PodScheduled", "ContainersReady", "Ready")


def mirror_pod(static: StaticPod, node: str, owner: Mapping[str, Any], seen: str) -> dict[str, Any]:
    """The API's image of a static pod. kubeadm finds etcd's members and waits for new manifests by these."""
    pod = copy.deepcopy(static.pod)
    pod.pop("status", None)
    metadata = pod["metadata"]
    metadata["name"] = f"{static.name}-{node}"
    metadata["namespace"] = static.namespace
    metadata["ownerReferences"] = [{**owner, "controller": True}]
    metadata.setdefault("annotations", {}).update(
        {
            MIRROR: static.digest,
            "kubernetes.io/config.hash": static.digest,
            "kubernetes.io/config.seen": seen,
            "kubernetes.io/config.source": "file",
        }
    )
    pod["spec"]["nodeName"] = node
    pod["spec"].setdefault("tolerations", []).append({"operator": "Exists", "effect": "NoExecute"})
    return pod


def container_status(
    container: Mapping[str, Any], process: Process | None, restarts: int, waiting: str, *, is_ready: bool
) -> dict[str, Any]:
    image = container.get("image", "")
    status: dict[str, Any] = {
        "name": container["name"],
        "image": image,
        "imageID": image,
        "ready": is_ready,
        "started": process is not None,
        "restartCount": restarts,
        "state": {"running": {"startedAt": process.since}} if process else {"waiting": {"reason": waiting}},
    }
    if process is not None:
        status["containerID"] = f"process://{process.pid}"
    return status


def mirror_status(address: str, since: str, containers: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    running = any("running" in status["state"] for status in containers)
    is_ready = all(status["ready"] for status in containers)
    return {
        "phase": "Running" if running else "Pending",
        "hostIP": address,
        "hostIPs": [{"ip": address}],
        "podIP": address,
        "podIPs": [{"ip": address}],
        "startTime": since,
        "containerStatuses": list(containers),
        "conditions": _conditions(since, is_ready=is_ready),
    }


def pretended_status(pod: Mapping[str, Any], address: str, since: str) -> dict[str, Any]:
    """A pod that is not run at all, reported as if it were: a service as ready, a job's pod as done.

    `address` is the node's; a pod without the host's network gets one that is derived from its UID.
    """
    once = pod["spec"].get("restartPolicy", "Always") != "Always"
    own = address if pod["spec"].get("hostNetwork") else _pod_address(pod["metadata"]["uid"])
    done = {"exitCode": 0, "reason": "Completed", "startedAt": since, "finishedAt": since}
    running = {"running": {"startedAt": since}}

    def statuses(containers: Sequence[Mapping[str, Any]], *, ended: bool) -> list[dict[str, Any]]:
        return [
            {
                "name": container["name"],
                "image": container.get("image", ""),
                "imageID": container.get("image", ""),
                "ready": not ended,
                "started": not ended,
                "restartCount": 0,
                "state": {"terminated": done} if ended else running,
            }
            for container in containers
        ]

    return {
        "phase": "Succeeded" if once else "Running",
        "hostIP": address,
        "hostIPs": [{"ip": address}],
        "podIP": own,
        "podIPs": [{"ip": own}],
        "startTime": since,
        "initContainerStatuses": statuses(pod["spec"].get("initContainers") or [], ended=True),
        "containerStatuses": statuses(pod["spec"]["containers"], ended=once),
        "conditions": _conditions(since, is_ready=not once),
    }


def is_ready(status: Mapping[str, Any]) -> bool:
    """Whether a pod's status says that it is ready."""
    return any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or ())


def needs_report(pod: Mapping[str, Any]) -> bool:
    """Whether a pod that is not run is to be reported anew: nobody did yet, or the controller manager called it not
    ready while its machine was silent, which only the kubelet takes back."""
    status = pod.get("status") or {}
    phase = status.get("phase", "Pending")
    return phase == "Pending" or (phase == "Running" and not is_ready(status))


def _conditions(since: str, *, is_ready: bool) -> list[dict[str, str]]:
    return [
        {
            "type": kind,
            "status": "True" if is_ready or not kind.endswith("Ready") else "False",
            "lastTransitionTime": since,
        }
        for kind in _CONDITIONS
    ]


def _pod_address(uid: str) -> str:
    number = int(hashlib.sha256(uid.encode()).hexdigest(), 16)
    return f"100.{64 + number % 64}.{number // 64 % 256}.{number // 16384 % 254 + 1}"

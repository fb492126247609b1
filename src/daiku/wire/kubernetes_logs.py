"""The logs of a namespace's pods. A pod that has none, or whose kubelet does not answer, is told and no failure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from daiku.errors import ApiError
from daiku.wire.kubernetes import KubernetesApi, Object

MOST_BYTES = 4 << 20
"""Of one pod's log, from its beginning."""
_THREADS = 16
_NO_ADDRESS = "no preferred addresses found"
"""The API server's words for a Node whose kubelet never told where it is, as those that a simulation plays."""
_ASKED = re.compile(r'Get "https://(?P<host>[^:/]*)(:\d+)?/[^"]*": (?P<why>.+)', re.DOTALL)
"""Its words when the kubelet does not answer: the whole address, then why."""


@dataclass(frozen=True, slots=True)
class PodLog:
    """What a pod printed so far. `why` says why there is nothing to read, else it is "". `node` is "" before the pod
    has a place; `phase` is Kubernetes' word: Pending, Running, Succeeded, Failed, Unknown."""

    pod: str
    labels: Mapping[str, str]
    node: str
    phase: str
    text: str
    why: str


def pod_logs(
    api: KubernetesApi, namespace: str, labels: str, *, most_bytes: int = MOST_BYTES
) -> tuple[PodLog, ...]:
    """The pods that the label selector finds, by name, and the first `most_bytes` of each one's only container.

    ApiError: the pods cannot be listed. What keeps one log away is that pod's `why`.
    """

    def read(pod: Object) -> PodLog:
        return _read(api, pod, most_bytes)

    pods = api.list("v1", "Pod", namespace=namespace, labels=labels)
    with ThreadPoolExecutor(_THREADS) as pool:
        return tuple(sorted(pool.map(read, pods), key=lambda one: one.pod))


def _read(api: KubernetesApi, pod: Object, most_bytes: int) -> PodLog:
    metadata, status = pod["metadata"], pod.get("status") or {}
    name, phase = str(metadata["name"]), str(status.get("phase") or "Unknown")
    node = str((pod.get("spec") or {}).get("nodeName") or "")
    text, why = "", "no machine has room for it yet"
    if node:
        try:
            text, why = api.log(str(metadata["namespace"]), name, most_bytes=most_bytes), ""
        except ApiError as error:
            why = _plain(error.message)
    return PodLog(name, dict(metadata.get("labels") or {}), node, phase, text, why)


def _plain(message: str) -> str:
    asked = _ASKED.fullmatch(message)
    if _NO_ADDRESS in message or (asked and not asked["host"]):
        return "its node tells no address at which its kubelet could be asked"
    return f"its kubelet does not answer: {asked['why']}" if asked else message

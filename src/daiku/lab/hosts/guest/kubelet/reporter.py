"""What the kubelet does with the API: bootstrap, the Node, and the pods that are bound to it."""

from __future__ import annotations

import http.client
import subprocess
import time
from collections.abc import Callable
from typing import Any

from daiku.lab.hosts.guest.kubelet.api import MERGE, Api, ApiError
from daiku.lab.hosts.guest.kubelet.bootstrap import bootstrap, keep_first_certificate
from daiku.lab.hosts.guest.kubelet.manifest import StaticPod
from daiku.lab.hosts.guest.kubelet.node import Node, micro_time
from daiku.lab.hosts.guest.kubelet.pods import (
    MIRROR,
    container_status,
    is_ready,
    mirror_pod,
    mirror_status,
    needs_report,
    pretended_status,
)
from daiku.lab.hosts.guest.kubelet.probes import ready
from daiku.lab.hosts.guest.kubelet.processes import now
from daiku.lab.hosts.guest.kubelet.settings import Settings
from daiku.lab.hosts.guest.kubelet.static import StaticPods

_NODE_SECONDS = 10.0
_BUSY_SECONDS = 30.0
"""How long after a change the pods are looked at every second; else every three."""
_KEPT_RESTARTING = (OSError, ValueError, http.client.HTTPException, subprocess.CalledProcessError, ApiError)


class Reporter:
    """Runs for ever in a thread of its own; whatever fails is logged once and tried again after a second."""

    def __init__(
        self, settings: Settings, static: StaticPods, version: str, log: Callable[[str], None]
    ) -> None:
        self._settings = settings
        self._static = static
        self._node = Node(settings, version)
        self._log = log
        self._owner: dict[str, Any] = {}
        self._node_due = 0.0
        self._busy_until = time.monotonic() + _BUSY_SECONDS
        self._sent: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        api = Api(self._settings.kubeconfig)
        told = ""
        while True:
            try:
                self._step(api)
            except _KEPT_RESTARTING as error:
                line = f"{type(error).__name__}: {error}"
                if line != told:
                    self._log(line)
                told = line
                time.sleep(1)
                continue
            told = ""
            time.sleep(1 if time.monotonic() < self._busy_until else 3)

    def _step(self, api: Api) -> None:
        if not self._settings.kubeconfig.exists():
            if (
                self._settings.bootstrap_kubeconfig is None
                or not self._settings.bootstrap_kubeconfig.exists()
            ):
                raise ValueError(f"neither {self._settings.kubeconfig} nor a bootstrap kubeconfig is there")
            bootstrap(self._settings)
            self._log(f"{self._settings.kubeconfig} written after TLS bootstrap")
        keep_first_certificate(self._settings, api.access())
        if time.monotonic() >= self._node_due:
            self._owner = self._node.report(api)
            self._node_due = time.monotonic() + _NODE_SECONDS
        self._sync_pods(api)

    def _sync_pods(self, api: Api) -> None:
        node = self._settings.node_name
        wanted = {(pod.namespace, f"{pod.name}-{node}"): pod for pod in self._static.pods.values()}
        mirrored: set[tuple[str, str]] = set()
        for pod in api.call("GET", f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}")["items"]:
            metadata = pod["metadata"]
            key = (metadata["namespace"], metadata["name"])
            digest = metadata.get("annotations", {}).get(MIRROR)
            static = wanted.get(key)
            if digest and static and static.digest == digest and not metadata.get("deletionTimestamp"):
                mirrored.add(key)
                if is_ready(self._sent.get(static.file, {})) and not is_ready(pod.get("status") or {}):
                    del self._sent[static.file]  # the controller manager took us for dead
            elif digest or metadata.get("deletionTimestamp"):
                self._delete(api, metadata)  # the kubelet has the last word on pods of its node
            elif needs_report(pod):
                self._patch(api, key, pretended_status(pod, self._settings.node_ip, now()))
                self._busy()
        for key, static in wanted.items():
            if key not in mirrored:
                body = mirror_pod(static, node, self._owner, micro_time())
                api.call("POST", f"/api/v1/namespaces/{key[0]}/pods", body)
                self._sent.pop(static.file, None)
                self._busy()
            self._report_mirror(api, key, static)

    def _report_mirror(self, api: Api, key: tuple[str, str], static: StaticPod) -> None:
        statuses: list[dict[str, Any]] = []
        for container in static.containers:
            process, restarts, waiting = self._static.state(static, container["name"])
            answers = process is not None and ready(container, self._settings.node_ip)
            statuses.append(container_status(container, process, restarts, waiting, is_ready=answers))
        known = self._sent.get(static.file, {})
        if known.get("containerStatuses") != statuses:
            status = mirror_status(self._settings.node_ip, now(), statuses)
            self._patch(api, key, status)
            self._sent[static.file] = status
            self._busy()

    def _patch(self, api: Api, key: tuple[str, str], status: dict[str, Any]) -> None:
        api.call("PATCH", f"/api/v1/namespaces/{key[0]}/pods/{key[1]}/status", {"status": status}, MERGE)

    def _delete(self, api: Api, metadata: dict[str, Any]) -> None:
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
        try:
            api.call("DELETE", f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}", options)
        except ApiError as error:
            if error.status not in {404, 409}:
                raise
        self._busy()

    def _busy(self) -> None:
        self._busy_until = time.monotonic() + _BUSY_SECONDS

"""The Node object and its Lease, as this host's kubelet reports them."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from daiku.lab.hosts.guest.kubelet.api import MERGE, Api
from daiku.lab.hosts.guest.kubelet.processes import now
from daiku.lab.hosts.guest.kubelet.settings import Settings

_LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "the lab's stand-in is posting ready status"),
)


class Node:
    """Registers the node once, then keeps its status and its Lease fresh."""

    def __init__(self, settings: Settings, version: str) -> None:
        self._settings = settings
        self._version = version
        self._since = now()
        self._path = f"/api/v1/nodes/{settings.node_name}"

    def report(self, api: Api) -> dict[str, Any]:
        """Bring Node and Lease up to date; an owner reference to the Node."""
        node = api.find(self._path)
        if node is None:
            node = api.call("POST", "/api/v1/nodes", registration(self._settings))
        status = node_status(self._settings, self._version, self._since)
        api.call("PATCH", f"{self._path}/status", {"status": status}, MERGE)
        owner = {
            "apiVersion": "v1",
            "kind": "Node",
            "name": self._settings.node_name,
            "uid": node["metadata"]["uid"],
        }
        self._renew(api, owner)
        return owner

    def _renew(self, api: Api, owner: Mapping[str, Any]) -> None:
        name = self._settings.node_name
        lease = api.find(f"{_LEASES}/{name}")
        spec = {
            "holderIdentity": name,
            "leaseDurationSeconds": self._settings.lease_seconds,
            "renewTime": micro_time(),
        }
        if lease is None:
            metadata = {"name": name, "namespace": "kube-node-lease", "ownerReferences": [owner]}
            body = {
                "apiVersion": "coordination.k8s.io/v1",
                "kind": "Lease",
                "metadata": metadata,
                "spec": spec,
            }
            api.call("POST", _LEASES, body)
        else:
            api.call("PUT", f"{_LEASES}/{name}", {**lease, "spec": spec})


def registration(settings: Settings) -> dict[str, Any]:
    """A new Node: what the kubelet decides once. Labels, taints and the provider ID are not changed later."""
    architecture = _architecture()
    labels = {
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": settings.node_name,
        "kubernetes.io/os": "linux",
        **settings.labels,
    }
    spec: dict[str, Any] = {"taints": list(settings.taints)}
    if settings.provider_id:
        spec["providerID"] = settings.provider_id
    annotations = {"volumes.kubernetes.io/controller-managed-attach-detach": "true"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": settings.node_name, "labels": labels, "annotations": annotations},
        "spec": spec,
    }


def node_status(settings: Settings, version: str, since: str) -> dict[str, Any]:
    """Capacity is this machine's, shared by all hosts of the lab; there are no devices."""
    capacity = {
        "cpu": str(os.cpu_count() or 1),
        "ephemeral-storage": "50Gi",
        "memory": _memory(),
        "pods": "110",
    }
    beat = now()
    conditions = [
        {
            "type": kind,
            "status": status,
            "reason": reason,
            "message": message,
            "lastHeartbeatTime": beat,
            "lastTransitionTime": since,
        }
        for kind, status, reason, message in _CONDITIONS
    ]
    return {
        "addresses": [
            {"type": "InternalIP", "address": settings.node_ip},
            {"type": "Hostname", "address": settings.node_name},
        ],
        "allocatable": capacity,
        "capacity": capacity,
        "conditions": conditions,
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": _architecture(),
            "bootID": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            "containerRuntimeVersion": "daiku-lab://1",
            "kernelVersion": platform.release(),
            "kubeProxyVersion": f"v{version}",
            "kubeletVersion": f"v{version}",
            "machineID": settings.node_name,
            "operatingSystem": "linux",
            "osImage": "daiku lab (processes, no containers)",
            "systemUUID": settings.node_name,
        },
    }


def _architecture() -> str:
    """This machine's architecture as Kubernetes names it."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def micro_time() -> str:
    """RFC 3339 with microseconds, as Leases have it."""
    seconds = time.time()
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{int(seconds % 1 * 1e6):06d}Z"


def _memory() -> str:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemTotal:"):
            return line.split()[1] + "Ki"
    return "0"

"""`lab-nodes COUNT`: nodes that KWOK plays, with GPUs and rails, beside the cluster's own. On a control plane.

KWOK keeps the leases of the nodes that carry its annotation and plays the pods that the real scheduler binds to them;
it never touches a node of a host.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from daiku.lab.hosts.guest import packages
from daiku.lab.hosts.guest.kubelet.api import Api, ApiError

ADMIN = Path("/etc/kubernetes/admin.conf")
ANNOTATION = "kwok.x-k8s.io/node"
LABEL = "daiku.io/lab-node"
_THREADS = 8


def lab_nodes(arguments: list[str]) -> int:
    """Make them, wait until all are Ready, and say so."""
    parser = argparse.ArgumentParser(prog="lab-nodes", description="Add nodes that KWOK plays.")
    parser.add_argument("count", type=int, help="how many there shall be; 0 removes all and stops KWOK")
    parser.add_argument("--prefix", default="kwok", help="names are PREFIX-00001 and so on")
    parser.add_argument("--resource", action="append", default=[], metavar="NAME=QUANTITY")
    parser.add_argument("--label", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--taint", action="append", default=[], metavar="NAME=VALUE:EFFECT")
    parser.add_argument("--wait", type=float, default=120.0, metavar="SECONDS")
    options = parser.parse_args(arguments)
    if not ADMIN.exists():
        sys.stderr.write(f"lab-nodes: {ADMIN} is not here: this is no control plane (yet)\n")
        return 1
    begun = time.monotonic()
    if options.count == 0:
        subprocess.run(["systemctl", "disable", "--now", "kwok"], check=False, capture_output=True)
        Api(ADMIN).call("DELETE", f"/api/v1/nodes?labelSelector={LABEL}%3Dtrue")
        return 0
    subprocess.run(["systemctl", "enable", "--now", "kwok"], check=True, capture_output=True)
    made = [
        fake_node(
            f"{options.prefix}-{number:05d}",
            _pairs(options.resource),
            _pairs(options.label),
            [_taint(text) for text in options.taint],
        )
        for number in range(1, options.count + 1)
    ]
    create(made)
    sys.stdout.write(f"{len(made)} nodes after {time.monotonic() - begun:.1f} s\n")
    if not wait_ready(len(made), options.wait):
        sys.stderr.write(f"lab-nodes: not all are Ready after {options.wait:.0f} s\n")
        return 1
    sys.stdout.write(f"all Ready after {time.monotonic() - begun:.1f} s\n")
    return 0


def fake_node(
    name: str, resources: dict[str, str], labels: dict[str, str], taints: list[dict[str, str]]
) -> dict[str, Any]:
    """A Node for KWOK to play; `resources` come on top of a GPU server's processors and memory."""
    capacity = {"cpu": "192", "memory": "2Ti", "pods": "110", "ephemeral-storage": "1Ti", **resources}
    labels = {
        "kubernetes.io/arch": "amd64",
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        LABEL: "true",
        **labels,
    }
    info = {
        "architecture": "amd64",
        "containerRuntimeVersion": "kwok://1",
        "kubeletVersion": f"v{packages.version('kubelet')}",
        "operatingSystem": "linux",
        "osImage": "KWOK",
    }
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": {ANNOTATION: "fake"}, "labels": labels},
        "spec": {"taints": taints, "providerID": f"lab://{name}"},
        "status": {"allocatable": capacity, "capacity": capacity, "nodeInfo": info},
    }


def create(nodes: list[dict[str, Any]]) -> None:
    """POST them over a few connections; one that is there already stays as it is."""
    own = threading.local()

    def post(node: dict[str, Any]) -> None:
        if not hasattr(own, "api"):
            own.api = Api(ADMIN)
        try:
            own.api.call("POST", "/api/v1/nodes", node)
        except ApiError as error:
            if error.status != 409:
                raise

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(post, nodes))


def wait_ready(count: int, patience: float) -> bool:
    """Whether that many of KWOK's nodes are Ready in time."""
    api, deadline = Api(ADMIN), time.monotonic() + patience
    while time.monotonic() < deadline:
        listed = api.call("GET", f"/api/v1/nodes?labelSelector={LABEL}%3Dtrue&resourceVersion=0")["items"]
        if sum(map(_is_ready, listed)) >= count:
            return True
        # A list of thousands is work for the API server, too.
        time.sleep(1 + count / 500)
    return False


def write_stages(path: Path) -> None:
    """KWOK's stages: a node becomes Ready; a pod runs, or is done if it is a job's; a deleted pod goes."""
    parallel = dict.fromkeys(
        ("nodePlayStageParallelism", "nodeLeaseParallelism", "podPlayStageParallelism"), 16
    )
    settings = {
        "apiVersion": "config.kwok.x-k8s.io/v1alpha1",
        "kind": "KwokConfiguration",
        "options": parallel,
    }
    path.write_text("---\n".join(json.dumps(part) + "\n" for part in (settings, *stages())))


def stages() -> list[dict[str, Any]]:
    """What KWOK does, as its own configuration objects."""
    no = {"operator": "DoesNotExist"}
    yes = {"operator": "Exists"}
    owner = ".metadata.ownerReferences.[].kind"
    job = {"key": owner, "operator": "In", "values": ["Job"]}
    return [
        _stage(
            "node-ready",
            "Node",
            [
                {
                    "key": '.status.conditions.[] | select( .type == "Ready" ) | .status',
                    "operator": "NotIn",
                    "values": ["True"],
                }
            ],
            {"statusTemplate": _NODE},
        ),
        _stage(
            "pod-ready",
            "Pod",
            [{"key": ".metadata.deletionTimestamp", **no}, {"key": ".status.podIP", **no}],
            {"statusTemplate": _POD},
        ),
        _stage(
            "pod-complete",
            "Pod",
            [
                {"key": ".metadata.deletionTimestamp", **no},
                {"key": ".status.phase", "operator": "In", "values": ["Running"]},
                job,
            ],
            {"statusTemplate": _DONE},
            delay=1000,
        ),
        _stage(
            "pod-delete",
            "Pod",
            [{"key": ".metadata.deletionTimestamp", **yes}],
            {"finalizers": {"empty": True}, "delete": True},
        ),
    ]


def _stage(
    name: str, kind: str, match: list[dict[str, Any]], then: dict[str, Any], *, delay: int = 0
) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "resourceRef": {"apiGroup": "v1", "kind": kind},
        "selector": {"matchExpressions": match},
        "next": then,
    }
    if delay:
        spec["delay"] = {"durationMilliseconds": delay}
    return {"apiVersion": "kwok.x-k8s.io/v1alpha1", "kind": "Stage", "metadata": {"name": name}, "spec": spec}


_NODE = """\
{{ $now := Now }}
conditions:
{{ range NodeConditions }}
- {type: {{ .type | Quote }}, status: {{ .status | Quote }}, reason: {{ .reason | Quote }}, \
message: {{ .message | Quote }}, lastHeartbeatTime: {{ $now | Quote }}, lastTransitionTime: {{ $now | Quote }}}
{{ end }}
addresses:
- {type: InternalIP, address: {{ NodeIP | Quote }}}
- {type: Hostname, address: {{ NodeName | Quote }}}
phase: Running
"""
_POD = """\
{{ $now := Now }}
phase: Running
startTime: {{ $now | Quote }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ PodIPWith .spec.nodeName ( or .spec.hostNetwork false ) ( or .metadata.uid "" ) \
( or .metadata.name "" ) ( or .metadata.namespace "" ) | Quote }}
conditions:
{{ range $kind := (list "Initialized" "PodScheduled" "ContainersReady" "Ready") }}
- {type: {{ $kind }}, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: true, restartCount: 0, \
started: true, state: {running: {startedAt: {{ $now | Quote }}}}}
{{ end }}
"""
_DONE = """\
{{ $now := Now }}
phase: Succeeded
containerStatuses:
{{ range .spec.containers }}
- {name: {{ .name | Quote }}, image: {{ .image | Quote }}, imageID: "", ready: false, restartCount: 0, \
started: false, state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }}, \
finishedAt: {{ $now | Quote }}}}}
{{ end }}
"""


def _pairs(texts: list[str]) -> dict[str, str]:
    return dict(text.split("=", 1) for text in texts)


def _taint(text: str) -> dict[str, str]:
    from daiku.lab.hosts.guest.kubelet.settings import parse_taint

    return parse_taint(text)


def _is_ready(node: dict[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions") or []
    return any(entry["type"] == "Ready" and entry["status"] == "True" for entry in conditions)

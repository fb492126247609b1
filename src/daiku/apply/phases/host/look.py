# ruff: noqa: PTH112, PTH113, PTH123, PTH208
"""What this machine is to Kubernetes now. Changes nothing, and reads no secret."""

from __future__ import annotations

import fcntl
import hashlib
import http.client
import os
import ssl
import subprocess
import urllib.error
import urllib.request

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

KUBERNETES = "/etc/kubernetes"
CA = f"{KUBERNETES}/pki/ca.crt"
MANIFESTS = f"{KUBERNETES}/manifests"
RUN = "/run/daiku/kubeadm"
LOCK = "/run/daiku/kubeadm.lock"
PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"}
API_SECONDS = 4.0


def look(address: str, port: int) -> dict[str, Any]:
    """The live facts; `address` and `port` are where this machine's own API server would answer."""
    is_control_plane = os.path.isfile(f"{MANIFESTS}/kube-apiserver.yaml")
    has_data = os.path.isdir("/var/lib/etcd/member")
    facts: dict[str, Any] = {
        "busy": busy(),
        "kubelet": said("systemctl", "is-active", "kubelet"),
        "joined": os.path.isfile(f"{KUBERNETES}/kubelet.conf"),
        "joining": os.path.isfile(f"{KUBERNETES}/bootstrap-kubelet.conf"),
        "manifests": sorted(name[:-5] for name in listed(MANIFESTS) if name.endswith(".yaml")),
        "etcd_data": has_data,
        "ca": certificates(CA),
        "vip_file": os.path.isfile("/etc/netplan/60-daiku-vips.yaml"),
        "api": ready(address, port) if is_control_plane else "",
        "etcd": {"members": [], "quorum": False, "failure": ""},
    }
    if has_data:
        from daiku.apply.phases.host.etcd import members

        facts["etcd"] = members()
    return facts


def ready(address: str, port: int) -> str:
    """`ok`, or why the API server of this machine is not ready."""
    try:
        context = ssl.create_default_context(cafile=CA)
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(f"https://{address}:{port}/readyz", timeout=API_SECONDS) as answer:
            return str(answer.read(200).decode("utf-8", "replace")).strip()
    except urllib.error.HTTPError as error:
        failed = [
            line for line in error.read(4000).decode("utf-8", "replace").splitlines() if line[:3] == "[-]"
        ]
        return f"status {error.code}: {'; '.join(failed)}"[:300]
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        return f"no answer: {getattr(reason, 'strerror', None) or reason}"[:300]


def busy() -> bool:
    """Whether a kubeadm of an earlier run, whose listener has gone, still works."""
    try:
        descriptor = os.open(LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def said(*command: str) -> str:
    """The first line of a command's output; "" when it says nothing or is not there."""
    try:
        done = subprocess.run(
            command, env=PATH, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    lines = done.stdout.decode("utf-8", "replace").strip().splitlines()
    return lines[0] if lines else ""


def listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def certificates(path: str) -> list[str]:
    """Digests of the certificates in a file, sorted: neither their order nor words between them matter."""
    found = set()
    for part in text(path).split("-----BEGIN CERTIFICATE-----")[1:]:
        body = "".join(part.partition("-----END CERTIFICATE-----")[0].split())
        found.add(hashlib.sha256(body.encode()).hexdigest())
    return sorted(found)


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""

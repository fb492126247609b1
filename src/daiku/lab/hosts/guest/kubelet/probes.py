"""Readiness probes over HTTP, the kind that kubeadm's static pods have."""

from __future__ import annotations

import functools
import http.client
import ssl
from typing import Any

_SECONDS = 3.0


def ready(container: dict[str, Any], address: str) -> bool:
    """Whether the container's readiness probe succeeds now; a container without one is ready."""
    probe = container.get("readinessProbe", {}).get("httpGet")
    if probe is None:
        return True
    host, port = probe.get("host") or address, probe_port(container, probe["port"])
    connection: http.client.HTTPConnection
    if probe.get("scheme", "HTTP").upper() == "HTTPS":
        connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=_unverified())
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
    try:
        connection.request("GET", probe.get("path") or "/", headers={"User-Agent": "kube-probe/1.36"})
        return 200 <= connection.getresponse().status < 400
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


@functools.cache
def _unverified() -> ssl.SSLContext:
    """Probes never verify."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def probe_port(container: dict[str, Any], port: int | str) -> int:
    """A port by number, or by its name among the container's ports."""
    if isinstance(port, int):
        return port
    named = {entry.get("name"): entry["containerPort"] for entry in container.get("ports") or []}
    return int(named.get(port, 0))

"""A small client of the Kubernetes API, made from a kubeconfig file that it reads again whenever it changes."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

_SECONDS = 10.0
MERGE = "application/strategic-merge-patch+json"


class ApiError(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Access:
    """What a kubeconfig's current context says. Certificates and keys are PEM, empty where there are none."""

    server: str
    authority: bytes
    token: str
    certificate: bytes
    key: bytes


def read_access(path: Path) -> Access:
    """Raises OSError, and ValueError for a file that is no kubeconfig."""
    config = yaml.safe_load(path.read_text())
    try:
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        return Access(
            server=cluster["server"],
            authority=_data(cluster, "certificate-authority"),
            token=user.get("token") or "",
            certificate=_data(user, "client-certificate"),
            key=_data(user, "client-key"),
        )
    except (KeyError, TypeError, StopIteration) as error:
        raise ValueError(f"{path} is not a kubeconfig: {error!r}") from error


class Api:
    """One connection, for one thread. Raises ApiError, OSError and http.client.HTTPException."""

    def __init__(self, kubeconfig: Path) -> None:
        self._path = kubeconfig
        self._stamp = 0
        self._access: Access | None = None
        self._connection: http.client.HTTPSConnection | None = None

    def access(self) -> Access:
        """What the file says now."""
        stamp = self._path.stat().st_mtime_ns
        if self._access is None or stamp != self._stamp:
            self._access, self._stamp = read_access(self._path), stamp
            self._drop()
        return self._access

    def call(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Any:
        access = self.access()
        headers = {"Accept": "application/json", "User-Agent": "daiku-lab-kubelet", "Content-Type": kind}
        if access.token:
            headers["Authorization"] = f"Bearer {access.token}"
        payload = None if body is None else json.dumps(body).encode()
        fresh = self._connection is None
        try:
            status, answer = self._send(access, method, path, payload, headers)
        except (http.client.HTTPException, ConnectionError):
            if fresh:
                raise
            # A connection kept open was closed by the other side meanwhile: once more on a new one.
            status, answer = self._send(access, method, path, payload, headers)
        content = json.loads(answer or b"{}")
        if status >= 300:
            raise ApiError(status, content.get("message", ""))
        return content

    def find(self, path: str) -> Any | None:
        """GET; None when there is no such object."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def _send(
        self, access: Access, method: str, path: str, payload: bytes | None, headers: dict[str, str]
    ) -> tuple[int, bytes]:
        if self._connection is None:
            parts = urlsplit(access.server)
            self._connection = http.client.HTTPSConnection(
                parts.hostname or "", parts.port or 443, timeout=_SECONDS, context=_tls(access)
            )
        try:
            self._connection.request(method, path, payload, headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._drop()
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _tls(access: Access) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=access.authority.decode())
    if access.certificate:
        with tempfile.NamedTemporaryFile(
            dir="/run"
        ) as pair:  # OpenSSL takes files only; /run is memory, mode 0600
            pair.write(access.certificate + b"\n" + access.key)
            pair.flush()
            context.load_cert_chain(pair.name)
    return context


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _data(holder: dict[str, Any], key: str) -> bytes:
    """Inline data, else the content of the file that is named."""
    if holder.get(f"{key}-data"):
        return base64.b64decode(holder[f"{key}-data"])
    return Path(holder[key]).read_bytes() if holder.get(key) else b""

"""A small OCI registry on loopback, as the distribution specification 1.1 has it: pull of manifests and blobs.

What it can be told to do: ask for a bearer token, leave out the digest's header, send pulls elsewhere, refuse.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CHART = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
CHART_CONFIG = "application/vnd.cncf.helm.config.v1+json"
# The grammars of the specification.
NAME = re.compile(r"[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*")
TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MANIFEST_PATH = re.compile(r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)")
_BLOB_PATH = re.compile(r"/v2/(?P<name>.+)/blobs/(?P<digest>[^/]+)")


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


Manifests = dict[tuple[str, str], tuple[str, bytes]]
"""Media type and bytes by repository and tag or digest."""


@dataclass
class OciRegistry:
    """`answers` holds what is not as usual: {"status": 429, "headers": {...}} for every pull."""

    port: int = 0
    token: str = ""
    with_digest_header: bool = True
    redirect_to: str = ""
    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    manifests: dict[tuple[str, str], tuple[str, bytes]] = field(
        default_factory=dict[tuple[str, str], tuple[str, bytes]]
    )
    blobs: dict[str, bytes] = field(default_factory=dict[str, bytes])
    calls: list[tuple[str, str, str]] = field(default_factory=list[tuple[str, str, str]])

    @property
    def at(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put(self, name: str, tag: str, media: str, content: bytes) -> str:
        """Store a manifest under a tag and its digest, which is given back."""
        assert NAME.fullmatch(name), name
        assert TAG.fullmatch(tag), tag
        digest = digest_of(content)
        self.manifests[name, tag] = self.manifests[name, digest] = (media, content)
        return digest

    def image(self, name: str, tag: str) -> str:
        """An image for two platforms: an index. Its digest."""
        entries = [
            {"mediaType": MANIFEST, "digest": digest_of(f"{name}{tag}{a}".encode()), "size": 1} for a in "ab"
        ]
        return self.put(
            name, tag, INDEX, _json({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
        )

    def chart(self, name: str, tag: str, archive: bytes) -> str:
        """A chart as helm pushes it. Its manifest's digest."""
        config = _json({"name": name.rpartition("/")[2], "version": tag})
        for blob in (config, archive):
            self.blobs[digest_of(blob)] = blob
        layer = {"mediaType": CHART, "digest": digest_of(archive), "size": len(archive)}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": {"mediaType": CHART_CONFIG, "digest": digest_of(config), "size": len(config)},
            "layers": [layer],
        }
        return self.put(name, tag, MANIFEST, _json(manifest))


class _Handler(BaseHTTPRequestHandler):
    registry: OciRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        url = urlsplit(self.path)
        self.registry.calls.append((self.command, self.path, self.headers.get("Authorization", "")))
        if url.path == "/token":
            scope = parse_qs(url.query).get("scope", [""])[0]
            self._answer(200, _json({"token": f"{self.registry.token} for {scope}"}), {})
            return
        if self.registry.token and not self.headers.get("Authorization", "").startswith(
            f"Bearer {self.registry.token} for"
        ):
            realm = f'Bearer realm="http://{self.registry.at}/token",service="lab",scope="{_scope(url.path)}"'
            self._answer(401, _error("UNAUTHORIZED", "authentication required"), {"WWW-Authenticate": realm})
            return
        if self.registry.answers:
            self._answer(self.registry.answers["status"], b"{}", self.registry.answers.get("headers", {}))
            return
        if self.registry.redirect_to:
            self._answer(307, b"", {"Location": f"http://{self.registry.redirect_to}{self.path}"})
            return
        self._pull(url.path)

    def _pull(self, path: str) -> None:
        manifest, blob = _MANIFEST_PATH.fullmatch(path), _BLOB_PATH.fullmatch(path)
        if path == "/v2/":
            self._answer(200, b"{}", {})
        elif manifest and (manifest["name"], manifest["reference"]) in self.registry.manifests:
            media, content = self.registry.manifests[manifest["name"], manifest["reference"]]
            headers = {"Content-Type": media}
            if self.registry.with_digest_header:
                headers["Docker-Content-Digest"] = digest_of(content)
            accepted = [kind.strip() for kind in self.headers.get("Accept", "").split(",")]
            if media in accepted or "*/*" in accepted:
                self._answer(200, content, headers)
            else:
                self._answer(404, _error("MANIFEST_UNKNOWN", f"not as {media}"), {})
        elif manifest:
            self._answer(404, _error("MANIFEST_UNKNOWN", "manifest unknown"), {})
        elif blob and blob["digest"] in self.registry.blobs:
            headers = {
                "Content-Type": "application/octet-stream",
                "Docker-Content-Digest": blob["digest"],
            }
            self._answer(200, self.registry.blobs[blob["digest"]], headers)
        else:
            self._answer(404, _error("BLOB_UNKNOWN", "blob unknown"), {})

    def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for key, value in ({"Content-Type": "application/json"} | headers).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)


@contextmanager
def serving(registry: OciRegistry) -> Generator[OciRegistry]:
    """The registry on a free port of loopback while the block lasts."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"registry": registry}))
    server.daemon_threads = True
    registry.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def _scope(path: str) -> str:
    found = _MANIFEST_PATH.fullmatch(path) or _BLOB_PATH.fullmatch(path)
    return f"repository:{found['name']}:pull" if found else "registry:catalog:*"


def _json(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _error(code: str, message: str) -> bytes:
    return _json({"errors": [{"code": code, "message": message, "detail": {}}]})

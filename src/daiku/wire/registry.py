"""An OCI registry, read only: digests of images and charts (OCI distribution specification 1.1).

Anonymous, with the bearer token that a registry gives to everybody who asks. A digest is that of the manifest's bytes,
which are read each time; a registry that says another is not believed.
"""

from __future__ import annotations

import hashlib
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from daiku.errors import ApiError, CredentialsError, NotFoundError, RateLimitError, UnreachableError
from daiku.wire.api_errors import retry_after
from daiku.wire.credentials import is_loopback

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
TIMEOUT_SECONDS = 30.0
_ACCEPT = ", ".join((INDEX, MANIFEST, DOCKER_LIST, DOCKER_MANIFEST))
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'([a-z]+)="([^"]*)"')
_MAX_MANIFEST = 4 * 1024 * 1024
"""The specification lets registries refuse larger manifests."""
_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class ChartDigests:
    """`manifest` names the chart in the registry; `archive` is the SHA-256 of the file that helm installs."""

    manifest: str
    archive: str


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response whose body was read whole."""

    status: int
    headers: httpx2.Headers
    content: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> object:
        """The body; None where it is no JSON."""
        try:
            return json.loads(self.content)
        except ValueError:
            return None


class Registry:
    """One registry. `at` is its host, with a port and a path in front of all repositories if need be:
    `mirror.example:5000/team`. On this machine itself it is spoken to without TLS, elsewhere never."""

    def __init__(self, at: str) -> None:
        host, _, path = at.strip("/").partition("/")
        scheme = "http" if is_loopback(f"http://{host}") else "https"
        self._root = f"{scheme}://{host}"
        self._host = host
        self._prefix = f"{path}/" if path else ""
        plain = scheme == "http"
        self._client = httpx2.Client(
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True,
            headers={"User-Agent": "daiku"},
            timeout=TIMEOUT_SECONDS,
            follow_redirects=True,
            trust_env=not plain,
        )
        self._tokens: dict[str, str] = {}

    def close(self) -> None:
        self._client.close()

    def digest(self, repository: str, tag: str) -> str:
        """The digest of what a tag names now: an index for images of several platforms. NotFoundError and the other
        API errors of `daiku.errors`."""
        return self._manifest(repository, tag)[0]

    def chart(self, repository: str, version: str) -> ChartDigests:
        """The digests of a chart that was pushed by helm. NotFoundError, ApiError: what is there is no chart."""
        # A plus, which versions may have, is an underscore in a tag: so helm pushes them.
        tag = version.replace("+", "_")
        name = self._name(repository, tag)
        manifest, answer = self._manifest(repository, tag)
        layers = [layer for layer in _layers(answer, name) if layer.get("mediaType") == CHART_LAYER]
        archive = str(layers[0].get("digest", "")) if len(layers) == 1 else ""
        if not _DIGEST.fullmatch(archive):
            raise ApiError("this is no chart", where=name, hint="push it with `helm push ARCHIVE oci://...`")
        return ChartDigests(manifest, archive)

    def _manifest(self, repository: str, tag: str) -> tuple[str, _Answer]:
        """What a tag names now, with the digest of its bytes."""
        path = f"{self._prefix}{repository}"
        url, name = f"{self._root}/v2/{path}/manifests/{tag}", self._name(repository, tag)
        answer = self._call(url, name, self._tokens.get(path, ""))
        if answer.status == 401:
            self._tokens[path] = self._token(answer, path, name)
            answer = self._call(url, name, self._tokens[path])
        if not answer.good:
            raise _refusal(answer, name)
        digest = f"sha256:{hashlib.sha256(answer.content).hexdigest()}"
        said = answer.headers.get("Docker-Content-Digest", digest)  # the specification only says SHOULD
        if said != digest:
            raise ApiError(f"the registry says {said[:80]}, its answer is {digest}", where=name)
        return digest, answer

    def _call(self, url: str, name: str, token: str) -> _Answer:
        headers = {"Accept": _ACCEPT} | ({"Authorization": f"Bearer {token}"} if token else {})
        try:
            with self._client.stream("GET", url, headers=headers) as response:
                content = bytearray()
                for chunk in response.iter_bytes(_CHUNK):
                    content += chunk
                    if len(content) > _MAX_MANIFEST:
                        raise ApiError("the answer is larger than a manifest may be", where=name)
                return _Answer(response.status_code, response.headers, bytes(content))
        except httpx2.HTTPError as error:
            raise UnreachableError(
                f"the registry {self._host} does not answer: {error or type(error).__name__}",
                where=name,
                hint="`daiku release lock` needs the network; where there is none, carry the lock file there",
            ) from error

    def _token(self, refused: _Answer, path: str, name: str) -> str:
        challenge = refused.headers.get("WWW-Authenticate", "")
        kind, _, rest = challenge.partition(" ")
        given = dict(_PARAMETER.findall(rest))
        realm = given.get("realm", "")
        safe = realm.startswith("https://") or is_loopback(realm)
        if kind.lower() != "bearer" or not safe:
            raise CredentialsError(
                f"the registry {self._host} lets nobody read without a login",
                where=name,
                hint="name a registry that the cluster's machines can read too",
                status=401,
            )
        query = {"scope": given.get("scope") or f"repository:{path}:pull"}
        if "service" in given:
            query["service"] = given["service"]
        answer = self._call(str(httpx2.URL(realm, params=query)), name, "")
        body = answer.json()
        found = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
        token = found.get("token") or found.get("access_token") or ""
        if not answer.good or not token:
            raise CredentialsError(
                "the registry gives no token to read with", where=name, status=answer.status
            )
        return str(token)

    def _name(self, repository: str, tag: str) -> str:
        return f"{self._host}/{self._prefix}{repository}:{tag}"


def _layers(answer: _Answer, name: str) -> list[Mapping[str, Any]]:
    manifest = answer.json()
    layers = cast("dict[str, Any]", manifest).get("layers") if isinstance(manifest, dict) else None
    if not isinstance(layers, list):
        raise ApiError("the answer is no manifest", where=name)
    return [
        cast("dict[str, Any]", layer) for layer in cast("list[object]", layers) if isinstance(layer, dict)
    ]


def _refusal(answer: _Answer, name: str) -> ApiError:
    status = answer.status
    if status == 404:
        return NotFoundError(
            "the registry does not have it", where=name, status=404, hint="is the version right?"
        )
    if status == 429:
        after = retry_after(answer.headers)
        hint = f"come back in {after:.0f} s" if after else "come back later, or name a mirror in `registries`"
        return RateLimitError("the registry wants fewer requests", where=name, retry_after=after, hint=hint)
    if status in {401, 403}:
        hint = "name a registry that the cluster's machines can read too"
        return CredentialsError("the registry does not let us read it", where=name, status=status, hint=hint)
    return ApiError(f"the registry answers with HTTP status {status}", where=name, status=status)

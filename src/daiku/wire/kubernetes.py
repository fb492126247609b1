"""The Kubernetes API: server-side apply, reading, deleting, and what the server serves.

Objects are plain JSON mappings. Every change that this client makes may be repeated without harm, so a lost connection
or a busy server is ridden out for `patience` seconds.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any, cast
from urllib.parse import urlencode

import httpx2

from daiku.errors import ApiError, NotFoundError, UnreachableError
from daiku.wire.kubernetes_credentials import Credentials
from daiku.wire.kubernetes_errors import error_of, unknown_kind
from daiku.wire.kubernetes_kinds import DISCOVERY, Object, Served, label, served
from daiku.wire.retry import roll

FIELD_MANAGER = "daiku"
TIMEOUT_SECONDS = 60.0
LOG_SECONDS = 20.0
"""For a pod's log, which the API server fetches from a kubelet that may be gone."""
CONNECT_SECONDS = 5.0
PATIENCE_SECONDS = 20.0
"""How long an API server may be away, as while a load balancer takes a dead control plane out."""
_PAUSE_FIRST, _PAUSE_MOST = 0.1, 2.0
_PAGE = 500

__all__ = ["FIELD_MANAGER", "Credentials", "KubernetesApi", "Object", "Served", "connect", "label"]


@contextmanager
def connect(credentials: Credentials, *, patience: float = PATIENCE_SECONDS) -> Generator[KubernetesApi]:
    """A client of one cluster while the block lasts. Nothing is sent before the first call.

    `patience`: seconds for which an absent or busy server is tried again. CredentialsError: unusable PEM.
    """
    api = KubernetesApi(credentials, patience=patience)
    try:
        yield api
    finally:
        api.close()


class KubernetesApi:
    """Calls one API server as one identity. Safe to share between threads. `calls` and `writes` count requests that
    the server answered; a dry run is no write."""

    def __init__(
        self,
        credentials: Credentials,
        *,
        patience: float = PATIENCE_SECONDS,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.credentials = credentials
        self.calls = 0
        self.writes = 0
        self.ahead = 0.0
        """Seconds by which the server's clock is ahead of ours, by its last answer; 0 before the first."""
        self._patience = patience
        self._sleep = sleep
        self._clock = clock
        self._kinds: dict[tuple[str, str], Served] | None = None
        # The name in the certificate is what TLS asks for; the address may be a tunnel's end.
        name = credentials.tls_server_name
        self._extensions = {"sni_hostname": name} if name else {}
        self._client = httpx2.Client(
            base_url=credentials.server,
            verify=credentials.tls(),
            timeout=httpx2.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
            headers={"User-Agent": FIELD_MANAGER, "Accept": "application/json"},
            trust_env=False,
        )

    def close(self) -> None:
        self._client.close()

    def forget_kinds(self) -> None:
        """What is served has changed: it is read again when it is next needed."""
        self._kinds = None

    def kind(self, api_version: str, kind: str) -> Served | None:
        """How a kind is served, None if it is not. Two calls the first time, none after."""
        if self._kinds is None:
            accept = {"Accept": DISCOVERY}
            self._kinds = served(self.call("GET", path, headers=accept) for path in ("/api", "/apis"))
        return self._kinds.get((api_version, kind))

    def apply(self, body: Object, *, dry_run: bool = False, force: bool = True) -> Object:
        """Server-side apply as the field manager `daiku` with strict field validation; the object as it then is.

        `force` takes fields over from other managers; without it a ConflictError names them. Raises the ApiErrors
        of `daiku.errors`, NotFoundError with code UnknownKind where the kind is not served.
        """
        query = {
            "fieldManager": FIELD_MANAGER,
            "fieldValidation": "Strict",
            "force": str(force).lower(),
            **({"dryRun": "All"} if dry_run else {}),
        }
        metadata: Mapping[str, Any] = body["metadata"]
        path = self._need(body).path(metadata.get("namespace", "default"), metadata["name"])
        return self.call(
            "PATCH",
            path,
            query=query,
            body=body,
            headers={"Content-Type": "application/apply-patch+yaml"},
            where=label(body),
        )

    def get(self, api_version: str, kind: str, name: str, namespace: str = "") -> Object | None:
        """The live object, None where there is none or its kind is not served."""
        how = self.kind(api_version, kind)
        if how is None:
            return None
        try:
            return self.call("GET", how.path(namespace, name))
        except NotFoundError:
            return None

    def list(self, api_version: str, kind: str, *, namespace: str = "", labels: str = "") -> list[Object]:
        """The live objects of a kind, of all namespaces where none is given; [] where the kind is not served.

        `labels` is a label selector. The items carry apiVersion and kind, which the API leaves out.
        """
        how = self.kind(api_version, kind)
        if how is None:
            return []
        found: list[Object] = []
        query = {"limit": str(_PAGE), **({"labelSelector": labels} if labels else {})}
        while True:
            answer = self.call("GET", how.path(namespace), query=query)
            found += ({"apiVersion": api_version, "kind": kind} | item for item in answer.get("items") or [])
            following = str(answer.get("metadata", {}).get("continue") or "")
            if not following:
                return found
            query["continue"] = following

    def delete(self, body: Object, *, dry_run: bool = False) -> None:
        """Ask for the deletion of a live object, this very one by its UID; what is gone already is well.

        Dependents go in the background; finalizers may hold the object back for a while.
        """
        options: Object = {"propagationPolicy": "Background"}
        metadata: Mapping[str, Any] = body["metadata"]
        if uid := metadata.get("uid"):
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        path = self._need(body).path(metadata.get("namespace", ""), metadata["name"])
        try:
            self.call("DELETE", path, body=options, where=label(body))
        except NotFoundError:
            return

    def log(self, namespace: str, pod: str, *, most_bytes: int) -> str:
        """The first bytes that the only container of a pod printed. Asked once: what is not there is told at once.

        ApiError: nothing was printed because it has not begun, or its kubelet does not answer the API server.
        """
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/log?{urlencode({'limitBytes': most_bytes})}"
        place = f"{self.credentials.server} Pod {namespace}/{pod}"
        answer = self._try("GET", path, None, {"Accept": "*/*"}, place, seconds=LOG_SECONDS)
        if isinstance(answer, ApiError):
            raise answer
        return answer.content[:most_bytes].decode(errors="replace")

    def all_kinds(self) -> tuple[Served, ...]:
        """Everything that is served, by apiVersion and kind in order."""
        self.kind("v1", "Namespace")
        return tuple(how for _, how in sorted((self._kinds or {}).items()))

    def ready(self) -> bool:
        """Whether the server says that it is ready. Asked once; False when it cannot be reached.

        CredentialsError: it is there, and does not know us.
        """
        try:
            answer = self._send("GET", "/readyz", None, {})
        except httpx2.TransportError:
            return False
        if answer.status_code == 401:
            raise error_of(401, answer.headers, answer.content, where=f"{self.credentials.server} /readyz")
        return answer.is_success

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Object | None = None,
        headers: Mapping[str, str] | None = None,
        where: str = "",
    ) -> Object:
        """The JSON answer to one request. `where` names the object in errors, else the path does.

        A lost connection and the answers 429, 500 (of a changing etcd leader), 503 and 504 are tried again; a POST
        only where it surely never left. Raises the ApiErrors of `daiku.errors`.
        """
        target = f"{path}?{urlencode(query)}" if query else path
        place = f"{self.credentials.server} {where or f'{method} {path}'}"
        began, pause = self._clock(), _PAUSE_FIRST
        while True:
            answer = self._try(method, target, body, headers or {}, place)
            if not isinstance(answer, ApiError):
                return cast("Object", answer.json())
            wait = max(pause, float(getattr(answer, "retry_after", 0.0)))
            if not _passing(method, answer) or self._clock() - began + wait > self._patience:
                raise answer
            self._sleep(wait * (0.5 + roll() / 2))
            pause = min(pause * 2, _PAUSE_MOST)

    def _try(
        self,
        method: str,
        target: str,
        body: Object | None,
        headers: Mapping[str, str],
        place: str,
        *,
        seconds: float = TIMEOUT_SECONDS,
    ) -> httpx2.Response | ApiError:
        """One request: the answer, or what went wrong. `seconds` without a byte are too many."""
        content = None if body is None else json.dumps(body).encode()
        try:
            response = self._send(
                method, target, content, {"Content-Type": "application/json", **headers}, seconds
            )
        except httpx2.TransportError as lost:
            error = self._unreachable(lost, place)
            error.__cause__ = lost
            return error
        self.calls += 1
        if response.is_success:
            rehearsal = "dryRun=" in target or "dryRun" in (body or {})
            self.writes += method != "GET" and not rehearsal
            return response
        return error_of(
            response.status_code, response.headers, response.content, where=place, secrets=_secrets(body)
        )

    def _send(
        self,
        method: str,
        target: str,
        content: bytes | None,
        headers: Mapping[str, str],
        seconds: float = TIMEOUT_SECONDS,
    ) -> httpx2.Response:
        answer = self._client.request(
            method,
            target,
            content=content,
            headers=dict(headers),
            extensions=self._extensions,
            timeout=httpx2.Timeout(seconds, connect=CONNECT_SECONDS),
        )
        with contextlib.suppress(ValueError):  # none, or not a date
            self.ahead = parsedate_to_datetime(answer.headers.get("Date", "")).timestamp() - time.time()
        return answer

    def _need(self, body: Object) -> Served:
        api_version, kind = str(body["apiVersion"]), str(body["kind"])
        how = self.kind(api_version, kind)
        if how is None:
            raise unknown_kind(api_version, kind, where=f"{self.credentials.server} {label(body)}")
        return how

    def _unreachable(self, error: httpx2.TransportError, where: str) -> UnreachableError:
        why = (
            "no answer in time"
            if isinstance(error, httpx2.TimeoutException)
            else str(error) or "connection lost"
        )
        hint = "is a control plane up, and does the load balancer (or the tunnel) lead to it?"
        if "CERTIFICATE_VERIFY_FAILED" in why:
            hint = "the server shows a certificate for another name or of another CA: is it another cluster?"
        return UnreachableError(f"cannot reach the Kubernetes API: {why}", where=where, hint=hint)


def _passing(method: str, error: ApiError) -> bool:
    """Whether to try again: the trouble is the server's and may pass by itself, and repeating does no harm."""
    if isinstance(error, UnreachableError):
        never_left = isinstance(error.__cause__, httpx2.ConnectError | httpx2.ConnectTimeout)
        wrong_peer = "certificate" in error.message.lower()
        return not wrong_peer and (never_left or method != "POST")
    if error.status in {429, 503, 504}:
        return True
    # Not every 500: the program behind a webhook that does not answer is not waited for.
    return error.status == 500 and "etcdserver" in error.message


def _secrets(body: Object | None) -> set[str]:
    """The values of a Secret, plain and encoded, which no message may repeat."""
    if body is None or body.get("kind") != "Secret":
        return set()
    plain = [str(value) for value in cast("Object", body.get("stringData") or {}).values()]
    encoded = [str(value) for value in cast("Object", body.get("data") or {}).values()]
    found = {*plain, *encoded, *(base64.b64encode(value.encode()).decode() for value in plain)}
    for value in encoded:
        try:
            found.add(base64.b64decode(value).decode())
        except ValueError:
            continue
    return {value for value in found if value}

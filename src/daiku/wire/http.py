"""One HTTP transport for both Sakura APIs: authentication, headers, JSON, errors, retries.

What is retried by itself: 423 (locked) and 503 (busy), which the API promises to have refused as a whole, and
lost connections where nothing can have been done. Everything else is an error of the tree in `daiku.errors`,
unless the caller's `Patience` rides it out. No message carries a secret: neither the API key, nor what a
request body holds under a secret name, even if the API repeats it.
"""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, cast

import httpx2

from daiku.errors import ApiError, UnreachableError
from daiku.wire.api_errors import error_of
from daiku.wire.credentials import SakuraCredentials, is_loopback
from daiku.wire.retry import Clock, Sleep, Tempo, Throttle, roll

Json = dict[str, Any]
OnCall = Callable[[str, str, int, float], None]
"""Called after each exchange: method, path without the query, HTTP status (0: no answer), seconds."""

BUSY_STATUSES = frozenset({423, 503})
BUSY_TRIES = 10
CONNECTION_TRIES = 3
TIMEOUT_SECONDS = 60.0
CONNECT_SECONDS = 10.0

# The official clients send these; the API refuses changes without the second (PHY) and answers IDs as numbers
# with the third.
HEADERS = {
    "Accept": "application/json",
    "Accept-Language": "en-US",
    "X-Requested-With": "XMLHttpRequest",
    "X-Sakura-Bigint-As-Int": "1",
    "User-Agent": "daiku",
}

_SECRET_KEYS = frozenset({"password", "presharedsecret", "secretkey", "userdata", "secret"})


@dataclass(frozen=True, slots=True)
class Patience:
    """What a call rides out instead of failing, each for so many seconds (0: not at all).

    still_creating  409 with that code: the thing is being made
    absent          404: the thing was just created and is not visible yet
    rate_limited    429: waits as long as the API says, if that is no longer than this

    `busy` False: 423 and 503 are the caller's to try again.
    """

    still_creating: float = 0.0
    absent: float = 0.0
    rate_limited: float = 0.0
    busy: bool = True


NO_PATIENCE = Patience()
NO_GATE: AbstractContextManager[object] = nullcontext()


class Http:
    """Calls one API root with one API key. Safe to share between threads; connections are kept open."""

    def __init__(
        self,
        credentials: SakuraCredentials,
        root_url: str,
        *,
        tempo: Tempo | None = None,
        throttle: Throttle | None = None,
        on_call: OnCall | None = None,
        sleep: Sleep = time.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self._credentials = credentials
        self.root_url = root_url.rstrip("/")
        self._tempo = tempo or Tempo()
        self._throttle = throttle
        self._on_call = on_call
        self._sleep = sleep
        self._clock = clock
        self._client: httpx2.Client | None = None
        self._lock = threading.Lock()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: Mapping[str, Any] | None = None,
        patience: Patience = NO_PATIENCE,
        gate: AbstractContextManager[object] = NO_GATE,
    ) -> Json:
        """The JSON object that the API answers, {} for none.

        `path` starts with "/"; `query` is already encoded. `gate` is held during each exchange, not between two.
        Raises the API errors of `daiku.errors`.
        """
        content = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        secrets = {self._credentials.secret, *_secrets_of(body)}
        began = self._clock()
        busy = 0
        while True:
            with gate:
                response = self._exchange(method, path, query, content)
            if response.is_success:
                return _answer(response, f"{method} {self.root_url}{path}")
            error = error_of(response.status_code, response.headers, response.content, secrets)
            error.where = f"{method} {self.root_url}{path}"
            if patience.busy and error.status in BUSY_STATUSES and busy + 1 < BUSY_TRIES:
                pause: float | None = self._tempo.backoff(busy, roll())
                busy += 1
            else:
                pause = self._pause(error, patience, self._clock() - began)
            if pause is None:
                raise error
            self._sleep(pause)

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _pause(self, error: ApiError, patience: Patience, waited: float) -> float | None:
        """Seconds to wait before `error` is worth another try, or None where it is to be raised."""
        if error.status == 409 and error.code == "still_creating":
            return self._tempo.still_creating if waited < patience.still_creating else None
        if error.status == 404:
            return self._tempo.appear if waited < patience.absent else None
        if error.status == 429:
            after = float(getattr(error, "retry_after", 0.0)) or self._tempo.poll
            return after if waited + after <= patience.rate_limited else None
        return None

    def _exchange(self, method: str, path: str, query: str, content: bytes | None) -> httpx2.Response:
        """One request and its answer, whatever its status."""
        url = f"{self.root_url}{path}" + (f"?{query}" if query else "")
        headers = {"Content-Type": "application/json"} if content is not None else {}
        attempt = 0
        while True:
            if self._throttle is not None:
                self._throttle.take()
            began = time.perf_counter()
            try:
                response = self._connected().request(method, url, content=content, headers=headers)
            except httpx2.TransportError as error:
                self._report(method, path, 0, began)
                attempt += 1
                if attempt >= CONNECTION_TRIES or not _nothing_done(method, error):
                    raise self._unreachable(method, path, error) from error
                self._sleep(self._tempo.backoff(attempt - 1, roll()))
            else:
                self._report(method, path, response.status_code, began)
                return response

    def _report(self, method: str, path: str, status: int, began: float) -> None:
        if self._on_call is not None:
            self._on_call(method, path, status, time.perf_counter() - began)

    def _unreachable(self, method: str, path: str, error: httpx2.TransportError) -> UnreachableError:
        kind = (
            "no answer in time"
            if isinstance(error, httpx2.TimeoutException)
            else (str(error) or "connection lost")
        )
        unsure = "" if _nothing_done(method, error) else "; whether the call was carried out is not known"
        return UnreachableError(
            f"cannot reach the API at {self.root_url}: {kind}{unsure}",
            where=f"{method} {path}",
            hint="check the network, a proxy, and the endpoint variables (SAKURACLOUD_API_ROOT_URL, "
            "SAKURA_PHY_API_ROOT_URL); for the lab: daiku lab status",
        )

    def _connected(self) -> httpx2.Client:
        with self._lock:
            if self._client is None:
                # Reading the trusted authorities takes 60 ms, and a plain-text root (a lab) needs none: a context
                # that trusts nobody.
                plain = self.root_url.startswith("http://")
                self._client = httpx2.Client(
                    verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if plain else True,
                    auth=httpx2.BasicAuth(self._credentials.token, self._credentials.secret),
                    headers=HEADERS,
                    timeout=httpx2.Timeout(TIMEOUT_SECONDS, connect=CONNECT_SECONDS),
                    limits=httpx2.Limits(max_connections=32, max_keepalive_connections=16),
                    # Proxy variables are for the outside world, never for this machine itself.
                    trust_env=not is_loopback(self.root_url),
                )
            return self._client


def _nothing_done(method: str, error: httpx2.TransportError) -> bool:
    """Whether the call surely changed nothing: it only reads, or it never left."""
    never_left = isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout)
    return method == "GET" or never_left


def _answer(response: httpx2.Response, where: str) -> Json:
    if not response.content.strip():
        return {}
    try:
        answer: object = response.json()
    except ValueError:
        answer = None
    if isinstance(answer, dict):
        return cast("Json", answer)
    if answer == []:  # PHP's empty object
        return {}
    raise ApiError(
        "the answer is not a JSON object",
        where=where,
        status=response.status_code,
        hint="is the endpoint an API root? a proxy's page or a wrong address answers like this",
    )


def _secrets_of(value: object) -> set[str]:
    """Every text under a secret name anywhere in a request body."""
    found: set[str] = set()
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, object]", value).items():
            if isinstance(inner, str) and key.lower() in _SECRET_KEYS and inner:
                found.add(inner)
            else:
                found |= _secrets_of(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            found |= _secrets_of(inner)
    return found

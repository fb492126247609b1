"""The verbs of the Sakura Cloud API: find, create, read, update, delete and act, for every kind alike.

Objects are plain dictionaries with the API's own keys, so that fields which daiku does not know pass through.
Two things are made even: every ID is a string (the API answers strings or numbers, by a header), and an empty
object that PHP wrote as [] is {} where this client reads it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Self, cast
from urllib.parse import quote

from daiku.errors import ApiError
from daiku.wire.credentials import (
    CLOUD_ROOT_URL,
    DEFAULT_ZONE,
    REQUESTS_PER_SECOND,
    Endpoints,
    SakuraCredentials,
)
from daiku.wire.http import NO_GATE, NO_PATIENCE, Http, Json, OnCall, Patience
from daiku.wire.retry import Clock, Sleep, Tempo, account_gate, account_throttle
from daiku.wire.sakura_kinds import Kind

PAGE = 500
STILL_CREATING_SECONDS = 1800.0
APPEAR_SECONDS = 90.0

_POWER = frozenset({"power", "reset"})
_WRITES = Patience(still_creating=STILL_CREATING_SECONDS)


class SakuraCalls:
    """One account at one API root. Safe to share between threads.

    `zone` is the zone of calls that name none; kinds that are global always go through `global_zone`.
    `generation` counts the changes made through this client: what was read at another count may be stale.
    `requests_per_second` is shared by every client of the account in this process; None switches it off.
    """

    def __init__(
        self,
        credentials: SakuraCredentials,
        *,
        root_url: str = CLOUD_ROOT_URL,
        zone: str = DEFAULT_ZONE,
        global_zone: str = DEFAULT_ZONE,
        requests_per_second: float | None = REQUESTS_PER_SECOND,
        tempo: Tempo | None = None,
        on_call: OnCall | None = None,
        sleep: Sleep = time.sleep,
        clock: Clock = time.monotonic,
    ) -> None:
        self.zone = zone
        self.global_zone = global_zone
        self.tempo = tempo or Tempo()
        self.sleep = sleep
        self.clock = clock
        self.generation = 0
        self._generation_lock = threading.Lock()
        self._power_gate = account_gate(credentials.token, root_url)
        throttle = None
        if requests_per_second is not None:
            throttle = account_throttle(
                credentials.token, root_url, requests_per_second, clock=clock, sleep=sleep
            )
        self._http = Http(
            credentials,
            root_url,
            tempo=self.tempo,
            throttle=throttle,
            on_call=on_call,
            sleep=sleep,
            clock=clock,
        )

    @classmethod
    def at(
        cls, credentials: SakuraCredentials, endpoints: Endpoints, *, on_call: OnCall | None = None
    ) -> Self:
        """A client for `endpoints` (see `endpoints_from_environment`)."""
        return cls(
            credentials,
            root_url=endpoints.cloud_root,
            zone=endpoints.zone,
            requests_per_second=endpoints.requests_per_second,
            tempo=Tempo.of_poll(endpoints.poll_interval),
            on_call=on_call,
        )

    def close(self) -> None:
        self._http.close()

    def find(
        self,
        kind: Kind,
        *,
        zone: str | None = None,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 (the API's own word)
        sort: Sequence[str] = (),
        include: Sequence[str] = (),
    ) -> list[Json]:
        """Every object of `kind` that matches, over all pages.

        Filter values: text matches a part of the field, a list matches any of its values exactly, a list in a
        list (`{"Tags.Name": [["a", "b"]]}`) has all; keys may end in >, >=, <, <=. `sort` names fields, "-"
        first for descending.
        """
        wanted = dict(filter or {})
        if kind.class_at:
            wanted[kind.class_at] = kind.class_is
        found: dict[str, Json] = {}
        start = 0
        while True:
            query: Json = {"From": start, "Count": PAGE}
            if wanted:
                query["Filter"] = wanted
            if sort:
                query["Sort"] = list(sort)
            if include:
                query["Include"] = list(include)
            answer = self._request("GET", self._path(kind, zone), query=encode_query(query))
            before = len(found)
            page = [cast("Json", even(item)) for item in as_list(answer.get(kind.plural))]
            for item in page:
                # A page may repeat what moved while it was read; without an ID the place tells objects apart.
                found.setdefault(id_of(item) or f"{start}/{len(found)}", item)
            start += len(page)
            if len(found) == before or len(found) >= int(answer.get("Total") or 0):
                break
        return [item for item in found.values() if _is_of(kind, item)]

    def find_by_tag(self, kind: Kind, *tags: str, zone: str | None = None) -> list[Json]:
        """Every object of `kind` that carries all of `tags`."""
        found = self.find(kind, zone=zone, filter={"Tags.Name": [list(tags)]})
        return [item for item in found if set(tags) <= {str(tag) for tag in as_list(item.get("Tags"))}]

    def find_by_name(self, kind: Kind, name: str, *, zone: str | None = None) -> list[Json]:
        """Every object of `kind` with exactly this name."""
        return [
            item for item in self.find(kind, zone=zone, filter={"Name": [name]}) if item.get("Name") == name
        ]

    def create(
        self,
        kind: Kind,
        body: Mapping[str, Any],
        *,
        zone: str | None = None,
        extra: Mapping[str, Any] | None = None,
        once: bool = False,
    ) -> Json:
        """Create an object from the fields in `body`; `extra` goes beside the envelope (a disk's Config).

        `once`: an API that is busy (423, 503) is not asked again here, for a gateway may say so of work that was done.
        """
        inner = dict(body)
        if kind.class_at:
            _set_at(inner, kind.class_at, kind.class_is)
        payload = {kind.single: inner, **(extra or {})}
        answer = self._request("POST", self._path(kind, zone), body=payload, patience=Patience(busy=not once))
        return self._inner(kind, answer)

    def read(self, kind: Kind, ident: str, *, zone: str | None = None, appear_within: float = 0.0) -> Json:
        """One object. `appear_within` seconds of 404 are ridden out: use it just after the creation of a kind
        that `appears_late`. NotFoundError when it does not exist.
        """
        patience = Patience(absent=appear_within)
        return self._inner(kind, self._request("GET", self._path(kind, zone, ident), patience=patience))

    def update(
        self,
        kind: Kind,
        ident: str,
        body: Mapping[str, Any],
        *,
        zone: str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Json:
        """Change the fields in `body`; the object as it is after."""
        payload = {kind.single: dict(body), **(extra or {})}
        return self._inner(
            kind, self._request("PUT", self._path(kind, zone, ident), body=payload, patience=_WRITES)
        )

    def delete(
        self, kind: Kind, ident: str, body: Mapping[str, Any] | None = None, *, zone: str | None = None
    ) -> None:
        """Delete an object; `body` as {"WithDisk": [...]} of a server. NotFoundError when it is gone."""
        self._request("DELETE", self._path(kind, zone, ident), body=body, patience=_WRITES)

    def act(
        self,
        method: str,
        kind: Kind,
        ident: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        zone: str | None = None,
        appear_within: float = 0.0,
        once: bool = False,
    ) -> Json:
        """Call what hangs under an object (`power`, `config`, `to/switch/123`); the whole answer.

        `appear_within` as in `read`, `once` as in `create`. Changes ride out 409 still_creating. Power calls of an
        account go one by one.
        """
        patience = Patience(
            still_creating=0.0 if method == "GET" else STILL_CREATING_SECONDS,
            absent=appear_within,
            busy=not once,
        )
        gate = self._power_gate if method != "GET" and path in _POWER else NO_GATE
        answer = self._request(
            method, f"{self._path(kind, zone, ident)}/{path}", body=body, patience=patience, gate=gate
        )
        return cast("Json", even(answer))

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: Mapping[str, Any] | None = None,
        patience: Patience = NO_PATIENCE,
        gate: AbstractContextManager[object] = NO_GATE,
    ) -> Json:
        try:
            return self._http.request(method, path, query=query, body=body, patience=patience, gate=gate)
        finally:
            # Counted even when it fails: what a lost call did is not known.
            if method != "GET":
                with self._generation_lock:
                    self.generation += 1

    def _path(self, kind: Kind, zone: str | None, ident: str = "") -> str:
        where = self.global_zone if kind.is_global else zone or self.zone
        return f"/{where}/api/cloud/1.1/{kind.path}" + (f"/{quote(ident, safe='')}" if ident else "")

    def _inner(self, kind: Kind, answer: Json) -> Json:
        inner: object = answer.get(kind.single)
        if not isinstance(inner, dict):
            raise ApiError(
                f"the answer has no {kind.single}", where=f"{self._http.root_url} {kind.name}", status=200
            )
        return cast("Json", even(inner))


def encode_query(query: Mapping[str, Any]) -> str:
    """The query string of the API: a JSON document, percent-encoded as a whole."""
    return quote(json.dumps(query, ensure_ascii=False, separators=(",", ":"), sort_keys=True), safe="")


def even(value: object) -> object:
    """`value` with every "ID" as text, at any depth."""
    if isinstance(value, dict):
        items = cast("Json", value).items()
        return {key: str(v) if key == "ID" and type(v) is int else even(v) for key, v in items}
    if isinstance(value, list):
        return [even(item) for item in cast("list[object]", value)]
    return value


def as_list(value: object) -> list[Any]:
    """A list field: [] where the API wrote null."""
    return cast("list[Any]", value) if isinstance(value, list) else []


def as_dict(value: object) -> Json:
    """An object field: {} where the API wrote null or, as PHP does, []."""
    return cast("Json", value) if isinstance(value, dict) else {}


def id_of(item: Mapping[str, Any]) -> str:
    """The ID of an object as text, "" if it has none."""
    return str(item.get("ID") or "")


def _is_of(kind: Kind, item: Json) -> bool:
    """Whether a listed object is of `kind`: text filters match parts, so its class is checked again."""
    if not kind.class_at:
        return True
    value: object = item
    for key in kind.class_at.split("."):
        value = as_dict(value).get(key)
    return value == kind.class_is


def _set_at(body: Json, dotted: str, value: str) -> None:
    *parents, last = dotted.split(".")
    for key in parents:
        body[key] = dict(as_dict(body.get(key)))
        body = body[key]
    body[last] = value

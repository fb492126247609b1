"""One call to the IaaS API: from path, query and body to an answer in the API's envelope."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any

from starlette.requests import Request

from daiku.lab.sakura.iaas.find import parse_query
from daiku.lab.sakura.iaas.wire import Call, Handler, IaasError, bad_request, encode, not_found, routes
from daiku.lab.sakura.iaas.zones import ZONES
from daiku.lab.sakura.outcome import Outcome
from daiku.lab.sakura.world import World

FAMILIES = (
    "account",
    "appliance",
    "archive",
    "bridge",
    "cdrom",
    "console",
    "disk",
    "icon",
    "interface",
    "internet",
    "licenses",
    "local_router",
    "monitor",
    "note",
    "owned_addresses",
    "packet_filter",
    "private_host",
    "products",
    "server",
    "switch",
    "zones",
)
for _family in FAMILIES:  # importing a family registers its routes
    import_module(f"daiku.lab.sakura.iaas.{_family}")


def answer(
    world: World, request: Request, body: bytes | None, zone: str, path: str, *, known: bool
) -> Outcome:
    """Carry out one call; the caller holds the world's lock. `known`: the key was right."""
    warnings: list[str] = []
    try:
        handler, holes = _route(request.method, zone, path, known=known)
        query = parse_query(request.scope["query_string"]) if request.method == "GET" else {}
        call = Call(world, zone, holes, _document(body), query, warnings)
        reply = handler(call)
    except IaasError as error:
        return _failure(world, request, error, warnings)
    bigint = request.headers.get("x-sakura-bigint-as-int") == "1"
    shown = encode(reply.body, bigint=bigint, php_empties=world.php_empties)
    return Outcome(reply.status, shown, warnings=warnings)


def _route(method: str, zone: str, path: str, *, known: bool) -> tuple[Handler, dict[str, str]]:
    if not known:
        raise IaasError(401)
    entries = routes.match(path) if zone in ZONES else {}
    if not entries:
        raise not_found()
    if method not in entries:
        raise IaasError(405, allowed=entries)
    return entries[method]


def refuse(world: World, request: Request, status: int, retry_after: float = 0.0) -> Outcome:
    """The API's refusal with this status: unknown paths and injected faults."""
    detail, code = ("The object is still being created.", "still_creating") if status == 409 else ("", "")
    outcome = _failure(world, request, IaasError(status, detail, code), [])
    if status == 429:
        outcome.headers["Retry-After"] = str(max(1, round(retry_after)))
    return outcome


def _failure(world: World, request: Request, error: IaasError, warnings: list[str]) -> Outcome:
    english = request.headers.get("accept-language", "").lower().startswith("en")
    serial = world.random_for(f"serial/{world.calls}").randbytes(16).hex()
    headers = {"WWW-Authenticate": 'Basic realm="SAKURA Cloud"'} if error.status == 401 else {}
    if error.allowed:
        headers["Allow"] = ", ".join(error.allowed)
    return Outcome(error.status, error.body(serial, english=english), headers, warnings)


def _document(body: bytes | None) -> dict[str, Any]:
    """The body as a JSON object; none is an empty one, and so is PHP's `[]`."""
    if body is None:
        raise IaasError(413)
    if not body.strip():
        return {}
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise bad_request("The request body is not valid JSON") from None
    if value in ([], None):
        return {}
    if not isinstance(value, dict):
        raise bad_request("The request body must be a JSON object")
    return value

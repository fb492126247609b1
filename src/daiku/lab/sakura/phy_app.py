"""One call to the PHY API: from path, query and body to an answer or problem details."""

from __future__ import annotations

import json
from importlib import import_module
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request

from daiku.lab.sakura.outcome import Outcome
from daiku.lab.sakura.phy.limits import spend_account
from daiku.lab.sakura.phy.wire import Call, Handler, PhyError, routes
from daiku.lab.sakura.world import World

FAMILIES = ("ports", "servers", "services")
for _family in FAMILIES:  # importing a family registers its routes
    import_module(f"daiku.lab.sakura.phy.{_family}")

_UNAUTHORIZED = {
    "status": "401 Unauthorized",
    "error_code": "unauthorized",
    "error_msg": "error-unauthorized",
}


def answer(world: World, request: Request, body: bytes | None, path: str, *, known: bool) -> Outcome:
    """Carry out one call; the caller holds the world's lock. `known`: the key was right."""
    if not known:
        return Outcome(401, _UNAUTHORIZED, {"WWW-Authenticate": 'Basic realm="SAKURA Cloud"'})
    warnings: list[str] = []
    try:
        spend_account(world)
        handler, holes = _route(request, path)
        document = _document(body) if request.method != "GET" else {}
        query = parse_qs(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
        reply = handler(Call(world, holes, document, query, warnings))
    except PhyError as error:
        return _failure(error, warnings)
    return Outcome(reply.status, reply.body, warnings=warnings)


def _route(request: Request, path: str) -> tuple[Handler, dict[str, str]]:
    entries = routes.match(path)
    if not entries:
        raise PhyError(404)
    if request.method not in entries:
        raise PhyError(405, allowed=entries)
    if request.method != "GET" and request.headers.get("x-requested-with") != "XMLHttpRequest":
        raise PhyError(400, detail="X-Requested-With: XMLHttpRequest ヘッダーが必要です。")
    return entries[request.method]


def refuse(status: int, retry_after: float = 0.0) -> Outcome:
    """The API's refusal with this status, for injected faults."""
    return _failure(PhyError(status, retry_after=max(1, round(retry_after))), [])


def _failure(error: PhyError, warnings: list[str]) -> Outcome:
    headers = {"Retry-After": str(error.retry_after)} if error.status == 429 else {}
    if error.allowed:
        headers["Allow"] = ", ".join(error.allowed)
    return Outcome(error.status, error.body(), headers, warnings)


def _document(body: bytes | None) -> dict[str, Any]:
    if body is None:
        raise PhyError(413)
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        raise PhyError(400, title="parse_error", detail="JSONとして解釈できません。") from None
    if not isinstance(value, dict):
        raise PhyError(400, problems={"non_field_errors": [("invalid", "オブジェクトではありません。")]})
    return value

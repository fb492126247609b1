"""The ASGI application: both APIs at their real paths, and the lab's own door.

Order of one call: body, fault plan, key, route, handler, envelope, audit log, listeners. Handlers are quick and run
under the world's lock on the event loop; only a `slow` fault waits.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
import re
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from daiku.lab.sakura import admin, iaas_app, phy_app
from daiku.lab.sakura.faults import FaultRule
from daiku.lab.sakura.outcome import Outcome
from daiku.lab.sakura.records import Audit
from daiku.lab.sakura.world import World

MAX_BODY = 2 * 1024 * 1024
_IAAS = re.compile(r"/cloud/zone/(?P<zone>[^/]+)/api/cloud/1\.1(?P<path>/.*)", re.DOTALL)
_PHY = re.compile(
    r"(?:/cloud/api/dedicated-phy/1\.0(?=/)|(?=/(?:services|servers|private_networks|dedicated_subnets)/))"
    r"(?P<path>/.*)",
    re.DOTALL,
)
"""The real root, and PHY's four collections at `/` too: some clients are given a root without a path."""


def create_app(world: World, *, admin_token: str) -> ASGIApp:
    """The application over `world`. `admin_token` opens `/_lab/` (`Authorization: Bearer ...`); choose it at random."""
    return _App(world, admin_token)


class _App:
    def __init__(self, world: World, admin_token: str) -> None:
        self.world = world
        self.admin_token = admin_token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(Request(scope, receive), receive, send)
        else:
            raise ValueError(f"no {scope['type']} here")

    async def _http(self, request: Request, receive: Receive, send: Send) -> None:
        try:
            body = await _read(request)
        except ClientDisconnect:
            return
        path = request.scope["path"]
        if path.startswith("/_lab/"):
            answer = admin.answer(self.world, self.admin_token, request, body)
            await answer(request.scope, receive, send)
            return
        fault = self.world.faults.take(request.method, path)
        outcome, who = self._answer(request, body, fault)
        self.world.record_call(
            Audit(
                n=0,
                at=self.world.clock.now(),
                api=_api(path),
                method=request.method,
                path=path,
                status=outcome.status,
                who=who,
                warnings=outcome.warnings,
                fault=fault.kind if fault is not None else "",
            )
        )
        if request.method not in ("GET", "HEAD"):
            self.world.changed()
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.delay())
        if fault is not None and fault.kind == "eof":
            await _hang_up(send)
            return
        await _response(outcome)(request.scope, receive, send)

    def _answer(self, request: Request, body: bytes | None, fault: FaultRule | None) -> tuple[Outcome, str]:
        known = self._knows(request.headers.get("authorization", ""))
        who = self.world.inventory.account.name if known else "-"
        spoilt = fault is not None and fault.kind != "slow"
        if fault is not None and spoilt and not fault.after:
            return self._spoil(request, fault), who
        path = request.scope["path"]
        with self.world.lock:
            if (hit := _IAAS.fullmatch(path)) is not None:
                outcome = iaas_app.answer(self.world, request, body, hit["zone"], hit["path"], known=known)
            elif (hit := _PHY.fullmatch(path)) is not None:
                outcome = phy_app.answer(self.world, request, body, hit["path"], known=known)
            else:
                outcome = iaas_app.refuse(self.world, request, 404)
        if fault is not None and spoilt:
            return self._spoil(request, fault), who
        return outcome, who

    def _spoil(self, request: Request, fault: FaultRule) -> Outcome:
        if fault.kind == "eof":
            return Outcome(0, None)
        status = int(fault.kind)
        if _PHY.fullmatch(request.scope["path"]):
            return phy_app.refuse(status, fault.delay())
        return iaas_app.refuse(self.world, request, status, fault.delay())

    def _knows(self, header: str) -> bool:
        scheme, _, value = header.partition(" ")
        if scheme.lower() != "basic":
            return False
        try:
            given = base64.b64decode(value.strip(), validate=True)
        except (binascii.Error, ValueError):
            return False
        account = self.world.inventory.account
        return hmac.compare_digest(given, f"{account.token}:{account.secret}".encode())


def _api(path: str) -> Any:
    return "iaas" if _IAAS.fullmatch(path) else "phy" if _PHY.fullmatch(path) else "-"


async def _read(request: Request) -> bytes | None:
    """The body; None when it is too large (the rest is read and dropped, so that the client gets its answer)."""
    size, chunks = 0, list[bytes]()
    async for chunk in request.stream():
        size += len(chunk)
        if size <= MAX_BODY:
            chunks.append(chunk)
    return b"".join(chunks) if size <= MAX_BODY else None


def _response(outcome: Outcome) -> Response:
    if outcome.body is None:
        return Response(status_code=outcome.status, headers=outcome.headers)
    return _Json(outcome.body, status_code=outcome.status, headers=outcome.headers)


class _Json(JSONResponse):
    media_type = "application/json; charset=UTF-8"

    def render(self, content: Any) -> bytes:
        return json.dumps(content, separators=(",", ":")).encode()


async def _hang_up(send: Send) -> None:
    """Promise bytes and end without them: the server cuts the connection and the client reads an early EOF."""
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", b"1000000"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return

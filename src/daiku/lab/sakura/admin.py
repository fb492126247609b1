"""The lab's own door, `/_lab/`: state, audit log and clock for the lab's own process. No part of the real API."""

from __future__ import annotations

import hmac
import json
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from daiku.lab.sakura.world import World


def answer(world: World, token: str, request: Request, body: bytes | None) -> Response:
    """GET state, topology, audit?since=N; GET or POST clock ({"advance": virtual seconds});
    GET, POST (the content of a fault file) or DELETE faults. 403 without the token.
    """
    given = request.headers.get("authorization", "")
    if not token or not hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return JSONResponse({"error": "the lab's admin token is needed"}, status_code=403)
    match request.method, request.scope["path"]:
        case "GET", "/_lab/state":
            return Response(world.to_json(), media_type="application/json")
        case "GET", "/_lab/topology":
            return JSONResponse(asdict(world.topology()))
        case "GET", "/_lab/audit":
            since = request.query_params.get("since", "0")
            after = int(since) if since.isascii() and since.isdigit() and len(since) < 18 else 0
            with world.lock:
                entries = [entry.model_dump() for entry in world.audit if entry.n > after]
            return JSONResponse({"entries": entries})
        case "GET", "/_lab/clock":
            return JSONResponse({"now": world.clock.now(), "scale": world.clock.scale})
        case "POST", "/_lab/clock":
            return _advance(world, body)
        case "GET", "/_lab/faults":
            return JSONResponse(world.faults.model_dump())
        case "POST", "/_lab/faults":
            return _add_faults(world, body)
        case "DELETE", "/_lab/faults":
            world.faults.clear()
            return JSONResponse(world.faults.model_dump())
        case _:
            return JSONResponse({"error": "unknown path"}, status_code=404)


def _advance(world: World, body: bytes | None) -> Response:
    try:
        seconds = float(json.loads(body or b"")["advance"])
    except (ValueError, TypeError, KeyError, RecursionError, OverflowError):
        seconds = -1.0
    if not 0 <= seconds <= 10**9:
        return JSONResponse({"error": 'wanted {"advance": virtual seconds}'}, status_code=400)
    world.clock.advance(seconds)
    return JSONResponse({"now": world.clock.now()})


def _add_faults(world: World, body: bytes | None) -> Response:
    try:
        world.faults.load(json.loads(body or b""))
    except (ValueError, RecursionError) as error:
        return JSONResponse({"error": str(error)}, status_code=400)
    return JSONResponse(world.faults.model_dump())

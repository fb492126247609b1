"""The lab process's own pages beside the emulated APIs: what runs, and how often the APIs were called."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class Front:
    """Answers GET /_lab/status itself and passes everything else on."""

    def __init__(self, app: ASGIApp, *, admin_token: str, status: Callable[[], dict[str, Any]]) -> None:
        self._app = app
        self._expected = f"Bearer {admin_token}".encode()
        self._status = status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/_lab/status":
            await self._app(scope, receive, send)
            return
        given = Request(scope).headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, self._expected):
            answer = JSONResponse({"error": "the lab's admin token is needed"}, status_code=403)
        else:
            # Reading the hosts' interfaces takes a while: not on the loop that serves the APIs.
            answer = JSONResponse(await asyncio.to_thread(self._status))
        await answer(scope, receive, send)

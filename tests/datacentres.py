"""One server for all emulated datacentres of a worker: a test's own takes no time to start and to stop."""

from __future__ import annotations

import atexit
import itertools
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daiku.lab.serve import Served


class _Street:
    """Hands `/NUMBER/path` to the application of that number as `/path`."""

    def __init__(self) -> None:
        self.doors: dict[str, ASGIApp] = {}
        self.numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        _, number, path = scope["path"].split("/", 2)
        app = self.doors.get(number, PlainTextResponse("this datacentre is no more", 410))
        raw = scope["raw_path"].removeprefix(f"/{number}".encode())
        await app({**scope, "path": f"/{path}", "raw_path": raw}, receive, send)


@cache
def _served() -> tuple[_Street, str]:
    street = _Street()
    served = Served(street)
    served.start()
    atexit.register(served.stop)
    return street, served.url


@contextmanager
def served(app: ASGIApp) -> Generator[str]:
    """The address that `app` has while the block lasts; no other ever has it."""
    street, url = _served()
    number = str(next(street.numbers))
    street.doors[number] = app
    try:
        yield f"{url}/{number}"
    finally:
        del street.doors[number]

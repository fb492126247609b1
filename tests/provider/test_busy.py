"""Many machines at once against an API that is busy: 503 above so many power calls at a time."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from daiku.provider.context import Context
from daiku.provider.resources.server import ServerHandler
from daiku.wire import sakura_calls
from daiku.wire.credentials import SakuraCredentials
from daiku.wire.listings import Listings
from daiku.wire.phy import Phy
from daiku.wire.retry import Tempo
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import SERVER
from tests.provider.conftest import TOKEN, Lab, running
from tests.provider.play import Play

VMS = 60


@dataclass
class Busy:
    """Stands before the API: a power call takes a moment, and more than `most` at a time are refused."""

    app: ASGIApp
    most: int
    inside: int = 0
    refused: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] == "GET" or not scope["path"].endswith("/power"):
            await self.app(scope, receive, send)
            return
        self.inside += 1
        try:
            await asyncio.sleep(0.005)
            if self.inside > self.most:
                self.refused += 1
                body = {
                    "is_fatal": True,
                    "status": "503 Service Unavailable",
                    "error_code": "busy",
                    "error_msg": "busy",
                }
                await JSONResponse(body, 503)(scope, receive, send)
            else:
                await self.app(scope, receive, send)
        finally:
            self.inside -= 1


def context(lab: Lab, rate: float) -> Context:
    """A provider on the lab's scaled clock, as a process of its own would have it."""
    key = SakuraCredentials(TOKEN, lab.secret)
    tempo = Tempo.of_poll(0.05)
    cloud = SakuraCloud(key, root_url=lab.cloud_root, zone="is1b", requests_per_second=rate, tempo=tempo)
    phy = Phy(key, root_url=lab.phy_root, tempo=tempo)
    return Context(cloud=cloud, phy=phy, listings=Listings(cloud, max_age=60.0), zone="is1b")


@pytest.mark.parametrize("processes", [1, 4])
def test_sixty_machines_start_and_stop_where_one_power_call_is_taken_at_a_time(
    processes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run meets no 503 at all; several runs of one account, which cannot know of each other, ride them out."""
    front: list[Busy] = []

    def wrap(app: ASGIApp) -> ASGIApp:
        front.append(Busy(app, most=1))
        return front[0]

    monkeypatch.setattr(sakura_calls, "account_gate", lambda *_: threading.Lock())
    with running(wrap=wrap) as lab:
        lab.clock.scale = 100.0
        lab.clock.start()
        contexts = [context(lab, 400.0) for _ in range(processes)]
        plays = [Play(ServerHandler(), contexts[n % processes], f"vm-{n}") for n in range(VMS)]
        with ThreadPoolExecutor(VMS) as pool:
            made = list(pool.map(lambda p: p.handler.create(p.ctx, p.hint, p.check({"name": p.name})), plays))
        servers = contexts[0].cloud.find(SERVER)
        assert {s["ID"] for s in servers} == {ident for ident, _ in made}
        assert {s["Instance"]["Status"] for s in servers} == {"up"}
        with ThreadPoolExecutor(VMS) as pool:
            list(pool.map(lambda p, m: p.handler.delete(p.ctx, *m), plays, made))
        assert contexts[0].cloud.find(SERVER) == []
    assert (front[0].refused > 0) is (processes > 1)

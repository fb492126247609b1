"""A server on loopback that speaks hand-written answers, and a time that passes only when a client sleeps."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from scripted import SECRET, TOKEN, Script, Seen, Time
from tests.datacentres import served

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World, create_app
from daiku.wire.credentials import SakuraCredentials
from daiku.wire.phy import Phy
from daiku.wire.sakura_cloud import SakuraCloud


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def script() -> Iterator[Script]:
    script = Script()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            raw = self.rfile.read(length)
            parts = urlsplit(self.path)
            body = json.loads(raw) if raw else None
            query = unquote(parts.query)
            script.seen.append(Seen(self.command, parts.path, query, dict(self.headers), body))
            status, answer, headers = script.next(self.command, parts.path)
            if status == 0:  # hang up without a word
                self.close_connection = True
                self.connection.close()
                return
            content = (
                b""
                if answer is None
                else answer
                if isinstance(answer, bytes)
                else json.dumps(answer).encode()
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield script
    server.shutdown()
    server.server_close()


@pytest.fixture
def credentials() -> SakuraCredentials:
    return SakuraCredentials(TOKEN, SECRET)


@pytest.fixture
def cloud(script: Script, credentials: SakuraCredentials, time: Time) -> Iterator[SakuraCloud]:
    client = SakuraCloud(
        credentials, root_url=script.url, requests_per_second=None, sleep=time.sleep, clock=time.clock
    )
    yield client
    client.close()


@pytest.fixture
def phy(script: Script, credentials: SakuraCredentials, time: Time) -> Iterator[Phy]:
    client = Phy(credentials, root_url=script.url, sleep=time.sleep, clock=time.clock)
    yield client
    client.close()


# The lab's emulator, on its own clock: when a client sleeps, the datacentre's time passes


@pytest.fixture
def world() -> World:
    return World(Clock(), Inventory.load({"account": {"token": TOKEN, "secret": SECRET}}), seed=7)


@pytest.fixture
def lab_url(world: World) -> Iterator[str]:
    with served(create_app(world, admin_token="unused")) as url:
        yield url


@pytest.fixture
def lab(world: World, lab_url: str, credentials: SakuraCredentials) -> Iterator[SakuraCloud]:
    client = SakuraCloud(
        credentials,
        root_url=f"{lab_url}/cloud/zone",
        requests_per_second=None,
        sleep=world.clock.advance,
        clock=world.clock.now,
    )
    yield client
    client.close()

"""Requests a second of the emulator and their tail: `python benchmarks/emulator.py [SECONDS]`.

The emulator runs in a process of its own, behind a real socket; this one sends, over eight connections kept open, each
with one request on its way. The same server with an application that answers a constant is measured in the same run:
the floor.
"""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
import statistics
import subprocess
import sys
import time
from typing import Any

CONNECTIONS = 8
SWITCHES = 50
TOKEN = "bench"
ROOT = "/cloud/zone/is1a/api/cloud/1.1"


def main() -> int:
    """Print a line for each kind of request."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    secret = secrets.token_urlsafe(16)
    floor = 0.0
    for kind in ("constant", "emulator"):
        serving = subprocess.Popen(
            [sys.executable, __file__, "--serve", kind],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert serving.stdin is not None
        assert serving.stdout is not None
        serving.stdin.write(f"{secret}\n")
        serving.stdin.flush()
        try:
            port = int(serving.stdout.readline())
            for name, requests in asyncio.run(orders(port, secret, kind)).items():
                times = sorted(asyncio.run(load(port, secret, requests, seconds)))
                rate = len(times) / seconds
                floor = floor or rate
                p50, p99 = statistics.median(times), times[int(len(times) * 0.99)]
                sys.stdout.write(
                    f"{name:<36} {rate:6.0f} requests/s, {rate / floor:4.2f} of the floor; "
                    f"p50 {p50 * 1e3:5.1f} ms, p99 {p99 * 1e3:5.1f} ms\n"
                )
                sys.stdout.flush()
        finally:
            serving.terminate()
            serving.wait()
    return 0


async def orders(port: int, secret: str, kind: str) -> dict[str, list[tuple[str, str, Any]]]:
    """What is sent: by name, the requests of a round (method, target, body)."""
    if kind == "constant":
        return {"a server that answers a constant": [("GET", f"{ROOT}/switch", None)]}
    client = await Client.open(port, secret)
    ids = [
        (await client.call("POST", f"{ROOT}/switch", {"Switch": {"Name": f"s-{n}"}}))["Switch"]["ID"]
        for n in range(SWITCHES)
    ]
    change = {"Switch": {"Name": "s-0", "Description": "changed"}}
    return {
        "read one": [("GET", f"{ROOT}/switch/{ids[0]}", None)],
        f"list all {SWITCHES}": [("GET", f"{ROOT}/switch", None)],
        "find one by its name": [("GET", ROOT + '/switch?{"Filter":{"Name":["s-7"]}}', None)],
        "change one": [("PUT", f"{ROOT}/switch/{ids[0]}", change)],
    }


async def load(port: int, secret: str, requests: list[tuple[str, str, Any]], seconds: float) -> list[float]:
    """Seconds that each answer took."""
    clients = [await Client.open(port, secret) for _ in range(CONNECTIONS)]
    end = time.monotonic() + seconds
    taken: list[float] = []

    async def work(client: Client) -> None:
        while True:
            for method, target, body in requests:
                began = time.monotonic()
                if began >= end:
                    return
                await client.call(method, target, body)
                taken.append(time.monotonic() - began)

    await asyncio.gather(*(work(client) for client in clients))
    return taken


class Client:
    """One connection, kept open. As little as HTTP needs, so that the sender is not what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, secret: str) -> None:
        self._reader, self._writer = reader, writer
        self._key = base64.b64encode(f"{TOKEN}:{secret}".encode()).decode()

    @classmethod
    async def open(cls, port: int, secret: str) -> Client:
        return cls(*await asyncio.open_connection("127.0.0.1", port), secret)

    async def call(self, method: str, target: str, body: Any = None) -> Any:
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {target} HTTP/1.1\r\nHost: lab\r\nAuthorization: Basic {self._key}\r\n"
            f"X-Requested-With: XMLHttpRequest\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        self._writer.write(head.encode() + content)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        assert answer.split(b" ", 2)[1] in (b"200", b"201"), answer
        length = next(
            int(line[15:]) for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:")
        )
        return json.loads(await self._reader.readexactly(length))


def serve(kind: str) -> None:
    """A server on a free port, which is printed."""
    import socket

    import uvicorn

    from daiku.lab.clock import Clock
    from daiku.lab.sakura import Inventory, World, create_app

    secret = sys.stdin.readline().strip()

    async def constant(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"{}"})

    world = World(Clock(), Inventory.load({"account": {"token": TOKEN, "secret": secret}}), seed=7)
    app: Any = constant if kind == "constant" else create_app(world, admin_token=secrets.token_urlsafe(16))
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen(CONNECTIONS)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    config = uvicorn.Config(app, log_level="critical", lifespan="off", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    if "--serve" in sys.argv:
        serve(sys.argv[-1])
    else:
        sys.exit(main())

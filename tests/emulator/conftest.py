"""A world with a manual clock and a plain HTTP caller: requests by hand, as the official clients send them."""

from __future__ import annotations

import asyncio
import json
from base64 import b64encode
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World, create_app

from . import coverage_page, phy_contract

_PASSED = pytest.StashKey[bool]()
TOKEN, SECRET, ADMIN = "5bd1a6a3-6d1c-4a94-9d5f-aa70ab0f3a55", "s3cret-of-the-lab", "door-key"
NETWORK, OTHER_NETWORK, SUBNET = "300000000001", "300000000002", "200000000001"
GPU1, GPU2 = "100000000001", "100000000002"


def gpu(service_id: str, number: int) -> dict[str, Any]:
    return {
        "service_id": service_id,
        "nickname": f"gpu-{number:02d}",
        "ipv4": f"198.51.100.{10 + number}",
        "ports": [
            {"nic": "eno1", "mac": f"02:00:00:00:{number:02x}:01", "internet": "common_subnet", "channel": 1},
            {"nic": "eno2", "mac": f"02:00:00:00:{number:02x}:02", "channel": 1},
        ],
        "rails": [
            {
                "nic": f"rail{r}",
                "mac": f"02:00:00:01:{number:02x}:{r:02x}",
                "segment": f"rail-{r}",
                "mtu": 9000,
            }
            for r in range(4)
        ],
    }


PROD = {"tag_id": 7, "label": "prod", "color": "#00ff00"}
INVENTORY: dict[str, Any] = {
    "account": {"token": TOKEN, "secret": SECRET, "name": "ishikari"},
    "phy_servers": [gpu(GPU1, 1) | {"tags": [PROD]}, gpu(GPU2, 2)],
    "private_networks": [
        {"service_id": NETWORK, "nickname": "node-net", "vlan_id": 101, "tags": [PROD]},
        {"service_id": OTHER_NETWORK, "nickname": "storage-net", "vlan_id": 102},
    ],
    "dedicated_subnets": [
        {"service_id": SUBNET, "nickname": "global-01", "network": "203.0.113.0/28", "tags": [PROD]}
    ],
    "hybrid": [{"private_network": NETWORK, "switch_tag": f"hybrid={NETWORK}"}],
    "aws_connect": [
        {"resource_id": "500000000001", "secret_key": "aws-peer-secret", "prefixes": ["172.16.0.0/16"]}
    ],
}


@cache
def loop() -> asyncio.AbstractEventLoop:
    """One for all calls: a loop of its own costs as much as a call."""
    return asyncio.new_event_loop()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)


class Caller:
    """Raw ASGI calls: the query string goes out byte for byte as given."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.hits: set[str] | None = None
        self.app = create_app(world, admin_token=ADMIN)
        self.zone = "is1a"

    def raw(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> Answer:
        sent: list[Any] = []
        queue = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive() -> Any:
            return queue.pop(0) if queue else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        names = {k.lower(): v for k, v in (headers or {}).items()}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in names.items()],
            "server": ("127.0.0.1", 80),
            "client": ("127.0.0.1", 50000),
        }
        loop().run_until_complete(self.app(scope, receive, send))
        start = next(m for m in sent if m["type"] == "http.response.start")
        content = b"".join(m.get("body", b"") for m in sent if m["type"] == "http.response.body")
        answer = Answer(
            start["status"], {k.decode().lower(): v.decode() for k, v in start["headers"]}, content
        )
        self._note(method, path, query, body, answer)
        return answer

    def _note(self, method: str, path: str, query: str, body: bytes, answer: Answer) -> None:
        """Hold PHY's answers to their contract, and keep what was tested for the coverage page."""
        if not self.world.audit or self.world.audit[-1].fault:
            return
        shown = answer.json if answer.raw else None
        if path.startswith(phy_contract.ROOT):
            below = path.removeprefix(phy_contract.ROOT)
            assert phy_contract.judge(method, below, answer.status, shown) == [], (method, path, answer.raw)
        if self.hits is not None and 200 <= answer.status < 300:
            warnings = self.world.audit[-1].warnings
            self.hits |= coverage_page.hits(method, path, query, body, answer.status, shown, warnings)

    @staticmethod
    def basic(token: str = TOKEN, secret: str = SECRET) -> str:
        return "Basic " + b64encode(f"{token}:{secret}".encode()).decode()

    def cloud(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: str = "",
        zone: str = "",
        bigint: bool = True,
    ) -> Answer:
        """As iaas-api-go sends it."""
        headers = {
            "Authorization": self.basic(),
            "X-Requested-With": "XMLHttpRequest",
            "Accept-Language": "en-US",
        }
        if bigint:
            headers["X-Sakura-Bigint-As-Int"] = "1"
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = b"" if body is None else json.dumps(body).encode()
        full = f"/cloud/zone/{zone or self.zone}/api/cloud/1.1{path}"
        return self.raw(method, full, query=query, body=data, headers=headers)

    def phy(self, method: str, path: str, body: Any = None, *, query: str = "", ajax: bool = True) -> Answer:
        headers = {"Authorization": self.basic()}
        if ajax:
            headers["X-Requested-With"] = "XMLHttpRequest"
        data = b"" if body is None else json.dumps(body).encode()
        return self.raw(
            method, f"/cloud/api/dedicated-phy/1.0{path}", query=query, body=data, headers=headers
        )

    def make(self, path: str, key: str, body: dict[str, Any], *, zone: str = "") -> dict[str, Any]:
        """Create and return the view; the test fails on a refusal."""
        answer = self.cloud("POST", path, {key: body}, zone=zone)
        assert answer.status in (201, 202), answer.raw
        return answer.json[key]

    def read(self, path: str, key: str) -> dict[str, Any]:
        answer = self.cloud("GET", path)
        assert answer.status == 200, answer.raw
        return answer.json[key]

    def do(self, method: str, path: str, body: Any = None) -> Answer:
        """A call that must succeed."""
        answer = self.cloud(method, path, body)
        assert answer.status in (200, 201, 202, 204), answer.raw
        return answer

    def wait(self, seconds: float) -> None:
        self.world.clock.advance(seconds)


@pytest.fixture
def world() -> World:
    return World(Clock(), Inventory.load(INVENTORY), seed=7)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the fixture know whether its test passed."""
    report = yield
    if report.when == "call":
        item.stash[_PASSED] = report.passed
    return report


@pytest.fixture
def api(world: World, request: pytest.FixtureRequest) -> Iterator[Caller]:
    caller = Caller(world)
    caller.hits = set()
    yield caller
    if request.node.stash.get(_PASSED, False):
        coverage_page.note(request.node.nodeid, caller.hits)

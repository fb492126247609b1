"""The provider's handlers against the emulator, in virtual time."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from starlette.types import ASGIApp

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World, create_app
from daiku.provider.context import Context
from daiku.wire.credentials import SakuraCredentials
from daiku.wire.listings import Listings
from daiku.wire.phy import Phy
from daiku.wire.sakura_cloud import SakuraCloud
from tests.datacentres import served

NODE_NETWORK = "113000000201"
GPU_A, GPU_B = "113000000101", "113000000102"
AWS = "113000000301"
TOKEN = "lab-token"


def inventory() -> Inventory:
    def server(service_id: str, number: int) -> dict[str, object]:
        return {
            "service_id": service_id,
            "nickname": f"gpu-{number}",
            "description": "rack 3, left",
            "ipv4": f"198.51.100.{10 + number}",
            "installed": "ubuntu2204" if number == 2 else None,
            "power": number == 2,
            "ports": [
                {
                    "nic": "eno1",
                    "mac": f"02:00:00:00:00:{number}1",
                    "nickname": "public",
                    "internet": "common_subnet",
                },
                {"nic": "eno2", "mac": f"02:00:00:00:00:{number}2", "nickname": "private"},
            ],
        }

    return Inventory.load(
        {
            "account": {"token": TOKEN, "secret": secrets.token_urlsafe(16)},
            "phy_servers": [server(GPU_A, 1), server(GPU_B, 2)],
            "private_networks": [{"service_id": NODE_NETWORK, "nickname": "nodes", "vlan_id": 100}],
            "aws_connect": [{"resource_id": AWS, "secret_key": "peer-secret", "prefixes": ["10.200.0.0/16"]}],
        }
    )


@dataclass(frozen=True)
class Lab:
    """A datacentre of its own for one test."""

    world: World
    clock: Clock
    root: str

    @property
    def cloud_root(self) -> str:
        return f"{self.root}/cloud/zone"

    @property
    def phy_root(self) -> str:
        return f"{self.root}/cloud/api/dedicated-phy/1.0"

    @property
    def secret(self) -> str:
        return self.world.inventory.account.secret

    def context(self) -> Context:
        """A provider as a new process would have it: nothing remembered, waiting moves the clock."""
        key = SakuraCredentials(TOKEN, self.secret)
        pace = {"clock": self.clock.now, "sleep": self.clock.advance}
        cloud = SakuraCloud(key, root_url=self.cloud_root, zone="is1b", requests_per_second=None, **pace)
        phy = Phy(key, root_url=self.phy_root, **pace)
        return Context(
            cloud=cloud,
            phy=phy,
            listings=Listings(cloud, max_age=5.0),
            zone="is1b",
            utc=lambda: datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self.clock.now()),
        )

    def calls(self, *, writes: bool = False) -> list[str]:
        """`METHOD path` of every call so far."""
        return [
            f"{a.method} {a.path}" for a in self.world.audit if not writes or a.method not in ("GET", "HEAD")
        ]


@contextmanager
def running(
    ordered: Inventory | None = None, wrap: Callable[[ASGIApp], ASGIApp] = lambda app: app
) -> Iterator[Lab]:
    """A datacentre with an address of its own; `wrap` stands before the API."""
    clock = Clock()
    world = World(clock, ordered or inventory(), seed=7)
    app = wrap(create_app(world, admin_token=secrets.token_urlsafe(16)))
    with served(app) as root:
        yield Lab(world, clock, root)


@pytest.fixture
def lab() -> Iterator[Lab]:
    with running() as made:
        yield made

"""PHY against the lab's emulator: its own limits, locks and validation, in its own time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from scripted import SECRET, TOKEN

from daiku.errors import ApiError, ConflictError, CredentialsError, NotFoundError
from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World
from daiku.wire.credentials import SakuraCredentials
from daiku.wire.phy import OsInstall, Phy

GPU, NETWORK = "100000000001", "300000000001"
INVENTORY: dict[str, Any] = {
    "account": {"token": TOKEN, "secret": SECRET, "name": "ishikari"},
    "phy_servers": [
        {
            "service_id": f"1000000000{n:02d}",
            "nickname": f"gpu-{n:02d}",
            "ipv4": f"198.51.100.{10 + n}",
            "ports": [
                {"nic": "eno1", "mac": f"02:00:00:00:{n:02x}:01", "internet": "common_subnet", "channel": 1},
                {"nic": "eno2", "mac": f"02:00:00:00:{n:02x}:02", "channel": 1},
            ],
        }
        for n in range(1, 13)
    ],
    "private_networks": [{"service_id": NETWORK, "nickname": "node-net", "vlan_id": 101}],
}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKXhM0n0yQm9XkXq0y2bQ0Zr1l3g6l0eO0fJ5q8v3m1T operator"


@pytest.fixture
def world() -> World:
    return World(Clock(), Inventory.load(INVENTORY), seed=7)


def client(world: World, url: str, secret: str = SECRET, *, budgeted: bool = True) -> Phy:
    return Phy(
        SakuraCredentials(TOKEN, secret),
        root_url=f"{url}/cloud/api/dedicated-phy/1.0",
        budgeted=budgeted,
        sleep=world.clock.advance,
        clock=world.clock.now,
    )


@pytest.fixture
def lab(world: World, lab_url: str) -> Iterator[Phy]:
    phy = client(world, lab_url)
    yield phy
    phy.close()


def order(lab: Phy, **fields: Any) -> OsInstall:
    image = next(image for image in lab.os_images(GPU) if image.public_key_authentication)
    return OsInstall(image.os_image_id, "passw0rd-of-host", (KEY,), **fields)


def test_one_listing_has_every_server(lab: Phy, world: World) -> None:
    before = world.calls
    servers = lab.servers()
    assert [server.service.nickname for server in servers] == [f"gpu-{n:02d}" for n in range(1, 13)]
    assert world.calls == before + 1
    assert servers[0] == lab.server(GPU)
    assert [network.vlan_id for network in lab.private_networks()] == [101]
    assert lab.private_network(NETWORK).service.nickname == "node-net"
    assert lab.dedicated_subnets() == ()


def test_a_server_is_installed_once_and_waited_for(lab: Phy, world: World) -> None:
    lab.os_install(GPU, order(lab))
    with pytest.raises(ConflictError) as caught:
        lab.os_install(GPU, order(lab))
    assert caught.value.code == "os_install"
    before = world.calls
    assert lab.wait_install(GPU).lock_status is None
    assert world.calls - before < 60


def test_ports_are_assigned_and_read_back(lab: Phy) -> None:
    port = lab.server(GPU).ports[0]
    changed = lab.assign_network(GPU, port.port_id, mode="trunk", private_network_ids=[NETWORK])
    assert changed.private_network_ids == (NETWORK,)
    assert lab.port(GPU, port.port_id) == changed
    assert lab.enable_port(GPU, port.port_id, False).enabled is False


def test_more_network_changes_than_the_api_allows_take_their_time(world: World, lab_url: str) -> None:
    """With our own count the API never refuses; without it the API's Retry-After is obeyed."""
    for budgeted in (True, False):
        phy = client(world, lab_url, budgeted=budgeted)
        port = phy.server(GPU).ports[0].port_id
        world.clock.advance(600)
        world.audit.clear()
        for n in range(12):
            phy.enable_port(GPU, port, n % 2 == 0)
        statuses = [call.status for call in world.audit]
        assert statuses.count(200) == 12
        assert (429 in statuses) is not budgeted
        phy.close()


def test_power(lab: Phy, world: World) -> None:
    lab.power_control(GPU, "on")
    world.clock.advance(600)
    assert lab.power_status(GPU) == "on"
    lab.power_control(GPU, "off")
    world.clock.advance(600)
    assert lab.power_status(GPU) == "off"


def test_a_bad_order_is_refused_in_the_apis_words(lab: Phy) -> None:
    with pytest.raises(ApiError) as caught:
        lab.os_install(GPU, OsInstall(order(lab).os_image_id, "short", (), allow_password_login=False))
    assert caught.value.status == 400
    assert "password" in caught.value.message


def test_an_unknown_server(lab: Phy) -> None:
    with pytest.raises(NotFoundError):
        lab.server("999999999999")


def test_the_cloud_style_401(world: World, lab_url: str) -> None:
    phy = client(world, lab_url, "wrong")
    with pytest.raises(CredentialsError):
        phy.servers()
    phy.close()

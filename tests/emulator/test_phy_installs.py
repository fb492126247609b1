"""PHY servers: the hour-long reinstall, its validation and its lock, and power."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.lab.sakura import World

from .conftest import GPU1, NETWORK, Caller
from .phy_calls import INSTALL, assign, server
from .test_networks import KEY


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"os_image_id": "windows"}, "os_image_id"),
        ({"password": "short1"}, "password"),
        ({"password": "onlyletters"}, "password"),
        ({"password": "12345678"}, "password"),
        ({"password": "with space 1"}, "password"),
        ({"password": 12345678}, "password"),
        ({"manual_partition": "no"}, "manual_partition"),
        ({"ssh_public_keys": []}, "ssh_public_keys"),
        ({"ssh_public_keys": ["nonsense"]}, "ssh_public_keys"),
        ({"ssh_public_keys": [KEY] * 21}, "ssh_public_keys"),
        ({"ssh_public_keys": None}, "ssh_public_keys"),
        ({"os_image_id": "vmware8"}, "ssh_public_keys"),
        ({"os_image_id": "vmware8", "manual_partition": True, "ssh_public_keys": []}, "manual_partition"),
        (None, "allow_password_login"),
    ],
)
def test_an_install_is_validated_field_by_field(
    api: Caller, change: dict[str, Any] | None, fault: str
) -> None:
    body = INSTALL | change if change is not None else {k: v for k, v in INSTALL.items() if k != fault}
    answer = api.phy("POST", f"/servers/{GPU1}/os_install/", body)
    assert (answer.status, answer.json["title"]) == (400, "invalid")
    assert all(set(f) == {"code", "message"} for f in answer.json["invalid_parameters"][fault])
    assert server(api)["lock_status"] is None


def test_a_reinstall_locks_for_45_minutes_and_ends_with_a_new_root(api: Caller, world: World) -> None:
    path = f"/servers/{GPU1}"
    port = server(api)["ports"][0]["port_id"]
    assert api.phy("POST", f"{path}/os_install/", INSTALL).status == 204
    assert server(api)["lock_status"] == "os_install"
    assert server(api)["port_channels"][0]["locked"] is True
    for answer in (
        api.phy("POST", f"{path}/os_install/", INSTALL),
        api.phy("POST", f"{path}/power_control/", {"operation": "off"}),
        api.phy("POST", f"{path}/ports/{port}/enable/", {"enable": False}),
        assign(api, 0, port, private_network_ids=[NETWORK]),
    ):
        assert (answer.status, answer.json["title"]) == (409, "conflict")
    api.wait(45 * 60 - 1)
    during = world.topology().machines[0]
    assert (during.power, during.root) == (False, "")
    api.wait(1)
    first = world.topology().machines[0]
    assert (first.power, first.boots, first.login, first.authorized_keys) == (True, 1, "ubuntu", (KEY,))
    assert first.root == f"phy-{GPU1}-1"
    assert server(api)["lock_status"] is None
    assert api.phy("GET", f"{path}/power_status/").json == {"power_status": {"status": "on"}}
    api.phy("POST", f"{path}/os_install/", INSTALL | {"os_image_id": "almalinux9"})
    api.wait(45 * 60)
    second = world.topology().machines[0]
    assert (second.root, second.login, second.boots) == (f"phy-{GPU1}-2", "root", 2)
    assert "correct1horse" not in world.to_json()


def test_power_control_acts_at_once_but_for_soft(api: Caller, world: World) -> None:
    path = f"/servers/{GPU1}"

    def control(operation: Any) -> int:
        return api.phy("POST", f"{path}/power_control/", {"operation": operation}).status

    assert [control(x) for x in ("soft", "reset", "off")] == [204] * 3
    assert world.topology().machines[0].boots == 0
    assert api.phy("GET", f"{path}/raid_status/").status == 503
    assert [control(x) for x in ("on", "on", "reset")] == [204] * 3
    assert (world.topology().machines[0].power, world.topology().machines[0].boots) == (True, 2)
    assert (
        api.phy("GET", f"{path}/raid_status/", query="refresh=true").json["raid_status"]["overall_status"]
        == "ok"
    )
    assert control("soft") == 204
    assert world.topology().machines[0].power is True
    api.wait(20)
    assert world.topology().machines[0].power is False
    assert server(api)["cached_power_status"]["status"] == "on"
    assert api.phy("GET", f"{path}/power_status/").json["power_status"]["status"] == "off"
    assert server(api)["cached_power_status"]["status"] == "off"
    assert [control(x) for x in ("reboot", None, 1)] == [400] * 3


def test_the_cached_power_state_is_at_most_five_minutes_old(api: Caller) -> None:
    api.phy("POST", f"/servers/{GPU1}/power_control/", {"operation": "on"})
    api.phy("POST", f"/servers/{GPU1}/power_control/", {"operation": "soft"})
    api.wait(299)
    assert server(api)["cached_power_status"]["status"] == "on"
    api.wait(1)
    assert server(api)["cached_power_status"]["status"] == "off"

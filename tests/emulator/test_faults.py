"""Fault rules: what each kind does, that a seed repeats a run, that they are saved, and their door and file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World
from daiku.lab.sakura.faults import MEANINGS, FaultPlan

from .conftest import ADMIN, GPU1, GPU2, INVENTORY, Caller
from .phy_calls import INSTALL
from .test_appliances import ROUTER, balancer
from .test_servers import archive, disk, server

INSTALL_SECONDS = 45 * 60


def machine(world: World, identity: str) -> Any:
    return next(m for m in world.topology().machines if m.id == identity)


def lock(api: Caller, server_id: str = GPU1) -> str | None:
    return api.phy("GET", f"/servers/{server_id}/").json["server"]["lock_status"]


def install(api: Caller) -> int:
    return api.phy("POST", f"/servers/{GPU1}/os_install/", INSTALL).status


def booted_vm(api: Caller) -> int:
    vm = server(api, {"Scope": "shared"})["ID"]
    disk(api, {"SourceArchive": {"ID": archive(api, "debian-12-latest")}, "Server": {"ID": vm}})
    api.wait(120)
    api.do("PUT", f"/server/{vm}/power")
    api.wait(15)
    return vm


def test_a_chosen_disk_copy_fails_and_the_next_one_does_not(api: Caller, world: World) -> None:
    world.faults.add(r"^disk \d+ cp-2$", "disk_failed")
    source = {"SourceArchive": {"ID": archive(api)}}
    names = ("cp-1", "cp-2", "cp-2")
    made = [disk(api, source | {"Name": name})["ID"] for name in names]
    api.wait(600)
    states = [api.read(f"/disk/{each}", "Disk")["Availability"] for each in made]
    assert states == ["available", "failed", "available"]
    assert api.cloud("PUT", f"/disk/{made[1]}/config", {"HostName": "h"}).status == 409
    api.do("DELETE", f"/disk/{made[1]}")


def test_a_failed_disk_does_not_boot_its_server(api: Caller, world: World) -> None:
    world.faults.add("^disk ", "disk_failed")
    vm = server(api)["ID"]
    disk(api, {"SourceArchive": {"ID": archive(api)}, "Server": {"ID": vm}}, BootAtAvailable=True)
    api.wait(600)
    assert api.read(f"/server/{vm}", "Server")["Instance"]["Status"] == "down"
    assert api.cloud("PUT", f"/server/{vm}/power").status == 409


def test_a_failed_archive_cannot_be_a_source(api: Caller, world: World) -> None:
    world.faults.add("^archive ", "disk_failed")
    made = api.make("/archive", "Archive", {"Name": "a", "SourceArchive": {"ID": archive(api)}})["ID"]
    api.wait(600)
    assert api.read(f"/archive/{made}", "Archive")["Availability"] == "failed"


@pytest.mark.parametrize(("late", "done"), [(None, False), (600.0, True)])
def test_an_install_hangs_for_ever_or_for_a_while(
    api: Caller, world: World, late: float | None, done: bool
) -> None:
    world.faults.add(f"^phy {GPU1} gpu-01$", "install_hangs", seconds=late)
    assert install(api) == 204
    api.wait(INSTALL_SECONDS)
    assert lock(api) == "os_install"
    api.wait(600)
    assert (lock(api) is None) == done
    api.wait(INSTALL_SECONDS * 10)
    assert install(api) == (204 if done else 409)


def test_a_vm_that_boots_without_ssh_answers_after_the_next_boot(api: Caller, world: World) -> None:
    world.faults.add("^server ", "no_ssh")
    vm = booted_vm(api)
    assert (machine(world, str(vm)).power, machine(world, str(vm)).root) == (True, "")
    api.do("PUT", f"/server/{vm}/reset")
    assert machine(world, str(vm)).root.startswith("disk-")


def test_a_bare_metal_server_without_ssh_answers_after_a_reset(api: Caller, world: World) -> None:
    world.faults.add("^phy ", "no_ssh")
    install(api)
    api.wait(INSTALL_SECONDS)
    assert (machine(world, GPU1).power, machine(world, GPU1).root) == (True, "")
    api.phy("POST", f"/servers/{GPU1}/power_control/", {"operation": "reset"})
    assert machine(world, GPU1).root == f"phy-{GPU1}-1"


def test_the_vendor_locks_a_server_and_gives_it_back(api: Caller, world: World) -> None:
    world.faults.add(GPU1, "administrative_lock", seconds=300)
    world.faults.add(GPU2, "administrative_lock")
    assert (lock(api), lock(api, GPU2)) == ("administrative_lock", "administrative_lock")
    assert install(api) == 409
    channel = api.phy("GET", f"/servers/{GPU1}/").json["server"]["port_channels"][0]
    assert channel["locked"] is True
    api.wait(300)
    assert (lock(api), lock(api, GPU2)) == (None, "administrative_lock")
    world.faults.clear()
    assert lock(api, GPU2) is None


def test_an_install_goes_on_under_the_vendors_lock(api: Caller, world: World) -> None:
    install(api)
    world.faults.add(GPU1, "administrative_lock", seconds=2 * INSTALL_SECONDS)
    api.wait(INSTALL_SECONDS)
    assert lock(api) == "administrative_lock"
    api.wait(INSTALL_SECONDS)
    assert lock(api) is None
    assert machine(world, GPU1).root == f"phy-{GPU1}-1"


def test_half_of_a_routers_settings_come_to_life(api: Caller, world: World) -> None:
    router = api.make("/appliance", "Appliance", ROUTER)["ID"]
    api.wait(90)
    wanted = {
        "InternetConnection": {"Enabled": "True"},
        "SyslogHost": "192.168.0.9",
        "StaticRoutes": {"Enabled": "True", "Config": [{"Prefix": "10.9.0.0/16", "NextHop": "192.168.0.9"}]},
        "DNSForwarding": {"Enabled": "True", "Interface": "eth1", "DNSServers": ["192.0.2.1"]},
    }
    api.do("PUT", f"/appliance/{router}", {"Appliance": {"Settings": {"Router": wanted}}})
    world.faults.add("^appliance ", "half_applied")
    api.do("PUT", f"/appliance/{router}/config")
    live = json.loads(world.to_json())["rows"]["Appliance"][0]["applied"]
    assert len(live) == 2
    assert live.items() <= wanted.items()
    api.do("PUT", f"/appliance/{router}/config")
    assert json.loads(world.to_json())["rows"]["Appliance"][0]["applied"] == wanted


def test_half_of_a_load_balancers_addresses_come_to_life(api: Caller, world: World) -> None:
    switch = api.make("/switch", "Switch", {"Name": "n"})["ID"]
    made = api.make("/appliance", "Appliance", balancer(switch))["ID"]
    api.wait(90)
    vips = [{"VirtualIPAddress": f"10.0.0.{n}", "Port": "80", "Servers": []} for n in (51, 52)]
    api.do("PUT", f"/appliance/{made}", {"Appliance": {"Settings": {"LoadBalancer": vips}}})
    world.faults.add("^appliance ", "half_applied")
    api.do("PUT", f"/appliance/{made}/config")
    shown = api.do("GET", f"/appliance/{made}/status").json["LoadBalancer"]
    assert [vip["VirtualIPAddress"] for vip in shown] == ["10.0.0.51"]


def weather(seed: int) -> list[int]:
    world = World(Clock(), Inventory.load(INVENTORY), seed=seed)
    world.faults.add("GET .*/switch", "503", times=None, chance=0.4)
    api = Caller(world)
    return [api.cloud("GET", "/switch").status for _ in range(40)]


def test_a_seed_repeats_the_weather() -> None:
    first = weather(3)
    assert first == weather(3) != weather(4)
    assert 5 < first.count(503) < 30


def test_rules_are_saved_with_what_they_did(api: Caller, world: World) -> None:
    world.faults.add("GET .*/switch", "503", times=30, chance=0.5)
    before = [api.cloud("GET", "/switch").status for _ in range(10)]
    again = World.from_json(world.to_json(), Clock(), world.inventory)
    assert again.faults.model_dump() == world.faults.model_dump()
    assert again.faults.rules[0].struck == before.count(503)
    later = [[Caller(w).cloud("GET", "/switch").status for _ in range(20)] for w in (world, again)]
    assert later[0] == later[1]


FILE = """
seed: 11
faults:
  - {route: "POST .*/disk$", kind: 503, times: 3, chance: 0.5}
  - {route: "^phy", kind: install_hangs, times: null}
"""


def test_a_fault_file_is_read_whole_or_not_at_all(world: World) -> None:
    assert world.faults.load(FILE) == 2
    assert (world.faults.seed, world.faults.rules[0].kind, world.faults.rules[1].times) == (11, "503", None)
    for text, place in (
        ("faults: [{route: a, kind: '418'}]", "faults.0.kind"),
        ("faults: [{route: '(', kind: eof}]", "faults.0.route"),
        ("faults: [{route: a, kind: eof, chance: 2}]", "faults.0.chance"),
        ("faults: [{route: a, kind: eof, colour: red}]", "faults.0.colour"),
        ("seed: 3", "faults"),
        ("[1]", "file"),
        ("a: [", "YAML"),
    ):
        with pytest.raises(ValueError, match=place):
            world.faults.load(text)
    assert len(world.faults.rules) == 2


def test_every_kind_is_explained() -> None:
    plan = FaultPlan()
    for kind in MEANINGS:
        plan.add("x", kind)  # pyright: ignore[reportArgumentType] - the kinds are checked by pydantic
    assert len(plan.rules) == len(MEANINGS)


def test_the_labs_door_takes_shows_and_clears_rules(api: Caller, world: World) -> None:
    def door(method: str, body: Any = None) -> Any:
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {ADMIN}"}
        return api.raw(method, "/_lab/faults", body=data, headers=headers)

    assert door("POST", {"faults": [{"route": "GET .*/switch", "kind": "423"}]}).status == 200
    assert api.cloud("GET", "/switch").status == 423
    assert door("GET").json["rules"][0]["struck"] == 1
    for bad in (None, [], {"faults": [{"route": "a"}]}, {"faults": "x"}):
        refused = door("POST", bad)
        assert (refused.status, bool(refused.json["error"])) == (400, True)
    assert door("DELETE").json["rules"] == []
    assert world.faults.rules == []

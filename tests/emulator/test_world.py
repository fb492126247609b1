"""What the lab builds on: the clock, the topology, faults, save and restore, the inventory, the lab's own door."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from pydantic import ValidationError

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World
from daiku.lab.topology import INTERNET

from .conftest import ADMIN, GPU1, INVENTORY, NETWORK, OTHER_NETWORK, SECRET, Caller, gpu
from .phy_calls import INSTALL
from .test_servers import archive, disk, server


def test_the_clock_runs_events_in_order_each_at_its_moment() -> None:
    clock, seen = Clock(), list[tuple[str, float]]()
    clock.call_later(5, lambda: seen.append(("b", clock.now())))
    clock.call_later(2, lambda: clock.call_later(1, lambda: seen.append(("a", clock.now()))))
    clock.call_later(5, lambda: seen.append(("c", clock.now())))
    clock.call_later(6, lambda: seen.append(("never", 0))).cancel()
    clock.call_later(99, lambda: seen.append(("later", 0)))
    clock.advance(10)
    assert seen == [("a", 3.0), ("b", 5.0), ("c", 5.0)]
    assert clock.now() == 10
    with pytest.raises(ValueError, match="backwards"):
        clock.advance(-1)


def test_a_scaled_clock_runs_by_itself_and_survives_a_failing_event() -> None:
    clock, done = Clock(scale=10_000), threading.Event()

    def fail() -> None:
        raise RuntimeError("boom")

    clock.call_later(60, fail)
    clock.call_later(120, done.set)
    clock.start()
    clock.start()
    assert done.wait(5)
    clock.stop()
    assert clock.now() >= 120
    frozen = clock.now()
    assert clock.now() == frozen
    with pytest.raises(ValueError, match="manual"):
        Clock().start()


def cluster(api: Caller) -> dict[str, Any]:
    """A hybrid switch, a VM on it and on the shared segment, a GPU server plugged into the same network."""
    switch = api.make("/switch", "Switch", {"Name": "node-net", "Tags": [f"hybrid={NETWORK}"]})["ID"]
    vm = server(api, {"ID": switch}, {"Scope": "shared"})["ID"]
    edit = {
        "HostName": "cp1",
        "UserIPAddress": "10.10.0.11",
        "UserSubnet": {"DefaultRoute": "10.10.0.1", "NetworkMaskLen": 20},
    }
    disk(api, {"SourceArchive": {"ID": archive(api, "debian-12-latest")}, "Server": {"ID": vm}}, Config=edit)
    api.wait(120)
    api.do("PUT", f"/server/{vm}/power")
    port = api.phy("GET", f"/servers/{GPU1}/").json["server"]["ports"][1]["port_id"]
    body = {
        "mode": "access",
        "internet_type": None,
        "dedicated_subnet_id": None,
        "private_network_ids": [NETWORK],
    }
    api.phy("POST", f"/servers/{GPU1}/ports/{port}/assign_network/", body)
    api.wait(15)
    return {"switch": switch, "vm": vm}


def test_a_vm_and_a_gpu_server_meet_on_one_segment(api: Caller, world: World) -> None:
    made = cluster(api)
    topology = world.topology()
    vm = next(machine for machine in topology.machines if machine.kind == "vm")
    gpu_node = topology.machines[0]
    assert (vm.id, vm.power, vm.hostname, vm.login) == (str(made["vm"]), True, "cp1", "root")
    assert vm.nics[0].segment == gpu_node.nics[1].segment == f"pn-{NETWORK}"
    assert (vm.nics[0].addresses, vm.nics[0].gateway) == (("10.10.0.11/20",), "10.10.0.1")
    assert (vm.nics[1].segment, vm.nics[1].addresses) == (INTERNET, ())
    assert [nic.segment for nic in gpu_node.nics[2:]] == ["rail-0", "rail-1", "rail-2", "rail-3"]
    mtus = {segment.id: segment.mtu for segment in topology.segments}
    assert mtus["rail-0"] == 9000
    assert f"sw-{made['switch']}" not in mtus
    assert {INTERNET, f"pn-{NETWORK}", f"pn-{OTHER_NETWORK}"} <= set(mtus)


def test_a_bridge_makes_one_segment_of_two_zones(api: Caller, world: World) -> None:
    bridge = api.make("/bridge", "Bridge", {"Name": "b"})["ID"]
    ends = [api.make("/switch", "Switch", {"Name": zone}, zone=zone)["ID"] for zone in ("is1a", "is1b")]
    for zone, end in zip(("is1a", "is1b"), ends, strict=True):
        api.cloud("PUT", f"/switch/{end}/to/bridge/{bridge}", zone=zone)
    assert [s.id for s in world.topology().segments if s.id.startswith("sw-")] == [f"sw-{min(ends)}"]


def test_a_machine_without_an_installed_disk_has_no_root(api: Caller, world: World) -> None:
    bare = server(api)["ID"]
    api.do("PUT", f"/server/{bare}/power")
    api.wait(15)
    machine = world.topology().machines[-1]
    assert (machine.power, machine.root) == (True, "")


def test_a_reset_and_a_reboot_count_as_boots(api: Caller, world: World) -> None:
    vm = cluster(api)["vm"]
    api.do("PUT", f"/server/{vm}/reset")
    assert world.topology().machines[-1].boots == 2


def test_same_seed_and_calls_give_the_same_world() -> None:
    texts = set[str]()
    for seed in (3, 3, 4):
        world = World(Clock(), Inventory.load(INVENTORY), seed=seed)
        cluster(Caller(world))
        texts.add(world.to_json())
    assert len(texts) == 2


def test_a_world_is_saved_in_the_middle_of_things_and_goes_on(api: Caller, world: World) -> None:
    vm = cluster(api)["vm"]
    copying = disk(api, {"SourceArchive": {"ID": archive(api)}})["ID"]
    api.phy("POST", f"/servers/{GPU1}/os_install/", INSTALL)
    api.do("DELETE", f"/server/{vm}/power", {})
    saved = world.to_json()
    assert SECRET not in saved
    again = World.from_json(saved, Clock(), world.inventory)
    assert again.to_json() == saved
    assert again.topology() == world.topology()
    for each in (world, again):
        each.clock.advance(45 * 60)
    assert again.to_json() == world.to_json()
    other = Caller(again)
    assert other.read(f"/disk/{copying}", "Disk")["Availability"] == "available"
    assert other.read(f"/server/{vm}", "Server")["Instance"]["Status"] == "down"
    assert other.phy("GET", f"/servers/{GPU1}/").json["server"]["lock_status"] is None
    assert (
        other.make("/switch", "Switch", {"Name": "n"})["ID"]
        == api.make("/switch", "Switch", {"Name": "n"})["ID"]
    )


def test_a_restored_world_receives_what_was_ordered_since(world: World) -> None:
    grown = Inventory.load(INVENTORY | {"phy_servers": [*INVENTORY["phy_servers"], gpu("100000000003", 3)]})
    again = World.from_json(world.to_json(), Clock(), grown)
    views = Caller(again).phy("GET", "/servers/", query="ordering=nickname").json["servers"]
    assert [view["service"]["nickname"] for view in views] == ["gpu-01", "gpu-02", "gpu-03"]
    ports = [port["port_id"] for view in views for port in view["ports"]]
    assert len(ports) == len(set(ports))
    for text in ("[]", '{"format": 0}', "nonsense"):
        with pytest.raises(ValueError):  # noqa: PT011 - json's own message is fine
            World.from_json(text, Clock(), grown)


def test_listeners_hear_of_writes_and_transitions_but_not_of_reads(api: Caller, world: World) -> None:
    heard: list[float] = []
    world.on_change(lambda: heard.append(world.clock.now()))
    vm = server(api)["ID"]
    api.do("PUT", f"/server/{vm}/power")
    before = len(heard)
    assert before == 2
    api.read(f"/server/{vm}", "Server")
    assert len(heard) == before
    api.wait(15)
    assert heard[before:] == [15.0]


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("423", 423, "locked"), ("503", 503, "busy"), ("404", 404, "not_found"), ("409", 409, "still_creating")],
)
def test_faults_spoil_as_many_calls_as_they_say(
    api: Caller, world: World, kind: Any, status: int, code: str
) -> None:
    world.faults.add(r"POST .*/switch$", kind, times=2)
    body = {"Switch": {"Name": "n"}}
    answers = [api.cloud("POST", "/switch", body) for _ in range(3)]
    assert [answer.status for answer in answers] == [status, status, 201]
    assert answers[0].json["error_code"] == code
    assert api.cloud("GET", "/switch").json["Total"] == 1
    assert [entry.fault for entry in world.audit][:3] == [kind, kind, ""]


def test_a_fault_after_the_call_leaves_the_thing_behind(api: Caller, world: World) -> None:
    world.faults.add("POST .*/switch", "503", after=True)
    assert api.cloud("POST", "/switch", {"Switch": {"Name": "orphan"}}).status == 503
    assert api.cloud("GET", "/switch").json["Switches"][0]["Name"] == "orphan"


def test_faults_of_phy_speak_phy(api: Caller, world: World) -> None:
    world.faults.add("GET .*/servers/", "429", seconds=77)
    refused = api.phy("GET", "/servers/")
    assert (refused.status, refused.json["title"], refused.headers["retry-after"]) == (429, "throttled", "77")
    world.faults.add("GET", "503", times=None)
    assert [api.phy("GET", "/servers/").json["title"] for _ in range(2)] == ["temporary_unavailable"] * 2
    world.faults.clear()
    world.faults.add("GET", "slow", seconds=0.01)
    assert api.phy("GET", "/servers/").status == 200


def door(api: Caller, method: str, path: str, body: Any = None, token: str = ADMIN, query: str = "") -> Any:
    data = b"" if body is None else json.dumps(body).encode()
    return api.raw(
        method, f"/_lab{path}", query=query, body=data, headers={"Authorization": f"Bearer {token}"}
    )


def test_the_labs_door_opens_with_its_token_only(api: Caller) -> None:
    for token in ("", "guess", SECRET):
        assert door(api, "GET", "/state", token=token).status == 403
    assert api.raw("GET", "/_lab/state", headers={"Authorization": api.basic()}).status == 403
    assert door(api, "GET", "/state").json["format"] == 1
    assert door(api, "GET", "/nothing").status == 404


def test_the_labs_door_shows_the_log_and_moves_the_clock(api: Caller, world: World) -> None:
    api.make("/switch", "Switch", {"Name": "a"})
    api.cloud("GET", "/switch")
    entries = door(api, "GET", "/audit").json["entries"]
    assert [entry["method"] for entry in entries] == ["POST", "GET"]
    assert len(door(api, "GET", "/audit", query="since=1").json["entries"]) == 1
    assert door(api, "POST", "/clock", {"advance": 90}).json["now"] == 90
    assert door(api, "GET", "/clock").json == {"now": 90.0, "scale": 0.0}
    for bad in ({"advance": -1}, {"advance": "x"}, {}, [], {"advance": 1e300}):
        assert door(api, "POST", "/clock", bad).status == 400
    segments = door(api, "GET", "/topology").json["segments"]
    assert any(segment["id"].startswith("sw-") for segment in segments)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"phy_servers": [gpu(GPU1, 1), gpu(GPU1, 2)]}, "service id is used twice"),
        ({"phy_servers": [gpu(GPU1, 1), gpu("100000000009", 1)]}, "address is used twice"),
        ({"phy_servers": [gpu(GPU1, 1) | {"ipv4": "192.0.2.1"}]}, "outside"),
        ({"phy_servers": [gpu(GPU1, 1) | {"power": True}]}, "without an installed OS"),
        ({"phy_servers": [gpu("12", 1)]}, "service_id"),
        ({"hybrid": [{"private_network": "999999999999", "switch_tag": "x"}]}, "no private network"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_inventory_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Inventory.load(INVENTORY | change)


def test_an_inventory_is_read_from_yaml_and_its_secret_is_not_printed() -> None:
    inventory = Inventory.load(json.dumps(INVENTORY))
    assert inventory == Inventory.load(INVENTORY)
    assert SECRET not in repr(inventory)


def test_an_installed_server_may_be_delivered_running() -> None:
    running = gpu(GPU1, 1) | {"installed": "ubuntu2204", "power": True}
    world = World(Clock(), Inventory.load(INVENTORY | {"phy_servers": [running]}))
    machine = world.topology().machines[0]
    assert (machine.power, machine.root, machine.login, machine.boots) == (True, f"phy-{GPU1}-1", "ubuntu", 1)

"""The clients against the lab's emulator, on its own clock: when a client sleeps, the datacentre's time passes."""

from __future__ import annotations

from typing import Any

import pytest
from scripted import TOKEN

from daiku.errors import ConflictError, CredentialsError, DeadlineError, NotFoundError, UnreachableError
from daiku.lab.sakura import World
from daiku.wire.credentials import SakuraCredentials, endpoints_from_environment
from daiku.wire.listings import Listings
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import ARCHIVE, DISK, INTERFACE, NOTE, SERVER, SWITCH, ZONE
from daiku.wire.sakura_models import Disk, Server, Switch


def make_server(lab: SakuraCloud, name: str = "cp0", **fields: Any) -> tuple[str, str]:
    """A server on a new switch with an Ubuntu disk; (server, disk)."""
    switch = lab.create(SWITCH, {"Name": f"{name}-net"})["ID"]
    plan = {"CPU": 2, "MemoryMB": 4096}
    body = {"Name": name, "ServerPlan": plan, "ConnectedSwitches": [{"ID": switch}], **fields}
    server = lab.create(SERVER, body)["ID"]
    archive = lab.find_archive(["ubuntu-24.04-latest"])["ID"]
    disk = lab.create_disk(
        {
            "Name": name,
            "Plan": {"ID": 4},
            "SizeMB": 20480,
            "Connection": "virtio",
            "SourceArchive": {"ID": archive},
            "Server": {"ID": server},
        }
    )
    return server, disk["ID"]


def test_a_server_lives_and_goes(lab: SakuraCloud, world: World) -> None:
    server, disk = make_server(lab, Tags=["role=control-plane"])
    assert Disk.of(lab.read(DISK, disk)).migrated_mb == 20480
    up = Server.of(lab.power_on(SERVER, server))
    assert up.instance.status == "up"
    assert up.plan.cpu == 2
    assert [d.id for d in up.disks] == [disk]
    assert [item["ID"] for item in lab.find_by_tag(SERVER, "role=control-plane")] == [server]
    with pytest.raises(ConflictError):
        lab.delete(SERVER, server)
    began = world.clock.now()
    lab.power_off(SERVER, server, grace=60)
    assert world.clock.now() - began < 1200
    lab.delete(SERVER, server, {"WithDisk": [disk]})
    for kind, ident in ((SERVER, server), (DISK, disk)):
        with pytest.raises(NotFoundError):
            lab.read(kind, ident)


def test_a_change_of_plan_moves_the_server_to_another_id(lab: SakuraCloud) -> None:
    server, disk = make_server(lab)
    moved = Server.of(lab.change_server_plan(server, {"CPU": 4, "MemoryMB": 8192}))
    assert moved.id != server
    assert (moved.plan.cpu, moved.plan.memory_mb) == (4, 8192)
    with pytest.raises(NotFoundError):
        lab.read(SERVER, server)
    successor = lab.find_successor(SERVER, server)
    assert successor is not None
    assert successor["ID"] == moved.id
    assert [d.id for d in Server.of(successor).disks] == [disk]


def test_a_switch_waits_for_its_last_user(lab: SakuraCloud) -> None:
    server, disk = make_server(lab)
    switch = Server.of(lab.read(SERVER, server)).interfaces[0].switch
    assert switch is not None
    assert lab.switch_users(switch.id) == ("server cp0",)
    with pytest.raises(DeadlineError, match="server cp0"):
        lab.delete_switch(switch.id, deadline=20)
    lab.delete(SERVER, server, {"WithDisk": [disk]})
    lab.delete_switch(switch.id)
    with pytest.raises(NotFoundError):
        lab.read(SWITCH, switch.id)


def test_a_nic_moves_between_switches(lab: SakuraCloud) -> None:
    server, _ = make_server(lab)
    nic = Server.of(lab.read(SERVER, server)).interfaces[0].id
    other = Switch.of(lab.create(SWITCH, {"Name": "other"})).id
    lab.disconnect_interface(nic)
    assert Server.of(lab.read(SERVER, server)).interfaces[0].switch is None
    lab.connect_interface(nic, other)
    attached = Server.of(lab.read(SERVER, server)).interfaces[0].switch
    assert attached is not None
    assert attached.id == other
    assert lab.read(INTERFACE, nic)["ID"] == nic


def test_names_are_found_exactly_whatever_is_in_them(lab: SakuraCloud) -> None:
    for name in ("gpu", "gpu 1", "gpu+1 & co", "さくら"):
        lab.create(NOTE, {"Name": name, "Class": "shell", "Content": "#!/bin/sh\n"})
    for name in ("gpu", "gpu 1", "gpu+1 & co", "さくら"):
        assert [note["Name"] for note in lab.find_by_name(NOTE, name)] == [name]


def test_listings_read_a_whole_zone_at_once(lab: SakuraCloud, world: World) -> None:
    switches = [lab.create(SWITCH, {"Name": f"s{n}"})["ID"] for n in range(40)]
    listings = Listings(lab, max_age=30)
    before = world.calls
    for switch in switches:
        listed, read = listings.read(SWITCH, switch), dict(listings.read(SWITCH, switch))
        assert listed == read
    assert world.calls == before + 1
    read = lab.read(SWITCH, switches[0])
    assert {k: v for k, v in listings.read(SWITCH, switches[0]).items() if k != "Index"} == read


def test_zones_and_archives_are_listed(lab: SakuraCloud) -> None:
    assert {"is1a", "is1b", "tk1a", "tk1b", "tk1v"} <= {zone["Name"] for zone in lab.find(ZONE)}
    assert lab.find(ARCHIVE, filter={"Scope": ["shared"]})


@pytest.mark.parametrize("fault", ["423", "503", "eof"])
def test_bad_weather_while_reading_is_ridden_out(lab: SakuraCloud, world: World, fault: Any) -> None:
    world.faults.add("GET .*/switch", fault, times=2)
    assert lab.find(SWITCH) == []


@pytest.mark.parametrize("fault", ["423", "503"])
def test_bad_weather_while_creating_makes_one_object(lab: SakuraCloud, world: World, fault: Any) -> None:
    world.faults.add("POST .*/switch", fault, times=3)
    lab.create(SWITCH, {"Name": "once"})
    assert len(lab.find(SWITCH)) == 1


def test_a_creation_whose_answer_is_lost_is_not_repeated(lab: SakuraCloud, world: World) -> None:
    world.faults.add("POST .*/switch", "eof", after=True)
    with pytest.raises(UnreachableError, match="not known"):
        lab.create(SWITCH, {"Name": "lost", "Tags": ["daiku=x"]})
    assert [s["Name"] for s in lab.find_by_tag(SWITCH, "daiku=x")] == ["lost"]


def test_a_wrong_token_is_told_as_such(lab_url: str) -> None:
    client = SakuraCloud(SakuraCredentials(TOKEN, "wrong"), root_url=f"{lab_url}/cloud/zone")
    with pytest.raises(CredentialsError) as caught:
        client.find(SWITCH)
    client.close()
    assert caught.value.exit_code == 10


def test_the_environment_of_a_lab_leads_to_it(lab_url: str, credentials: SakuraCredentials) -> None:
    environ = {
        "SAKURACLOUD_API_ROOT_URL": f"{lab_url}/cloud/zone",
        "SAKURA_RATE_LIMIT": "0",
        "SAKURA_ZONE": "tk1v",
    }
    calls: list[str] = []
    client = SakuraCloud.at(
        credentials, endpoints_from_environment(environ), on_call=lambda m, path, s, t: calls.append(path)
    )
    client.find(SWITCH)
    client.close()
    assert calls == ["/tk1v/api/cloud/1.1/switch"]

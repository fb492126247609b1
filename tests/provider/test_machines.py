"""Disks and servers: plans, wiring, first boot, restarts, crashes at every call."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.errors import ApiError, ConflictError, DaikuError, UnreachableError
from daiku.provider.context import Context
from daiku.provider.fields import Change
from daiku.provider.handler import IncompleteError
from daiku.provider.resources.disk import DiskHandler
from daiku.provider.resources.get_archive import GetArchive
from daiku.provider.resources.packet_filter import PacketFilterHandler
from daiku.provider.resources.server import ServerHandler
from daiku.provider.resources.switch import SwitchHandler
from daiku.wire.sakura_kinds import DISK, INTERFACE, SERVER
from tests.provider.conftest import Lab
from tests.provider.play import Play, without
from tests.provider.test_simple_objects import KEY


def archive(ctx: Context) -> str:
    return GetArchive().invoke(ctx, {"tags": ["ubuntu-24.04-latest"], "scope": "shared"})["id"]


def disk(ctx: Context, name: str = "root") -> Play:
    play = Play(DiskHandler(), ctx, name)
    play.up({"name": name, "sizeGb": 40, "sourceArchiveId": archive(ctx)})
    return play


def switch(ctx: Context, name: str = "nodes") -> Play:
    play = Play(SwitchHandler(), ctx, name)
    play.up({"name": name})
    return play


def server_inputs(ctx: Context, **more: Any) -> dict[str, Any]:
    return {
        "name": "cp-1",
        "tags": ["control-plane"],
        "cpu": 2,
        "memoryGb": 4,
        "networkInterfaces": [{"upstream": switch(ctx).id}],
        "disks": [disk(ctx).id],
        "diskEdit": {
            "hostname": "cp-1",
            "sshKeys": [KEY],
            "ipAddress": "10.10.0.11",
            "gateway": "10.10.0.1",
            "networkMaskLen": 24,
        },
        **more,
    }


def test_an_image_is_found_by_its_tag(lab: Lab) -> None:
    found = GetArchive().invoke(lab.context(), {"tags": ["ubuntu-24.04-latest"], "scope": "shared"})
    assert "ubuntu-24.04-latest" in found["tags"]
    assert found["sizeGb"] == 20


def test_a_disk_is_copied_renamed_and_replaced(lab: Lab) -> None:
    play = disk(lab.context())
    first = play.id
    assert play.imported() == play.state
    source = play.state["sourceArchiveId"]
    assert play.up({"name": "root-2", "sizeGb": 40, "sourceArchiveId": source}).gravest is Change.LIVE
    assert play.id == first
    assert play.up({"name": "root-2", "sizeGb": 100, "sourceArchiveId": source}).replaces == ("sizeGb",)
    play.down()
    assert play.ctx.cloud.find(DISK) == []


def test_a_server_boots_with_its_disk_written_once(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = server_inputs(ctx)
    play.up(inputs)
    assert play.state["power"] == "up"
    assert play.state["disks"] == inputs["disks"]
    assert len(play.state["macAddresses"]) == 1
    assert sum("/config" in call for call in lab.calls(writes=True)) == 1
    seen = play.imported()
    assert seen["networkInterfaces"][0].pop("userIpAddress") == "10.10.0.11"
    assert without(seen, "generation") == without(play.state, "diskEdit")
    assert play.imported()["generation"] == 200
    before = len(lab.calls(writes=True))
    play.up(inputs)
    assert len(lab.calls(writes=True)) == before
    play.down()
    assert ctx.cloud.find(SERVER) == []
    assert len(ctx.cloud.find(DISK)) == 1


def test_names_and_filters_change_while_it_runs(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = server_inputs(ctx)
    play.up(inputs)
    rules = Play(PacketFilterHandler(), ctx, "pf")
    rules.up({"name": "pf", "rules": [{"protocol": "icmp"}]})
    nic = inputs["networkInterfaces"][0] | {"packetFilterId": rules.id, "userIpAddress": "10.10.0.11"}
    power_calls = sum("/power" in call for call in lab.calls(writes=True))
    difference = play.up(inputs | {"name": "cp-one", "tags": [], "networkInterfaces": [nic]})
    assert difference.gravest is Change.LIVE
    assert sum("/power" in call for call in lab.calls(writes=True)) == power_calls
    play.up(inputs)


def test_the_address_of_the_disk_edit_is_no_difference_on_the_nic(lab: Lab) -> None:
    """The API shows it there; another one, by hand, is drift, and what is asked for on the NIC wins."""
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = server_inputs(ctx)

    def shown() -> str:
        return ctx.cloud.read(SERVER, play.id)["Interfaces"][0]["UserIPAddress"]

    play.up(inputs)
    nic = play.state["interfaceIds"][0]
    assert shown() == "10.10.0.11"
    assert play.state["networkInterfaces"] == inputs["networkInterfaces"]
    ctx.cloud.update(INTERFACE, nic, {"UserIPAddress": "10.10.0.99"})
    lab.clock.advance(60)
    assert play.refresh()
    assert play.plan(inputs).gravest is Change.LIVE
    play.up(inputs)
    assert shown() != "10.10.0.99"
    asked = inputs | {"networkInterfaces": [inputs["networkInterfaces"][0] | {"userIpAddress": "10.10.0.50"}]}
    assert play.up(asked).gravest is Change.LIVE
    assert shown() == "10.10.0.50"
    edited = asked | {"diskEdit": inputs["diskEdit"] | {"ipAddress": "10.10.0.12"}}
    assert play.up(edited).gravest is Change.RESTART
    assert shown() == "10.10.0.50"
    play.up(without(inputs, "diskEdit"))
    assert not shown()


def test_another_plan_keeps_the_id_of_the_resource_and_tells_the_new_one(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = server_inputs(ctx)
    play.up(inputs)
    first = play.id
    for cpu in (4, 2, 4, 2):
        old = play.state["resourceId"]
        difference = play.up(inputs | {"cpu": cpu, "memoryGb": cpu * 2})
        assert difference.gravest is Change.ID_CHANGE
        assert "new ID" in str(difference.changes[0])
        assert play.id == first
        assert play.state["resourceId"] != old
        assert play.state["power"] == "up"
    assert play.state["tags"] == ["control-plane"]
    play.down()
    assert ctx.cloud.find(SERVER) == []


def test_an_id_that_changed_outside_is_followed(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = server_inputs(ctx, power="down")
    play.up(inputs)
    other = lab.context().cloud.change_server_plan(play.id, {"CPU": 4, "MemoryMB": 8192})
    lab.clock.advance(60)
    assert play.refresh()
    assert play.state["resourceId"] == other["ID"]
    assert {c.path for c in play.plan(inputs).changes} == {"cpu", "memoryGb"}
    play.up(inputs)


def test_new_wiring_restarts_and_says_so(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = server_inputs(ctx)
    play.up(inputs)
    data = disk(ctx, "data")
    nics = [{"upstream": "shared"}, *inputs["networkInterfaces"], {"upstream": "disconnect"}]
    difference = play.up(
        inputs | {"networkInterfaces": nics, "disks": [data.id, *inputs["disks"]], "diskEdit": None}
    )
    assert difference.gravest is Change.RESTART
    assert play.state["power"] == "up"
    assert play.state["ipAddress"]
    play.up(inputs | {"networkInterfaces": [], "diskEdit": None})
    play.up(inputs | {"power": "down", "diskEdit": None})
    assert play.state["power"] == "down"


def test_a_disk_in_use_is_taken_from_our_server_but_not_from_a_strangers(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    play.up(server_inputs(ctx))
    root = Play(DiskHandler(), ctx, "root", id=play.state["disks"][0], state={"zone": "is1b"})
    lab.context().cloud.update(SERVER, play.id, {"Name": "s", "Description": "", "Tags": []})
    with pytest.raises(ConflictError, match="not daiku's"):
        root.down()
    lab.clock.advance(60)
    play.refresh()
    play.up(server_inputs(ctx))
    root.down()
    assert ctx.cloud.find(DISK) == []


def test_a_server_stopped_outside_is_started_again(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = server_inputs(ctx)
    play.up(inputs)
    lab.context().cloud.power_off(SERVER, play.id, force=True)
    lab.clock.advance(60)
    play.refresh()
    assert [c.path for c in play.plan(inputs).changes] == ["power"]
    play.up(inputs)


def test_cloud_init_data_is_given_at_boot_and_its_change_restarts(lab: Lab) -> None:
    ctx = lab.context()
    image = GetArchive().invoke(ctx, {"tags": ["ubuntu-24.04-cloudimg"], "scope": "shared"})["id"]
    root = Play(DiskHandler(), ctx, "root")
    root.up({"name": "root", "sourceArchiveId": image})
    play = Play(ServerHandler(), ctx, "cp-1")
    inputs = {"name": "cp-1", "disks": [root.id], "userData": "#cloud-config\nhostname: a\n"}
    play.up(inputs)
    assert play.up(inputs | {"userData": "#cloud-config\nhostname: b\n"}).gravest is Change.RESTART


@pytest.mark.parametrize("kind", ["eof", "404"])
def test_a_crash_at_any_write_is_finished_by_the_next_run(lab: Lab, kind: Any) -> None:
    """The n-th write fails, for every n: before it is carried out (404) or with its answer lost (eof)."""
    ctx = lab.context()
    base = server_inputs(ctx)
    count = len(lab.calls(writes=True))
    Play(ServerHandler(), ctx, "count").up(base)
    writes = len(lab.calls(writes=True)) - count
    Play(ServerHandler(), ctx, "count").handler.delete(ctx, ctx.cloud.find(SERVER)[0]["ID"], {})
    assert writes >= 4
    for n in range(writes):
        name = f"crash-{n}"
        play = Play(ServerHandler(), lab.context(), name)
        if n:
            # n good writes, then a bad one: `slow` without a delay lets a call pass and counts it.
            lab.world.faults.add(r"^(POST|PUT|DELETE) ", "slow", times=n, seconds=0.0)
        lab.world.faults.add(r"^(POST|PUT|DELETE) ", kind, after=kind == "eof")
        try:
            play.up(base)
        except IncompleteError:
            assert play.id
            play.ctx = lab.context()
            play.up(base)
        except DaikuError:
            assert (n, kind) == (0, "404"), "only the first write may leave nothing to hold on to"
            play = Play(ServerHandler(), lab.context(), name)
            play.up(base)
        lab.world.faults.clear()
        assert len(play.ctx.cloud.find(SERVER)) == 1
        assert play.state["power"] == "up"
        play.down()


def test_a_killed_run_is_adopted_without_its_state(lab: Lab) -> None:
    """SIGKILL leaves no state at all: only the mark on the object."""
    ctx = lab.context()
    inputs = server_inputs(ctx)
    lab.world.faults.add(r"/power$", "eof", after=False)
    with pytest.raises(IncompleteError):
        Play(ServerHandler(), lab.context(), "cp-1").up(inputs)
    again = Play(ServerHandler(), lab.context(), "cp-1")
    again.up(inputs)
    assert len(ctx.cloud.find(SERVER)) == 1


def test_a_plan_that_is_not_sold_is_the_apis_own_words(lab: Lab) -> None:
    with pytest.raises(ApiError, match=r"(?i)plan"):
        Play(ServerHandler(), lab.context()).up({"name": "s", "cpu": 7, "memoryGb": 3})


def test_a_wrong_address_is_not_a_loss(lab: Lab) -> None:
    play = disk(lab.context())
    lab.clock.advance(60)
    lab.world.faults.add(r"^GET .*/disk", "eof", times=None)
    with pytest.raises(UnreachableError):
        play.refresh()
    assert play.id

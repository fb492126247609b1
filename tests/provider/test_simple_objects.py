"""Switches, bridges, notes and keys: the life of each, and what a crash leaves."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.errors import UnreachableError
from daiku.provider.context import Context
from daiku.provider.fields import Change
from daiku.provider.handler import Handler
from daiku.provider.resources.bridge import BridgeHandler
from daiku.provider.resources.note import NoteHandler
from daiku.provider.resources.ssh_key import SshKeyHandler
from daiku.provider.resources.switch import SwitchHandler
from daiku.wire.sakura_kinds import BRIDGE, NOTE, SSH_KEY, SWITCH, Kind
from tests.provider.conftest import Lab
from tests.provider.play import Play

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIPjTZFfD6gQOp4EvIbPTjsGPAhxEZ5sFh5FqXBqK0dY me@here"
OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHH1u4AHRHmUu8mWPSNtfyZMSRhRDYbVWKSGwaSOQm8r me@there"

CASES: list[tuple[Handler[Context], Kind, dict[str, Any], dict[str, Any]]] = [
    (
        SwitchHandler(),
        SWITCH,
        {"name": "nodes", "description": "the node network", "tags": ["prod", "a"]},
        {"name": "nodes-2", "tags": ["b"], "defaultRoute": "10.10.0.1", "networkMaskLen": 24},
    ),
    (
        NoteHandler(),
        NOTE,
        {"name": "boot", "content": "#!/bin/sh\necho one\n"},
        {"name": "boot", "content": "#!/bin/sh\necho two\n", "tags": ["x"]},
    ),
    (
        SshKeyHandler(),
        SSH_KEY,
        {"name": "ops", "publicKey": KEY, "description": "two\nlines"},
        {"name": "ops-2", "publicKey": KEY},
    ),
    (BridgeHandler(), BRIDGE, {"name": "b", "description": "text"}, {"name": "c"}),
]
IDS = [case[1].name for case in CASES]


@pytest.mark.parametrize(("handler", "kind", "first", "second"), CASES, ids=IDS)
def test_life(
    lab: Lab, handler: Handler[Context], kind: Kind, first: dict[str, Any], second: dict[str, Any]
) -> None:
    play = Play(handler, lab.context())
    play.up(first)
    made = play.id
    assert play.imported() == play.state
    difference = play.up(second)
    assert difference.gravest is Change.LIVE
    assert play.id == made
    play.up(first)
    play.down()
    assert play.ctx.cloud.find(kind) == []


@pytest.mark.parametrize(("handler", "kind", "first", "second"), CASES, ids=IDS)
def test_a_lost_answer_is_no_second_object(
    lab: Lab, handler: Handler[Context], kind: Kind, first: dict[str, Any], second: dict[str, Any]
) -> None:
    lab.world.faults.add(rf"^POST .*/{kind.path}$", "eof", after=True)
    play = Play(handler, lab.context())
    play.up(first)
    assert len(play.ctx.cloud.find(kind)) == 1


@pytest.mark.parametrize(("handler", "kind", "first", "second"), CASES, ids=IDS)
def test_what_a_killed_run_made_is_adopted(
    lab: Lab, handler: Handler[Context], kind: Kind, first: dict[str, Any], second: dict[str, Any]
) -> None:
    killed = Play(handler, lab.context())
    killed.up(first)  # and the state is lost
    again = Play(handler, lab.context())
    again.up(second)
    assert again.id == killed.id
    assert len(again.ctx.cloud.find(kind)) == 1


@pytest.mark.parametrize(("handler", "kind", "first", "second"), CASES, ids=IDS)
def test_two_resources_with_the_same_inputs_are_two_objects(
    lab: Lab, handler: Handler[Context], kind: Kind, first: dict[str, Any], second: dict[str, Any]
) -> None:
    one, two = Play(handler, lab.context(), "one"), Play(handler, lab.context(), "two")
    one.up(first)
    two.up(first)
    assert one.id != two.id
    assert len(one.ctx.cloud.find(kind)) == 2


@pytest.mark.parametrize(("handler", "kind", "first", "second"), CASES, ids=IDS)
def test_a_change_made_outside_is_found_and_mended(
    lab: Lab, handler: Handler[Context], kind: Kind, first: dict[str, Any], second: dict[str, Any]
) -> None:
    play = Play(handler, lab.context())
    play.up(first)
    lab.context().cloud.update(kind, play.id, {"Name": "changed by hand"})
    lab.clock.advance(60)
    assert play.refresh()
    assert [c.path for c in play.plan(first).changes] == ["name"]
    play.up(first)
    assert play.state["name"] == first["name"]


def test_another_key_is_a_replacement_that_says_why(lab: Lab) -> None:
    play = Play(SshKeyHandler(), lab.context())
    play.up({"name": "ops", "publicKey": KEY})
    made = play.id
    difference = play.up({"name": "ops", "publicKey": OTHER_KEY})
    assert difference.replaces == ("publicKey",)
    assert "cannot change a key" in str(difference.changes[0])
    assert play.id != made
    assert len(play.ctx.cloud.find(SSH_KEY)) == 1


def test_a_leftover_with_another_key_is_not_adopted(lab: Lab) -> None:
    Play(SshKeyHandler(), lab.context()).up({"name": "ops", "publicKey": KEY})
    again = Play(SshKeyHandler(), lab.context())
    again.up({"name": "ops", "publicKey": OTHER_KEY})
    assert [key["PublicKey"] for key in again.ctx.cloud.find(SSH_KEY)] == [OTHER_KEY]


def test_a_call_that_never_arrived_is_an_error(lab: Lab) -> None:
    lab.world.faults.add(r"^POST .*/switch$", "eof")
    play = Play(SwitchHandler(), lab.context())
    with pytest.raises(UnreachableError):
        play.up({"name": "s"})
    assert play.ctx.cloud.find(SWITCH) == []


def test_a_switch_joins_and_leaves_a_bridge(lab: Lab) -> None:
    bridge = Play(BridgeHandler(), lab.context(), "bridge")
    bridge.up({"name": "b"})
    switch = Play(SwitchHandler(), bridge.ctx, "switch")
    switch.up({"name": "s", "bridgeId": bridge.id})
    switch.up({"name": "s"})
    switch.up({"name": "s", "bridgeId": bridge.id})
    switch.down()
    bridge.down()


def test_a_switch_gone_outside_is_told_as_gone(lab: Lab) -> None:
    play = Play(SwitchHandler(), lab.context())
    play.up({"name": "s"})
    lab.context().cloud.delete(SWITCH, play.id)
    lab.clock.advance(60)
    assert not play.refresh()


def test_nothing_to_do_writes_nothing(lab: Lab) -> None:
    play = Play(SwitchHandler(), lab.context())
    play.up({"name": "s", "tags": ["b", "a"]})
    before = len(lab.calls(writes=True))
    play.up({"name": "s", "tags": ["a", "b"]})
    assert len(lab.calls(writes=True)) == before

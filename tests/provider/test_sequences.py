"""Random sequences of operations with faults: the provider's view is the emulator's, nothing is made twice or lost.

Short by default; `DAIKU_SEQUENCES=500` runs so many sequences of fifty steps and prints how many operations they were.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from daiku.errors import DaikuError
from daiku.lab.clock import Clock
from daiku.lab.sakura import World, create_app
from daiku.lab.sakura.iaas import models
from daiku.lab.sakura.records import Record
from daiku.provider.context import Context
from daiku.provider.diffing import diff
from daiku.provider.handler import IncompleteError
from daiku.provider.identity import TAG
from daiku.provider.plugin import HANDLERS
from daiku.wire.sakura_kinds import KINDS, SERVER
from tests.provider.conftest import GPU_B, Lab, inventory, running
from tests.provider.play import Play, without
from tests.provider.sequences_cloud import NAMES, Cloud
from tests.provider.sequences_phy import BareMetal, ports_of

LONG = int(os.environ.get("DAIKU_SEQUENCES", "0"))
DONE: Counter[str] = Counter()
HANDLER = {handler.type.name.rpartition(":")[2]: handler for handler in HANDLERS}
ROWS: dict[str, type[Record]] = {
    "Switch": models.Switch,
    "Bridge": models.Bridge,
    "Note": models.Note,
    "PacketFilter": models.PacketFilter,
    "Disk": models.Disk,
    "Server": models.Server,
    "Internet": models.Internet,
    "LoadBalancer": models.Appliance,
    "VpcRouter": models.Appliance,
    "LocalRouter": models.LocalRouter,
}
PHY = ("PhyNetwork", "PhyServer")
"""Adopted, not made: nothing of them may leak, but an installation may be one too many."""
MADE = r"^POST .*/(switch|bridge|note|packetfilter|disk|server|internet|appliance|commonserviceitem)$"
FAULTS = st.sampled_from(
    [
        (r"^(POST|PUT|DELETE) ", "503", False),
        (r"^(POST|PUT|DELETE) ", "423", False),
        (r"^GET ", "503", False),
        (r"^GET ", "eof", False),
        (r"^(POST|PUT|DELETE) ", "eof", False),
        (r"^(POST|PUT|DELETE) ", "eof", True),
        (r"/(power|config|plan|bandwidth)$", "eof", True),
        (r"/(power|config|plan|bandwidth)$", "404", False),
        (r"^(PUT|DELETE) ", "409", False),
        (r"^(PATCH|POST .*/os_install/$|POST .*/(enable|assign_network)/$)", "429", False),
        (r"^(PATCH|POST .*/dedicated-phy/)", "503", False),
        (r"^(PATCH|POST .*/dedicated-phy/)", "eof", True),
        (r"/os_install/$", "eof", True),
        (r"/os_install/$", "503", True),
        (MADE, "503", True),
        (MADE, "eof", True),
    ]
)
_STORM = st.tuples(FAULTS, st.integers(1, 3), st.integers(0, 2))
WEATHER = st.one_of(st.none(), _STORM, _STORM, _STORM)
"""None, or: the calls of a route that follow its next few good ones fail, once or more."""


class Front:
    """The one server of all sequences; each has a world of its own behind it."""

    app: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


FRONT = Front()


class Sequences(RuleBasedStateMachine):
    """What an engine does with a dozen resources, on days of all kinds."""

    root = ""

    @initialize()
    def begin(self) -> None:
        self.clock = Clock()
        self.world = World(self.clock, inventory(), seed=7)
        FRONT.app = create_app(self.world, admin_token="x" * 32)
        self.lab = Lab(self.world, self.clock, self.root)
        self.ctx = self.lab.context()
        self.own = {kind: len(self.rows(kind)) for kind in ROWS}
        self.cloud = Cloud()
        self.plays, self.wanted = self.cloud.plays, self.cloud.wanted
        self.number = 0
        self.metal = BareMetal(self.world)
        self.forgotten = False

    # What there is

    def rows(self, kind: str) -> list[Record]:
        return [row for row in self.world.rows(ROWS[kind]) if not getattr(row, "internet", None)]

    def inputs(self, kind: str, data: st.DataObject, name: str) -> dict[str, Any] | None:
        """Inputs of a kind, drawn; None where what it needs is not there."""
        if kind in PHY:
            others = [w for other, w in self.wanted.items() if other.startswith("Phy") and other != name]
            ask = self.metal.server if kind == "PhyServer" else self.metal.network
            return ask(data.draw, self.wanted.get(name, {}), others)
        return self.cloud.inputs(kind, data.draw, name)

    # What an engine does

    def go(self, name: str) -> None:
        """Make or change one as the engine does, once; a failure keeps what the provider told."""
        play, wanted = self.plays[name], self.wanted[name]
        play.ctx = self.ctx
        handler = play.handler
        accepted = play.check(wanted)
        try:
            if play.id and diff(handler.type, play.state, accepted).replaces:
                handler.delete(self.ctx, play.id, play.state)
                play.id, play.state = "", {}
            if not play.id:
                play.id, play.state = handler.create(self.ctx, play.hint, accepted)
            elif play.broken or diff(handler.type, play.state, accepted).changes:
                play.state = handler.update(self.ctx, play.hint, play.id, play.state, accepted)
        except IncompleteError as error:
            play.id, play.state, play.broken = error.made_id, error.state, True
            raise
        play.broken = False
        assert [str(c) for c in diff(handler.type, play.state, accepted).changes] == []

    def spoil(self, weather: Any) -> None:
        if weather is not None:
            (route, kind, after), times, good = weather
            if good:
                self.world.faults.add(route, "slow", times=good, seconds=0.0)
            self.world.faults.add(route, kind, times=times, after=after)

    def settle(self, name: str, weather: Any = None) -> None:
        """One operation, whatever the weather; if it fails, a new process does it again in fair weather, as people do:
        what an update finds gone or changed they refresh first.
        """
        DONE["operations"] += 1
        if name.startswith("PhyServer"):
            self.metal.will_install(self.wanted[name])
        self.spoil(weather)
        try:
            self.go(name)
        except DaikuError:
            DONE["failures"] += 1
            self.world.faults.clear()
            self.ctx = self.lab.context()
            play = self.plays[name]
            play.ctx = self.ctx
            if play.id and not play.broken:
                play.refresh()
            self.go_or_decide(name)
        self.world.faults.clear()

    def go_or_decide(self, name: str) -> None:
        """As people do: what cannot be known they look at, and raise the generation."""
        try:
            self.go(name)
        except DaikuError as error:
            if "whether it took place" not in str(error):
                raise
            DONE["undecided"] += 1
            self.wanted[name]["install"]["generation"] += 10
            self.metal.will_install(self.wanted[name])
            self.go(name)

    @rule(data=st.data(), kind=st.sampled_from(sorted([*ROWS, *PHY])), weather=WEATHER)
    def create(self, data: st.DataObject, kind: str, weather: Any) -> None:
        if len(self.cloud.of(kind)) >= 3:
            return
        self.number += 1
        name = f"{kind}-{self.number}"
        inputs = self.inputs(kind, data, name)
        if inputs is None:
            return
        self.plays[name] = Play(HANDLER[kind], self.ctx, name)
        self.wanted[name] = inputs
        self.settle(name, weather)

    @precondition(lambda self: self.plays)
    @rule(data=st.data(), weather=WEATHER)
    def update(self, data: st.DataObject, weather: Any) -> None:
        name = data.draw(st.sampled_from(sorted(self.plays)))
        inputs = self.inputs(name.partition("-")[0], data, name)
        if inputs is not None:
            self.wanted[name] = inputs
            self.settle(name, weather)

    @precondition(lambda self: self.plays)
    @rule(data=st.data(), weather=WEATHER)
    def delete(self, data: st.DataObject, weather: Any) -> None:
        free = [name for name in sorted(self.plays) if not self.cloud.used(name)]
        if free:
            self.remove(data.draw(st.sampled_from(free)), weather)

    def remove(self, name: str, weather: Any = None) -> None:
        DONE["operations"] += 1
        self.metal.will_release(self.wanted[name])
        self.spoil(weather)
        play = self.plays[name]
        try:
            play.handler.delete(self.ctx, play.id, play.state)
        except DaikuError:
            DONE["failures"] += 1
            self.world.faults.clear()
            self.ctx = self.lab.context()
            self.metal.will_release(self.wanted[name])
            play.handler.delete(self.ctx, play.id, play.state)
        self.world.faults.clear()
        del self.plays[name], self.wanted[name]

    @precondition(lambda self: self.plays)
    @rule(data=st.data())
    def killed_before_the_state_was_written(self, data: st.DataObject) -> None:
        """Made, and forgotten at once: the next process must find it."""
        name = data.draw(st.sampled_from(sorted(self.plays)))
        if self.cloud.used(name):
            return  # its ID is in the state of others: it was made long ago
        play = self.plays[name]
        known = self.cloud.ident(name)
        self.forgotten |= name.startswith("PhyNetwork")  # what its ports were before was in the state only
        play.id, play.state = "", {}
        self.ctx = self.lab.context()
        self.settle(name)
        if "bandwidthMbps" not in self.wanted[name] and "cpu" not in self.wanted[name]:
            assert self.cloud.ident(name) == known

    @precondition(lambda self: self.plays)
    @rule(data=st.data(), other=NAMES)
    def changed_outside(self, data: st.DataObject, other: str) -> None:
        """By hand in the control panel; a refresh shows it, and `up` puts it right."""
        name = data.draw(st.sampled_from(sorted(self.plays)))
        play = self.plays[name]
        if name.startswith("Phy"):
            if "nickname" in self.wanted[name]:
                self.metal.touch(self.wanted[name]["serverId"], data.draw)
                self.seen_and_put_right(name)
            return
        hand = self.lab.context()
        kind = KINDS[play.handler.kind.name]
        live = hand.cloud.read(kind, self.cloud.ident(name))
        body = {"Name": f"{other}!", "Description": live.get("Description") or ""}
        hand.cloud.update(
            kind, self.cloud.ident(name), body | ({"Tags": live["Tags"]} if live.get("Tags") else {})
        )
        if kind is SERVER and live["Instance"]["Status"] == "up":
            hand.cloud.power_off(kind, self.cloud.ident(name), force=True)
        self.seen_and_put_right(name)

    @precondition(lambda self: self.plays)
    @rule(data=st.data())
    def deleted_outside(self, data: st.DataObject) -> None:
        free = [
            name for name in sorted(self.plays) if not self.cloud.used(name) and not name.startswith("Phy")
        ]
        if not free:
            return
        DONE["operations"] += 1
        name = data.draw(st.sampled_from(free))
        play = self.plays[name]
        play.handler.delete(self.lab.context(), play.id, play.state)
        play.ctx = self.ctx = self.lab.context()
        assert not play.refresh()
        self.settle(name)

    def seen_and_put_right(self, name: str) -> None:
        play = self.plays[name]
        play.ctx = self.ctx = self.lab.context()
        assert play.refresh()
        assert diff(play.handler.type, play.state, play.check(self.wanted[name])).changes
        self.settle(name)

    @rule(seconds=st.sampled_from([0.0, 1.0, 30.0, 700.0]))
    def another_process(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.ctx = self.lab.context()

    # What always holds

    @invariant()
    def each_is_there_once_and_as_the_state_says(self) -> None:
        if not hasattr(self, "plays"):
            return
        fresh: Context = self.lab.context()
        for name, play in self.plays.items():
            seen, known = play.handler.read(fresh, play.id, play.state), play.state
            if name.startswith("PhyServer"):
                seen, known = (
                    without(seen or {}, "power"),
                    without(known, "power"),
                )  # as old as the API's cache
            assert seen == known, name
        self.metal.check()
        for kind, row in ROWS.items():
            same = [k for k, r in ROWS.items() if r is row]
            count = len(self.rows(kind)) - self.own[kind]
            assert count == sum(len(self.cloud.of(k)) for k in same), f"{kind}: {count} in the account"
        marks = Counter(
            line
            for kind in set(ROWS) - {"VpcRouter"}
            for row in self.rows(kind)
            for line in [*row.tags, row.description.rpartition("\n")[2].strip("[]")]
            if line.startswith(TAG)
        )
        assert all(count == 1 for count in marks.values())

    def teardown(self) -> None:
        """Every sequence ends deletable: users of things first."""
        if not hasattr(self, "plays"):
            return
        DONE["spoilt"] += sum(1 for entry in self.world.audit if entry.fault not in ("", "slow"))
        self.world.faults.clear()
        while self.plays:
            free = [name for name in sorted(self.plays) if not self.cloud.used(name)]
            assert free, "a circle"
            self.remove(free[0])
        for kind, count in self.own.items():
            assert len(self.rows(kind)) == count, f"{kind} leaked"
        assert self.world.rows(models.Interface) == []
        if not self.forgotten:
            assert ports_of(self.world, GPU_B) == self.metal.ports


@pytest.fixture
def front() -> Iterator[str]:
    with ExitStack() as stack:
        lab = stack.enter_context(running(wrap=lambda _: FRONT))
        yield lab.root


@pytest.mark.timeout(4 * 3600 if LONG else 120)
def test_random_sequences(front: str) -> None:
    Sequences.root = front
    DONE.clear()
    profile = settings(
        max_examples=LONG or 8,
        stateful_step_count=50 if LONG else 25,
        deadline=None,
        derandomize=not LONG,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink] if LONG else [Phase.generate],
    )
    run_state_machine_as_test(Sequences, settings=profile)
    assert DONE["operations"] > 60
    assert DONE["spoilt"] >= 5
    if LONG:
        print("\n" + ", ".join(f"{count} {what}" for what, count in sorted(DONE.items())))  # noqa: T201

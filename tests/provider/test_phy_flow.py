"""The promises of the installation flow, for every order of crashes, locks and answers."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daiku.provider.phy_flow import (
    Action,
    Evidence,
    Intent,
    Observed,
    Step,
    decide,
    read_intent,
    token_of,
    write_intent,
)

TOKEN = "0123456789abcdef"
INTENTS = st.one_of(
    st.none(),
    st.builds(
        Intent,
        token=st.sampled_from([TOKEN, "another"]),
        step=st.sampled_from(list(Step)),
        at=st.just("2026-11-01T00:00:00+00:00"),
        key=st.just(""),
    ),
)
OBSERVED = st.builds(
    Observed,
    lock=st.sampled_from([None, "os_install", "configure_raid", "administrative_lock"]),
    powered=st.booleans(),
    intent=INTENTS,
    evidence=st.sampled_from(list(Evidence)),
    fresh=st.booleans(),
    accepted=st.booleans(),
    settled=st.booleans(),
)


@given(OBSERVED, st.booleans())
def test_a_locked_server_is_never_written_to(seen: Observed, can_probe: bool) -> None:
    action = decide(TOKEN, seen, can_probe=can_probe)
    if seen.lock is not None:
        assert action in (Action.WAIT, Action.HELD, Action.FINISHED)


@given(OBSERVED, st.booleans())
def test_an_order_needs_its_own_written_intent(seen: Observed, can_probe: bool) -> None:
    if decide(TOKEN, seen, can_probe=can_probe) is Action.ORDER:
        assert seen.intent is not None
        assert (seen.intent.token, seen.intent.step) == (TOKEN, Step.ASKING)
        assert seen.fresh or (seen.settled and seen.evidence is Evidence.OLD and not seen.accepted)


@given(OBSERVED, st.booleans())
def test_what_is_done_stays_done(seen: Observed, can_probe: bool) -> None:
    if seen.intent is not None and seen.intent.token == TOKEN and seen.intent.step is Step.DONE:
        assert decide(TOKEN, seen, can_probe=can_probe) is Action.FINISHED


@dataclass
class Machine:
    """A server as the API and SSH show it; time moves by whole looks. An order shows as a lock `lag` looks later,
    which is always before it is `settled`."""

    reachable: bool
    lag: int
    length: int
    os: str = "old"
    intent: Intent | None = None
    written_at: int = 0
    now: int = 0
    orders: list[int] = field(default_factory=list[int])

    SETTLED = 5

    @property
    def lock(self) -> str | None:
        if not self.orders:
            return None
        begun = self.orders[-1] + self.lag
        return "os_install" if begun <= self.now < begun + self.length else None

    def tick(self) -> None:
        self.now += 1
        if self.orders and self.now >= self.orders[-1] + self.lag + self.length:
            self.os = "new"

    def probe(self) -> Evidence:
        if self.os == "new":
            return Evidence.NEW
        return Evidence.OLD if self.reachable else Evidence.SILENT


def run(machine: Machine, crash_after: int, *, can_probe: bool, lost: bool) -> Action | None:
    """One process: acts until it ends, or is killed after `crash_after` acts (None). `lost`: the kill comes between
    the API's doing and our knowing of it."""
    fresh = accepted = False
    evidence = Evidence.UNPROBED
    for act in range(200):
        seen = Observed(
            machine.lock,
            True,
            machine.intent,
            evidence,
            fresh,
            accepted,
            machine.now - machine.written_at >= Machine.SETTLED,
        )
        action = decide(TOKEN, seen, can_probe=can_probe)
        if action in (Action.FINISHED, Action.UNDECIDED, Action.HELD):
            return action
        if act == crash_after and not lost:
            return None
        if action is Action.WAIT:
            evidence = Evidence.UNPROBED
        elif action is Action.PROBE:
            evidence = machine.probe()
        elif action is Action.ORDER:
            assert machine.lock is None, "ordered while locked"
            machine.orders.append(machine.now)
            fresh, accepted, evidence = False, True, Evidence.UNPROBED
        else:
            step = {
                Action.RECORD_ASKING: Step.ASKING,
                Action.RECORD_ASKED: Step.ASKED,
                Action.RECORD_DONE: Step.DONE,
            }[action]
            machine.intent = Intent(TOKEN, step, "")
            machine.written_at = machine.now
            fresh = fresh or action is Action.RECORD_ASKING
        if act == crash_after:
            return None
        machine.tick()
    return Action.WAIT


@settings(max_examples=400)
@given(
    crashes=st.lists(st.tuples(st.integers(0, 30), st.booleans()), max_size=6),
    reachable=st.booleans(),
    lag=st.integers(0, 3),
    length=st.integers(1, 20),
    can_probe=st.booleans(),
)
def test_any_crashes_lead_to_one_installation_or_to_a_question(
    crashes: list[tuple[int, bool]], reachable: bool, lag: int, length: int, can_probe: bool
) -> None:
    machine = Machine(reachable, lag, length)
    for after, lost in crashes:
        run(machine, after, can_probe=can_probe, lost=lost)
        machine.tick()
    end = run(machine, 1000, can_probe=can_probe, lost=False)
    assert len(machine.orders) <= 1
    if end is Action.FINISHED:
        assert machine.os == "new"
    if can_probe and reachable:
        assert end is Action.FINISHED
    if not crashes:
        assert end is Action.FINISHED


@given(
    st.text(max_size=300),
    st.builds(
        Intent,
        token=st.text("0123456789abcdef", min_size=1),
        step=st.sampled_from(list(Step)),
        at=st.text(max_size=30),
        key=st.text(max_size=90),
    ),
)
def test_the_intent_is_the_last_line_and_leaves_the_text_alone(text: str, intent: Intent) -> None:
    description = write_intent(text, intent)
    assert read_intent(description) == (text, intent)


@pytest.mark.parametrize("text", ["", "rack 3", "daiku=not json", 'daiku={"token":1}', "daiku=[]"])
def test_a_description_without_an_intent_is_all_the_users(text: str) -> None:
    assert read_intent(text) == (text, None)


def test_a_generation_is_one_token_in_every_run() -> None:
    assert token_of("113", "ubuntu2404", 1) == token_of("113", "ubuntu2404", 1)
    assert len({token_of("113", image, n) for image in ("a", "b") for n in (1, 2)}) == 4

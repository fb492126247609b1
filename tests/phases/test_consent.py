"""What a run may do: what was shown and asked for, or what a saved plan lists; and what the forecast knows of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from daiku.apply.phases import act, decide
from daiku.apply.phases.consent import Anything, Asked, Planned, losses, supposing
from daiku.apply.phases.decide import Do, Step
from daiku.apply.phases.facts import HostFacts, Live
from daiku.apply.phases.run import forecast
from daiku.apply.phases.work import Work
from daiku.errors import HostError
from tests.phases.worlds import CA, FRESH, MACHINES, WHOLE, but

NEW = Live({m.name: FRESH for m in MACHINES})


def step(host: str, do: Do) -> Step:
    return Step("join", host, do, "because")


@pytest.mark.parametrize("do", ["reset", "forget etcd member", "delete node"])
def test_what_loses_something_is_done_only_if_it_was_shown(do: Do) -> None:
    allowed = Asked([step("cp-3", do)])
    allowed(step("cp-3", do))
    with pytest.raises(HostError, match=f"nobody was asked: {do}"):
        allowed(step("cp-2", do))
    Anything()(step("cp-2", do))
    assert losses([step("cp-3", do), step("cp-3", "join")]) == (step("cp-3", do),)


@pytest.mark.parametrize("do", ["init", "join", "resume init", "restart kubelet", "mark"])
def test_what_loses_nothing_needs_no_question(do: Do) -> None:
    Asked(())(step("cp-3", do))


def test_a_saved_plan_allows_what_it_lists_and_its_end() -> None:
    planned = Planned([("cp-3", "join"), ("gpu-1", "restart kubelet")])
    for host, do in (("cp-3", "join"), ("cp-3", "mark"), ("cp-3", "restart kubelet"), ("cp-1", "wait")):
        planned(step(host, do))  # type: ignore[arg-type]
    for host, do in (("cp-2", "join"), ("cp-3", "reset"), ("gpu-1", "join"), ("gpu-1", "mark")):
        with pytest.raises(HostError, match="the saved plan does not list it"):
            planned(step(host, do))  # type: ignore[arg-type]


def test_a_step_that_may_not_be_taken_is_not_begun() -> None:
    unused: Any = None
    work = Work(unused, MACHINES, {}, unused, unused, lambda _names: (), permit=Asked(()))
    with pytest.raises(HostError, match="nobody was asked"):
        act.carry_out(work, step("cp-3", "reset"), {})


class Seen(Work):
    """A run over a cluster that does not change."""

    def __init__(self, live: Live) -> None:
        unused: Any = None
        super().__init__(unused, MACHINES, {}, unused, unused, lambda _names: ())
        self._seen = live

    def gather(self) -> Live:
        return Live({m.name: self._seen.hosts[m.name] for m in self.planes}, {}, self._seen.cluster)

    def looks(self, names: tuple[str, ...]) -> tuple[dict[str, HostFacts], dict[str, str]]:
        return {name: self._seen.hosts[name] for name in names}, {}


def done(live: Live, *fresh: str) -> list[tuple[str, str]]:
    return [(one.host, one.do) for one in forecast(Seen(live), frozenset(fresh))]


def test_machines_that_are_made_anew_first_are_forecast_as_they_will_be() -> None:
    assert done(WHOLE) == []
    assert done(WHOLE, "gpu-1") == [("gpu-1", "delete node"), ("gpu-1", "join")]
    assert done(WHOLE, "cp-3") == [("cp-3", "forget etcd member"), ("cp-3", "delete node"), ("cp-3", "join")]
    assert done(WHOLE, "cp-1")[0] == ("cp-1", "forget etcd member")
    everything = [m.name for m in MACHINES]
    assert supposing(WHOLE, MACHINES, frozenset()) is WHOLE
    bare = replace(WHOLE, cluster=None)
    assert done(bare, *everything) == [("cp-1", "init"), *((name, "join") for name in everything[1:])]


def test_what_a_first_run_would_reset_is_forecast() -> None:
    left = but(NEW, cp_2=replace(FRESH, ca=CA), gpu_1=replace(FRESH, joined=True, ca=CA))
    steps = done(left)
    assert [one for one in steps if one[1] == "reset"] == [("cp-2", "reset"), ("gpu-1", "reset")]
    assert decide.forecast(MACHINES, left) == forecast(Seen(left))

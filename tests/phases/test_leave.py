"""Machines that the plan has no more: who they are, in which order they leave, and when none may be removed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from daiku.apply.phases import leave
from daiku.apply.phases import run as phases
from daiku.apply.phases.decide import Machine, Step
from daiku.apply.phases.facts import HostFacts, Live
from daiku.apply.phases.work import Work
from daiku.errors import ApplyError, HostError
from tests.phases.test_run import Told
from tests.phases.worlds import FRESH, MACHINES, MEMBERS, WHOLE, but, node, seen_by_others

STAY = tuple(m for m in MACHINES if m.name in {"cp-1", "gpu-1"})
"""Of three control planes and two workers one stays of each."""
assert WHOLE.cluster is not None
GIVEN = {m.name: replace(node(m), provider_id=f"sakura://is1b/{m.address}") for m in MACHINES}
STANDING = replace(WHOLE, cluster=replace(WHOLE.cluster, nodes=GIVEN))


def nodes(live: Live, **changes: dict[str, Any]) -> Live:
    """`live` with other facts of some Nodes (cp_2 for cp-2)."""
    assert live.cluster is not None
    known = dict(live.cluster.nodes)
    for name, change in changes.items():
        known[name.replace("_", "-")] = replace(known[name.replace("_", "-")], **change)
    return replace(live, cluster=replace(live.cluster, nodes=known))


def does(steps: Iterable[Step]) -> list[tuple[str, str]]:
    return [(step.host, step.do) for step in steps]


def test_who_leaves_is_known_by_what_daiku_gave_it() -> None:
    assert [n.name for n in leave.leaving(STAY, STANDING)] == ["cp-2", "cp-3", "gpu-2"]
    assert leave.leaving(MACHINES, STANDING) == ()
    assert leave.leaving(STAY, WHOLE) == (), "somebody else's Nodes have no provider ID of daiku's"
    foreign = nodes(STANDING, cp_2={"provider_id": "aws:///1a/i-1"}, gpu_2={"provider_id": "lab://gpu-2"})
    assert [n.name for n in leave.leaving(STAY, foreign)] == ["cp-3"]
    assert leave.leaving(STAY, replace(STANDING, cluster=None)) == ()


def test_they_are_drained_while_they_stand_and_forgotten_one_by_one() -> None:
    dark = nodes(STANDING, gpu_2={"ready": False})
    assert does(leave.drains(STAY, dark)) == [("cp-2", "drain"), ("cp-3", "drain")]
    steps = leave.forgets(STAY, dark, "infrastructure")
    assert [(s.host, s.do, s.detail) for s in steps] == [
        ("cp-2", "forget etcd member", "2"),
        ("cp-3", "forget etcd member", "3"),
    ]
    assert does(leave.deletes(STAY, dark)) == [(name, "delete node") for name in ("cp-2", "cp-3", "gpu-2")]


@pytest.mark.parametrize(
    ("dead", "order"), [("", ["cp-2", "cp-3"]), ("cp-2", ["cp-2", "cp-3"]), ("cp-3", ["cp-3", "cp-2"])]
)
def test_members_leave_in_one_order_and_a_dead_one_is_not_in_the_way(dead: str, order: list[str]) -> None:
    members = tuple(replace(m, healthy=m.name != dead) for m in MEMBERS)
    for told in (members, members[::-1]):  # etcd lists them by numbers of its own
        steps = leave.forgets(STAY, seen_by_others(STANDING, told), "infrastructure")
        assert [step.host for step in steps] == order


def test_etcd_keeps_its_quorum_or_no_machine_goes() -> None:
    sick = tuple(replace(m, healthy=m.name != "cp-1") for m in MEMBERS)
    with pytest.raises(HostError, match="only 1 of the 2 others are healthy") as caught:
        leave.forgets(STAY, seen_by_others(STANDING, sick), "infrastructure")
    assert caught.value.host == "cp-2"
    (wait,) = leave.forgets(STAY, but(STANDING, silent=("cp-1",)), "infrastructure")
    assert (wait.host, wait.do) == ("cp-1", "wait")
    assert leave.forgets(MACHINES, but(STANDING, silent=("cp-1",)), "infrastructure") == ()


class Leaving(Work):
    """A cluster that does what it is told; `stubborn` cannot be drained."""

    def __init__(self, live: Live, machines: tuple[Machine, ...] = STAY, stubborn: str = "") -> None:
        unused: Any = None
        super().__init__(unused, machines, {}, Each(), Told(), lambda _names: ())  # type: ignore[arg-type]
        self.now, self.stubborn = live, stubborn
        self.done: list[tuple[str, str]] = []

    def gather(self) -> Live:
        self._known = self.now
        return self.now

    def look_at_planes(self) -> Live:
        return replace(self.now, cluster=None)

    def carry_out(self, step: Step) -> None:
        if step.host == self.stubborn:
            raise HostError("1 pods do not go: plamo/train-0", host=step.host, step=step.do)
        self.done.append((step.host, step.do))
        if step.do == "forget etcd member":
            left = tuple(m for m in self.now.hosts["cp-1"].members if m.id != step.detail)
            self.now = seen_by_others(self.now, left)
        if step.do == "delete node":
            self.now = but(self.now, missing_nodes=(step.host,))
        self.outdated()


class Each:
    """The hosts, one after the other."""

    def each(self, names: Iterable[str], work: Callable[[str], Any]) -> dict[str, Any]:
        answers: dict[str, Any] = {}
        for name in names:
            try:
                answers[name] = work(name)
            except HostError as error:
                answers[name] = error
        return answers


@pytest.fixture(autouse=True)
def carried_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def carry_out(work: Leaving, step: Step, _facts: object) -> None:
        work.carry_out(step)

    monkeypatch.setattr(phases, "carry_out", carry_out)


def test_the_whole_leave() -> None:
    work = Leaving(STANDING)
    foreseen = does(phases.goodbyes(work, work.live(), removed=False))
    phases.farewell(work)
    assert work.done == [
        *(("cp-2", "drain"), ("cp-3", "drain"), ("gpu-2", "drain")),
        *(("cp-2", "forget etcd member"), ("cp-3", "forget etcd member")),
    ]
    # Their machines are gone now.
    phases.join(work)
    assert work.done == foreseen
    assert phases.goodbyes(work, work.live(), removed=True) == ()


def test_what_was_removed_without_a_farewell_is_forgotten_afterwards() -> None:
    lost = tuple(replace(m, healthy=m.name != "cp-3") for m in MEMBERS)
    work = Leaving(seen_by_others(STANDING, lost), tuple(m for m in MACHINES if m.name != "cp-3"))
    phases.join(work)
    assert work.done == [("cp-3", "forget etcd member"), ("cp-3", "delete node")]


def test_one_that_cannot_be_drained_lets_none_be_removed() -> None:
    work = Leaving(STANDING, stubborn="gpu-2")
    with pytest.raises(HostError, match="plamo/train-0"):
        phases.farewell(work)
    assert not any(do == "forget etcd member" for _, do in work.done)


def test_without_a_cluster_nobody_takes_leave_and_a_silent_one_is_no_such() -> None:
    empty = Live({"cp-1": FRESH})
    phases.farewell(Leaving(empty))
    begun = Live({"cp-1": HostFacts(etcd_data=True)})
    for live in (begun, Live({}, {"cp-1": "no answer"})):
        with pytest.raises((HostError, ApplyError), match="no API server of the cluster answers"):
            phases.farewell(Leaving(live))

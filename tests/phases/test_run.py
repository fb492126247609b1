"""The phases over scripted clusters: what fails stops nothing else, and what needs a moment gets it."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from daiku.apply.phases import run as phases
from daiku.apply.phases.decide import Step
from daiku.apply.phases.facts import ClusterFacts, Live
from daiku.apply.phases.names import Phase
from daiku.apply.phases.work import Work
from daiku.errors import ApiError, ApplyError, HostError
from tests.phases.worlds import MACHINES, STANDING, WHOLE, but


class Told:
    def __init__(self) -> None:
        self.details: list[str] = []

    @contextmanager
    def step(self, phase: Phase, host: str, what: str) -> Generator[list[str]]:
        del phase, host, what
        yield []

    def detail(self, host: str, text: str) -> None:
        self.details.append(f"{host} {text}")


class Scripted(Work):
    """A run whose looks at the world are `seen`, one after the other, and then the last one for ever."""

    def __init__(self, seen: list[Live], settle: Callable[[tuple[str, ...]], tuple[str, ...]]) -> None:
        unused: Any = None
        super().__init__(unused, MACHINES, {}, unused, Told(), settle)
        self.seen = seen

    def gather(self) -> Live:
        self._known = self.seen.pop(0) if len(self.seen) > 1 else self.seen[0]
        return self._known


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[Step]:
    """The steps that were carried out."""
    steps: list[Step] = []

    def carry_out(work: Work, step: Step, _facts: object) -> None:
        steps.append(step)
        work.outdated()

    monkeypatch.setattr(phases, "carry_out", carry_out)
    monkeypatch.setattr(phases, "POLL_SECONDS", 0.001)
    return steps


def refuse(names: tuple[str, ...]) -> tuple[str, ...]:
    raise ApplyError([HostError("its disk is full", host=name) for name in names], 3)


def test_a_control_plane_that_fails_is_told_beside_what_fails_after_it(done: list[Step]) -> None:
    wrong = replace(STANDING, ca=("d" * 64,))
    live = but(WHOLE, cp_2=wrong, cp_3=replace(STANDING, vip_file=False))
    assert live.cluster is not None
    leftovers = replace(live.cluster, leftovers=("kubeadm-certs",))

    class NoApi(Scripted):
        def api(self, facts: object) -> Any:
            raise ApiError("too many requests", status=429)

    with pytest.raises(ApplyError) as caught:
        phases.join(NoApi([replace(live, cluster=leftovers)], refuse))
    assert [(f.host, f.message[:20]) for f in caught.value.failures] == [
        ("cp-2", "its etcd member has "),
        ("cp-3", "its disk is full"),
        ("cp-1", "too many requests"),
    ]
    assert done == []


def test_join_secrets_that_cannot_be_deleted_keep_no_check_from_being_made(done: list[Step]) -> None:
    del done
    cluster = ClusterFacts({}, leftovers=("kubeadm-certs",))

    class NoApi(Scripted):
        def api(self, facts: object) -> Any:
            raise ApiError("too many requests", status=429)

    with pytest.raises(ApplyError) as caught:
        phases.checks(NoApi([replace(WHOLE, cluster=cluster)], refuse), seconds=0)
    assert [f.host for f in caught.value.failures] == ["cp-1", *(m.name for m in MACHINES)]


def test_a_kubelet_that_was_restarted_gets_time_for_its_node(done: list[Step]) -> None:
    """Its Node comes some seconds later: it is not restarted once more meanwhile."""
    late = but(WHOLE, missing_nodes=("cp-3",))
    phases.join(Scripted([late] * 20 + [WHOLE], refuse))
    assert [(step.host, step.do) for step in done] == [("cp-3", "restart kubelet")]


def test_a_kubelet_that_gets_no_node_is_given_up(done: list[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(phases, "RESTART_SECONDS", 0.01)
    with pytest.raises(HostError, match="not done after 6 attempts: it has no Node"):
        phases.join(Scripted([but(WHOLE, missing_nodes=("cp-3",))], refuse))
    assert len(done) == phases.ROUNDS

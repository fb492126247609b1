"""What becomes of a phase that fails: the next ones, what is told, and the exit code."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daiku.apply.phases.decide import Step
from daiku.apply.phases.facts import HostFacts, Live
from daiku.apply.phases.names import Phase
from daiku.apply.phases.work import Work
from daiku.apply.report import FleetReport
from daiku.cli import bringup, consent, output
from daiku.cli.bringup import Brought, check, through
from daiku.cli.job import open_job
from daiku.errors import (
    ApiError,
    ApplyError,
    ConfirmationError,
    DaikuError,
    HostError,
    LockHeldError,
    ObjectsError,
)
from tests.phases.worlds import CA, FRESH, MACHINES, MEMBERS, STANDING, WHOLE, but

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
PHASES: tuple[Phase, ...] = ("facts", "join", "workers", "add-ons", "checks")
HOST = HostError("its disk is full", host="gpu-1", step="workers")
BUSY = ApiError("too many requests", status=429)
REFUSED = ObjectsError(["ConfigMap a/b: no"])


def run(**fails: Exception) -> tuple[list[str], list[HostError], list[DaikuError]]:
    began: list[str] = []

    def doing(phase: str) -> Callable[[], None]:
        def do() -> None:
            began.append(phase)
            if error := fails.get(phase.replace("-", "_")):
                raise error

        return do

    failures, others = through(
        {phase: doing(phase) for phase in PHASES}, lambda: None, output.Progress(quiet=True)
    )
    return began, failures, others


def test_a_phase_that_fails_in_any_way_keeps_no_later_one_from_its_turn() -> None:
    began, failures, others = run(join=BUSY, workers=ApplyError([HOST], 5), add_ons=REFUSED)
    assert began == list(PHASES)
    assert failures == [HOST]
    assert others == [BUSY, REFUSED]


def test_nothing_goes_on_without_facts_or_without_the_lock() -> None:
    assert run(facts=BUSY) == (["facts"], [], [BUSY])
    with pytest.raises(LockHeldError):
        run(join=LockHeldError("the cluster is another's now"))


def brought(failures: tuple[HostError, ...], others: tuple[DaikuError, ...]) -> Brought:
    return Brought(Live({}), failures, others, 0)


def test_what_failed_gives_the_exit_code_and_all_of_it_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    nothing = FleetReport((), (), (), False, 0, 0.0)
    told = {"again": "daiku up", "just": "daiku apply gpu-1"}
    check(nothing, None, **told)
    check(nothing, brought((), ()), **told)
    with pytest.raises(ObjectsError):
        check(nothing, brought((), (REFUSED, BUSY)), **told)
    assert "too many requests" in capsys.readouterr().err
    with pytest.raises(ApplyError) as caught:
        check(nothing, brought((HOST,), (REFUSED,)), **told)
    assert caught.value.failures == (HOST,)
    assert "daiku up" in caught.value.hint
    assert "ConfigMap a/b" in capsys.readouterr().err
    listed = bringup.failures_json(brought((HOST,), (REFUSED,)))
    assert [(one["host"], one["step"], one["exit_code"]) for one in listed] == [
        ("gpu-1", "workers", 22),
        ("", "", 26),
    ]


class Foreseen(Work):
    """A run over a cluster in which cp-3 has to be joined anew."""

    def __init__(self) -> None:
        unused: Any = None
        super().__init__(unused, MACHINES, {}, unused, unused, lambda _names: ())

    def gather(self) -> Live:
        return but(WHOLE, missing_nodes=("cp-3",), cp_3=replace(FRESH, ca=CA), cp_1=AFTER, cp_2=AFTER)

    def looks(self, names: tuple[str, ...]) -> tuple[dict[str, HostFacts], dict[str, str]]:
        return {name: self.gather().hosts[name] for name in names}, {}


AFTER = replace(STANDING, members=MEMBERS[:2])
RESET, FORGET = (Step("join", "cp-3", do, "why") for do in ("reset", "forget etcd member"))


def test_up_shows_the_steps_and_asks_for_what_loses_something(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    questions: list[str] = []

    def confirm(question: str, *, yes: bool) -> None:
        assert not yes
        questions.append(question)

    monkeypatch.setattr(output, "confirm", confirm)
    permit = consent.asked(quiet=False)(Foreseen())
    assert questions == ["1 step of Kubernetes would lose what is there (cp-3: reset). Go on?"]
    assert "a join was cut off" in capsys.readouterr().out
    permit(RESET)
    with pytest.raises(HostError, match="nobody was asked"):
        permit(FORGET)


def test_without_a_terminal_nothing_is_lost_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    with pytest.raises(ConfirmationError, match="cp-3: reset"):
        consent.asked(quiet=True)(Foreseen())


def test_a_saved_plan_is_all_that_may_be_done() -> None:
    class Saved:
        kubernetes = (RESET,)

    saved: Any = Saved()
    permit = consent.planned(saved, None)(Foreseen())
    permit(RESET)
    with pytest.raises(HostError, match="the saved plan does not list it"):
        permit(FORGET)


def test_add_ons_are_not_applied_to_a_cluster_that_is_anothers_now(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The lease is asked in the middle of the phase, as each write asks it."""

    def converge(*_: object, check: Callable[[], None], **__: object) -> None:
        check()
        raise AssertionError("written without the lease")

    def lost() -> None:
        raise LockHeldError("the cluster is another's now")

    def quietly(*_: object) -> nullcontext[list[str]]:
        return nullcontext([])

    class Served(Foreseen):
        def api(self, facts: object) -> Any:
            return SimpleNamespace(api=SimpleNamespace(credentials=None))

    work = Served()
    monkeypatch.setenv("DAIKU_STATE_DIR", str(tmp_path))
    work.plan = open_job(EXAMPLE).plan
    work.teller = bringup.Silent()
    monkeypatch.setattr(bringup.Silent, "step", quietly)
    monkeypatch.setattr("daiku.apply.phases.addons.converge", converge)
    job: Any = SimpleNamespace(plan=work.plan, given=None)
    with pytest.raises(LockHeldError):
        bringup.apply_addons(job, work, output.Progress(quiet=True), lost)

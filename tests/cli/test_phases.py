"""What becomes of a phase that fails: the next ones, what is told, and the exit code."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from daiku.apply.phases.facts import Live
from daiku.apply.phases.names import Phase
from daiku.apply.report import FleetReport
from daiku.cli import bringup, output
from daiku.cli.bringup import Brought, check, through
from daiku.errors import ApiError, ApplyError, DaikuError, HostError, LockHeldError, ObjectsError

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
    check(nothing, None)
    check(nothing, brought((), ()))
    with pytest.raises(ObjectsError):
        check(nothing, brought((), (REFUSED, BUSY)))
    assert "too many requests" in capsys.readouterr().err
    with pytest.raises(ApplyError) as caught:
        check(nothing, brought((HOST,), (REFUSED,)))
    assert caught.value.failures == (HOST,)
    assert "ConfigMap a/b" in capsys.readouterr().err
    told = bringup.failures_json(brought((HOST,), (REFUSED,)))
    assert [(one["host"], one["step"], one["exit_code"]) for one in told] == [
        ("gpu-1", "workers", 22),
        ("", "", 26),
    ]

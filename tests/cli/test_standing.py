"""Without a record of what the cluster was built with, the cluster itself is asked before anything is touched."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daiku.apply.phases.built import Built
from daiku.apply.phases.facts import ClusterFacts, HostFacts, Live
from daiku.apply.phases.marks import machines_of
from daiku.apply.phases.work import Work
from daiku.cli import bringup, kubernetes, output, standing
from daiku.cli.job import Job, open_job
from daiku.errors import HostError, SpecError, UnreachableError
from daiku.plan.facts import Facts
from tests.cli.conftest import Daiku
from tests.phases.worlds import STANDING
from tests.render.plans import EXAMPLE, facts

BUILT: Built = {("network", "pods", "cidr"): "10.240.0.0/16", ("network", "services", "cidr"): "10.96.0.0/16"}
WORDS = "the cluster stands with 10.240.0.0/16 and cannot be changed to 10.244.0.0/16"


@dataclass
class Seen:
    """What a look at the cluster finds; `looks` counts them, `touched` the attempts to change something."""

    live: Live | Exception
    looks: int = 0
    touched: int = 0


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> Seen:
    found = Seen(Live({}, {}, ClusterFacts(built=BUILT)))

    class Looking(Work):
        def gather(self) -> Live:
            found.looks += 1
            if isinstance(found.live, Exception):
                raise found.live
            return found.live

        def looks(self, names: tuple[str, ...]) -> tuple[dict[str, HostFacts], dict[str, str]]:
            return dict.fromkeys(names, STANDING), {}

    @contextmanager
    def looking(job: Job, known: Facts, **_: object) -> Generator[Work]:
        unused: Any = None
        yield Looking(job.plan, machines_of(job.plan, known), {}, unused, unused, lambda _names: ())

    def touch(*_: object, **__: object) -> None:
        found.touched += 1
        raise UnreachableError("nothing more is tried here")

    monkeypatch.setattr(bringup, "looking", looking)
    monkeypatch.setattr("daiku.apply.fleet.run", touch)
    monkeypatch.setattr("daiku.cli.objects.converge", touch)
    return found


@pytest.fixture
def job(tmp_path: Path) -> Job:
    (tmp_path / "cluster.yaml").write_text(EXAMPLE.read_text())
    made = open_job(tmp_path / "cluster.yaml")
    made.keep_facts(facts(made.plan))
    return made


@pytest.mark.parametrize("verb", [("apply",), ("apply", "--cluster")], ids=" ".join)
def test_apply_is_refused_before_it_touches_anything(
    daiku: Daiku, job: Job, seen: Seen, verb: tuple[str, ...]
) -> None:
    done = daiku(*verb)
    assert (done.code, seen.looks, seen.touched) == (3, 1, 0)
    line = next(n for n, text in enumerate(EXAMPLE.read_text().splitlines(), 1) if "10.244.0.0/16" in text)
    assert f"cluster.yaml:{line}:" in done.err
    assert WORDS in done.err


@pytest.mark.parametrize("own", ["state", "facts.json"])
def test_up_is_refused_before_pulumi_works(
    daiku: Daiku, job: Job, seen: Seen, own: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The machines are known by the last run's facts, or by the engine's state where these are lost, too."""
    known = facts(job.plan)
    if own == "state":
        job.keep_facts(None)

    class Engine:
        def outputs(self) -> Facts:
            return known

        def __getattr__(self, name: str) -> Any:
            raise AssertionError(f"the engine is asked to {name}")

    def engine(*_: object) -> Engine:
        return Engine()

    monkeypatch.setattr(Job, "engine", engine)
    done = daiku("up", "--yes")
    assert done.code == 3
    assert WORDS in done.err
    assert seen.looks == 1


def test_plan_and_the_validation_refuse_it_too(job: Job, seen: Seen) -> None:
    with pytest.raises(SpecError) as told:
        kubernetes.forecast(job, facts(job.plan))
    assert WORDS in told.value.faults[0].message
    with bringup.looking(job, facts(job.plan)) as work, pytest.raises(SpecError) as told:
        bringup._validation(job, facts(job.plan), work)  # pyright: ignore[reportPrivateUsage]
    assert WORDS in told.value.faults[0].message


def test_our_own_record_is_enough(daiku: Daiku, job: Job, seen: Seen) -> None:
    job.keep_begun()
    assert daiku("apply").code == UnreachableError.exit_code
    assert (seen.looks, seen.touched) == (0, 1)
    # One that a later version wrote, or half of one, is none.
    (job.state.directory / "begun.json").write_text("{}")
    assert daiku("apply").code == SpecError.exit_code
    assert (seen.looks, seen.touched) == (1, 1)


@pytest.mark.parametrize(
    ("live", "told"),
    [
        (Live({}, {}, ClusterFacts()), ""),
        (Live({"cp": HostFacts()}), ""),
        (Live({"cp": STANDING}), "no API server answers"),
        (Live({}, {"cp": "it is switched off"}), "it is switched off"),
        (HostError("no way in", host="cp"), "no way in"),
        (UnreachableError("no API server is ready"), "no API server is ready"),
    ],
)
def test_what_cannot_be_asked_is_told_and_goes_on(
    job: Job, seen: Seen, live: Live | Exception, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    seen.live = live
    standing.check(job, facts(job.plan), output.Progress(quiet=True))
    said = capsys.readouterr().err
    assert told in said
    assert bool(said) is bool(told)


def test_before_the_first_up_there_is_nothing_to_ask(job: Job, seen: Seen) -> None:
    standing.check(job, None, output.Progress(quiet=True))
    assert seen.looks == 0

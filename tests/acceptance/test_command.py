"""Which jobs `daiku acceptance` means, and what it says where there is nothing to run."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from daiku.apply.acceptance import common, trials
from daiku.cli.acceptance import chosen
from tests.cli.conftest import Daiku, daiku
from tests.render.plans import plan

__all__ = ["daiku"]

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
EVERY = trials(plan())


@pytest.mark.parametrize(
    ("only", "meant"),
    [
        ((), [trial.name for trial in EVERY]),
        (("h100-ring",), ["h100-ring"]),
        (("ring", "diag"), ["h100-diag", "h100-ring"]),
        (("storage-fast",), ["h100-storage-fast"]),
    ],
)
def test_jobs_are_chosen_by_name_and_run_in_their_own_order(only: tuple[str, ...], meant: list[str]) -> None:
    assert [trial.name for trial in chosen(EVERY, only)] == meant


@pytest.mark.parametrize("only", ["fast", "h100", "", "ring "])
def test_a_part_of_a_name_is_no_job(only: str) -> None:
    with pytest.raises(click.UsageError, match="h100-diag, h100-nvlink"):
        chosen(EVERY, (only,))


def test_without_gpu_servers_there_is_nothing_to_prove() -> None:
    with pytest.raises(click.UsageError, match="no GPU server"):
        chosen((), ())


def test_a_job_brings_all_that_it_needs() -> None:
    assert {one.ref.kind for one in common(plan())} >= {"Namespace", "NetworkPolicy", "ConfigMap"}
    assert common(plan())[0].ref.kind == "Namespace"
    for trial in EVERY:
        assert [one.ref.kind for one in trial.objects] == ["Service", "Job"]
        assert {one.ref.name for one in trial.objects} == {trial.name}


@pytest.mark.parametrize("verb", ["run", "show", "remove"])
def test_before_the_first_up_there_is_no_cluster_to_prove(daiku: Daiku, verb: str) -> None:
    done = daiku("acceptance", verb, "-f", str(EXAMPLE))
    assert done.code == 8
    assert "was not made yet" in done.err

"""What a cluster that stands cannot change is refused before anything is touched; before the first `up` all is free."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from daiku.cli.job import Job, open_job
from daiku.spec.base import Disruption
from daiku.spec.disruption import compare
from daiku.spec.load import parse
from tests.cli.conftest import Daiku

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
SAVED = ("plan", "--out", "saved.json")
VERBS = [("up", "--yes"), ("up", "--plan", "saved.json"), ("apply",), ("apply", "--cluster"), SAVED]


def edited(*edit: str) -> str:
    """The example with one line in the place of another, or one more at its end."""
    text = EXAMPLE.read_text()
    if len(edit) == 2:
        assert edit[0] in text
        return text.replace(*edit)
    return "\n".join([text, *edit])


ENCRYPTION = "kubernetes: {etcd: {encryption: none}}\n"


def standing(file: Path, keep: Callable[[Job], None] = Job.keep_applied) -> Job:
    file.write_text(edited())
    job = open_job(file)
    keep(job)
    return job


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
@pytest.mark.parametrize("keep", [Job.keep_applied, Job.keep_begun], ids=["done", "begun"])
def test_encryption_of_a_standing_cluster_is_not_switched(
    daiku: Daiku, tmp_path: Path, verb: tuple[str, ...], keep: Callable[[Job], None]
) -> None:
    file = tmp_path / "cluster.yaml"
    standing(file, keep)
    file.write_text(edited(ENCRYPTION))
    done = daiku(verb[0], "-f", str(file), *verb[1:])
    assert done.code == 3
    assert "the cluster stands with secretbox and cannot be changed to none" in done.err
    assert "daiku down" in done.err


@pytest.mark.parametrize(
    ("edit", "path"),
    [
        (("10.244.0.0/16", "10.240.0.0/16"), "network.pods.cidr"),
        (("10.96.0.0/16", "10.97.0.0/16"), "network.services.cidr"),
        ((ENCRYPTION,), "kubernetes.etcd.encryption"),
    ],
)
def test_the_plan_shows_such_a_change_as_refused(edit: tuple[str, ...], path: str) -> None:
    old, new = parse(edited(), "a.yaml").cluster, parse(edited(*edit), "b.yaml").cluster
    changes = {change.path: change for change in compare(old, new)}
    assert changes[path].disruption is Disruption.REBUILD
    assert changes[path].disturbs.startswith("refused: the cluster must be built anew")


def test_other_changes_are_free(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    standing(file)
    file.write_text(edited("kubernetes: {etcd: {keepDays: 31}}\n"))
    open_job(file).check_standing()


def test_all_is_free_before_the_first_up_and_after_down(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text(edited(ENCRYPTION))
    open_job(file).check_standing()
    job = standing(file)
    job.keep_begun()
    job.forget_applied()
    file.write_text(edited(ENCRYPTION))
    open_job(file).check_standing()


def test_what_kubernetes_was_begun_with_is_not_overwritten_by_a_later_run(tmp_path: Path) -> None:
    file = tmp_path / "cluster.yaml"
    first = standing(file, Job.keep_begun)
    before = {p.name: p.read_bytes() for p in first.state.directory.iterdir() if p.name == "begun.json"}
    file.write_text(edited(ENCRYPTION))
    open_job(file).keep_begun()
    assert before == {"begun.json": (first.state.directory / "begun.json").read_bytes()}

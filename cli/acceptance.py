"""`daiku acceptance`: run the jobs that prove the hardware, show what they measured, remove them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option, yes_option
from daiku.errors import AcceptanceError

if TYPE_CHECKING:
    from daiku.apply.acceptance import Trial
    from daiku.observe.acceptance import Outcome
    from daiku.observe.acceptance_jobs import Proof

_NAMED = 5
"""Pods without a log that are told one by one."""


@click.group()
def acceptance() -> None:
    """Prove the hardware: jobs that measure GPUs, NVLink, rails and disks against what they must reach."""


@acceptance.command(short_help="Run the jobs one after the other, then show what they measured.")
@file_option
@json_option
@yes_option
@click.option(
    "--only", multiple=True, metavar="JOB", help="Run this job only: h100-ring, or ring in every pool."
)
def run(file: Path, as_json: bool, yes: bool, only: tuple[str, ...]) -> None:
    """Run the jobs one after the other, then show what they measured.

    They take every GPU server as a whole, for up to an hour a job. A job that still runs is waited for; one that has
    ended is run again.
    """
    from daiku.apply import acceptance as proving
    from daiku.cli import bringup
    from daiku.cli.job import open_job
    from daiku.observe.acceptance_jobs import look

    job = open_job(file)
    facts = job.need_facts()
    wanted = chosen(proving.trials(job.plan), only)
    names = ", ".join(trial.name for trial in wanted)
    servers = output.count(len(job.plan.by_role("gpu")), "GPU server")
    output.confirm(f"Run {names} on {servers}? Nothing else gets their GPUs meanwhile.", yes=yes)
    progress = output.Progress(quiet=as_json)
    with job.exclusively("acceptance run", jobs=names) as running, bringup.looking(job, facts) as work:
        api = work.api(work.live().hosts).api
        teller = bringup.Teller(job, running, progress)
        with teller.step("checks", "", "make the acceptance jobs' namespace and scripts"):
            for one in proving.common(job.plan):
                api.apply(one.body)
        for trial in wanted:
            with (
                teller.step("checks", "", f"acceptance {trial.name}") as did,
                progress.waiting(f"{trial.name} runs"),
            ):
                did.append(proving.run(api, trial, running.check))
        tell(look(job.plan, api), {trial.name for trial in wanted}, json=as_json)


@acceptance.command(short_help="Show what the jobs measured, at every place.")
@file_option
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show what the jobs measured, at every place, against what the hardware must reach."""
    from daiku.apply import acceptance as proving
    from daiku.cli import bringup
    from daiku.cli.job import open_job
    from daiku.observe.acceptance_jobs import look

    job = open_job(file)
    progress = output.Progress(quiet=as_json)
    with bringup.looking(job, job.need_facts()) as work, progress.waiting("reading the jobs' logs"):
        proof = look(job.plan, work.api(work.live().hosts).api)
    tell(proof, {trial.name for trial in proving.trials(job.plan)}, json=as_json)


@acceptance.command(short_help="Remove the jobs, their results and what they wrote.")
@file_option
@json_option
def remove(file: Path, as_json: bool) -> None:
    """Remove the jobs, their results and what they wrote: the whole namespace `acceptance`."""
    from daiku.apply import acceptance as proving
    from daiku.cli import bringup
    from daiku.cli.job import open_job

    job = open_job(file)
    facts = job.need_facts()
    with job.exclusively("acceptance remove"), bringup.looking(job, facts) as work:
        found = proving.remove(work.api(work.live().hosts).api)
    if as_json:
        output.emit_json({"removed": found})
    else:
        output.say("the jobs and their results are on their way out" if found else "nothing to remove")


def summarize(proof: Proof) -> None:
    """The table of `daiku status`: what failed by its place, all else a line a check and verdict."""
    _table(proof, _brief(proof.acceptance.outcomes))


def as_json(proof: Proof) -> dict[str, Any]:
    """The proof for machines."""
    return {
        "accepted": proof.accepted,
        "outcomes": [asdict(outcome) for outcome in proof.acceptance.outcomes],
        "running": list(proof.running),
        "failed": list(proof.failed),
        "silent": [{"pod": one.pod, "node": one.node, "why": one.why} for one in proof.silent],
    }


def chosen(every: tuple[Trial, ...], only: tuple[str, ...]) -> tuple[Trial, ...]:
    """The jobs that are named, by their own names or by what they check. A usage error for any other."""
    if not every:
        raise click.UsageError("the cluster has no GPU server: there is nothing to prove")
    known = {name for trial in every for name in (trial.name, trial.check)}
    for name in only:
        if name not in known:
            names = ", ".join(trial.name for trial in every)
            raise click.UsageError(f"there is no acceptance job {name}; they are: {names}")
    return tuple(trial for trial in every if not only or {trial.name, trial.check} & set(only))


def tell(proof: Proof | None, jobs: set[str], *, json: bool) -> None:
    """What these jobs came to, at every place. AcceptanceError where they prove nothing, or the contrary."""
    if proof is None:
        raise AcceptanceError("no acceptance job was begun", hint="daiku acceptance run")
    proof = proof.of(jobs)
    if json:
        output.emit_json(as_json(proof))
    else:
        _table(proof, [_row(outcome, outcome.where or "all") for outcome in proof.acceptance.outcomes])
    if not proof.accepted:
        raise AcceptanceError(
            proof.summary(),
            hint="wait for the jobs that run: daiku acceptance show"
            if proof.running
            else "docs/acceptance.md",
        )


def _table(proof: Proof, rows: list[list[str]]) -> None:
    output.table(
        ["pool", "check", "place", "measured", "at least", "verdict", "why"],
        rows,
        title=f"acceptance, {proof.summary()}",
    )
    if proof.running:
        output.say(f"  not ended: {', '.join(proof.running)}")
    for log in proof.silent[:_NAMED]:
        output.say(f"  no log of pod {log.pod}{f' on {log.node}' if log.node else ''}: {log.why}")
    if len(proof.silent) > _NAMED:
        output.say(f"  no log of {output.count(len(proof.silent) - _NAMED, 'more pod')}")


def _brief(outcomes: Iterable[Outcome]) -> list[list[str]]:
    groups: dict[tuple[str, str, str, str], list[Outcome]] = {}
    for one in outcomes:
        # A failure is somewhere: it is never one of many.
        place = one.where if one.verdict == "failed" else ""
        groups.setdefault((one.pool, one.check, one.verdict, place), []).append(one)
    rows: list[list[str]] = []
    for group in groups.values():
        worst = min(group, key=lambda one: one.value or 0.0)
        many = f"{len(group)} places, the least" if worst.value is not None else f"{len(group)} places"
        rows.append(_row(worst, (worst.where or "all") if len(group) == 1 else many))
    return rows


def _row(one: Outcome, place: str) -> list[str]:
    measured = "" if one.value is None else f"{one.value:g} {one.unit}"
    least = "" if one.least is None else f"{one.least:g}"
    return [one.pool, one.check, place, measured, least, one.verdict, one.detail]

"""`daiku history`: what was run on this cluster, and what one run did."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option

if TYPE_CHECKING:
    from daiku.ledger.journal import Run, Step


@click.group(invoke_without_command=True)
@file_option
@json_option
@click.option(
    "-n", "limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs."
)
@click.pass_context
def history(context: click.Context, file: Path, as_json: bool, limit: int) -> None:
    """List the runs of this cluster, the newest first."""
    from daiku.cli.job import open_job

    if context.invoked_subcommand is not None:
        return
    job = open_job(file)
    runs = job.journal().runs(limit)
    if as_json:
        output.emit_json([asdict(run) for run in runs])
        return
    if not runs:
        output.say(f"nothing was run on cluster {job.plan.cluster} yet, as {job.state.directory} knows")
        return
    output.table(
        ["run", "verb", "who", "started", "seconds", "outcome", "message"],
        [_row(run) for run in runs],
    )


@history.command(short_help="Show one run: its steps and how each ended.")
@click.argument("run", metavar="RUN")
@file_option
@json_option
def show(run: str, file: Path, as_json: bool) -> None:
    """Show one run: its steps, the hosts, how each ended and what was said. RUN may be a prefix, or `last`."""
    from daiku.cli.job import open_job

    journal = open_job(file).journal()
    found = journal.find(run)
    steps = journal.steps(found.id)
    if as_json:
        output.emit_json({**asdict(found), "steps": [asdict(step) for step in steps]})
        return
    output.table(["run", "verb", "who", "started", "seconds", "outcome", "message"], [_row(found)])
    if steps:
        output.table(["step", "host", "seconds", "outcome", "message"], [_step(step) for step in steps])


def _row(run: Run) -> list[str]:
    return [
        run.id,
        run.verb,
        f"{run.who}@{run.machine}",
        time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started)),
        f"{run.finished - run.started:.1f}" if run.finished else "",
        run.outcome,
        run.message,
    ]


def _step(step: Step) -> list[str]:
    seconds = f"{step.finished - step.started:.1f}" if step.finished else ""
    return [step.step, step.host, seconds, step.outcome, step.message]

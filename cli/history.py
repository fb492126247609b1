"""`daiku history`: what was run on this cluster."""

from __future__ import annotations

import time
from pathlib import Path

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option


@click.command()
@file_option
@json_option
@click.option(
    "-n", "limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many runs."
)
def history(file: Path, as_json: bool, limit: int) -> None:
    """List the runs of this cluster, the newest first."""
    from dataclasses import asdict

    from daiku.cli.job import open_job

    runs = open_job(file).journal().runs(limit)
    if as_json:
        output.emit_json([asdict(run) for run in runs])
        return
    output.table(
        ["run", "verb", "who", "started", "seconds", "outcome", "message"],
        [
            [
                run.id,
                run.verb,
                f"{run.who}@{run.machine}",
                time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(run.started)),
                f"{run.finished - run.started:.1f}" if run.finished else "",
                run.outcome,
                run.message,
            ]
            for run in runs
        ],
    )

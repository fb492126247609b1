"""`daiku up`: make the cluster as the file says. Run again, it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option, patience_option, yes_option


@click.command()
@file_option
@yes_option
@json_option
@patience_option
@click.option("--no-refresh", is_flag=True, help="Trust the state: do not read every resource anew first.")
def up(file: Path, yes: bool, as_json: bool, patience: float, no_refresh: bool) -> None:
    """Make the cluster as the file says: infrastructure through Pulumi, hosts over SSH.

    What is replaced or deleted is shown and asked for. An interrupted or failed run is continued by the same command.
    """
    from daiku.cli import fleet, infra
    from daiku.cli.job import open_job

    progress = output.Progress(quiet=as_json)
    job = open_job(file)
    with job.exclusively("up") as run:
        engine = job.engine(progress)
        if not yes:
            with progress.step("plan"):
                planned = engine.preview(refresh=not no_refresh)
            infra.show_changes(planned)
            lost = infra.destructive(planned)
            if lost:
                names = ", ".join(change.name for change in lost)
                output.confirm(f"{len(lost)} resources are replaced or deleted ({names}). Go on?", yes=False)
        with progress.step("infrastructure (Pulumi)"):
            made = engine.up(infra.follow(progress), refresh=not no_refresh)
        job.keep_facts(made.facts)
        with progress.step("hosts (SSH)"):
            report = fleet.converge(job, made.facts, progress, run_id=run, patience=patience)
        fleet.record(job, run, report)
        if not report.failures:
            job.keep_applied()
    changed = infra.of_the_world(made.changes)
    if as_json:
        result: dict[str, Any] = {
            "changes": infra.changes_json(made.changes),
            "counts": made.counts,
            "fleet": fleet.as_json(report),
            "seconds": {name: round(seconds, 2) for name, seconds in progress.seconds.items()},
        }
        output.emit_json(result)
    else:
        fleet.show(report)
        hosts = sum(one.changed for one in report.reports)
        if changed or hosts:
            output.say(f"{len(changed)} resources and {hosts} hosts changed")
        else:
            output.say("nothing to change: the cluster is as the file says")
    fleet.check(report)

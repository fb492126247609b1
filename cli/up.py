"""`daiku up`: make the cluster as the file says. Run again, it changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option, patience_option, yes_option

if TYPE_CHECKING:
    from daiku.apply.report import FleetReport
    from daiku.stacks.changes import UpResult


@click.command()
@file_option
@yes_option
@json_option
@patience_option
@click.option("--no-refresh", is_flag=True, help="Trust the state: do not read every resource anew first.")
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Carry out this saved plan and nothing else. Refused (exit code 5) when file, release or world moved.",
)
def up(
    file: Path, yes: bool, as_json: bool, patience: float, no_refresh: bool, plan_file: Path | None
) -> None:
    """Make the cluster as the file says: infrastructure through Pulumi, hosts over SSH.

    What is replaced or deleted is shown and asked for. An interrupted or failed run is continued by the same command.
    """
    from daiku.apply import planfile
    from daiku.apply.saved import Approval, check_source
    from daiku.cli import fleet, infra
    from daiku.cli import saved as saved_plans
    from daiku.cli.job import open_job

    progress = output.Progress(quiet=as_json)
    job = open_job(file)
    saved = planfile.read(plan_file) if plan_file else None
    if saved:
        check_source(saved, job.plan)
    about = {"saved_plan": saved.digest()} if saved else {}
    with job.exclusively("up", **about) as run:
        engine = job.engine(progress)
        if saved:
            saved_plans.check(job, saved, engine, progress, refresh=not no_refresh)
        if not yes:
            with progress.step("plan"):
                planned = engine.preview(refresh=not no_refresh)
            if not as_json:
                infra.show_changes(planned)
            lost = infra.destructive(planned)
            if lost:
                names = ", ".join(change.name for change in lost)
                what = output.count(len(lost), "resource")
                output.confirm(f"this replaces or deletes {what} ({names}). Go on?", yes=False)
        with progress.step("infrastructure (Pulumi)"), run.step("infrastructure") as did:
            made = engine.up(infra.follow(progress), refresh=not no_refresh)
            did += infra.did(made.changes)
        job.keep_facts(made.facts)
        run.details["resources changed"] = len(infra.of_the_world(made.changes))
        run.check()
        with progress.step("hosts (SSH)") as step:
            report = fleet.converge(
                job,
                made.facts,
                progress,
                run_id=run.id,
                patience=patience,
                approve=Approval(saved, made.facts) if saved else None,
            )
            step.failed = bool(report.failures)
        fleet.record(job, run, report)
        if not report.failures:
            job.keep_applied()
        _tell(made, report, progress, as_json=as_json)
        fleet.check(report)
        if saved:
            saved_plans.check_done(saved, made, report)


def _tell(made: UpResult, report: FleetReport, progress: output.Progress, *, as_json: bool) -> None:
    from daiku.cli import fleet, infra

    changed = infra.of_the_world(made.changes)
    if as_json:
        output.emit_json(
            {
                "changes": infra.changes_json(made.changes),
                "counts": made.counts,
                "fleet": fleet.as_json(report),
                "seconds": {name: round(seconds, 2) for name, seconds in progress.seconds.items()},
            }
        )
        return
    fleet.show(report)
    hosts = sum(one.changed for one in report.reports)
    if changed or hosts:
        output.say(f"{output.count(len(changed), 'resource')} and {output.count(hosts, 'host')} changed")
    elif not report.failures:
        output.say("nothing to change: the cluster is as the file says")

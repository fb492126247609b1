"""`daiku up`: make the cluster as the file says. Run again, it changes nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.bringup import until_option
from daiku.cli.common import HostOptions, command, file_option, host_options, json_option, yes_option

if TYPE_CHECKING:
    from daiku.apply.phases.decide import Step
    from daiku.apply.phases.names import Phase
    from daiku.apply.report import FleetReport
    from daiku.cli.bringup import Brought
    from daiku.cli.job import Job
    from daiku.stacks.changes import UpResult


@click.command()
@file_option
@yes_option
@json_option
@host_options
@click.option("--no-refresh", is_flag=True, help="Trust the state: do not read every resource anew first.")
@click.option(
    "--until",
    callback=until_option,
    metavar="PHASE",
    help="Stop after this phase: infrastructure, hosts, facts, validation, control-plane, join, workers, add-ons, "
    "checks (the last one, and the default).",
)
@click.option(
    "--plan",
    "plan_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Carry out this saved plan and nothing else. Refused (exit code 5) when file, release or world moved.",
)
def up(
    file: Path,
    yes: bool,
    as_json: bool,
    how: HostOptions,
    no_refresh: bool,
    until: Phase | None,
    plan_file: Path | None,
) -> None:
    """Make the cluster as the file says: infrastructure through Pulumi, hosts over SSH, Kubernetes by kubeadm.

    What is replaced or deleted is shown and asked for. An interrupted or failed run is continued by the same command.
    """
    from daiku.apply import planfile
    from daiku.apply.saved import Approval, check_source
    from daiku.cli import bringup, consent, fleet, infra, standing
    from daiku.cli import saved as saved_plans
    from daiku.cli.farewell import farewell
    from daiku.cli.job import open_job
    from daiku.cli.secret import waiting

    progress = output.Progress(quiet=as_json)
    job = open_job(file)
    job.check_standing()
    waiting(job.plan)
    job.check_given()
    saved = planfile.read(plan_file) if plan_file else None
    if saved:
        check_source(saved, job.plan)
    about = {"saved_plan": saved.digest()} if saved else {}
    with job.exclusively("up", **about) as run:
        engine = job.engine(progress)
        if job.standing() is None:
            standing.check(job, job.facts() or engine.outputs(), progress)
        if saved:
            at_once = replace(how, patience=0.0)
            saved_plans.check(job, saved, engine, progress, refresh=not no_refresh, how=at_once, until=until)
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
        again = command("up", file)
        left: tuple[Step, ...] = ()
        if until not in ("infrastructure", "hosts"):
            allowed = consent.wanted(saved, yes=yes, quiet=as_json, leaving=True)
            left = farewell(job, run, progress, again=again, consent=allowed)
        with progress.step("infrastructure (Pulumi)"), run.step("infrastructure") as did:
            made = engine.up(infra.follow(progress), refresh=not no_refresh, check=run.check)
            did += infra.did(made.changes)
        job.keep_facts(made.facts)
        run.details["resources changed"] = len(infra.of_the_world(made.changes))
        if until == "infrastructure":
            _tell(made, None, progress, as_json=as_json)
            return
        run.check()
        with progress.step("hosts (SSH)") as step:
            report = fleet.converge(
                job,
                made.facts,
                progress,
                run=run,
                how=how,
                approve=Approval(saved, made.facts) if saved else None,
            )
            step.failed = bool(report.failures)
        cluster = None
        if until != "hosts" and report.reports and not report.over_budget:
            cluster = bringup.bring_up(
                job,
                made.facts,
                run,
                progress,
                report,
                until=until or "checks",
                again=again,
                consent=consent.wanted(saved, yes=yes, quiet=as_json, agreed=left),
            )
        if not report.failures and (cluster is None or cluster.well):
            job.keep_applied()
        _tell(made, report, progress, cluster, job=job, as_json=as_json)
        bringup.check(report, cluster, again=again, just=command("apply", file, *report.left))
        if saved:
            saved_plans.check_done(saved, made, report, cluster)


def _tell(
    made: UpResult,
    report: FleetReport | None,
    progress: output.Progress,
    cluster: Brought | None = None,
    *,
    job: Job | None = None,
    as_json: bool,
) -> None:
    from daiku.cli import bringup, fleet, infra, objects

    changed = infra.of_the_world(made.changes)
    if as_json:
        output.emit_json(
            {
                "changes": infra.changes_json(made.changes),
                "counts": made.counts,
                "fleet": fleet.as_json(report) if report else None,
                "nodes": bringup.nodes_json(cluster.live if cluster else None),
                "steps": cluster.changed if cluster else 0,
                "objects": objects.changes_json(cluster.objects) if cluster and cluster.objects else [],
                "failures": bringup.failures_json(cluster),
                "seconds": {name: round(seconds, 2) for name, seconds in progress.seconds.items()},
            }
        )
        return
    if report:
        fleet.show(report)
    if cluster and job:
        bringup.show_nodes(job, cluster.live)
    hosts = sum(one.changed for one in report.reports) if report else 0
    steps = cluster.changed if cluster else 0
    if changed or hosts or steps:
        more = f"; {output.count(steps, 'step')} of Kubernetes" if steps else ""
        output.say(
            f"{output.count(len(changed), 'resource')} and {output.count(hosts, 'host')} changed{more}"
        )
    elif not (report and report.failures) and (cluster is None or cluster.well):
        output.say("nothing to change: the cluster is as the file says")

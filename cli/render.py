"""`daiku render`, `diff`, `apply`: the configuration as files, against the hosts, and onto the hosts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import (
    HostOptions,
    command,
    file_option,
    host_options,
    json_option,
    reading_options,
    yes_option,
)
from daiku.cli.objects import cluster_options

if TYPE_CHECKING:
    from daiku.cli.job import Job
    from daiku.plan.facts import Facts


@click.command()
@file_option
@json_option
@click.option(
    "-o", "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder."
)
def render(file: Path, out: Path, as_json: bool) -> None:
    """Write every host's files and the cluster's manifests and chart values to a folder, for review."""
    from daiku.cli.job import open_job
    from daiku.render.whole import tree

    job = open_job(file)
    rendered = tree(job.plan, job.facts() or _expected(job))
    rendered.write(out)
    if as_json:
        output.emit_json({"out": str(out), "files": len(rendered), "digest": rendered.digest()})
    else:
        output.say(f"{len(rendered)} files in {out}, digest {rendered.digest()[:16]}")


def _expected(job: Job) -> Facts:
    """Facts before anything was made: IDs that only the cloud gives are left open, and a note says so."""
    from daiku.plan.facts import Facts, NodeFacts

    output.note("the cluster was not made yet: IDs that the cloud gives are shown as UNKNOWN")
    nodes = tuple(
        NodeFacts(
            name=node.name,
            resource_id=node.phy_id or "UNKNOWN",
            provider_id=f"sakura-phy://{node.phy_id}" if node.phy_id else f"sakura://{job.plan.zone}/UNKNOWN",
            incarnation="",
        )
        for node in job.plan.nodes
    )
    return Facts(
        cluster=job.plan.cluster,
        plan_digest=job.plan.digest(),
        router_address="",
        bastion_port=job.plan.router.bastion_port,
        nodes=nodes,
    )


_hosts = click.argument("hosts", nargs=-1, metavar="[HOST]...")


@click.command()
@file_option
@json_option
@cluster_options
@reading_options
@_hosts
def diff(
    file: Path, as_json: bool, objects: bool, charts: Path | None, hosts: tuple[str, ...], how: HostOptions
) -> None:
    """Show how the live hosts differ from the configuration. Nothing is changed."""
    from daiku.cli import fleet
    from daiku.cli.job import open_job

    job = open_job(file)
    if objects:
        _diff_objects(job, charts, hosts, as_json=as_json)
        return
    progress = output.Progress(quiet=as_json)
    facts = job.need_facts()
    fleet.need_names(hosts, (node.name for node in facts.nodes))
    with progress.waiting("comparing the hosts"):
        report = fleet.converge(job, facts, progress, only=hosts, dry_run=True, how=how)
    if as_json:
        output.emit_json(fleet.as_json(report))
    else:
        fleet.show(report, diffs=True)
    fleet.check(report, again=command("diff", file, *report.left))


def _diff_objects(job: Job, charts: Path | None, hosts: tuple[str, ...], *, as_json: bool) -> None:
    from daiku.apply.cluster.model import Prune
    from daiku.cli import bringup, objects

    objects.need_no_hosts(hosts)
    progress = output.Progress(quiet=as_json)
    with bringup.looking(job, job.need_facts()) as work, progress.waiting("comparing the cluster's objects"):
        report = objects.converge(job, work, progress, charts, dry_run=True, prune=Prune.SAFE)
    if as_json:
        output.emit_json(objects.as_json(report))
    else:
        objects.show(report, diffs=True)
    report.check()


@click.command()
@file_option
@json_option
@yes_option
@host_options
@cluster_options
@click.option(
    "--prune", is_flag=True, help="With --cluster: delete also what takes data or other things with it; asks."
)
@_hosts
def apply(
    file: Path,
    as_json: bool,
    yes: bool,
    how: HostOptions,
    objects: bool,
    charts: Path | None,
    prune: bool,
    hosts: tuple[str, ...],
) -> None:
    """Bring the hosts (all, or those named) to the configuration. The infrastructure is left alone."""
    from daiku.cli import fleet, standing
    from daiku.cli.job import open_job

    job = open_job(file)
    job.check_standing()
    job.check_given()
    if objects:
        _apply_objects(job, charts, hosts, prune=prune, yes=yes, as_json=as_json)
        return
    facts = job.need_facts()
    fleet.need_names(hosts, (node.name for node in facts.nodes))
    progress = output.Progress(quiet=as_json)
    with job.exclusively("apply") as run:
        if job.standing() is None:
            standing.check(job, facts, progress)
        with progress.step("hosts (SSH)") as step:
            report = fleet.converge(job, facts, progress, only=hosts, run=run, how=how)
            step.failed = bool(report.failures)
        if as_json:
            output.emit_json(fleet.as_json(report))
        else:
            fleet.show(report)
        fleet.check(report, again=command("apply", file, *report.left))


def _apply_objects(
    job: Job, charts: Path | None, hosts: tuple[str, ...], *, prune: bool, yes: bool, as_json: bool
) -> None:
    from daiku.apply.cluster.model import Prune
    from daiku.cli import bringup, objects

    objects.need_no_hosts(hosts)
    facts = job.need_facts()
    progress = output.Progress(quiet=as_json)
    how = Prune.SAFE
    with job.exclusively("apply") as run, bringup.looking(job, facts) as work:
        job.check_built(work.live().cluster)
        if prune:
            with progress.waiting("looking for what is wanted no more"):
                rehearsal = objects.converge(job, work, progress, charts, dry_run=True, prune=Prune.SAFE)
            objects.agree_to_destroy(rehearsal, yes=yes)
            how = Prune.DESTRUCTIVE
        teller = bringup.Teller(job, run, progress)
        with teller.step("add-ons", "", "apply the cluster's configuration") as did:
            report = objects.converge(job, work, progress, charts, dry_run=False, prune=how, check=run.check)
            did += [f"{change.what} {change.ref}" for change in report.changes]
        if as_json:
            output.emit_json(objects.as_json(report))
        else:
            objects.show(report)
        report.check()

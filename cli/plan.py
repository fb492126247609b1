"""`daiku plan`: what `up` would change, infrastructure and hosts in one view, and what that disturbs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daiku.cli import output
from daiku.cli.bringup import until_option
from daiku.cli.common import HostOptions, command, file_option, json_option, reading_options

if TYPE_CHECKING:
    from daiku.apply.phases.names import Phase
    from daiku.apply.report import FleetReport
    from daiku.cli.job import Job
    from daiku.cli.kubernetes import Ahead
    from daiku.plan.durations import Estimate
    from daiku.spec.disruption import Change
    from daiku.stacks.changes import PlannedChange


@click.command()
@file_option
@json_option
@click.option("--no-refresh", is_flag=True, help="Compare with the state instead of the world.")
@click.option(
    "--until",
    callback=until_option,
    metavar="PHASE",
    help="As of `up`: with infrastructure or hosts, Kubernetes is not looked at.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the plan in a file, for `daiku up --plan FILE`.",
)
@reading_options
def plan(
    file: Path, as_json: bool, no_refresh: bool, until: Phase | None, out: Path | None, how: HostOptions
) -> None:
    """Show what `up` would change: settings, infrastructure, hosts, Kubernetes, and what each disturbs. Changes
    nothing."""
    from daiku.apply import planfile
    from daiku.cli import fleet, infra, kubernetes
    from daiku.cli.job import open_job
    from daiku.cli.saved import estimates, fresh_names, saved_plan
    from daiku.cli.secret import waiting
    from daiku.cli.spec import fault_json
    from daiku.plan.durations import total
    from daiku.plan.proof.prove import prove

    progress = output.Progress(quiet=as_json)
    job = open_job(file)
    if out:
        job.check_standing()
    settings, nodes = _since_last(job)
    engine = job.engine(progress)
    with progress.step("compare the infrastructure (Pulumi)"):
        changes = engine.preview(refresh=not no_refresh)
    facts = job.facts()
    report = None
    if facts is not None:
        with progress.step("compare the hosts (SSH)") as step:
            report = fleet.converge(job, facts, progress, dry_run=True, how=how)
            step.failed = bool(report.failures)
    reached = (
        {one.host for one in report.reports} | {f.host for f in report.failures} if report else set[str]()
    )
    fresh = [node.name for node in job.plan.nodes if node.name not in reached]
    doubts = prove(job.loaded, job.plan).warnings
    waits = waiting(job.plan)
    ahead = kubernetes.Ahead()
    if until not in ("infrastructure", "hosts"):
        with progress.step("compare Kubernetes"):
            ahead = kubernetes.forecast(job, facts, fresh_names(job, infra.of_the_world(changes), facts))
    together = total(estimates(infra.of_the_world(changes), report, len(fresh), ahead))
    if not as_json:
        for fault in doubts:
            output.warn(fault)
        _show_settings(settings)
        _show_changes(changes, report, fresh, ahead, together)
        if out and report and report.failures:
            output.note(f"not saved in {out}: what is not known of a host cannot be promised")
    saved = saved_plan(job, changes, facts, report, ahead) if out else None
    if saved and out:
        planfile.write(out, saved)
        if not as_json:
            output.note(f"saved in {out}; next: {command('up', file, '--plan', str(out))}")
    if as_json:
        output.emit_json(
            {
                "seconds": [together.low, together.high],
                "saved": {"file": str(out), "digest": saved.digest(), "world": saved.world}
                if saved
                else None,
                "plan": job.plan.digest(),
                "warnings": [fault_json(fault) for fault in doubts],
                "waiting": list(waits),
                "settings": [_setting_json(change) for change in settings],
                "nodes": nodes,
                "infrastructure": infra.changes_json(changes),
                "hosts": fleet.as_json(report) if report else None,
                "new_hosts": fresh,
                "kubernetes": ahead.as_json(),
            }
        )


def _show_settings(settings: Sequence[Change]) -> None:
    if settings:
        output.table(
            ["setting", "from", "to", "what it disturbs"],
            [[c.path, _short(c.before), _short(c.after), c.disturbs] for c in settings],
        )


def _show_changes(
    changes: Sequence[PlannedChange],
    report: FleetReport | None,
    fresh: list[str],
    ahead: Ahead,
    together: Estimate,
) -> None:
    """What would be done, how long that should take (`together`) and what it disturbs."""
    from daiku.cli import fleet, infra
    from daiku.plan.durations import of_host, words

    infra.show_changes(changes)
    drifted = [one for one in report.reports if one.changed] if report else []
    if report and (drifted or report.failures):
        fleet.show(report, diffs=True)
        for failure in report.failures:
            output.note(f"{failure.host}: {failure.message}")
    for one in drifted:
        takes = of_host(len(one.changes), [trigger.name for trigger in one.triggers])
        disturbs = f"; disturbs: {takes.disturbs}" if takes.disturbs else ""
        output.say(f"{one.host}: takes {words(takes)}{disturbs}")
    if fresh:
        output.say(f"configured after they are made: {', '.join(fresh)}")
    ahead.show()
    world = infra.of_the_world(changes)
    objects, charts = ahead.counts
    if world or drifted or fresh or ahead.steps or objects or charts:
        lost = len(infra.destructive(changes))
        output.say(
            f"to change: {output.count(len(world), 'resource')} ({lost} replaced or deleted), "
            f"{output.count(len(drifted), 'host')}; to configure anew: {output.count(len(fresh), 'host')}; "
            f"of Kubernetes: {output.count(len(ahead.steps), 'step')}, {output.count(objects, 'object')}, "
            f"{output.count(charts, 'chart')}"
        )
        output.say(f"it should take {words(together)}")
    elif not ahead and (not report or not report.failures):
        output.say("nothing to change: the cluster is as the file says")


def _since_last(job: Job) -> tuple[tuple[Change, ...], dict[str, Any]]:
    """What differs from what the cluster was last brought to: settings, and nodes by name."""
    from daiku.plan.compare import compare as compare_plans
    from daiku.spec.disruption import compare as compare_specs

    applied = job.applied()
    if applied is None:
        return (), {"added": [node.name for node in job.plan.nodes], "removed": [], "changed": []}
    difference = compare_plans(applied[1], job.plan)
    return compare_specs(applied[0], job.loaded.cluster), {
        "added": list(difference.added),
        "removed": list(difference.removed),
        "changed": [{"name": node.name, "disruption": node.disruption.value} for node in difference.changed],
    }


def _setting_json(change: Change) -> dict[str, Any]:
    return {
        "path": change.path,
        "before": change.before,
        "after": change.after,
        "disruption": change.disruption.name.lower(),
        "note": change.note,
        "refused": change.refused,
    }


def _short(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, dict):
        return ", ".join(f"{k}: {v}" for k, v in value.items() if v is not None)[:60]
    return str(value)[:60]

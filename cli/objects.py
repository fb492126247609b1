"""The cluster's objects and charts, as `diff --cluster`, `apply --cluster` and `up` deal with them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daiku.cli import output
from daiku.cli.common import F

if TYPE_CHECKING:
    from daiku.apply.cluster.converge import Charts
    from daiku.apply.cluster.model import ClusterReport, ObjectChange, Prune
    from daiku.apply.phases.work import Work
    from daiku.cli.job import Job
    from daiku.render.tree import Tree
    from daiku.wire.kubernetes import KubernetesApi

CHARTS_VARIABLE = "DAIKU_CHARTS"
_WORDS = {"create": "+", "update": "~", "delete": "-"}
_NAMED = 3
_LONG = 100
"""Characters of a value that the table of differences shows."""


def cluster_options(function: F) -> F:
    """`--cluster` and `--charts`: the Kubernetes objects instead of the hosts."""
    folder = click.Path(path_type=Path, file_okay=False, exists=True)
    function = click.option(
        "--charts",
        type=folder,
        envvar=CHARTS_VARIABLE,
        help=f"With --cluster: the folder of chart archives, NAME-VERSION.tgz (${CHARTS_VARIABLE}).",
    )(function)
    return click.option(
        "--cluster", "objects", is_flag=True, help="The Kubernetes objects and charts instead of the hosts."
    )(function)


def need_no_hosts(hosts: tuple[str, ...]) -> None:
    """A usage error when hosts are named beside --cluster."""
    if hosts:
        raise click.UsageError("--cluster is about the whole cluster: name no hosts with it")


def charts(tree: Tree, folder: Path | None, tell: Callable[[str], None]) -> Callable[[KubernetesApi], Charts]:
    """Who installs the charts of `tree` (that of `cluster_tree`), from `folder` or the one that DAIKU_CHARTS names.

    helm is found on PATH or built when the first archive needs it.
    """
    from daiku.apply.cluster.charts import HelmCharts
    from daiku.apply.cluster.parts import wanted_charts
    from daiku.lab.tools.build import find_or_build
    from daiku.wire.helm import Helm

    named = os.environ.get(CHARTS_VARIABLE, "")
    place = folder or (Path(named) if named else None)
    return lambda api: HelmCharts(
        Helm(lambda: find_or_build("helm", tell), api.credentials), api, place, wanted_charts(tree)
    )


def converge(
    job: Job,
    work: Work,
    progress: output.Progress,
    folder: Path | None,
    *,
    dry_run: bool,
    prune: Prune,
    check: Callable[[], None] = lambda: None,
) -> ClusterReport:
    """Bring the cluster to the rendered objects and charts, or say what that would change. `check` is called before
    each write and raises once the run's lease is another's. Errors of the API."""
    from daiku.apply.cluster import converge as cluster
    from daiku.apply.cluster.parts import wanted_objects
    from daiku.render.cluster import cluster_tree

    api = work.api(work.live().hosts).api
    tree = cluster_tree(job.plan)
    return cluster.converge(
        api,
        wanted_objects(tree),
        cluster=job.plan.cluster,
        say=progress.detail,
        dry_run=dry_run,
        prune=prune,
        charts=charts(tree, folder, progress.detail)(api),
        secrets=job.given,
        check=check,
    )


def agree_to_destroy(report: ClusterReport, *, yes: bool) -> None:
    """Show what a rehearsal kept and what would go with it, and ask. ConfirmationError."""
    dangerous = [note for note in report.kept if note.asks]
    for note in dangerous:
        output.note(f"{note.ref} would go: {note.reason}")
    if dangerous:
        output.confirm(f"Delete {output.count(len(dangerous), 'object')} with all of that?", yes=yes)


def show_changes(report: ClusterReport, *, diffs: bool = False) -> None:
    """What is changed, a line an object and a chart, and what is refused; with `diffs` each field that differs."""
    for change in report.changes:
        output.say(f"  {_WORDS[change.what]} {change.ref}{_remark(change)}")
        if diffs:
            for field in change.fields:
                output.say(f"      {field.path}: {_short(field.before)} -> {_short(field.after)}")
    for chart in report.charts:
        if chart.what != "unchanged":
            what = "" if chart.what == "missing" else f"{chart.what}: "
            output.say(f"  chart {chart.chart} {chart.version} {what}{chart.detail}")
    for failure in report.failures:
        output.say(f"  {failure.ref} failed: {failure.error.message}")
        if failure.error.hint:
            output.say(f"      next: {failure.error.hint}")


def show(report: ClusterReport, *, diffs: bool = False) -> None:
    """The report for people; with `diffs` each field that differs."""
    show_changes(report, diffs=diffs)
    _show_waiting(report)
    for title, notes in (
        ("not ready", report.unready),
        ("kept", report.kept),
        ("skipped", report.skipped),
    ):
        for note in notes:
            output.say(f"  {note.ref} {title}: {note.reason}")
    verb = "would change" if report.dry_run else "changed"
    output.say(
        f"{output.count(len(report.changes), 'object')} {verb}, {len(report.unchanged)} unchanged, "
        f"{len(report.waiting)} waiting for charts; {report.calls} calls, {report.seconds:.1f} s"
    )
    if any(note.asks for note in report.kept):
        output.note("what is kept goes with: daiku apply --cluster --prune")


def _show_waiting(report: ClusterReport) -> None:
    by_chart: dict[str, list[str]] = {}
    for one in report.waiting:
        by_chart.setdefault(f"chart {one.chart}" if one.chart else "their definition", []).append(
            str(one.ref)
        )
    for chart, waiting in sorted(by_chart.items()):
        more = f" and {len(waiting) - _NAMED} more" if len(waiting) > _NAMED else ""
        output.say(f"  waiting for {chart}: {', '.join(waiting[:_NAMED])}{more}")


def changes_json(report: ClusterReport) -> list[dict[str, Any]]:
    """What is done to each object, for machines."""
    return [
        {
            "object": str(change.ref),
            "what": change.what,
            "taken": change.taken,
            "source": change.source,
            "fields": [{"path": f.path, "before": f.before, "after": f.after} for f in change.fields],
        }
        for change in report.changes
    ]


def as_json(report: ClusterReport) -> dict[str, Any]:
    """The report for machines."""

    def notes(found: tuple[Any, ...]) -> list[dict[str, str]]:
        return [{"object": str(note.ref), "reason": note.reason} for note in found]

    return {
        "dry_run": report.dry_run,
        "changed": report.changed,
        "changes": changes_json(report),
        "unchanged": len(report.unchanged),
        "waiting": [
            {"object": str(one.ref), "api_version": one.api_version, "chart": one.chart}
            for one in report.waiting
        ],
        "unready": notes(report.unready),
        "kept": notes(report.kept),
        "skipped": notes(report.skipped),
        "failures": [{"object": str(one.ref), "error": one.error.message} for one in report.failures],
        "charts": [
            {"chart": one.chart, "version": one.version, "what": one.what, "detail": one.detail}
            for one in report.charts
        ],
        "calls": report.calls,
        "writes": report.writes,
    }


def _remark(change: ObjectChange) -> str:
    if not change.checked:
        return " (not shown to the server: its namespace or definition is not there yet)"
    return f" (taken back: {change.taken})" if change.taken else ""


def _short(value: str) -> str:
    if not value:
        return "nothing"
    return value if len(value) <= _LONG else f"{value[:_LONG]}..."

"""The add-ons phase: the cluster's own configuration, applied through its API."""

from __future__ import annotations

from collections.abc import Callable

from daiku.apply.cluster.converge import Charts, converge
from daiku.apply.cluster.model import ClusterReport
from daiku.apply.cluster.parts import wanted_objects
from daiku.apply.cluster.secrets import Source
from daiku.apply.phases.work import Work
from daiku.render.tree import Tree
from daiku.wire.kubernetes import KubernetesApi

READY_SECONDS = 60.0
"""How long objects are waited for here. Those that take longer are told, and are no failure of this phase."""


def addons(
    work: Work,
    tree: Tree,
    *,
    charts: Callable[[KubernetesApi], Charts] | None = None,
    secrets: Source | None = None,
    dry_run: bool = False,
    check: Callable[[], None] = lambda: None,
) -> ClusterReport:
    """Make the cluster's objects those of `tree`, and install the `charts` if there is somebody who can.

    `secrets` gives the content of Secrets that the operator gave. `check` raises LockHeldError once the cluster is
    not ours any more. The report tells what was refused; nothing is raised for that. Errors of `Work.api` and of
    `cluster.converge`.
    """
    api = work.api(work.live().hosts).api
    report = converge(
        api,
        wanted_objects(tree),
        cluster=work.plan.cluster,
        say=lambda line: work.teller.detail("", line),
        dry_run=dry_run,
        timeout=READY_SECONDS,
        charts=charts(api) if charts else None,
        secrets=secrets,
        check=check,
    )
    if report.changed and not dry_run:
        work.outdated()
    return report


def words(report: ClusterReport) -> list[str]:
    """What the phase did and what it could not, one line each."""
    lines: list[str] = []
    if report.changes:
        counts = {
            what: sum(c.what == what for c in report.changes) for what in ("create", "update", "delete")
        }
        done = {"create": "created", "update": "updated", "delete": "deleted"}
        lines.append("objects: " + ", ".join(f"{n} {done[what]}" for what, n in counts.items() if n))
    installed = [chart.release for chart in report.charts if chart.what in {"install", "upgrade"}]
    if installed:
        lines.append(f"charts: {', '.join(installed)}")
    missing = [chart.chart for chart in report.charts if chart.what == "missing"]
    if missing:
        lines.append(f"charts without an archive (DAIKU_CHARTS names their folder): {', '.join(missing)}")
    lines += [
        f"chart {chart.chart} failed: {chart.detail}" for chart in report.charts if chart.what == "failed"
    ]
    by_chart: dict[str, int] = {}
    for one in report.waiting:
        by_chart[one.chart or "its definition"] = by_chart.get(one.chart or "its definition", 0) + 1
    lines += [f"{n} objects wait for {chart}" for chart, n in sorted(by_chart.items())]
    lines += [f"{note.ref} is not ready yet: {note.reason}" for note in report.unready]
    return lines

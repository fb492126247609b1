"""What the verbs that touch hosts share: bundles, the run over the fleet, and how its report is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from daiku.cli import output
from daiku.cli.common import HostOptions
from daiku.cli.host_journal import HostJournal
from daiku.cli.host_words import differs, running
from daiku.cli.job import Job
from daiku.errors import ApplyError, HostError

if TYPE_CHECKING:
    from daiku.apply.converge import Approve
    from daiku.apply.report import FleetReport, HostReport
    from daiku.ledger.running import Running
    from daiku.plan.facts import Facts


def converge(
    job: Job,
    facts: Facts,
    progress: output.Progress,
    *,
    only: tuple[str, ...] = (),
    dry_run: bool = False,
    run: Running | None = None,
    how: HostOptions | None = None,
    approve: Approve | None = None,
) -> FleetReport:
    """Bring the hosts (`only` these, when given) to their bundles, or say what differs. Failures are in the report.

    `run` is the run that this belongs to, None for `dry_run`: its journal tells of every host, and once its lease is
    lost no further host begins. `approve` may refuse what is about to be done on a host.
    """
    from daiku.apply import fleet
    from daiku.apply.targets import targets_of
    from daiku.render.hosts import host_bundles

    made = {node.name for node in facts.nodes}
    bundles = {bundle.host: bundle for bundle in host_bundles(job.plan, facts) if bundle.host in made}
    if only:
        bundles = {name: bundle for name, bundle in bundles.items() if name in only}

    journal = HostJournal(run) if run else None

    def on_event(host: str, step: str, message: str) -> None:
        if step == "interrupt":
            progress.line(message)
            return
        progress.detail(f"{host} {step} {message}")
        if journal:
            journal.event(host, step, message)

    def about_to(planned: HostReport) -> None:
        if approve:
            approve(planned)
        if journal:
            journal.begin(planned)

    report = fleet.run(
        targets_of(job.plan, facts),
        bundles,
        key_file=job.login(),
        host_keys=job.host_keys(facts),
        settings=fleet.Settings(**asdict(how or HostOptions())),
        dry_run=dry_run,
        run_id=run.id if run else "",
        on_event=on_event,
        approve=about_to,
        secrets=job.secrets().text,
        check=run.check if run else lambda: None,
    )
    if journal:
        journal.finish(report)
    if report.interrupted:
        if report.skipped:
            progress.line(f"left as they were: {', '.join(report.skipped)}")
        raise KeyboardInterrupt
    return report


def need_names(wanted: Iterable[str], known: Iterable[str]) -> None:
    """A usage error when a node is named that does not stand."""
    import difflib

    names = list(known)
    unknown = sorted(set(wanted) - set(names))
    if unknown:
        close = [name for one in unknown for name in difflib.get_close_matches(one, names, n=1)]
        tip = f"did you mean {', '.join(close)}?" if close else f"the nodes are: {', '.join(names)}"
        raise click.UsageError(f"no such node: {', '.join(unknown)}; {tip}")


def check(report: FleetReport, later: Sequence[HostError] = (), *, again: str) -> None:
    """ApplyError when a host failed, now or `later`, in a phase of Kubernetes. A host is told once. `again` is the
    command that goes on."""
    known = {failure.host for failure in report.failures}
    failures = [*report.failures, *(failure for failure in later if failure.host not in known)]
    if failures:
        total = len(report.failures) + len(report.reports) + len(report.skipped)
        raise ApplyError(failures, total, again, len(report.skipped))


def show(report: FleetReport, *, diffs: bool = False) -> None:
    """The hosts as a table, and with `diffs` every change with its content, in which nothing steers the terminal."""
    from daiku.wire.plain import plain

    output.table(
        ["host", "state", "files", "triggers", "sent", "round trips", "seconds"],
        [_row(one) for one in report.reports]
        + [[one.host, f"failed: {one.step}" if one.step else "failed"] for one in report.failures]
        + [[name, "not begun"] for name in report.skipped],
    )
    if diffs:
        for one in report.reports:
            for change in one.changes:
                output.say(f"{one.host}: {change.path} ({differs(change)})")
                if change.private:
                    output.say("    (private: its content is not shown)")
                elif change.diff:
                    lines = plain(change.diff).splitlines()
                    output.say("".join(f"    {line}\n" for line in lines).rstrip("\n"))
            for drift in one.drift:
                output.say(f"{one.host}: {running(drift)}, mended by trigger {drift.trigger}")


def _row(report: HostReport) -> list[str]:
    state = "unchanged" if not report.changed else "drifted" if report.dry_run else "changed"
    return [
        report.host,
        state,
        str(len(report.changes)),
        " ".join(trigger.name for trigger in report.triggers),
        f"{report.sent / 1024:.1f} KiB",
        str(report.round_trips),
        f"{report.seconds:.2f}",
    ]


def as_json(report: FleetReport) -> dict[str, Any]:
    """The report for machines."""
    return {
        "hosts": [
            {
                "host": one.host,
                "changed": one.changed,
                "files": [
                    {
                        "path": c.path,
                        "what": list(c.what),
                        "before": str(c.before) if c.before else None,
                        "after": str(c.after) if c.after else None,
                        "diff": c.diff,
                    }
                    for c in one.changes
                ],
                "running": [asdict(drift) for drift in one.drift],
                "triggers": [trigger.name for trigger in one.triggers],
                "sent_bytes": one.sent,
                "round_trips": one.round_trips,
                "seconds": round(one.seconds, 3),
            }
            for one in report.reports
        ],
        "failures": [
            {"host": f.host, "step": f.step, "message": f.message, "hint": f.hint, "exit_code": f.exit_code}
            for f in report.failures
        ],
        "not_begun": list(report.skipped),
        "connections": report.connections,
        "seconds": round(report.seconds, 3),
    }

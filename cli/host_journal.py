"""What becomes of the hosts of a run, written into the journal while it happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daiku.cli.host_words import did
from daiku.ledger.journal import Ended

if TYPE_CHECKING:
    from daiku.apply.report import FleetReport, HostReport
    from daiku.ledger.running import Running


class HostJournal:
    """The hosts of one run.

    A host that changes has its step before it does, with what is to be done, and its end as soon as that is known: a
    run that is killed shows what it did and where it stood. Those that do not change are noted together at the end.
    """

    def __init__(self, run: Running) -> None:
        self._run = run
        self._begun: dict[str, tuple[int, HostReport]] = {}

    def begin(self, planned: HostReport) -> None:
        """A host is about to change."""
        number = self._run.journal.begin_step(self._run.id, "converge", planned.host, did(planned))
        self._begun[planned.host] = number, planned

    def event(self, host: str, step: str, message: str) -> None:
        """An event of the fleet: the end of a step that was begun is written."""
        if host not in self._begun or step not in ("done", "failed"):
            return
        journal = self._run.journal
        number, planned = self._begun[host]
        if step == "failed":
            journal.end_step(number, "failed", message)
        else:
            journal.end_step(number, "done", did(planned))
            journal.receive(self._run.id, [(host, planned.bundle)])

    def finish(self, report: FleetReport) -> None:
        """The fleet is done: note the hosts that did not change. A run with a host that failed has failed."""
        run = self._run
        still = [one for one in report.reports if one.host not in self._begun]
        lost = [failure for failure in report.failures if failure.host not in self._begun]
        run.journal.note(
            run.id,
            [
                *(Ended(one.host, "converge", "unchanged", "", one.seconds) for one in still),
                *(Ended(one.host, one.step or "converge", "failed", one.message, 0.0) for one in lost),
            ],
        )
        run.journal.receive(run.id, [(one.host, one.bundle) for one in still])
        run.details["hosts changed"] = sum(one.changed for one in report.reports)
        if report.failures:
            run.outcome = "failed"
            run.message = f"hosts failed: {', '.join(failure.host for failure in report.failures)}"
            if report.skipped:
                run.message += f"; not begun: {', '.join(report.skipped)}"

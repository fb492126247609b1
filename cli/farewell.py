"""Machines that the file has no more leave the cluster before they are removed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daiku.cli import bringup

if TYPE_CHECKING:
    from daiku.apply.phases.decide import Step
    from daiku.cli import output
    from daiku.cli.bringup import Consent
    from daiku.cli.job import Job
    from daiku.ledger.running import Running


def farewell(
    job: Job, run: Running, progress: output.Progress, *, again: str, consent: Consent | None
) -> tuple[Step, ...]:
    """Drain them, and take their members out of etcd. The steps for them, those that come after they are gone
    included; () where no such machine stands, which costs nothing. `again` and `consent` as of `bringup.bring_up`.

    ApiError, ApplyError, HostError: one cannot leave, so none may be removed.
    """
    from daiku.apply.phases import run as phases
    from daiku.apply.phases.work import Work
    from daiku.cli.kubernetes import machines_ahead

    facts = job.facts()
    planned = {node.name for node in job.plan.nodes}
    if facts is None or planned >= {node.name for node in facts.nodes}:
        return ()
    machines, unmade = machines_ahead(job.plan, facts)
    teller = bringup.Teller(job, run, progress)
    with bringup.reach(job, facts) as ways:
        work = Work(job.plan, machines, {}, ways, teller, lambda _names: (), again=again, left_out=unmade)
        try:
            with progress.step("machines that leave"):
                steps = phases.goodbyes(work, work.live(), removed=False)
            if steps and consent is not None:
                work.permit = consent(work)
            with progress.step("leave the cluster"):
                phases.farewell(work)
            return steps
        finally:
            work.close()

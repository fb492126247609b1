"""What a cluster that stands cannot change, asked of the cluster itself where no record of ours tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from daiku.cli import bringup, output
from daiku.errors import ApiError, HostError

if TYPE_CHECKING:
    from daiku.cli.job import Job
    from daiku.plan.facts import Facts

LOOK_SECONDS = 10.0
"""For each stage of a log-in: a control plane that is off is not waited for longer."""


def check(job: Job, facts: Facts | None, progress: output.Progress) -> None:
    """SpecError when the file changes what the cluster was built with, by its own word.

    `facts` are those of its machines; None before the first `up`: then there is nothing to ask. A cluster that cannot
    be asked is told of, and is no failure: once it answers, `up` looks again before it touches Kubernetes.
    """
    if facts is None:
        return
    why = ""
    with progress.waiting("asking the cluster what it was built with"):
        try:
            with bringup.looking(job, facts, timeout=LOOK_SECONDS) as work:
                live = work.live()
            job.check_built(live.cluster)
            if live.cluster is None and (live.silent or any(one.etcd_data for one in live.hosts.values())):
                why = next(iter(live.silent.values()), "no API server answers")
        except (ApiError, HostError) as error:
            why = str(error)
    if why:
        output.note(f"no record tells what the cluster was built with, and it cannot be asked: {why}")

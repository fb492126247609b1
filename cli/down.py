"""`daiku down`: remove what was created, release what was adopted."""

from __future__ import annotations

from pathlib import Path

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option, yes_option


@click.command()
@file_option
@yes_option
@json_option
def down(file: Path, yes: bool, as_json: bool) -> None:
    """Remove what was created and release the GPU servers, as their release policy says.

    Data on the VMs' disks is lost. PHY servers are never destroyed.
    """
    from daiku.cli import infra
    from daiku.cli.job import open_job

    progress = output.Progress(quiet=as_json)
    job = open_job(file)
    released = len(job.plan.by_role("gpu"))
    machines = len(job.plan.nodes) - released
    output.confirm(
        f"This deletes cluster {job.plan.cluster}: {machines} VMs with their disks, its network and its AWS part; "
        f"{released} GPU servers are released. Go on?",
        yes=yes,
    )
    with job.exclusively("down") as run:
        engine = job.engine(progress)
        with progress.step("remove the infrastructure (Pulumi)"), run.step("remove") as did:
            counts = engine.destroy(infra.follow(progress), check=run.check)
            did += [f"{count} {operation}" for operation, count in sorted(counts.items())]
        run.details["resources removed"] = counts.get("delete", 0)
        job.keep_facts(None)
        job.forget_applied()
    if as_json:
        output.emit_json({"counts": counts})
    elif counts.get("delete"):
        removed = output.count(counts["delete"], "resource")
        output.say(f"cluster {job.plan.cluster} is gone: {removed} removed or released")
    else:
        output.say(f"nothing to remove: of cluster {job.plan.cluster} nothing stands")

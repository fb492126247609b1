"""`daiku status`: every part with its address and state, read live from the APIs and the hosts."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import command, file_option, json_option

if TYPE_CHECKING:
    from daiku.cli.job import Job
    from daiku.observe.fleet import Seen
    from daiku.observe.parts import Part
    from daiku.plan.facts import Facts


@click.command()
@file_option
@json_option
@click.option("--no-hosts", is_flag=True, help="Ask the APIs only, not the hosts.")
def status(file: Path, as_json: bool, no_hosts: bool) -> None:
    """Show every VM, router, load balancer, interconnect part and GPU node with address and state, read live.

    And of Kubernetes: whether the API answers, by the load balancer's address or not, every control plane's API server
    and etcd member, and every node. What acceptance jobs measured, where there are any. What cannot be reached is a
    state, not a failure.
    """
    from daiku.cli import kubernetes
    from daiku.cli.job import open_job

    job = open_job(file)
    progress = output.Progress(quiet=as_json)
    facts = job.facts()
    with progress.waiting("reading the APIs and the hosts"), ThreadPoolExecutor(2) as pool:
        reading = pool.submit(_parts, job, facts)
        looking = pool.submit(kubernetes.look, job, facts) if facts and not no_hosts else None
        seen = _hosts(job, facts) if facts and not no_hosts else {}
        parts = reading.result()
        live = looking.result() if looking else None
    if as_json:
        output.emit_json(
            {
                "cluster": job.plan.cluster,
                "parts": [asdict(part) for part in parts],
                "hosts": {name: one.as_dict() for name, one in seen.items()},
                "kubernetes": kubernetes.as_json(job, live) if live else None,
            }
        )
        return
    output.table(
        ["kind", "name", "address", "state", "host", "detail"],
        [_row(part, seen.get(part.name)) for part in parts],
        title=f"cluster {job.plan.cluster}, {job.plan.zone}, release {job.plan.release.name}",
    )
    if live:
        kubernetes.show(job, live)
    if facts is None:
        output.note(f"next: the cluster was not made yet: {command('up', file)}")


def _row(part: Part, seen: Seen | None) -> list[str]:
    host = seen.word() if seen else ""
    detail = part.detail if not seen or not seen.failure else f"{part.detail}; {seen.failure}".lstrip("; ")
    return [part.kind, part.name or part.id, part.address, part.state, host, detail]


def _parts(job: Job, facts: Facts | None) -> tuple[Part, ...]:
    from dataclasses import replace

    from daiku.observe.aws import aws_parts
    from daiku.observe.sakura import cloud_parts, phy_parts
    from daiku.wire.aws import Aws
    from daiku.wire.credentials import credentials_from_environment, endpoints_from_environment
    from daiku.wire.phy import Phy
    from daiku.wire.sakura_cloud import SakuraCloud

    credentials = credentials_from_environment()
    endpoints = replace(endpoints_from_environment(), zone=job.plan.zone)
    cloud, phy = SakuraCloud.at(credentials, endpoints), Phy.at(credentials, endpoints)
    try:
        parts = [*cloud_parts(cloud, job.plan), *phy_parts(phy, job.plan)]
    finally:
        cloud.close()
        phy.close()
    if job.plan.aws and facts:
        aws = Aws(job.plan.aws.region, endpoint_url=os.environ.get("AWS_ENDPOINT_URL") or None)
        parts += aws_parts(aws, job.plan.aws, facts)
    return tuple(parts)


def _hosts(job: Job, facts: Facts) -> dict[str, Seen]:
    from daiku.apply.targets import targets_of
    from daiku.observe.fleet import read_all
    from daiku.render.hosts import host_bundles

    wanted = {bundle.host: bundle.digest() for bundle in host_bundles(job.plan, facts)}
    return read_all(targets_of(job.plan, facts), wanted, key_file=job.login(), host_keys=job.host_keys(facts))

"""`daiku kubectl`: the pinned kubectl on this cluster, through the SSH way that daiku has anyway."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import click

from daiku.cli import output
from daiku.cli.common import file_option


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@file_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(file: Path, arguments: tuple[str, ...]) -> int:
    """Run kubectl as the cluster's administrator: `daiku kubectl -- get nodes`.

    The credentials are read from a control plane into memory and gone when kubectl ends. The exit code is kubectl's.
    """
    from daiku.apply.phases.access import api_access
    from daiku.cli import bringup
    from daiku.cli.job import open_job
    from daiku.lab.tools.build import find_or_build
    from daiku.wire.kubernetes_credentials import memory_file

    job = open_job(file)
    facts = job.need_facts()
    progress = output.Progress()
    with progress.waiting("looking for kubectl"):
        program = find_or_build("kubectl", progress.detail)
    planes = [node.name for node in job.plan.by_role("control-plane")]
    with (
        bringup.reach(job, facts, timeout=10.0) as ways,
        api_access(job.plan, ways, planes) as access,
        memory_file(access.credentials.kubeconfig().encode()) as descriptor,
        tempfile.TemporaryDirectory(prefix="daiku-kubectl-") as cache,
    ):
        environ = {**os.environ, "KUBECONFIG": f"/proc/self/fd/{descriptor}", "KUBECACHEDIR": cache}
        # Ctrl-C reaches kubectl, too: it is waited for, so that nothing of ours ends under it.
        child = subprocess.Popen([program, *arguments], env=environ, pass_fds=(descriptor,))
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue

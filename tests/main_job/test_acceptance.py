"""`daiku acceptance` as its user drives it, over daiku's own way to the API; KWOK plays the GPU servers."""

from __future__ import annotations

import re
import signal

import pytest

from daiku.lab.kwok import lab_nodes_command
from daiku.plan.make import make
from daiku.spec.load import load
from tests.main_job.kit import Rehearsal
from tests.main_job.small import FIRST, kubectl

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]
JOBS = ("diag", "nvlink", "port", "ring")
"""Those that ask for nothing but GPUs and rails; KWOK gives no volumes."""
ONLY = [word for job in JOBS for word in ("--only", job)]


def test_jobs_run_and_what_has_no_log_is_no_proof(small: Rehearsal) -> None:
    assert small.run("--lab", "acceptance", "show").failed(27, "no acceptance job was begun").out == ""
    small.run("--lab", "acceptance", "run").failed(4, "there is no terminal to ask on", "--yes")
    servers = len(make(load(small.file)).by_role("gpu"))
    small.on(FIRST, lab_nodes_command(make(load(small.file)), "", servers))
    try:
        done = small.run("--lab", "acceptance", "run", "--yes", *ONLY)
        done.failed(27, "not accepted")
        jobs = kubectl(small, "get", "jobs", "-n", "acceptance", "--no-headers").out
        assert sorted(re.findall(r"^h100-(\S+) +Complete ", jobs, re.MULTILINE)) == sorted(JOBS)
        assert re.search(
            r"no log of pod h100-\S+ on ishikari-h100-kwok-\d+: its node tells no address", done.out
        )
        shown = small.run("--lab", "acceptance", "show")
        shown.failed(27, "not accepted")
        status = small.ok("--lab", "status").out
        assert "acceptance, not accepted" in status
        history = small.ok("--lab", "history", "show", "last", "--json").json
        assert [step["step"] for step in history["steps"]][1:] == [f"acceptance h100-{job}" for job in JOBS]

        # A job that nobody can place waits; Ctrl-C leaves it to be waited for, and lets go of the cluster.
        run = small.start("--lab", "acceptance", "run", "--yes", "--only", "storage-fast")
        run.wait_for("h100-storage-fast runs", 60)
        run.process.send_signal(signal.SIGINT)
        assert run.end().code == 130
    finally:
        small.on(FIRST, "lab-nodes 0")
        small.ok("--lab", "acceptance", "remove")

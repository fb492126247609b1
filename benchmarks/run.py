"""`make bench`: counts and ratios of the main job, measured in one run in a lab of its own. Nothing here is a test.

Some minutes; `python benchmarks/run.py --full` takes the sizes of docs/benchmarks.md, which takes longer. Times on
shared machines are noisy: the ratios and the counts are what to quote.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import render

ROOT = Path(__file__).resolve().parent.parent
DAIKU = str(ROOT / ".venv" / "bin" / "daiku")
PORT = 24022
"""Not the example's: a demo that runs on this machine is left alone."""
SHORT_NODES = 200
PARTS = (
    ("emulator.py", ("1",), ("5",)),
    ("provider.py", ("12", "40", "20"), ("60", "200", "100")),
    ("fleet.py", ("--sizes", "20", "--rounds", "3"), ("--sizes", "50", "100", "200", "500")),
    ("fleet.py", ("--sizes", "20", "--busy", "130", "--others"), ("--sizes", "50", "100", "--busy", "130")),
    ("bastion.py", ("--hosts", "20", "--rounds", "1"), ("--hosts", "50", "200", "--delay", "20")),
)
"""Benchmarks in processes of their own, with their arguments: short and full."""


def main() -> int:
    """Print each figure as soon as it is known."""
    parser = argparse.ArgumentParser(description="Counts and ratios of the main job.")
    parser.add_argument("--full", action="store_true", help="measure the sizes of docs/benchmarks.md")
    full: bool = parser.parse_args().full
    with tempfile.TemporaryDirectory(prefix="daiku-bench-") as folder:
        file = Path(folder) / "cluster.yaml"
        text = (ROOT / "examples" / "ishikari" / "cluster.yaml").read_text(encoding="utf-8")
        file.write_text(f"{text}\naccess: {{ bastionPort: {PORT} }}\n", encoding="utf-8")
        environ = {**os.environ, "DAIKU_LAB_DIR": str(Path(folder) / "lab")}
        start_up()
        pure(file)
        for what, value in render.measure(render.NODES if full else SHORT_NODES):
            show(what, value)
        for script, short, whole in PARTS:
            part(script, whole if full else short)
        try:
            main_job(file, environ)
        finally:
            run([DAIKU, "lab", "down"], environ)
    return 0


def part(script: str, sizes: tuple[str, ...]) -> None:
    """A benchmark that prints its own lines, below one with its sizes."""
    show(f"{script} {' '.join(sizes)}", "")
    subprocess.run([sys.executable, str(ROOT / "benchmarks" / script), *sizes], check=True)


def run(command: list[str], environ: dict[str, str] | None = None) -> str:
    """Standard output of a command that must succeed."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    if done.returncode:
        sys.stderr.write(done.stderr[-2000:])
        sys.exit(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


def seconds(action: Callable[[], object], times: int = 1) -> float:
    """Median wall time of `action`."""
    taken: list[float] = []
    for _ in range(times):
        start = time.monotonic()
        action()
        taken.append(time.monotonic() - start)
    return statistics.median(taken)


def show(what: str, value: str) -> None:
    """One line of the result."""
    sys.stdout.write(f"{what:<64} {value}\n")
    sys.stdout.flush()


def start_up() -> None:
    """How long `--help` takes, against the interpreter doing nothing."""
    floor = seconds(lambda: run([sys.executable, "-c", "pass"]), 7)
    helped = seconds(lambda: run([DAIKU, "--help"]), 7)
    show("daiku --help", f"{helped:.2f} s, {helped / floor:.1f} x an empty python")


def pure(file: Path) -> None:
    """Loading, planning and rendering, without any process around them."""
    from daiku.plan.facts import Facts, NodeFacts
    from daiku.plan.make import make
    from daiku.render.whole import tree
    from daiku.spec.load import load

    loading = seconds(lambda: load(file), 5)
    loaded = load(file)
    planning = seconds(lambda: make(loaded), 5)
    plan = make(loaded)
    nodes = tuple(
        NodeFacts(name=node.name, resource_id="1", provider_id=f"x://{node.name}", incarnation="1")
        for node in plan.nodes
    )
    facts = Facts(
        cluster=plan.cluster, plan_digest=plan.digest(), router_address="", bastion_port=1, nodes=nodes
    )
    rendering = seconds(lambda: tree(plan, facts), 5)
    show(
        f"load, plan, render of {len(plan.nodes)} machines",
        f"{loading * 1e3:.0f} ms, {planning * 1e3:.0f} ms, {rendering * 1e3:.0f} ms for {len(tree(plan, facts))} files",
    )


def main_job(file: Path, environ: dict[str, str]) -> None:
    """The demo's stages, and what an unchanged `up` costs."""

    def up() -> dict[str, Any]:
        return json.loads(run([DAIKU, "--lab", "up", "-f", str(file), "--yes", "--json"], environ))

    def writes() -> int:
        status = json.loads(run([DAIKU, "lab", "status", "--json"], environ))
        return int(status["api_calls"]["writes"])

    show(
        "lab up (tools cached)",
        f"{seconds(lambda: run([DAIKU, 'lab', 'up', '-f', str(file)], environ)):.1f} s",
    )
    start = time.monotonic()
    first = up()
    made = time.monotonic() - start
    show(
        "first up",
        f"{made:.1f} s for {len(first['changes'])} resources and {len(first['fleet']['hosts'])} hosts",
    )
    for stage, taken in first["seconds"].items():
        show(f"  {stage}", f"{taken:.1f} s")
    before = writes()
    start = time.monotonic()
    second = up()
    again = time.monotonic() - start
    hosts = second["fleet"]["hosts"]
    show("second up, nothing to change", f"{again:.1f} s, {again / made:.2f} of the first")
    show("  write calls to Sakura's APIs", str(writes() - before))
    show("  resources changed", str(len(second["changes"])))
    show("  SSH connections for the hosts", f"{second['fleet']['connections']} for {len(hosts)} hosts")
    show("  round trips a host", " ".join(sorted({str(host["round_trips"]) for host in hosts})))
    kib = sum(host["sent_bytes"] for host in hosts) / 1024 / len(hosts)
    show("  sent a host", f"{kib:.1f} KiB (the helper itself: nothing of daiku stays on a host)")
    show(
        "status, live", f"{seconds(lambda: run([DAIKU, '--lab', 'status', '-f', str(file)], environ)):.1f} s"
    )
    down = seconds(lambda: run([DAIKU, "--lab", "down", "-f", str(file), "--yes"], environ))
    show("down", f"{down:.1f} s")


if __name__ == "__main__":
    sys.exit(main())

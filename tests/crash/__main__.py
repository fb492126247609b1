"""`python -m tests.crash`: kill at every point, print what came of it as Markdown; exit status 1 when anything did.

`--every N` takes each N-th point only. Needs Linux namespaces for the lab's hosts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from daiku.lab.hosts import Hosts, supports_namespaces
from daiku.ledger.keys import ensure_deploy_key
from daiku.wire.ssh import connect
from daiku.wire.ssh_types import Endpoint
from tests.crash import api, hosts, ledger
from tests.crash.report import HEAD, Swept
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

ADDRESS = "127.77.211.1"
MACHINES = (2, 3, 4)
T = TypeVar("T")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description="kill daiku at every point")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th point only")
    every = parser.parse_args().every

    def choose(points: list[T]) -> list[T]:
        return points[::every]

    reason = supports_namespaces()
    if reason is not None:
        _tell(f"hosts cannot run here: {reason}")
        return 2
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="daiku-crash-") as folder:
        sweeps = [
            ledger.sweep(Path(folder, "ledger"), choose),
            *api.sweep(choose, _tell),
            *_on_hosts(Path(folder), choose),
        ]
    _print(sweeps, time.monotonic() - began)
    return 1 if any(swept.wrong for swept in sweeps) else 0


def _on_hosts(folder: Path, choose: Callable[[list[hosts.Point]], list[hosts.Point]]) -> list[Swept]:
    key, public = ensure_deploy_key(folder / "keys")
    shutil.copy(key, folder / "key")
    (folder / "key.pub").write_text(public)
    with Hosts(folder / "state", log=_tell) as booted:
        lab = Lab(booted, folder / "key", folder, ADDRESS)
        lab.apply(*(lab.machine(number) for number in MACHINES))
        machines = [
            hosts.Host(
                connect(
                    f"host{number}",
                    Endpoint(ADDRESS, 2200 + number, "root"),
                    key_file=folder / "key",
                    host_keys=Pins(),
                    timeout=60,
                )
            )
            for number in MACHINES
        ]
        return [hosts.sweep(machines, phase, choose, _tell) for phase in hosts.phases()]


def _print(sweeps: list[Swept], seconds: float) -> None:
    kinds = sum((swept.points for swept in sweeps), Counter[str]())
    total = f"{kinds.total()} points in {seconds / 60:.0f} minutes, killed before: "
    lines = [
        HEAD,
        *(swept.row() for swept in sweeps),
        "",
        total + ", ".join(f"{name} {count}" for name, count in kinds.most_common()) + ".",
        *(f"\nWRONG {line}" for swept in sweeps for line in swept.wrong),
    ]
    sys.stdout.write("\n".join(lines) + "\n")


def _tell(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())

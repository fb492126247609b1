"""How fast a fleet of hosts is converged: daiku beside pyinfra, Ansible, and the floor that SSH itself sets.

    python benchmarks/fleet.py --sizes 50 100 200 500

prints a Markdown table. Every tool brings each host to the same four files in a directory that it makes (two small, one
of 8 KiB, and one of a single line), once on fresh hosts and then without anything to do. The floor is a log-in by
daiku's own SSH client and one `true`. The others find the hosts as daiku left them, and must find nothing to change
there; what they need on fresh hosts is measured at the smallest size. A cell that takes longer than --limit seconds,
fails on a host, or changes what should be right says so in place of a figure, and the others go on.

Servers and client share this machine, so next to the wall time stands the processor time of the client alone. Rounds of
floor and unchanged runs alternate, and their medians are what the ratios are made of. Needs root, and loopback.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import rivals
from farm import PORT, Farm, address_of

PARALLEL = 16
FILES = {
    "/etc/bench/app/one.conf": b"one = 1\n" * 16,
    "/etc/bench/app/two.conf": b"two = 2\n" * 16,
    "/etc/bench/app/table": b"0123456789abcde\n" * 512,
    "/etc/bench/line": b"managed = yes\n",
}


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one process and what it started and waited for: seconds of wall and of processor, MiB of its largest one."""

    wall: float
    cpu: float
    memory: float


class SkippedError(Exception):
    """A cell that has no figure, and why."""


def main() -> int:
    """Measure every size and print a row as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one run of one tool")
    parser.add_argument("--alone", action="store_true", help="leave pyinfra and Ansible out")
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "KEY", "COUNT"))
    arguments = parser.parse_args()
    if arguments.child:
        what, key, count = arguments.child
        return CHILDREN[what](Path(key), int(count))
    if os.geteuid() != 0:
        show("not measured: the hosts are mount namespaces, which need root")
        return 0
    others = None if arguments.alone else rivals_or_none()
    show(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, {PARALLEL} hosts at a time; {versions(others)}"
    )
    show("")
    show("| hosts | run | wall, s | client CPU, s | client MiB | x the floor's wall | x its CPU |")
    show("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="daiku-fleet-") as name:
            try:
                base = measure(Path(name), size, arguments.rounds, others, arguments.limit)
                if others and size == min(arguments.sizes):
                    measure_firsts(Path(name), size, others, arguments.limit, base)
            except (SkippedError, OSError) as error:
                show(f"| {size} | not measured: {error} | | | | | |")
    return 0


def rivals_or_none() -> Path | None:
    """Where pyinfra and Ansible are; None, which is told, when they cannot be had."""
    try:
        return rivals.installed()
    except rivals.RivalError as error:
        show(f"pyinfra and Ansible are left out: {error}")
        return None


def versions(others: Path | None) -> str:
    """Of everything that is measured."""
    import paramiko

    from daiku import __version__

    words = [f"daiku {__version__}", f"paramiko {paramiko.__version__}", f"Python {sys.version.split()[0]}"]
    return ", ".join(words + [rivals.version(tool, others) for tool in rivals.TOOLS if others])


def measure(folder: Path, size: int, rounds: int, others: Path | None, limit: float) -> Cost:
    """All tools on the same `size` hosts; gives back the floor. SkippedError: our own figures cannot be had.

    The other tools find the hosts as daiku left them, so they too have nothing to do.
    """
    from daiku.lab.tools.openssh import find_or_fetch_sshd
    from daiku.ledger.keys import ensure_deploy_key

    key, public = ensure_deploy_key(folder / "keys")
    own = [sys.executable, __file__, "--child"]
    rest = [str(key), str(size)]
    sshd = find_or_fetch_sshd(tell)
    hosts = folder / "hosts"
    hosts.mkdir()
    with Farm(hosts, sshd, size, public):
        cost([*own, "floor", *rest], folder, limit)  # the first log-in to a server loads its pages
        first = cost([*own, "first", *rest], folder, limit)
        floors: list[Cost] = []
        unchanged: list[Cost] = []
        for _ in range(rounds):
            floors.append(cost([*own, "floor", *rest], folder, limit))
            unchanged.append(cost([*own, "unchanged", *rest], folder, limit))
        base, again = median(floors), median(unchanged)
        row(size, "floor: connect and `true`", base, base)
        row(size, "daiku, first", first, base)
        row(size, "daiku, unchanged", again, base)
        row(
            size,
            "daiku, one host more (one is contacted)",
            cost([*own, "one more", *rest], folder, limit),
            base,
        )
        for tool in rivals.TOOLS if others else ():
            assert others is not None
            try:
                kept = rival(tool, others, folder, key, size, limit, unchanged=True)
                row(size, f"{tool}, unchanged (daiku takes 1/{kept.wall / again.wall:.1f} of it)", kept, base)
            except (SkippedError, OSError) as error:
                show(f"| {size} | {tool}, unchanged: {error} | | | | | |")
    return base


def measure_firsts(folder: Path, size: int, others: Path, limit: float, base: Cost) -> None:
    """What the other tools' first runs cost, each on hosts that nothing has touched."""
    from daiku.lab.tools.openssh import find_or_fetch_sshd
    from daiku.ledger.keys import ensure_deploy_key

    key, public = ensure_deploy_key(folder / "keys")
    sshd = find_or_fetch_sshd(tell)
    for tool in rivals.TOOLS:
        try:
            # The folder is fresh as well, because Ansible's connections to earlier hosts live on in the old one.
            with tempfile.TemporaryDirectory(dir=folder) as fresh, Farm(Path(fresh), sshd, size, public):
                one = rival(tool, others, Path(fresh), key, size, limit, unchanged=False)
            row(size, f"{tool}, first", one, base)
        except (SkippedError, OSError) as error:
            show(f"| {size} | {tool}, first: {error} | | | | | |")


def rival(
    tool: str, others: Path, folder: Path, key: Path, size: int, limit: float, *, unchanged: bool
) -> Cost:
    """SkippedError also when it did not do what is measured."""
    command, environ = rivals.call(tool, others, folder, key, size, FILES)
    one = cost(command, folder, limit, environ)
    try:
        rivals.check(tool, (folder / "output").read_text(errors="replace"), size, unchanged=unchanged)
    except rivals.RivalError as error:
        raise SkippedError(str(error)) from error
    return one


def row(size: int, what: str, one: Cost, base: Cost) -> None:
    ratios = f"{one.wall / base.wall:.2f} | {one.cpu / base.cpu:.2f}"
    show(f"| {size} | {what} | {one.wall:.2f} | {one.cpu:.2f} | {one.memory:.0f} | {ratios} |")


def cost(command: list[str], folder: Path, limit: float, environ: dict[str, str] | None = None) -> Cost:
    """What running `command` costs. SkippedError: it failed, or took longer than `limit` seconds."""
    began = time.monotonic()
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, **(environ or {})},
        )  # fmt: skip
        late = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        late.start()
        _, status, usage = os.wait4(process.pid, 0)
        late.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - began
        if status and wall >= limit:
            raise SkippedError(f"took longer than {limit:g} s")
        if status:
            output.seek(0)
            lines = output.read().decode(errors="replace").strip().splitlines()
            raise SkippedError(f"exit status {process.returncode}: {lines[-1] if lines else 'nothing said'}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(c, name) for c in costs) for name in ("wall", "cpu", "memory")))


def show(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def tell(line: str) -> None:
    """What is no result."""
    sys.stderr.write(line + "\n")


def floor(key: Path, count: int) -> int:
    """Log in to every host and run `true`."""
    from concurrent.futures import ThreadPoolExecutor

    from daiku.wire.ssh import connect
    from daiku.wire.ssh_types import Endpoint

    pins = Pins()

    def one(number: int) -> int:
        endpoint = Endpoint(address_of(number), PORT, "root")
        with connect(f"h{number}", endpoint, key_file=key, host_keys=pins) as session:
            return session.run("true").status

    with ThreadPoolExecutor(PARALLEL) as pool:
        return sum(pool.map(one, range(count)))


def converge(key: Path, count: int, first: int = 0, changed: int = 0) -> int:
    """Converge the hosts from number `first` on with daiku; so many must change, and no other be contacted."""
    from daiku.apply.fleet import Settings, run
    from daiku.apply.targets import Target, Targets
    from daiku.render.bundle import HostBundle, HostFile
    from daiku.wire.ssh_types import Endpoint

    files = tuple(HostFile(path, content) for path, content in FILES.items())
    names = {f"h{number}": Endpoint(address_of(number), PORT, "root") for number in range(count)}
    report = run(
        Targets(None, tuple(Target(name, endpoint) for name, endpoint in names.items())),
        {name: HostBundle(name, files, ()) for name in list(names)[first:]},
        key_file=key,
        host_keys=Pins(),
        settings=Settings(parallel=PARALLEL),
    )
    for failure in report.failures:
        show(str(failure))
    did = (sum(one.changed for one in report.reports), len(report.reports), report.connections)
    if did != (changed, count - first, count - first):
        show(f"{did[0]} hosts changed, {did[1]} done, {did[2]} connections")
        return 1
    return 0


CHILDREN: dict[str, Callable[[Path, int], int]] = {
    "floor": floor,
    "first": lambda key, count: converge(key, count, changed=count),
    "unchanged": converge,
    "one more": lambda key, count: converge(key, count, first=count - 1),
}
"""What is measured in a process of its own. The last converges one host of all, as `daiku apply NAME` does."""


class Pins:
    """Host keys, in memory."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def pinned(self, host: str) -> str | None:
        return self._keys.get(host)

    def pin(self, host: str, key: str) -> None:
        self._keys[host] = key


if __name__ == "__main__":
    sys.exit(main())

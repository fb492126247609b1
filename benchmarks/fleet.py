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
ENOUGH_SECONDS = 60.0
"""Another tool is run again for a median until it has taken so long in all."""
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


@dataclass(frozen=True, slots=True)
class Bench:
    """One size: so many hosts, whose shells begin after `busy` ms of processor; `folder` is ours.

    `tools`: the others; `others`: where they are, None without them; `limit`: seconds for one run of one tool.
    """

    folder: Path
    size: int
    busy: int
    rounds: int
    tools: tuple[str, ...]
    others: Path | None
    limit: float


class SkippedError(Exception):
    """A cell that has no figure, and why."""


def main() -> int:
    """Measure every size and print a row as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--limit", type=float, default=900.0, help="seconds for one run of one tool")
    parser.add_argument(
        "--busy", type=int, default=0, help="ms of processor for each start of a host's shell"
    )
    parser.add_argument("--others", nargs="*", choices=rivals.TOOLS, default=rivals.TOOLS)
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "KEY", "COUNT"))
    arguments = parser.parse_args()
    if arguments.child:
        what, key, count = arguments.child
        return CHILDREN[what](Path(key), int(count))
    if os.geteuid() != 0:
        show("not measured: the hosts are mount namespaces, which need root")
        return 0
    others = rivals_or_none() if arguments.others else None
    tools = tuple(arguments.others) if others else ()
    show(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, {PARALLEL} hosts at a time, "
        f"shells that begin after {arguments.busy} ms; {versions(tools, others)}"
    )
    show("")
    show("| hosts | run | wall, s | client CPU, s | client MiB | x the floor's wall | x its CPU |")
    show("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="daiku-fleet-") as name:
            try:
                bench = Bench(
                    Path(name), size, arguments.busy, arguments.rounds, tools, others, arguments.limit
                )
                base = measure(bench)
                if size == min(arguments.sizes):
                    measure_firsts(bench, base)
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


def versions(tools: tuple[str, ...], others: Path | None) -> str:
    """Of everything that is measured."""
    import paramiko

    from daiku import __version__

    words = [f"daiku {__version__}", f"paramiko {paramiko.__version__}", f"Python {sys.version.split()[0]}"]
    return ", ".join(words + [rivals.version(tool, others) for tool in tools if others])


def measure(bench: Bench) -> Cost:
    """All tools on the same hosts; gives back the floor. SkippedError: our own figures cannot be had.

    The other tools find the hosts as daiku left them, so they too have nothing to do.
    """
    from daiku.lab.tools.openssh import find_or_fetch_sshd
    from daiku.ledger.keys import ensure_deploy_key

    key, public = ensure_deploy_key(bench.folder / "keys")
    size = bench.size
    sshd = find_or_fetch_sshd(tell)
    hosts = bench.folder / "hosts"
    hosts.mkdir()

    def own(what: str) -> Cost:
        return cost(
            [sys.executable, __file__, "--child", what, str(key), str(size)], bench.folder, bench.limit
        )

    with Farm(hosts, sshd, size, public, bench.busy):
        own("floor")  # the first log-in to a server loads its pages
        first = own("first")
        floors: list[Cost] = []
        unchanged: list[Cost] = []
        for _ in range(bench.rounds):
            floors.append(own("floor"))
            unchanged.append(own("unchanged"))
        base, again = median(floors), median(unchanged)
        row(size, "floor: connect and `true`", base, base)
        row(size, "daiku, first", first, base)
        row(size, "daiku, unchanged", again, base)
        row(size, "daiku, one host more (one is contacted)", own("one more"), base)
        for tool in bench.tools:
            try:
                runs: list[Cost] = []
                while len(runs) < bench.rounds and sum(run.wall for run in runs) < ENOUGH_SECONDS:
                    runs.append(rival(tool, bench, key, bench.folder, unchanged=True))
                kept = median(runs)
                row(size, f"{tool}, unchanged (daiku takes 1/{kept.wall / again.wall:.1f} of it)", kept, base)
            except (SkippedError, OSError) as error:
                show(f"| {size} | {tool}, unchanged: {error} | | | | | |")
    return base


def measure_firsts(bench: Bench, base: Cost) -> None:
    """What the other tools' first runs cost, each on hosts that nothing has touched."""
    from daiku.lab.tools.openssh import find_or_fetch_sshd
    from daiku.ledger.keys import ensure_deploy_key

    key, public = ensure_deploy_key(bench.folder / "keys")
    sshd = find_or_fetch_sshd(tell)
    for tool in bench.tools:
        try:
            # The folder is fresh as well, because Ansible's connections to earlier hosts live on in the old one.
            with (
                tempfile.TemporaryDirectory(dir=bench.folder) as fresh,
                Farm(Path(fresh), sshd, bench.size, public, bench.busy),
            ):
                one = rival(tool, bench, key, Path(fresh), unchanged=False)
            row(bench.size, f"{tool}, first", one, base)
        except (SkippedError, OSError) as error:
            show(f"| {bench.size} | {tool}, first: {error} | | | | | |")


def rival(tool: str, bench: Bench, key: Path, folder: Path, *, unchanged: bool) -> Cost:
    """One run, of which `folder` gets the files. SkippedError also when it did not do what is measured."""
    assert bench.others is not None
    command, environ = rivals.call(tool, bench.others, folder, key, bench.size, FILES)
    one = cost(command, folder, bench.limit, environ)
    try:
        rivals.check(tool, (folder / "output").read_text(errors="replace"), bench.size, unchanged=unchanged)
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

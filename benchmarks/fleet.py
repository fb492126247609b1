"""How fast a fleet of hosts is converged: daiku beside pyinfra, Ansible, and the floor that SSH itself sets.

    python benchmarks/fleet.py --sizes 50 100 200 500 --rivals FOLDER

prints a Markdown table. Every tool brings each host to the same four files in a directory that it makes (two small, one
of 8 KiB, and one of a single line), once on fresh hosts and then without anything to do. The floor is a log-in by
daiku's own SSH client and one `true`. FOLDER is a virtual environment with pyinfra and ansible-core; without it they
are left out. A cell that takes longer than --limit seconds, or fails, says so, and the others go on.

Servers and client share this machine, so next to the wall time stands the processor time of the client alone. Rounds of
floor and unchanged runs alternate, and their medians are what the ratios are made of. Needs root, and loopback.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

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
    parser.add_argument("--rivals", type=Path)
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "KEY", "COUNT"))
    arguments = parser.parse_args()
    if arguments.child:
        what, key, count = arguments.child
        return {"floor": floor, "daiku": converge, "one more": one_more}[what](Path(key), int(count))
    show(
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors, {PARALLEL} hosts at a time; {versions(arguments)}"
    )
    show("")
    show("| hosts | run | wall, s | client CPU, s | client MiB | x the floor's wall | x its CPU |")
    show("| ---: | --- | ---: | ---: | ---: | ---: | ---: |")
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="daiku-fleet-") as name:
            try:
                measure(Path(name), size, arguments.rounds, arguments.rivals, arguments.limit)
            except (SkippedError, OSError) as error:
                show(f"| {size} | not measured: {error} | | | | | |")
    return 0


def versions(arguments: argparse.Namespace) -> str:
    """Of everything that is measured."""
    import paramiko

    from daiku import __version__

    words = [f"daiku {__version__}", f"paramiko {paramiko.__version__}", f"Python {sys.version.split()[0]}"]
    for tool in ("pyinfra", "ansible-playbook") if arguments.rivals else ():
        try:
            done = subprocess.run(
                [arguments.rivals / "bin" / tool, "--version"],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            words.append(done.stdout.partition("\n")[0].strip() or f"{tool}: no version")
        except (OSError, subprocess.TimeoutExpired) as error:
            words.append(f"{tool}: {error}")
    return ", ".join(words)


def measure(folder: Path, size: int, rounds: int, rivals: Path | None, limit: float) -> None:
    """All tools on `size` hosts. SkippedError: our own figures cannot be had."""
    from daiku.lab.tools.openssh import find_or_fetch_sshd
    from daiku.ledger.keys import ensure_deploy_key

    key, public = ensure_deploy_key(folder / "keys")
    own = [sys.executable, __file__, "--child"]
    rest = [str(key), str(size)]
    sshd = find_or_fetch_sshd(lambda line: sys.stderr.write(line + "\n"))
    hosts = folder / "hosts"
    hosts.mkdir()
    with Farm(hosts, sshd, size, public):
        cost([*own, "floor", *rest], folder, limit)  # the first log-in to a server loads its pages
        first = cost([*own, "daiku", *rest], folder, limit)
        floors: list[Cost] = []
        unchanged: list[Cost] = []
        for _ in range(rounds):
            floors.append(cost([*own, "floor", *rest], folder, limit))
            unchanged.append(cost([*own, "daiku", *rest], folder, limit))
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
    for tool in ("pyinfra", "ansible") if rivals else ():
        assert rivals is not None
        try:
            command, environ = rival(tool, rivals, folder, key, size)
            with tempfile.TemporaryDirectory(dir=folder) as fresh, Farm(Path(fresh), sshd, size, public):
                row(size, f"{tool}, first", cost(command, folder, limit, environ), base)
                kept = cost(command, folder, limit, environ)
            row(size, f"{tool}, unchanged (daiku takes 1/{kept.wall / again.wall:.1f} of it)", kept, base)
        except (SkippedError, OSError) as error:
            show(f"| {size} | {tool}: {error} | | | | | |")


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


def one_more(key: Path, count: int) -> int:
    """Converge the last host of all alone, as `daiku apply NAME` does; it must be the only one that is contacted."""
    return converge(key, count, first=count - 1)


def converge(key: Path, count: int, first: int = 0) -> int:
    """Converge the hosts from number `first` on with daiku."""
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
    return len(report.failures) + (report.connections != count - first)


class Pins:
    """Host keys, in memory."""

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}

    def pinned(self, host: str) -> str | None:
        return self._keys.get(host)

    def pin(self, host: str, key: str) -> None:
        self._keys[host] = key


def rival(tool: str, venv: Path, folder: Path, key: Path, count: int) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of another tool for the same job, as its manual says to tune it."""
    for path, content in FILES.items():
        (folder / Path(path).name).write_bytes(content)
    if tool == "pyinfra":
        data = {
            "ssh_user": "root",
            "ssh_port": PORT,
            "ssh_key": str(key),
            "ssh_strict_host_key_checking": "off",
        }
        known = str(folder / "known_pyinfra")
        rows = [(address_of(n), {**data, "ssh_known_hosts_file": known}) for n in range(count)]
        (folder / "inventory.py").write_text(f"hosts = {rows!r}\n")
        lines = ["from pyinfra.operations import files", "files.directory(path='/etc/bench/app')"]
        lines += [
            f"files.put(src={Path(p).name!r}, dest={p!r})" for p in FILES if "conf" in p or "table" in p
        ]
        lines += ["files.line(path='/etc/bench/line', line='managed = yes')"]
        (folder / "deploy.py").write_text("\n".join(lines) + "\n")
        return [str(venv / "bin/pyinfra"), "-y", "--parallel", "64", "inventory.py", "deploy.py"], {}
    (folder / "inventory.ini").write_text("\n".join(address_of(n) for n in range(count)) + "\n")
    copies = [
        {"copy": {"src": str(folder / Path(p).name), "dest": p}} for p in FILES if "conf" in p or "table" in p
    ]
    line = {"lineinfile": {"path": "/etc/bench/line", "line": "managed = yes", "create": True}}
    directory = {"file": {"path": "/etc/bench/app", "state": "directory"}}
    play = [{"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": [directory, *copies, line]}]
    (folder / "play.json").write_text(json.dumps(play))
    environ = {
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_FORKS": "32",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null",
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_NOCOLOR": "True",
        "LC_ALL": "C.UTF-8",
    }
    options = ["-u", "root", "--private-key", str(key), "-e", f"ansible_port={PORT}"]
    options += ["-e", "ansible_python_interpreter=/usr/bin/python3"]
    return [str(venv / "bin/ansible-playbook"), "-i", "inventory.ini", *options, "play.json"], environ


if __name__ == "__main__":
    sys.exit(main())

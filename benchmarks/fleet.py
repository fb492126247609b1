"""How fast a fleet of hosts is converged: daiku beside pyinfra, Ansible, and the floor that SSH itself sets.

    python benchmarks/fleet.py --sizes 50 100 --rivals FOLDER

Every tool brings each host to the same four files in a directory that it makes (two small, one of 8 KiB, and one of a
single line), once on fresh hosts and then without anything to do. The floor is a log-in by daiku's own SSH client and
one `true`. FOLDER is a virtual environment with pyinfra and ansible-core; without it they are left out.

Servers and client share this machine, so next to the wall time stands the processor time of the client alone. Rounds of
floor and unchanged runs alternate, and their medians are what the ratios are made of. Needs root, and loopback.
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
from dataclasses import dataclass
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

    def __str__(self) -> str:
        return f"{self.wall:7.2f} s {self.cpu:7.2f} s CPU {self.memory:5.0f} MiB"


def main() -> int:
    """Measure every size and print a line as soon as it is known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="+", default=[50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rivals", type=Path)
    parser.add_argument("--child", nargs=3, metavar=("WHAT", "KEY", "COUNT"))
    arguments = parser.parse_args()
    if arguments.child:
        what, key, count = arguments.child
        return {"floor": floor, "daiku": converge}[what](Path(key), int(count))
    for size in arguments.sizes:
        with tempfile.TemporaryDirectory(prefix="daiku-fleet-") as name:
            measure(Path(name), size, arguments.rounds, arguments.rivals)
    return 0


def measure(folder: Path, size: int, rounds: int, rivals: Path | None) -> None:
    """All tools on `size` hosts."""
    from daiku.lab.tools.openssh import find_or_fetch_sshd
    from daiku.ledger.keys import ensure_deploy_key

    key, public = ensure_deploy_key(folder / "keys")
    own = [sys.executable, __file__, "--child"]
    rest = [str(key), str(size)]
    sshd = find_or_fetch_sshd(show)
    hosts = folder / "hosts"
    hosts.mkdir()
    with Farm(hosts, sshd, size, public):
        show(f"{size} hosts, {os.cpu_count()} processors, {PARALLEL} at a time")
        cost([*own, "floor", *rest], folder)  # the first log-in to a server loads its pages
        first = cost([*own, "daiku", *rest], folder)
        floors: list[Cost] = []
        unchanged: list[Cost] = []
        for _ in range(rounds):
            floors.append(cost([*own, "floor", *rest], folder))
            unchanged.append(cost([*own, "daiku", *rest], folder))
        base, again = median(floors), median(unchanged)
        show(f"  floor               {base}")
        show(f"  daiku first         {first}  {against(first, base)}")
        show(f"  daiku unchanged     {again}  {against(again, base)}")
    for tool in ("pyinfra", "ansible") if rivals else ():
        assert rivals is not None
        command, environ = rival(tool, rivals, folder, key, size)
        with tempfile.TemporaryDirectory(dir=folder) as fresh, Farm(Path(fresh), sshd, size, public):
            made = cost(command, folder, environ)
            kept = cost(command, folder, environ)
        show(f"  {tool:8} first      {made}  {against(made, base)}")
        show(
            f"  {tool:8} unchanged  {kept}  {against(kept, base)}, daiku takes {again.wall / kept.wall:.3f} of it"
        )


def cost(command: list[str], folder: Path, environ: dict[str, str] | None = None) -> Cost:
    """What running `command` costs; it must succeed."""
    began = time.monotonic()
    with (folder / "output").open("w+b") as output:
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            env={**os.environ, **(environ or {})},
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status:
            output.seek(0)
            sys.exit(f"{command[0]} failed: {output.read()[-3000:].decode(errors='replace')}")
    return Cost(time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def median(costs: list[Cost]) -> Cost:
    return Cost(*(statistics.median(getattr(c, name) for c in costs) for name in ("wall", "cpu", "memory")))


def against(one: Cost, base: Cost) -> str:
    return f"{one.wall / base.wall:5.2f} x the floor's wall, {one.cpu / base.cpu:5.2f} x its CPU"


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


def converge(key: Path, count: int) -> int:
    """Converge every host with daiku."""
    from daiku.apply.fleet import Settings, run
    from daiku.apply.targets import Target, Targets
    from daiku.render.bundle import HostBundle, HostFile
    from daiku.wire.ssh_types import Endpoint

    files = tuple(HostFile(path, content) for path, content in FILES.items())
    names = {f"h{number}": Endpoint(address_of(number), PORT, "root") for number in range(count)}
    report = run(
        Targets(None, tuple(Target(name, endpoint) for name, endpoint in names.items())),
        {name: HostBundle(name, files, ()) for name in names},
        key_file=key,
        host_keys=Pins(),
        settings=Settings(parallel=PARALLEL),
    )
    for failure in report.failures:
        show(str(failure))
    return len(report.failures)


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

"""What a bastion costs: hosts that are reached directly, and through one, on one connection or on several.

    python benchmarks/bastion.py --hosts 50 200 --delay 20

prints a Markdown table: an unchanged run, and one that sends every host the same file of 300 KiB that does not
compress. Beside the wall time stand the processor time of the client and of all the sshd processes of the bastion that
served it. `--delay` puts so many milliseconds of round trip between client and bastion. Medians of `--rounds` runs,
which alternate. Servers, relay and client share this machine. Needs root, and loopback.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from farm import PORT, Farm, address_of
from fleet import FILES, PARALLEL, Pins, SkippedError, cost, show, tell

SIZE = 300 * 1024
DIRECT = 0
"""Hosts a connection to the bastion, where there is no bastion."""
FAR_PORT = 2223
"""Where the bastion answers late."""


@dataclass(frozen=True)
class Run:
    """Seconds of wall, of the client's processor and of the bastion's; connections to the bastion."""

    wall: float
    client: float
    bastion: float
    connections: float


def main() -> int:
    """Measure every number of hosts and print its rows as soon as they are known."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hosts", type=int, nargs="+", default=[50])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ways", type=int, nargs="+", default=[DIRECT, 16, 8, 4], help="hosts a connection")
    parser.add_argument("--delay", type=float, default=0.0, help="round trip to the bastion, milliseconds")
    parser.add_argument("--child", nargs=5, metavar=("KEY", "HOSTS", "WAY", "SEED", "PORT"))
    parser.add_argument("--relay", nargs=1)
    arguments = parser.parse_args()
    if arguments.child:
        key, *numbers = arguments.child
        return converge(Path(key), *map(int, numbers))
    if arguments.relay:
        asyncio.run(relay(float(arguments.relay[0]) / 2000))
    if os.geteuid() != 0:
        show("not measured: the hosts are mount namespaces, which need root")
        return 0
    show(f"{PARALLEL} hosts at a time, {arguments.delay:g} ms to the bastion and back\n")
    show(
        "| hosts | run | hosts a connection | connections | wall, s | client CPU, s | bastion's sshd CPU, s |"
    )
    show("| ---: | --- | --- | ---: | ---: | ---: | ---: |")
    for hosts in arguments.hosts:
        with tempfile.TemporaryDirectory(prefix="daiku-bastion-") as folder:
            try:
                measure(Path(folder), hosts, arguments.rounds, arguments.ways, arguments.delay)
            except (SkippedError, OSError) as error:
                show(f"| {hosts} | not measured: {error} | | | | | |")
    return 0


def measure(folder: Path, hosts: int, rounds: int, ways: list[int], delay: float) -> None:
    """Host 0 of the farm is the bastion. The first round, which loads everything's pages, does not count."""
    from daiku.lab.tools.openssh import find_or_fetch_sshd
    from daiku.ledger.keys import ensure_deploy_key

    key, public = ensure_deploy_key(folder / "keys")
    sshd = find_or_fetch_sshd(tell)
    (folder / "hosts").mkdir()
    runs: dict[tuple[str, int], list[Run]] = {}
    with Farm(folder / "hosts", sshd, hosts + 1, public) as farm, late(delay) as port:
        for number in range(rounds + 1):
            for way in ways:
                for what, seed in (
                    ("300 KiB to each", number * 100 + way),
                    ("unchanged", number * 100 + way),
                ):
                    run = one(farm, folder, [str(v) for v in (key, hosts, way, seed, port)])
                    if number:
                        runs.setdefault((what, way), []).append(run)
    for (what, way), taken in sorted(runs.items(), reverse=True):
        name = str(way) if way != DIRECT else "no bastion"
        middle = Run(*(statistics.median(getattr(r, f) for r in taken) for f in Run.__dataclass_fields__))
        show(
            f"| {hosts} | {what} | {name} | {middle.connections:.0f} "
            f"| {middle.wall:.2f} | {middle.client:.2f} | {middle.bastion:.2f} |"
        )


def one(farm: Farm, folder: Path, words: list[str]) -> Run:
    before = farm.served(0)
    taken = cost([sys.executable, __file__, "--child", *words], folder, 600)
    connections = int(json.loads((folder / "output").read_text()))
    return Run(taken.wall, taken.cpu, farm.served(0) - before, connections)


def converge(key: Path, hosts: int, way: int, seed: int, port: int) -> int:
    """Converge the hosts, and print how often the bastion was logged in to."""
    from daiku.apply.fleet import Settings, run
    from daiku.apply.targets import Target, Targets
    from daiku.render.bundle import HostBundle, HostFile
    from daiku.wire.ssh_types import Endpoint

    content = random.Random(seed).randbytes(SIZE)
    files = tuple(HostFile(path, text) for path, text in {**FILES, "/etc/bench/blob": content}.items())
    names = {f"h{number}": Endpoint(address_of(number), PORT, "root") for number in range(1, hosts + 1)}
    bastion = Target("bastion", Endpoint(address_of(0), port, "root")) if way != DIRECT else None
    report = run(
        Targets(bastion, tuple(Target(name, endpoint) for name, endpoint in names.items())),
        {name: HostBundle(name, files, ()) for name in names},
        key_file=key,
        host_keys=Pins(),
        settings=Settings(parallel=PARALLEL, hosts_a_way=way or PARALLEL),
    )
    for failure in report.failures:
        sys.stderr.write(f"{failure}\n")
    show(json.dumps(report.connections - hosts))
    return len(report.failures)


class _Late(AbstractContextManager[int]):
    """A process that passes on what is said to the bastion, late; the port where it listens."""

    def __init__(self, delay: float) -> None:
        self._delay = delay

    def __enter__(self) -> int:
        command = [sys.executable, __file__, "--relay", str(self._delay)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self._process.stdout.readline()
        return FAR_PORT

    def __exit__(self, *_error: object) -> None:
        self._process.kill()
        self._process.communicate()


def late(delay: float) -> AbstractContextManager[int]:
    """The port of the bastion that answers `delay` milliseconds late."""
    return _Late(delay) if delay else nullcontext(PORT)


async def relay(seconds: float) -> None:
    """Pass everything on after so many seconds, each way."""

    async def one_way(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        loop = asyncio.get_running_loop()
        with suppress(OSError):
            while data := await reader.read(1 << 16):
                loop.call_later(seconds, writer.write, data)
        loop.call_later(seconds, writer.close)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner, outer = await asyncio.open_connection(address_of(0), PORT)
        await asyncio.gather(one_way(reader, outer), one_way(inner, writer))

    server = await asyncio.start_server(serve, address_of(0), FAR_PORT)
    show("ready")
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())

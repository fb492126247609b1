"""Lab hosts whose helper is killed at every call that changes the machine, and half way through every write.

Each point: the host as the phase begins, a run that is killed there, a second run to the end. Then the files, their
rights and our records must be those of a run that nobody killed, and at most one trigger ran twice.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from daiku.apply.converge import converge
from daiku.apply.payload import first_look
from daiku.errors import HostError
from daiku.render.bundle import HostBundle, HostFile, Trigger
from daiku.wire.ssh import Session
from daiku.wire.ssh_python import python_input
from tests.apply.rehearsal import CHANGING
from tests.crash.report import Swept

FILES = 60
PLACE, LOG = "/etc/crash", "/var/log/crash"
_WATCH = """
import os as _os, stat as _stat
_calls, _plain = [0], _os.write
def _watched(name, original):
    def call(*args, **rest):
        if name == "write" and not _stat.S_ISREG(_os.fstat(args[0]).st_mode):
            return _plain(*args)
        _calls[0] += 1
        if AT == 0:
            with open("/run/crash-calls", "a") as note:
                note.write(name + chr(10))
        if _calls[0] == AT:
            if HALF and name == "write":
                _plain(args[0], bytes(args[1])[: len(args[1]) // 2])
            _os.kill(_os.getpid(), 9)
        return original(*args, **rest)
    return call
for _name in NAMES:
    setattr(_os, _name, _watched(_name, getattr(_os, _name)))
"""
_STATE = (
    f"cd / && find {PLACE[1:]} ! -type d -printf '%p %m %u %g\\n' 2>/dev/null | sort; "
    f"find {PLACE[1:]} -type f -exec sha256sum {{}} + 2>/dev/null | sort; "
    'ls -A var/lib/daiku; sed \'s/"finished[^,]*,//; s/"run[^,]*,//; s/"changed.*"files"//; s/"ran.*"triggers"//\' '
    "var/lib/daiku/receipt.json"
)


@dataclass(frozen=True)
class Phase:
    """From one bundle (None: a host that daiku never saw) to another."""

    name: str
    before: HostBundle | None
    after: HostBundle


def bundle(word: str, count: int) -> HostBundle:
    """Files of several sizes and rights in two folders, three triggers, one of them guarded as a network is."""
    files = [
        HostFile(
            f"{PLACE}/{'a/b' if n % 3 else 'c'}/{n}",
            f"{word} {n}\n".encode() * (1 if n % 5 else 3000),
            0o600 if n % 4 == 0 else 0o644,
            trigger=("one", "two", "net")[n % 3],
        )
        for n in range(count)
    ]
    triggers = [
        Trigger(
            name,
            ("sh", "-c", f"mkdir -p {LOG}; echo ran >> {LOG}/{name}"),
            order,
            guarded=name == "net",
        )
        for order, name in enumerate(("net", "one", "two"), start=1)
    ]
    return HostBundle("h", tuple(files), tuple(triggers))


def phases(count: int = FILES) -> list[Phase]:
    first, second = bundle("first", count), bundle("second", count)
    nothing = HostBundle("h", (), first.triggers)
    return [
        Phase("bring-up", None, first),
        Phase("change", first, second),
        Phase("removal", second, nothing),
    ]


@dataclass(frozen=True)
class Point:
    at: int
    half: bool
    call: str


class Host:
    """One lab host. Used by one thread at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def shell(self, command: str) -> str:
        done = self._session.run(command, timeout=120)
        return done.stdout.decode()

    def begin(self, phase: Phase, snapshot: str) -> None:
        """The host as the phase begins; `snapshot` is an archive of that, made on the first call."""
        wipe = f"rm -rf {PLACE} /var/lib/daiku {LOG}"
        if self.shell(f"test -e {snapshot} && {wipe} && tar -C / -xf {snapshot} && echo there") == "there\n":
            return
        self.shell(wipe)
        if phase.before is not None:
            converge(self._session, phase.before)
        self.shell(f"mkdir -p {PLACE} /var/lib/daiku; chmod 700 /var/lib/daiku; rm -rf {LOG}; mkdir {LOG}")
        self.shell(f"tar -C / -cf {snapshot} {PLACE[1:]} var/lib/daiku {LOG[1:]}")

    def converge(self, phase: Phase, watch: str = "") -> None:
        converge(_Watched(self._session, watch) if watch else self._session, phase.after, confirm=20)  # type: ignore[arg-type]

    def state(self) -> str:
        return self.shell(_STATE)

    def ran(self) -> dict[str, int]:
        """How often each trigger ran."""
        lines = self.shell(f"cd {LOG} && wc -l *").splitlines()
        return {name: int(count) for count, name in (line.split() for line in lines) if name != "total"}


class _Watched:
    """A session that starts the helper with a few lines before it."""

    def __init__(self, session: Session, watch: str) -> None:
        self._session = session
        self.name, self.endpoint = session.name, session.endpoint
        self.start = python_input(watch + first_look())

    def open(self, command: str) -> object:
        return _Replacing(self._session.open(command), self.start)


class _Replacing:
    """A stream whose first write begins with another program than the helper's own."""

    def __init__(self, stream: object, start: bytes) -> None:
        self._stream = stream
        self._start: bytes | None = start

    def write(self, data: bytes, timeout: float | None = None) -> None:
        if self._start is not None:
            line, _, rest = data.partition(b"\n")
            data, self._start = self._start + rest[int(line) :], None
        self._stream.write(data, timeout)  # type: ignore[attr-defined]

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def watch(at: int, *, half: bool) -> str:
    return f"AT, HALF, NAMES = {at}, {half}, {CHANGING!r}\n{_WATCH}"


def points(host: Host, phase: Phase, snapshot: str) -> tuple[list[Point], str, dict[str, int]]:
    """Every place to kill in a phase; the end state and how often each trigger ran when nobody kills."""
    host.begin(phase, snapshot)
    host.shell("rm -f /run/crash-calls")
    host.converge(phase, watch(0, half=False))
    calls = host.shell("cat /run/crash-calls").split()
    found: list[Point] = []
    for at, call in enumerate(calls, start=1):
        found.append(Point(at, half=False, call=call))
        if call == "write":
            found.append(Point(at, half=True, call="half a write"))
    return found, host.state(), host.ran()


def sweep(
    hosts: Sequence[Host],
    phase: Phase,
    choose: Callable[[list[Point]], list[Point]] = lambda all_points: all_points,
    tell: Callable[[str], None] = lambda _line: None,
) -> Swept:
    """Kill at each chosen point of a phase; every host takes the next one when it is free."""
    snapshot = f"/run/{phase.name}.tar"
    every, end, runs = points(hosts[0], phase, snapshot)
    chosen = choose(every)
    swept, lock = Swept(f"helper on a lab host, {phase.name}"), threading.Lock()
    left: Iterator[tuple[int, Point]] = iter(list(enumerate(chosen, start=1)))

    def work(host: Host) -> None:
        for number, point in _shared(left, lock):
            problem, repeated = _kill_once(host, phase, snapshot, point, end, runs)
            with lock:
                swept.points[point.call] += 1
                swept.repeated[repeated] += 1
                if problem:
                    swept.wrong.append(f"{phase.name}, {point.call} {point.at}: {problem}")
                if number % 50 == 0:
                    tell(f"{phase.name}: {number} of {len(chosen)}, {len(swept.wrong)} wrong")

    with ThreadPoolExecutor(len(hosts)) as pool:
        for done in [pool.submit(work, host) for host in hosts]:
            done.result()
    return swept


def _shared(items: Iterator[tuple[int, Point]], lock: threading.Lock) -> Iterator[tuple[int, Point]]:
    while True:
        with lock:
            item = next(items, None)
        if item is None:
            return
        yield item


def _kill_once(host: Host, phase: Phase, snapshot: str, point: Point, end: str, runs: int) -> tuple[str, int]:
    """What is wrong after a run killed at `point` and a second one, "" for nothing; and how many triggers ran twice."""
    host.begin(phase, snapshot)
    killed = False
    with suppress(HostError):
        killed = True
        host.converge(phase, watch(point.at, half=point.half))
        killed = False
    if not killed:
        return "the run was not killed", 0
    try:
        host.converge(phase)
    except HostError as error:
        return f"the second run failed: {error}", 0
    ran = host.ran()
    # A network whose end was not noted is taken back and set again: its trigger runs twice more, as one step.
    repeated = sum(ran.get(name, 0) > count for name, count in runs.items())
    missing = [name for name, count in runs.items() if ran.get(name, 0) < count]
    state = host.state()
    if state != end:
        differs = next(
            pair for pair in itertools.zip_longest(state.splitlines(), end.splitlines()) if pair[0] != pair[1]
        )
        return f"another end state: {differs[0]!r}, not {differs[1]!r}", repeated
    if missing:
        return f"triggers did not run: {', '.join(missing)}", repeated
    return ("" if repeated <= 1 else f"{repeated} triggers ran again"), repeated

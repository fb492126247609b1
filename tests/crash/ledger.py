"""The process killed at every call with which it writes what it remembers: journal, lock, audit log, keys, facts.

Each point: a whole run of a verb is begun in a process of its own and killed there; the next one must find the cluster
free, a whole audit log, one key, whole files, and end as a run that nobody killed.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from daiku.apply import planfile
from daiku.ledger.audit import AuditLog
from daiku.ledger.database import Database
from daiku.ledger.host_keys import PinnedHostKeys
from daiku.ledger.journal import Journal
from daiku.ledger.keys import ensure_deploy_key
from daiku.ledger.lock import acquire
from daiku.ledger.running import running
from daiku.ledger.secrets import Secrets
from tests.crash.report import Swept
from tests.planfile import worlds

HOSTS = 6
CALLS = ("write", "replace", "unlink", "link", "mkdir", "chmod", "fsync", "rename", "open")
HALVES = {"write": (False, True)}
"""A write is also cut in its middle."""


@dataclass
class Killer:
    """Counts calls that write; at number `at` the process is no more. 0: it counts only, into `names`."""

    at: int
    half: bool = False
    calls: int = 0

    def __post_init__(self) -> None:
        self.names: list[str] = []

    def count(self, name: str) -> None:
        self.calls += 1
        self.names.append(name)
        if self.calls == self.at:
            os.kill(os.getpid(), signal.SIGKILL)

    @contextmanager
    def watching(self) -> Generator[None]:
        """Every changing call of os, and every statement of SQLite before it is carried out."""
        originals = {name: getattr(os, name) for name in CALLS}
        connect = sqlite3.connect
        for name, original in originals.items():
            setattr(os, name, self._watched(name, original))

        def traced(*args: Any, **rest: Any) -> sqlite3.Connection:
            connection = connect(*args, **rest)
            connection.set_trace_callback(lambda statement: self.count(f"SQL {statement.split()[0]}"))
            return connection

        sqlite3.connect = traced  # type: ignore[assignment]
        try:
            yield
        finally:
            sqlite3.connect = connect
            for name, original in originals.items():
                setattr(os, name, original)

    def _watched(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **rest: Any) -> Any:
            if name == "open" and not args[1] & (os.O_CREAT | os.O_WRONLY | os.O_RDWR):
                return original(*args, **rest)
            if name == "write" and self.half and self.calls + 1 == self.at:
                original(args[0], bytes(args[1])[: len(args[1]) // 2])
            self.count(name)
            return original(*args, **rest)

        return call


def live(state: Path, verb: str, plan: planfile.SavedPlan) -> None:
    """What a verb writes down over its life, without the world that it changes."""
    database = Database(state / "ledger.sqlite")
    audit = AuditLog(state / "audit.log", database, "c1")
    with running(database, audit, verb, {"plan": "abc"}) as run:
        ensure_deploy_key(state / "keys")
        Secrets(state / "keys" / "secrets").text("etcd")
        with run.step("infrastructure") as did:
            did.append("create Switch nodes")
        pins = PinnedHostKeys(database, {})
        for n in range(HOSTS):
            pins.pin(f"g{n}", f"ssh-ed25519 AAAA{n}")
            number = run.journal.begin_step(run.id, "converge", f"g{n}")
            run.journal.end_step(number, "done", "files")
            run.journal.receive(run.id, [(f"g{n}", f"digest {verb}")])
        planfile.write(state / "plan.json", plan)
    database.close()


def _in_a_process(work: Callable[[], None]) -> int:
    """Wait status of a fork that does the work."""
    pid = os.fork()
    if not pid:
        _end(work)
    return os.waitpid(pid, 0)[1]


def _end(work: Callable[[], None]) -> NoReturn:
    try:
        work()
    except BaseException:
        os._exit(1)
    os._exit(0)


def _killed(state: Path, verb: str, killer: Killer, plan: planfile.SavedPlan) -> bool:
    def work() -> None:
        with killer.watching():
            live(state, verb, plan)

    return os.WIFSIGNALED(_in_a_process(work))


def _after(state: Path, verb: str, plan: planfile.SavedPlan) -> str:
    """What is wrong once another run has ended; "" for nothing."""
    database = Database(state / "ledger.sqlite")
    audit = AuditLog(state / "audit.log", database, "c1")
    keys = ensure_deploy_key(state / "keys")[1] if (state / "keys/deploy").exists() else ""
    try:
        acquire(database, "look").release()  # the killed run's lock is free at once
    finally:
        database.close()
    live(state, verb, plan)
    database = Database(state / "ledger.sqlite")
    audit = AuditLog(state / "audit.log", database, "c1")
    ended = [entry.run for entry in audit.verify().entries if entry.event == "end"]
    last = Journal(database).find("last")
    pinned = PinnedHostKeys(database, {})
    facts = {
        "the last run is told as done": last.outcome == "done" and last.id in ended,
        "no run ended twice": len(set(ended)) == len(ended),
        "the key stayed": keys in ("", ensure_deploy_key(state / "keys")[1]),
        "every pin is there": all(pinned.pinned(f"g{n}") == f"ssh-ed25519 AAAA{n}" for n in range(HOSTS)),
        "the plan is whole": planfile.read(state / "plan.json").digest() == plan.digest(),
        "nothing else lies about": not [p.name for p in state.rglob(".*") if p.is_file()],
    }
    database.close()
    return ", ".join(f"not so: {name}" for name, so in facts.items() if not so)


def sweep(folder: Path, choose: Callable[[list[tuple[int, bool]]], list[tuple[int, bool]]] = list) -> Swept:
    """Kill a first run (nothing there yet), then a second verb's on what the first left, at every call of each."""
    swept = Swept("the ledger's writes (SQL statements and calls)")
    plan = worlds.plan(worlds.World(), worlds.Wanted({}, {}))
    standing = folder / "standing"
    for begin, verb in ((None, "up"), (standing, "apply"), (standing, "down")):
        if begin is not None and not begin.exists():
            live(_fresh(begin, None), "up", plan)
        names = _names(_fresh(folder / "count", begin), verb, plan)
        every = [(at, half) for at, name in enumerate(names, 1) for half in HALVES.get(name, (False,))]
        for at, half in choose(every):
            state = _fresh(folder / "state", begin)
            swept.points["half a write" if half else names[at - 1]] += 1
            if not _killed(state, verb, Killer(at, half), plan):
                swept.wrong.append(f"{verb}, call {at}: the run was not killed")
                continue
            try:
                problem = _after(state, verb, plan)
            except Exception as error:
                problem = f"{type(error).__name__}: {error}"
            if problem:
                swept.wrong.append(f"{verb}, {names[at - 1]} {at}{' half' if half else ''}: {problem}")
    return swept


def _names(state: Path, verb: str, plan: planfile.SavedPlan) -> list[str]:
    """The calls of a run that nobody kills."""
    note = state.with_suffix(".calls")

    def work() -> None:
        killer = Killer(0)
        with killer.watching():
            live(state, verb, plan)
        note.write_text("\n".join(killer.names))

    assert _in_a_process(work) == 0
    return note.read_text().splitlines()


def _fresh(state: Path, begin: Path | None) -> Path:
    shutil.rmtree(state, ignore_errors=True)
    if begin is None:
        state.mkdir(parents=True, mode=0o700)
    else:
        shutil.copytree(begin, state)
    return state

"""What happened: runs, their steps, and what each host was last brought to.

Nothing here is secret: a message is what a user was told. A step is written when it begins and again when it ends, so
that a run which was killed shows where it stood. That it was killed is not written by anybody: it is seen by the lock,
which is another's, or nobody's, or a dead process's.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal

from daiku.errors import StateError
from daiku.ledger.database import Database
from daiku.ledger.lock import Holder, holds, this_process

Outcome = Literal["running", "done", "unchanged", "failed", "interrupted", "killed"]
MESSAGE_LENGTH = 2000
KILLED = "it ended without a word, as by SIGKILL or a power cut; run the same command again: it goes on"


@dataclass(frozen=True, slots=True)
class Run:
    """One command that changes things. Times are seconds since 1970; `finished` is None while it runs or was killed."""

    id: str
    verb: str
    who: str
    machine: str
    pid: int
    started: float
    finished: float | None
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing done within a run. `host` is "" for a step that concerns no single host."""

    number: int
    run: str
    host: str
    step: str
    started: float
    finished: float | None
    outcome: Outcome
    message: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A step on a host that is over after `seconds`, to be noted."""

    host: str
    step: str
    outcome: Outcome
    message: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Receipt:
    """The bundle that a host was last brought to: `bundle` is its digest."""

    host: str
    run: str
    bundle: str
    at: float


class Journal:
    """Reads and writes the journal of one cluster. Safe to share between threads."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    def start(self, verb: str, holder: Holder | None = None) -> str:
        """Begin a run and return its ID, which sorts by time."""
        me = holder or this_process()
        now = self._clock()
        run = f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{secrets.token_hex(3)}"
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO runs VALUES (?, ?, ?, ?, ?, ?, NULL, 'running', '')",
                (run, verb, me.who, me.machine, me.pid, now),
            )
        return run

    def finish(self, run: str, outcome: Outcome, message: str = "") -> None:
        """End a run."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE runs SET finished = ?, outcome = ?, message = ? WHERE id = ?",
                (self._clock(), outcome, message[:MESSAGE_LENGTH], run),
            )

    def begin_step(self, run: str, step: str, host: str = "", message: str = "") -> int:
        """Begin a step and return its number. `message`: what it is about to do."""
        with self._database.writing() as connection:
            cursor = connection.execute(
                "INSERT INTO steps (run, host, step, started, outcome, message) VALUES (?, ?, ?, ?, 'running', ?)",
                (run, host, step, self._clock(), message[:MESSAGE_LENGTH]),
            )
            assert cursor.lastrowid is not None
            return cursor.lastrowid

    def end_step(self, number: int, outcome: Outcome, message: str = "") -> None:
        """End a step."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE steps SET finished = ?, outcome = ?, message = ? WHERE number = ?",
                (self._clock(), outcome, message[:MESSAGE_LENGTH], number),
            )

    def note(self, run: str, steps: Iterable[Ended]) -> None:
        """Steps on hosts that changed nothing and are over, all in one write: hosts may be many."""
        now = self._clock()
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT INTO steps (run, host, step, started, finished, outcome, message) VALUES (?, ?, ?, ?, ?, ?, ?)",
                [
                    (run, s.host, s.step, now - s.seconds, now, s.outcome, s.message[:MESSAGE_LENGTH])
                    for s in steps
                ],
            )

    def receive(self, run: str, bundles: Iterable[tuple[str, str]]) -> None:
        """Note which bundles hosts now hold: names of hosts, each with the digest of its bundle."""
        now = self._clock()
        with self._database.writing() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO receipts (host, run, bundle, at) VALUES (?, ?, ?, ?)",
                [(host, run, bundle, now) for host, bundle in bundles],
            )

    def runs(self, limit: int = 50) -> tuple[Run, ...]:
        """The latest runs, newest first."""
        rows = self._database.rows("SELECT * FROM runs ORDER BY started DESC, id DESC LIMIT ?", limit)
        return tuple(self._run(row) for row in rows)

    def find(self, run: str) -> Run:
        """The run whose ID is, or begins with, `run`; `last` is the latest. StateError: none is, or several are."""
        runs = self.runs(1) if run == "last" else self._starting(run)
        if len(runs) == 1:
            return runs[0]
        raise StateError(
            f"{len(runs)} runs begin with it" if runs else "there is no such run",
            where=f"run {run}",
            hint="`daiku history` lists the runs",
        )

    def _starting(self, prefix: str) -> tuple[Run, ...]:
        rows = self._database.rows(
            "SELECT * FROM runs WHERE substr(id, 1, ?) = ? ORDER BY id LIMIT 100", len(prefix), prefix
        )
        found = tuple(self._run(row) for row in rows)
        return tuple(run for run in found if run.id == prefix) or found

    def steps(self, run: str) -> tuple[Step, ...]:
        """The steps of a run, in the order in which they began."""
        rows = self._database.rows("SELECT * FROM steps WHERE run = ? ORDER BY number", run)
        steps = tuple(Step(**_values(row)) for row in rows)
        if any(step.outcome == "running" for step in steps) and self.find(run).outcome != "running":
            return tuple(replace(s, outcome="killed") if s.outcome == "running" else s for s in steps)
        return steps

    def receipts(self) -> tuple[Receipt, ...]:
        """The last receipt of each host, by name."""
        rows = self._database.rows("SELECT * FROM receipts ORDER BY host")
        return tuple(Receipt(**_values(row)) for row in rows)

    def _run(self, row: sqlite3.Row) -> Run:
        run = Run(**_values(row))
        if run.outcome == "running" and not holds(self._database, run.pid, run.started):
            return replace(run, outcome="killed", message=KILLED)
        return run


def _values(row: sqlite3.Row) -> dict[str, Any]:
    return {key: row[key] for key in row.keys()}  # noqa: SIM118 - a Row iterates over its values

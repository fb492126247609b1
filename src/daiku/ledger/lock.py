"""One run a cluster at a time: a lease with a token and an end.

The holder renews its lease while it works. A holder that dies stops renewing, and its lease ends by itself; where it
died on this very machine, that is seen at once and nobody waits.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from platform import node as machine_name
from types import TracebackType
from typing import Self

from daiku.errors import LockHeldError, StateError
from daiku.ledger.database import Database

LEASE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds or wants the lock. `boot` is the machine's boot ID and the name space in which `pid` counts;
    `process_start` is in clock ticks after the boot.

    Together they name one process for ever: a process ID alone is used again, and means another one in a container.
    """

    who: str
    machine: str
    boot: str
    pid: int
    process_start: int


def this_process() -> Holder:
    """The Holder that is this very process."""
    return Holder(_user(), machine_name(), _boot(), os.getpid(), process_start(os.getpid()) or 0)


def process_start(pid: int) -> int | None:
    """When the process `pid` of this machine started, in clock ticks since boot; None when there is none alive."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold anything, so count from its end.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] == "Z" else int(fields[19])


class Lease:
    """The lock, held. A context manager: leaving it gives the lock back.

    `check` is to be called before each step that changes something: it raises LockHeldError once the lock is lost.
    """

    def __init__(
        self, database: Database, token: str, seconds: float, expires: float, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._token = token
        self._seconds = seconds
        self._expires = expires
        self._clock = clock
        self._lost = False
        self._done = threading.Event()
        self._renewer: threading.Thread | None = None

    def renew(self) -> bool:
        """Move the end of the lease away from now; False when somebody else has the lock."""
        expires = self._clock() + self._seconds
        with self._database.writing() as connection:
            changed = connection.execute(
                "UPDATE lock SET expires = ? WHERE token = ?", (expires, self._token)
            ).rowcount
        if changed:
            self._expires = expires
        else:
            self._lost = True
        return bool(changed)

    def check(self) -> None:
        """Raise LockHeldError when the lock is no longer ours, because it could not be renewed in time."""
        if not self._lost and self._clock() < self._expires:
            return
        if not self.renew():
            raise LockHeldError(
                "this run held the lock too long without renewing it, and another run took it over",
                where=str(self._database.path),
                hint="see what the other run does, then run the same command again",
            )

    def release(self) -> None:
        """Give the lock back; a second time, or when it was lost, does nothing."""
        self._done.set()
        if self._renewer is not None:
            self._renewer.join()
            self._renewer = None
        with self._database.writing() as connection:
            connection.execute("DELETE FROM lock WHERE token = ?", (self._token,))

    def keep(self) -> Self:
        """Renew from a thread until `release`."""
        self._renewer = threading.Thread(target=self._keep, name="lease", daemon=True)
        self._renewer.start()
        return self

    def _keep(self) -> None:
        while not self._done.wait(self._seconds / 3):
            # A file that is busy or full for a moment costs one renewal of three; `check` sees the rest.
            with contextlib.suppress(StateError):
                if not self.renew():
                    return

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def acquire(
    database: Database,
    verb: str,
    *,
    holder: Holder | None = None,
    seconds: float = LEASE_SECONDS,
    clock: Callable[[], float] = time.time,
    started: Callable[[int], int | None] = process_start,
) -> Lease:
    """Take the lock for `verb` (`up`, `apply` ...), for `seconds` that `Lease.renew` or `Lease.keep` prolong.

    LockHeldError: another run has it; the message says who, since when, where, and when its lease ends.
    `clock` is in seconds since 1970; `started` tells live processes of this machine from dead ones.
    """
    me = holder or this_process()
    token = secrets.token_hex(16)
    now = clock()
    with database.writing() as connection:
        row: sqlite3.Row | None = connection.execute("SELECT * FROM lock").fetchone()
        if row is not None and now < row["expires"] and not _dead(row, me, started):
            raise _held(row, database)
        connection.execute(
            "INSERT OR REPLACE INTO lock (one, token, verb, who, machine, boot, pid, process_start, since, expires) "
            "VALUES (1, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (token, verb, me.who, me.machine, me.boot, me.pid, me.process_start, now, now + seconds),
        )
    return Lease(database, token, seconds, now + seconds, clock)


def holds(database: Database, pid: int, at: float, clock: Callable[[], float] = time.time) -> bool:
    """Whether the process `pid` that held the lock at the moment `at` (seconds since 1970) holds it still."""
    for row in database.rows("SELECT * FROM lock"):
        if row["pid"] == pid and row["since"] <= at:
            return clock() < row["expires"] and not _dead(row, this_process(), process_start)
    return False


def _dead(row: sqlite3.Row, me: Holder, started: Callable[[int], int | None]) -> bool:
    """Whether the holder is a process of this machine and boot that is no more."""
    return row["boot"] == me.boot and started(row["pid"]) != row["process_start"]


def _held(row: sqlite3.Row, database: Database) -> LockHeldError:
    return LockHeldError(
        f"`daiku {row['verb']}` of {row['who']} holds the cluster since {_at(row['since'])} "
        f"(process {row['pid']} on {row['machine']}); its lease ends at {_at(row['expires'])} unless it renews it",
        where=str(database.path),
        hint="wait for it to end; a run that died frees the cluster by itself when its lease ends",
    )


def _at(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _boot() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - the link's text is no path


def _user() -> str:
    try:
        return getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        return f"uid {os.getuid()}"

"""Who did what, when, and how it ended: an append-only file in which every entry holds the hash of the one before.

A line is the canonical JSON of one entry. Its `hash` is over all its other fields, `before` is the hash of the line
above, so no byte of the file can change, go or move without the chain breaking. What a chain alone cannot show, that
its end was cut off, shows against the head (number of entries, bytes, last hash) in the ledger's SQLite file.
Whoever may write both files and knows daiku can forge both: keep a head elsewhere, and `verify` finds it again.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, cast

from daiku.errors import AuditError, StateError
from daiku.ledger.canonical import canonical, digest_of
from daiku.ledger.database import Database
from daiku.ledger.lock import Holder, this_process

GENESIS = "0" * 64
"""What stands for the hash before the first entry."""
Event = Literal["begin", "end"]
Details = Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `at` is UTC with milliseconds, as in RFC 3339; `number` counts from 1; `details` are the verb's own
    (the plan's digest, the outcome, counts). `before` and `hash` are SHA-256 in hexadecimal."""

    number: int
    at: str
    event: Event
    run: str
    verb: str
    cluster: str
    who: str
    machine: str
    details: dict[str, str | int]
    before: str
    hash: str

    def line(self) -> bytes:
        """The entry as it stands in the file."""
        return canonical(asdict(self)) + b"\n"


@dataclass(frozen=True, slots=True)
class Verified:
    """A log that is whole. `head` is the last hash. `unfinished`: a run was killed while it wrote the last entry."""

    entries: tuple[Entry, ...]
    head: str
    unfinished: bool


@dataclass(frozen=True, slots=True)
class _Head:
    count: int
    size: int
    hash: str


class AuditLog:
    """The audit log of one cluster. Safe to use from many threads and processes: they take turns."""

    def __init__(
        self, path: Path, database: Database, cluster: str, clock: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._database = database
        self._cluster = cluster
        self._clock = clock

    def append(
        self,
        event: Event,
        run: str,
        verb: str,
        details: Details | None = None,
        *,
        holder: Holder | None = None,
    ) -> Entry:
        """Add an entry and return it once it is on the disk. StateError: the file cannot be written.

        A log that is damaged is added to all the same: work on a cluster must not stop for it, and `verify` keeps
        telling.
        """
        me = holder or this_process()
        with self._database.writing() as connection:
            head = _head(connection)
            try:
                descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
                try:
                    head = _catch_up(descriptor, head)
                    entry = _sealed(
                        number=head.count + 1,
                        at=_rfc3339(self._clock()),
                        event=event,
                        run=run,
                        verb=verb,
                        cluster=self._cluster,
                        who=me.who,
                        machine=me.machine,
                        details=dict(details or {}),
                        before=head.hash,
                    )
                    _write(descriptor, entry.line())
                    size = os.fstat(descriptor).st_size
                finally:
                    os.close(descriptor)
                if head.count == 0:
                    _sync_folder(self.path.parent)
            except OSError as error:
                raise StateError(
                    f"the audit log cannot be written: {error.strerror}",
                    where=str(self.path),
                    hint="nothing is changed without an entry; make room, or see whose file it is",
                ) from error
            connection.execute(
                "INSERT OR REPLACE INTO audit_head (one, count, size, hash) VALUES (1, ?, ?, ?)",
                (entry.number, size, entry.hash),
            )
        return entry

    def verify(self, known: str = "") -> Verified:
        """Check every byte, and that the entry with the hash `known`, kept elsewhere earlier, is still there.

        AuditError names the first line that is not as it was written.
        """
        with self._database.writing() as connection:  # nobody appends meanwhile
            head = _head(connection)
            try:
                data = self.path.read_bytes()
            except FileNotFoundError:
                data = b""
            except OSError as error:
                raise StateError(f"cannot read: {error.strerror}", where=str(self.path)) from error
        entries = self._chain(data[: head.size], head, len(data))
        rest = data[head.size :]
        more = _continuation(rest, head)
        if more is not None:
            entries, rest = [*entries, more], rest[len(more.line()) :]
        if b"\n" in rest:
            raise self._broken(len(entries) + 1, "an entry that daiku did not write, or the ledger is older")
        last = entries[-1].hash if entries else GENESIS
        if known and known not in {entry.hash for entry in entries}:
            raise AuditError(
                f"no entry has the hash {known}: the log was written anew, or that head is another log's",
                where=str(self.path),
                hint=_HINT,
            )
        return Verified(tuple(entries), last, unfinished=bool(rest))

    def _chain(self, data: bytes, head: _Head, size: int) -> list[Entry]:
        entries: list[Entry] = []
        before = GENESIS
        for number, line in enumerate(data.splitlines(keepends=True), start=1):
            entry = _parse(line)
            if entry is None:
                raise self._broken(number, "the line is not what daiku writes, or its hash is another")
            if entry.number != number or entry.before != before:
                raise self._broken(
                    number, "the entry before it is another: one was changed, removed or moved"
                )
            entries.append(entry)
            before = entry.hash
        if size < head.size or len(entries) != head.count or before != head.hash:
            raise self._broken(
                len(entries),
                f"it ends with entry {len(entries)}, the ledger knows {head.count}: entries are gone",
            )
        return entries

    def _broken(self, line: int, what: str) -> AuditError:
        where = f"{self.path}:{line}" if line else str(self.path)
        return AuditError(f"the audit log was changed: {what}", where=where, hint=_HINT)


_HINT = (
    "compare with a copy of the file; if nobody may have touched it, look at the disk and at who else is root"
)


def _head(connection: sqlite3.Connection) -> _Head:
    row: sqlite3.Row | None = connection.execute("SELECT count, size, hash FROM audit_head").fetchone()
    return _Head(int(row["count"]), int(row["size"]), str(row["hash"])) if row else _Head(0, 0, GENESIS)


def _catch_up(descriptor: int, head: _Head) -> _Head:
    """The head after what a killed run left behind it: a whole entry counts, half a one is cut off."""
    size = os.fstat(descriptor).st_size
    rest = os.pread(descriptor, max(0, size - head.size), head.size)
    more = _continuation(rest, head)
    if more is not None:
        length = len(more.line())
        head, rest = _Head(head.count + 1, head.size + length, more.hash), rest[length:]
    if rest and b"\n" not in rest:
        os.ftruncate(descriptor, head.size)
    return head


def _continuation(rest: bytes, head: _Head) -> Entry | None:
    """The entry at the start of `rest` that a run wrote just before it was killed; None when there is none."""
    line, newline, _ = rest.partition(b"\n")
    entry = _parse(line + newline)
    return entry if entry and entry.before == head.hash and entry.number == head.count + 1 else None


def _parse(line: bytes) -> Entry | None:
    """The entry of a line; None unless it is byte for byte what `Entry.line` gives and its hash is right."""
    try:
        fields = cast("dict[str, Any]", json.loads(line))
        entry = Entry(**fields)
        same = entry.line() == line
    except (ValueError, TypeError):
        return None
    del fields["hash"]
    return entry if same and digest_of(fields) == entry.hash else None


def _sealed(**fields: Any) -> Entry:
    return Entry(**fields, hash=digest_of(fields))


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

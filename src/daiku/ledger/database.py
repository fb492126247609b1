"""One SQLite file in WAL mode: many readers, one writer at a time, safe against power loss."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

from daiku.errors import StateError

BUSY_SECONDS = 15.0
VERSIONS = (
    """
CREATE TABLE runs (
    id TEXT PRIMARY KEY, verb TEXT NOT NULL, who TEXT NOT NULL, machine TEXT NOT NULL, pid INTEGER NOT NULL,
    started REAL NOT NULL, finished REAL, outcome TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
CREATE TABLE steps (
    number INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL REFERENCES runs (id), host TEXT NOT NULL,
    step TEXT NOT NULL, started REAL NOT NULL, finished REAL, outcome TEXT NOT NULL, message TEXT NOT NULL
) STRICT;
CREATE INDEX steps_of_run ON steps (run, number);
CREATE TABLE receipts (
    host TEXT PRIMARY KEY, run TEXT NOT NULL REFERENCES runs (id), bundle TEXT NOT NULL, at REAL NOT NULL
) STRICT;
CREATE TABLE host_keys (host TEXT PRIMARY KEY, incarnation TEXT NOT NULL, key TEXT NOT NULL) STRICT;
CREATE TABLE lock (
    one INTEGER PRIMARY KEY CHECK (one = 1), token TEXT NOT NULL, verb TEXT NOT NULL, who TEXT NOT NULL,
    machine TEXT NOT NULL, boot TEXT NOT NULL, pid INTEGER NOT NULL, process_start INTEGER NOT NULL,
    since REAL NOT NULL, expires REAL NOT NULL
) STRICT;
""",
    """
CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL, size INTEGER NOT NULL, hash TEXT NOT NULL
) STRICT;
""",
)
"""The statements that lead from each format of the file to the next; the first from an empty file."""


class Database:
    """The open file. Safe to share between threads: they take turns.

    Every failure of SQLite is a StateError that names the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.RLock()
        with self._told():
            _create(path)
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._connection.row_factory = sqlite3.Row
            self._write_ahead()
            # Not NORMAL: a lock or a pending step that a power cut forgets is worse than one fsync more.
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.execute("PRAGMA foreign_keys = ON")
        self._migrate()

    def rows(self, sql: str, *values: Any) -> list[sqlite3.Row]:
        """The rows that a SELECT gives."""
        with self._turn, self._told():
            return self._connection.execute(sql, values).fetchall()

    @contextlib.contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A transaction that holds the write lock from its first line: all of it happens or nothing."""
        with self._turn, self._told():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def close(self) -> None:
        with self._turn:
            self._connection.close()

    def _write_ahead(self) -> None:
        """Switch the file to WAL. SQLite does not wait when another process switches it at the same moment."""
        deadline = time.monotonic() + BUSY_SECONDS
        while True:
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
            else:
                return

    def _migrate(self) -> None:
        with self.writing() as connection:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > len(VERSIONS):
                raise StateError(
                    f"written by a newer daiku (format {version}, this one knows {len(VERSIONS)})",
                    where=str(self.path),
                    hint="use the daiku that wrote it, or a newer one",
                )
            for statements in VERSIONS[version:]:
                for statement in statements.split(";\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(VERSIONS)}")

    @contextlib.contextmanager
    def _told(self) -> Generator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StateError(
                f"the ledger cannot be used: {error}",
                where=str(self.path),
                hint="see that the disk has room and the file is yours; a damaged one is best brought back from a copy",
            ) from error


def _create(path: Path) -> None:
    """Make an empty, private file where there is none.

    One that exists must not be opened here: closing any descriptor of it would drop the locks that SQLite holds on it
    for this process.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))

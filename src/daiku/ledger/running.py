"""A run that changes a cluster: it holds the lock, and the journal and the audit log tell of it from begin to end."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from daiku.errors import DaikuError, StateError
from daiku.ledger.audit import AuditLog, Details
from daiku.ledger.database import Database
from daiku.ledger.journal import Journal, Outcome
from daiku.ledger.lock import acquire

AUDIT_MESSAGE_LENGTH = 500


class Held(Protocol):
    """A lock that is held: `check` raises LockHeldError once it is not any more."""

    def check(self) -> None: ...


@dataclass
class Running:
    """The run under way. What is put into `details` stands in the audit log's last entry of it.

    `outcome` and `message` are what the run is said to have come to when it ends without an exception.
    """

    id: str
    journal: Journal
    locks: Sequence[Held]
    details: dict[str, str | int] = field(default_factory=dict[str, str | int])
    outcome: Outcome = "done"
    message: str = ""

    def check(self) -> None:
        """To be called before each step that changes something: LockHeldError when the cluster is not ours any more."""
        for lock in self.locks:
            lock.check()

    @contextmanager
    def step(self, name: str) -> Generator[list[str]]:
        """A step that concerns no single host, checked before and told in the journal; what is put into the list is
        what it did, one thing each."""
        self.check()
        number = self.journal.begin_step(self.id, name)
        did: list[str] = []
        try:
            yield did
        except BaseException as error:
            outcome: Outcome = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            with contextlib.suppress(StateError):
                message = str(error) if isinstance(error, DaikuError) else type(error).__name__
                self.journal.end_step(number, outcome, message)
            raise
        self.journal.end_step(number, "done" if did else "unchanged", "; ".join(did))


@contextmanager
def running(
    database: Database,
    audit: AuditLog,
    verb: str,
    details: Details,
    *,
    shared: contextlib.AbstractContextManager[Held] | None = None,
) -> Generator[Running]:
    """Hold the cluster for `verb`: this machine's lock, then the `shared` one that other machines see, if there is one.

    `details` go into the audit log's first entry, which is on the disk before the block begins. LockHeldError.
    """
    journal = Journal(database)
    with ExitStack() as held:
        locks: list[Held] = [held.enter_context(acquire(database, verb).keep())]
        if shared is not None:
            locks.append(held.enter_context(shared))
        run = Running(journal.start(verb), journal, locks)

        def end(outcome: Outcome, message: str = "") -> None:
            journal.finish(run.id, outcome, message)
            last = {**run.details, "outcome": outcome}
            if message:
                last["message"] = message[:AUDIT_MESSAGE_LENGTH]
            audit.append("end", run.id, verb, last)

        try:
            audit.append("begin", run.id, verb, details)
            yield run
        except BaseException as error:
            # What stopped the run is the news; a ledger that cannot be written is told by the next run.
            with contextlib.suppress(StateError):
                match error:
                    case KeyboardInterrupt():
                        end("interrupted")
                    case DaikuError():
                        end("failed", str(error))
                    case _:
                        end("failed", type(error).__name__)
            raise
        end(run.outcome, run.message)

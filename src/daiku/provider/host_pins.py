"""Pinned SSH host keys, as the bare-metal side needs them: one host in memory, or the bastion in the ledger.

`daiku apply` reaches the same bastion, so both sides keep its pin in one place: the cluster's ledger. Whoever comes
first pins the key, and the other one refuses a bastion that shows another.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

from daiku.ledger.database import Database
from daiku.ledger.host_keys import PinnedHostKeys


@dataclass(slots=True)
class OneKey:
    """The pin of one host, in memory: `key` empty until the first contact."""

    key: str = ""

    def pinned(self, host: str) -> str | None:
        del host
        return self.key or None

    def pin(self, host: str, key: str) -> None:
        del host
        self.key = key


@dataclass(frozen=True, slots=True)
class LedgerKeys:
    """The pin of a host's present incarnation in the ledger `file`, which is opened only while it is asked."""

    file: Path
    incarnation: str

    def pinned(self, host: str) -> str | None:
        with contextlib.closing(Database(self.file)) as database:
            return PinnedHostKeys(database, {host: self.incarnation}).pinned(host)

    def pin(self, host: str, key: str) -> None:
        with contextlib.closing(Database(self.file)) as database:
            PinnedHostKeys(database, {host: self.incarnation}).pin(host, key)

"""SSH sessions of one run: each host is logged in to once, through the bastion, when it is first needed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from daiku.apply.targets import Target, Targets
from daiku.errors import DaikuError, HostError, HostUnreachableError
from daiku.wire.ssh import Session, connect
from daiku.wire.ssh_login import Login
from daiku.wire.ssh_types import HostKeys

PARALLEL = 16
PAUSE_SECONDS = 1.0
DEAD_SECONDS = 5.0
"""How long a bastion that cannot be logged in to is not dialled again: all hosts behind it would wait in turn."""
T = TypeVar("T")


class Reach:
    """The hosts of a cluster. Safe to share between threads, to be closed. Times are in seconds."""

    def __init__(
        self, targets: Targets, *, key_file: Path | Login, host_keys: HostKeys, timeout: float = 15.0
    ) -> None:
        self._targets = {host.name: host for host in targets.hosts}
        self._bastion = targets.bastion
        self._key_file = key_file
        self._host_keys = host_keys
        self._timeout = timeout
        self._closed = False
        self._dead: tuple[float, HostError] | None = None
        self._sessions: dict[str, Session] = {}
        names = [*self._targets, *([self._bastion.name] if self._bastion else [])]
        self._gate_turn = threading.Lock()
        self._locks = {name: threading.Lock() for name in names}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._locks)

    def session(self, name: str, patience: float = 0.0) -> Session:
        """A session that stands, made anew when the last one is lost. `patience`: how long a host that does not
        answer is tried again. Raises the HostErrors of a log-in."""
        end = time.monotonic() + patience
        while True:
            try:
                return self._session(name)
            except HostUnreachableError:
                if time.monotonic() + PAUSE_SECONDS > end:
                    raise
                time.sleep(PAUSE_SECONDS)

    def jump(self) -> Session:
        """The session through which others are reached: the bastion's, or any host's where there is none."""
        return self.session(self._bastion.name if self._bastion else next(iter(self._targets)))

    def each(self, names: Iterable[str], work: Callable[[str], T]) -> dict[str, T | HostError]:
        """`work` for every name, so many at a time; a host's failure is its result and stops no other."""

        def guarded(name: str) -> T | HostError:
            try:
                return work(name)
            except HostError as error:
                return error
            except DaikuError as error:
                return HostError(error.message, host=name, hint=error.hint)

        wanted = tuple(names)
        with ThreadPoolExecutor(max(1, min(PARALLEL, len(wanted)))) as pool:
            try:
                return dict(zip(wanted, pool.map(guarded, wanted), strict=True))
            except KeyboardInterrupt:
                # What runs on a host goes on there; nobody waits for it here.
                self.close()
                raise

    def close(self) -> None:
        """End all sessions, those through the bastion first; one that is still being made ends when it is."""
        self._closed = True
        for session in reversed(list(self._sessions.values())):
            session.close()
        self._sessions.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _session(self, name: str) -> Session:
        bastion = self._bastion
        if bastion is not None and name == bastion.name:
            return self._gate(bastion)
        return self._standing(self._targets[name], None if bastion is None else self._gate(bastion))

    def _gate(self, bastion: Target) -> Session:
        """The bastion's session, or its failure of a moment ago for all who waited for it."""
        with self._gate_turn:
            if self._dead is not None and time.monotonic() < self._dead[0] + DEAD_SECONDS:
                raise self._dead[1]
            try:
                return self._standing(bastion, None)
            except HostError as error:
                self._dead = (time.monotonic(), error)
                raise

    def _standing(self, target: Target, jump: Session | None) -> Session:
        with self._locks[target.name]:
            known = self._sessions.get(target.name)
            if known is not None and known.alive:
                return known
            session = connect(
                target.name,
                target.endpoint,
                key_file=self._key_file,
                jump=jump,
                host_keys=self._host_keys,
                timeout=self._timeout,
            )
            self._sessions[target.name] = session
            if self._closed:
                session.close()
            return session

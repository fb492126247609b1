"""The ways through the bastion: SSH connections to it, each of which carries a few hosts at a time.

One connection is one process of the bastion's sshd, one TCP stream and one thread here. Further ones are made when the
hosts at work need them, one log-in at a time, so that `MaxStartups` never counts more than one of ours. A way that is
lost takes its own hosts with it; the next host gets another.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from daiku.errors import HostError, HostUnreachableError
from daiku.wire.ssh import Session

HOSTS_A_WAY = 8
"""Hosts at a time on one connection (docs/decisions/0010)."""


@dataclass(eq=False, slots=True)
class _Way:
    session: Session
    hosts: int = 0


class Place:
    """A host's place on a way, to be closed. `session` is the connection to the bastion."""

    def __init__(self, way: _Way, leave: Callable[[], None]) -> None:
        self.session = way.session
        self._leave: Callable[[], None] | None = leave

    def close(self) -> None:
        """Give the place back; a second time does nothing."""
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()


class Bastion:
    """The machine that the others are reached through. `first` is a connection to it, `log_in` makes another."""

    def __init__(self, first: Session, log_in: Callable[[], Session], hosts_a_way: int = HOSTS_A_WAY) -> None:
        self.name = first.name
        self.gone: HostError | None = None
        """Why it cannot be used, once somebody has given up on it: nobody else need try."""
        self._log_in = log_in
        self._hosts_a_way = hosts_a_way
        self._ways = [_Way(first)]
        self._full = False
        """Whether it let no further connection in while others stood."""
        self._lock = threading.Lock()
        self._door = threading.Lock()
        self._tries = 0
        self._refusal: HostError | None = None

    def place(self) -> Place:
        """A place for one more host, on another connection when those that stand are full.

        HostError of the bastion: none stands and none can be made. Those who waited for that try are told the same,
        because each may take a time-out.
        """
        tries = self._tries
        while (place := self._on_a_way()) is None:
            with self._door:
                if self._refusal is not None and self._tries != tries:
                    raise self._refusal
                if (place := self._on_a_way()) is not None:
                    return place
                tries = self._tries
                self._another_way()
        return place

    def session(self) -> Session:
        """A connection that stands, to work on the bastion itself. HostError: none can be made."""
        place = self.place()
        place.close()
        return place.session

    def close(self) -> None:
        """End all connections."""
        with self._lock:
            ways, self._ways = self._ways, []
        for way in ways:
            way.session.close()

    def _on_a_way(self) -> Place | None:
        """A place on the emptiest way; None when another way should be made."""
        with self._lock:
            lost = [way for way in self._ways if not way.session.alive]
            self._ways = [way for way in self._ways if way not in lost]
            way = min(self._ways, key=lambda way: way.hosts, default=None)
            if way is not None and way.hosts >= self._hosts_a_way and not self._full:
                way = None
            if way is not None:
                way.hosts += 1
        for one in lost:
            one.session.close()
        return None if way is None else Place(way, lambda: self._left(way))

    def _left(self, way: _Way) -> None:
        with self._lock:
            way.hosts -= 1

    def _another_way(self) -> None:
        """One more connection. Where others stand, a bastion that lets no more in is no failure."""
        try:
            session = self._log_in()
        except HostError as error:
            self._refusal = error
            with self._lock:
                self._full = bool(self._ways)
        else:
            self.gone = self._refusal = None
            with self._lock:
                self._full = False
                self._ways.append(_Way(session))
        finally:
            self._tries += 1


def cut_off(host: str, error: HostError) -> HostError:
    """The failure of a host when the bastion, whose own failure is `error`, cannot be used."""
    if host == error.host:
        return error
    return HostUnreachableError(
        f"not tried, because the bastion {error.host} cannot be used",
        host=host,
        step="connect",
        hint=error.hint,
    )

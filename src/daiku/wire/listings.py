"""Reads served from listings: one call a kind and zone instead of one an object.

A refresh of sixty servers reads sixty objects within seconds; the API allows five calls a second. The first read
lists the kind, the others take their object from that answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from daiku.wire.http import Json
from daiku.wire.sakura_calls import SakuraCalls, id_of
from daiku.wire.sakura_kinds import Kind

EARLIER_SECONDS = 600.0


@dataclass(slots=True)
class _Answer:
    """What was read last under one key, when, and after how many changes of ours."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: float = float("-inf")
    generation: int = -1
    value: Json = field(default_factory=dict[str, object])


class Listings:
    """Serves reads of one client from answers not older than `max_age` seconds. Safe for threads.

    An answer is dropped by any change made through the same client, for a change of one object shows in others (a
    NIC in its server and its switch). Changes made elsewhere show after `max_age`.
    """

    def __init__(self, client: SakuraCalls, *, max_age: float) -> None:
        self._client = client
        self._max_age = max_age
        self._lock = threading.Lock()
        self._answers: dict[tuple[str, ...], _Answer] = {}

    def read(self, kind: Kind, ident: str, *, zone: str | None = None) -> Json:
        """One object, as `SakuraCalls.read` gives it; NotFoundError when it does not exist.

        An object that the listing lacks is asked for by itself, so a listing never hides one.
        """
        found = self.all(kind, zone=zone).get(ident)
        return found if found is not None else self._client.read(kind, ident, zone=zone)

    def all(self, kind: Kind, *, zone: str | None = None) -> dict[str, Json]:
        """Every object of `kind` by ID. Not to be changed: it is shared."""
        return self._shared(
            (kind.name, zone or self._client.zone), lambda: self._list(kind, zone), self._max_age
        )

    def earlier(self, kind: Kind, *, zone: str | None = None) -> dict[str, Json]:
        """Every object of `kind` by ID as of some moment of the last ten minutes, changes of ours or not.

        Good for what only others can have made: the leftovers of a run that was killed.
        """
        key = (kind.name, zone or self._client.zone)
        return self._shared(key, lambda: self._list(kind, zone), EARLIER_SECONDS, whatever_changed=True)

    def ask(self, kind: Kind, ident: str, path: str, *, zone: str | None = None) -> Json:
        """The answer of a GET under one object (`health`). Not to be changed: it is shared."""
        key = (kind.name, zone or self._client.zone, ident, path)
        return self._shared(key, lambda: self._client.act("GET", kind, ident, path, zone=zone), self._max_age)

    def _list(self, kind: Kind, zone: str | None) -> Json:
        return {id_of(item): item for item in self._client.find(kind, zone=zone)}

    def _shared(
        self,
        key: tuple[str, ...],
        read: Callable[[], Json],
        max_age: float,
        *,
        whatever_changed: bool = False,
    ) -> Json:
        with self._lock:
            answer = self._answers.setdefault(key, _Answer())
        with answer.lock:  # held while reading: who waits together calls together
            generation = self._client.generation
            young = answer.read_at >= self._client.clock() - max_age
            if not young or (answer.generation != generation and not whatever_changed):
                # Its age counts from the question: a change while it is answered may be in it or not.
                answer.read_at = self._client.clock()
                answer.generation = generation
                try:
                    answer.value = read()
                except BaseException:
                    answer.read_at = float("-inf")
                    raise
            return answer.value

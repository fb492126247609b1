"""Reads served from listings: one call a kind and zone instead of one an object.

A refresh of sixty servers reads sixty objects within seconds; the API allows five calls a second. The first read
lists the kind, the others take their object from that answer.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from daiku.wire.http import Json
from daiku.wire.sakura_calls import SakuraCalls, id_of
from daiku.wire.sakura_kinds import Kind


@dataclass(slots=True)
class _Listing:
    lock: threading.Lock = field(default_factory=threading.Lock)
    read_at: float = float("-inf")
    generation: int = -1
    items: dict[str, Json] = field(default_factory=dict[str, Json])


class Listings:
    """Serves `read` of one client from listings not older than `max_age` seconds. Safe for threads.

    A listing is dropped by any change made through the same client, for a change of one object shows in others (a
    NIC in its server and its switch). Changes made elsewhere show after `max_age`.
    """

    def __init__(self, client: SakuraCalls, *, max_age: float) -> None:
        self._client = client
        self._max_age = max_age
        self._lock = threading.Lock()
        self._listings: dict[tuple[str, str], _Listing] = {}

    def read(self, kind: Kind, ident: str, *, zone: str | None = None) -> Json:
        """One object, as `SakuraCalls.read` gives it; NotFoundError when it does not exist.

        An object that the listing lacks is asked for by itself, so a listing never hides one.
        """
        found = self.all(kind, zone=zone).get(ident)
        return found if found is not None else self._client.read(kind, ident, zone=zone)

    def all(self, kind: Kind, *, zone: str | None = None) -> dict[str, Json]:
        """Every object of `kind` by ID. Not to be changed: it is shared."""
        with self._lock:
            listing = self._listings.setdefault((kind.name, zone or self._client.zone), _Listing())
        with listing.lock:  # held while listing: who waits together calls together
            generation = self._client.generation
            old = listing.read_at < self._client.clock() - self._max_age
            if old or listing.generation != generation:
                listing.items = {id_of(item): item for item in self._client.find(kind, zone=zone)}
                listing.read_at = self._client.clock()
                listing.generation = generation
            return listing.items

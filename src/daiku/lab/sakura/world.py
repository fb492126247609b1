"""The state of the emulated datacentre: rows, identifiers, transitions in virtual time, the audit log.

Nothing here knows HTTP. The route files change rows under `World.lock`; `World.topology()` says what should exist.
"""

from __future__ import annotations

import json
import random
import threading
from collections import deque
from collections.abc import Callable
from typing import TypeVar

from daiku.lab.clock import Clock
from daiku.lab.sakura.delivery import deliver
from daiku.lab.sakura.faults import FaultPlan, FaultRule
from daiku.lab.sakura.holds import hold_servers
from daiku.lab.sakura.hybrid import join
from daiku.lab.sakura.inventory import Inventory
from daiku.lab.sakura.physical import topology
from daiku.lab.sakura.records import Audit, Pending, Record
from daiku.lab.topology import Topology

R = TypeVar("R", bound=Record)
Transition = Callable[["World", int, int], None]

_transitions: dict[str, Transition] = {}
FORMAT = 1
AUDIT_LENGTH = 100_000


def transition(kind: str) -> Callable[[Transition], Transition]:
    """Register what happens when a `Pending` of this kind falls due: called as `(world, target id, stamp)`."""

    def register(handler: Transition) -> Transition:
        _transitions[kind] = handler
        return handler

    return register


class World:
    """Both APIs' state. Deterministic: the same inventory, seed and calls give the same ids, addresses and keys.

    `php_empties` reproduces the API's habit of answering `[]` for an empty object.
    `probe(address, port)` may be set to tell whether a real server answers; load balancers then report what it says.
    Thread-safe: whoever reads or changes rows holds `lock`.
    """

    def __init__(
        self, clock: Clock, inventory: Inventory, *, seed: int = 0, php_empties: bool = True
    ) -> None:
        self.clock = clock
        self.inventory = inventory
        self.seed = seed
        self.php_empties = php_empties
        self.faults = FaultPlan(seed=seed)
        self.faults.listen(self._plan_changed)
        self.probe: Callable[[str, int], bool] | None = None
        self.audit: deque[Audit] = deque(maxlen=AUDIT_LENGTH)
        self.lock = threading.RLock()
        self._rows: dict[str, dict[int, Record]] = {}
        self._pending: dict[int, Pending] = {}
        self._listeners: list[Callable[[], None]] = []
        self._next_id = 112_900_000_000 + random.Random(seed).randrange(1, 90_000_000)  # noqa: S311 - no secret
        self._next_pending = 0
        self._sequences: dict[str, int] = {}
        self.calls = 0
        deliver(self)

    # ---- rows

    def new_id(self) -> int:
        """A fresh 12-digit id, unique over all kinds."""
        self._next_id += 1
        return self._next_id

    def next_in(self, sequence: str, start: int) -> int:
        """The next number of a named sequence that begins at `start`."""
        self._sequences[sequence] = self._sequences.get(sequence, start - 1) + 1
        return self._sequences[sequence]

    def random_for(self, purpose: str) -> random.Random:
        """A generator that depends on the seed and `purpose` alone: for made-up keys, never for real secrets."""
        return random.Random(f"{self.seed}/{purpose}")  # noqa: S311 - made-up values of an emulator

    def add(self, record: R) -> R:
        """Keep a row; its creation time is now, and a row with the id 0 gets a fresh one."""
        record.id = record.id or self.new_id()
        record.created = record.modified = self.clock.now()
        self._table(type(record))[record.id] = record
        return record

    def remove(self, record: Record) -> None:
        del self._table(type(record))[record.id]

    def rename(self, record: Record, new_id: int) -> None:
        """Give a row another id (plan and bandwidth changes); the old id is gone."""
        self.remove(record)
        record.id = new_id
        self._table(type(record))[new_id] = record

    def find(self, kind: type[R], row_id: int | None) -> R | None:
        """The row, also where the 404 window still hides it."""
        row = self._table(kind).get(row_id) if row_id is not None else None
        return row if isinstance(row, kind) else None

    def rows(self, kind: type[R]) -> list[R]:
        """All rows of a kind by id, hidden ones too."""
        return [row for _, row in sorted(self._table(kind).items()) if isinstance(row, kind)]

    def _table(self, kind: type[Record]) -> dict[int, Record]:
        return self._rows.setdefault(kind.__name__, {})

    # ---- time

    def schedule(self, delay: float, kind: str, target: int, stamp: int = 0) -> None:
        """Run the transition `kind` on row `target` after `delay` virtual seconds. Survives save and restore."""
        self._arm(Pending(at=self.clock.now() + delay, kind=kind, target=target, stamp=stamp))

    def _arm(self, pending: Pending) -> None:
        self._next_pending += 1
        key = self._next_pending
        self._pending[key] = pending
        self.clock.call_at(pending.at, lambda: self._fire(key))

    def _fire(self, key: int) -> None:
        with self.lock:
            pending = self._pending.pop(key)
            _transitions[pending.kind](self, pending.target, pending.stamp)
        self.changed()

    def _plan_changed(self, added: list[FaultRule]) -> None:
        with self.lock:
            hold_servers(self, added)
        self.changed()

    # ---- listeners and log

    def on_change(self, callback: Callable[[], None]) -> None:
        """Call `callback` after each write call and each transition, from whichever thread made it, without the lock.

        It must return at once (set an event, wake a thread): the API answers only after it.
        """
        self._listeners.append(callback)

    def changed(self) -> None:
        """Tell the listeners that the state may be another."""
        for callback in tuple(self._listeners):
            callback()

    def record_call(self, entry: Audit) -> None:
        """Append to the audit log; the call's number is set here."""
        with self.lock:
            self.calls += 1
            entry.n = self.calls
            self.audit.append(entry)

    # ---- views

    def topology(self) -> Topology:
        """What should physically exist now."""
        with self.lock:
            return topology(self)

    def join_hybrid(self, switch_id: int | str, private_network_id: str) -> None:
        """The control panel's order: make a cloud switch and a PHY private network one L2 segment.

        Raises LookupError when either is unknown, ValueError when either is joined already.
        """
        with self.lock:
            join(self, int(switch_id), private_network_id)
        self.changed()

    # ---- save and restore

    def to_json(self) -> str:
        """The whole state but the inventory, the audit log and the faults. Holds settings' secrets: keep it private."""
        with self.lock:
            return json.dumps(
                {
                    "format": FORMAT,
                    "seed": self.seed,
                    "now": self.clock.now(),
                    "next_id": self._next_id,
                    "sequences": self._sequences,
                    "calls": self.calls,
                    "php_empties": self.php_empties,
                    "faults": self.faults.model_dump(),
                    "pending": [p.model_dump() for _, p in sorted(self._pending.items())],
                    "rows": {
                        kind: [row.model_dump() for _, row in sorted(table.items())]
                        for kind, table in sorted(self._rows.items())
                        if table
                    },
                },
                sort_keys=True,
            )

    @classmethod
    def from_json(cls, text: str, clock: Clock, inventory: Inventory) -> World:
        """The world that `to_json` saved, its transitions armed again. A clock that is behind moves to the saved time.

        What the inventory gained since is delivered; what it lost stays until somebody starts a new world.

        Raises ValueError for what is not such a text.
        """
        saved = json.loads(text)
        if not isinstance(saved, dict) or saved.get("format") != FORMAT:
            raise ValueError("not a saved world of this version")
        clock.move_to(saved["now"])
        world = cls(clock, inventory, seed=saved["seed"], php_empties=saved["php_empties"])
        with world.lock:
            world._next_id = saved["next_id"]
            world._sequences = saved["sequences"]
            world.calls = saved["calls"]
            plan = FaultPlan.model_validate(saved.get("faults", {"seed": saved["seed"]}))
            world.faults.seed, world.faults.rules = plan.seed, plan.rules
            for kind, rows in saved["rows"].items():
                world._rows[kind] = {row["id"]: Record.tables[kind].model_validate(row) for row in rows}
            for pending in saved["pending"]:
                world._arm(Pending.model_validate(pending))
            deliver(world)
        return world

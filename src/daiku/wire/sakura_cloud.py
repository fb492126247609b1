"""The client of the Sakura Cloud API that the provider, the planner and the lab's tests use.

`SakuraCalls` has the verbs; here is what one call cannot do: waiting, power, and changes of several steps.
"""

from __future__ import annotations

from daiku.errors import ApiError
from daiku.wire.http import Json
from daiku.wire.retry import wait_until
from daiku.wire.sakura_calls import APPEAR_SECONDS, SakuraCalls
from daiku.wire.sakura_kinds import Kind

AVAILABLE_SECONDS = 1200.0


class SakuraCloud(SakuraCalls):
    """See `SakuraCalls` for the arguments. `deadline` is always in seconds; DeadlineError when it passes."""

    def wait_available(
        self, kind: Kind, ident: str, *, zone: str | None = None, deadline: float = AVAILABLE_SECONDS
    ) -> Json:
        """Wait until a new object is available; the object then. ApiError when its making failed."""
        appear = APPEAR_SECONDS if kind.appears_late else 0.0

        def look() -> Json | None:
            item = self.read(kind, ident, zone=zone, appear_within=appear)
            state = item.get("Availability", "available")  # "" while it is being made; some kinds have none
            if state in {"failed", "discontinued"}:
                raise ApiError(f"{kind.name} {ident} is {state}", where=f"{kind.name} {ident}", code=state)
            return item if state == "available" else None

        return wait_until(
            look,
            what="its creation",
            where=f"{kind.name} {ident}",
            deadline=deadline,
            poll=self.tempo.poll,
            clock=self.clock,
            sleep=self.sleep,
        )

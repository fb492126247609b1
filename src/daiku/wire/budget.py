"""A budget of calls in a sliding window.

PHY allows 300 calls an hour for an account, and 5 network changes in 5 minutes for a server.
"""

from __future__ import annotations

import threading
from collections import deque

from daiku.errors import RateLimitError
from daiku.wire.retry import Clock, Sleep


class Budget:
    """At most `limit` calls in any `window` seconds. Pure but for its lock: the caller brings the time."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit = limit
        self.window = window
        self._spent: deque[float] = deque()
        self._lock = threading.Lock()

    def spend(self, now: float) -> float:
        """0.0: the call may leave now and is booked. Else the seconds until it may; nothing is booked."""
        with self._lock:
            while self._spent and self._spent[0] <= now - self.window:
                self._spent.popleft()
            if len(self._spent) < self.limit:
                self._spent.append(now)
                return 0.0
            return self._spent[0] + self.window - now

    def left(self, now: float) -> int:
        """Calls that may leave at `now`."""
        with self._lock:
            return self.limit - sum(1 for at in self._spent if at > now - self.window)


def await_budget(budget: Budget, *, what: str, longest: float, clock: Clock, sleep: Sleep) -> float:
    """Wait for room; the seconds waited. RateLimitError when that takes more than `longest` seconds."""
    waited = 0.0
    while (wait := budget.spend(clock())) > 0:
        if waited + wait > longest:
            raise RateLimitError(
                f"the budget of {budget.limit} {what} in {budget.window:.0f} s is used up",
                hint=f"run the same command again in {wait:.0f} s",
                retry_after=wait,
            )
        sleep(wait)
        waited += wait
    return waited

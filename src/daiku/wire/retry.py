"""When to come back: the pauses of the clients, as data. Nothing here waits by itself.

Every client takes one pair of `clock` and `sleep` and one `Tempo`; tests give virtual ones, a lab fast ones.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from daiku.errors import DeadlineError

Clock = Callable[[], float]
Sleep = Callable[[float], None]
T = TypeVar("T")

# What the real API needs; a lab on a faster clock divides all of them by the same number.
_POLL = 5.0


@dataclass(frozen=True, slots=True)
class Tempo:
    """Pauses in seconds, as the real API needs them.

    poll            between two looks at a thing that is changing
    settle          after a NIC was connected or disconnected, before the next call
    repeat_power    until a power call that had no effect is made again
    still_creating  between tries while the API says 409 still_creating
    appear          between reads of a thing that was just created and is not found yet
    backoff_first   first pause after 423, 503 or a lost connection; doubles, up to backoff_most
    """

    poll: float = _POLL
    settle: float = 5.0
    repeat_power: float = 20.0
    still_creating: float = 20.0
    appear: float = 3.0
    backoff_first: float = 1.0
    backoff_most: float = 64.0

    @classmethod
    def of_poll(cls, poll: float) -> Tempo:
        """The tempo whose poll interval is `poll` seconds, everything else in proportion."""
        factor = poll / _POLL
        real = cls()
        return cls(
            poll=poll,
            settle=real.settle * factor,
            repeat_power=real.repeat_power * factor,
            still_creating=real.still_creating * factor,
            appear=real.appear * factor,
            backoff_first=real.backoff_first * factor,
            backoff_most=real.backoff_most * factor,
        )

    def backoff(self, attempt: int, roll: float) -> float:
        """Seconds before retry `attempt` (from 0). `roll` in [0, 1) spreads parallel callers."""
        full = min(self.backoff_first * 2.0**attempt, self.backoff_most)
        return full * (0.5 + roll / 2)


def roll() -> float:
    """A number in [0, 1) that keeps parallel callers from coming back together."""
    return random.random()  # noqa: S311  (no secret depends on it)


class Throttle:
    """At most `rate` calls a second over time, in bursts of at most `burst`; for all threads of an account.

    A generic cell rate algorithm: a caller reserves its place under the lock and sleeps outside of it, so
    callers leave in the order in which they came.
    """

    def __init__(self, rate: float, *, clock: Clock, sleep: Sleep, burst: int = 1) -> None:
        self._step = 1.0 / rate
        self._tolerance = (burst - 1) * self._step
        self._clock = clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._next = float("-inf")

    def take(self) -> float:
        """Wait for this caller's place; returns the seconds waited."""
        with self._lock:
            now = self._clock()
            place = max(self._next, now)
            wait = max(0.0, place - self._tolerance - now)
            self._next = place + self._step
        if wait > 0:
            self._sleep(wait)
        return wait


_throttles: dict[tuple[str, str, float, Clock, Sleep], Throttle] = {}
_throttles_lock = threading.Lock()


def account_throttle(account: str, root_url: str, rate: float, *, clock: Clock, sleep: Sleep) -> Throttle:
    """The one throttle of this process for an account at an endpoint: every client of it shares the rate."""
    key = (account, root_url, rate, clock, sleep)
    with _throttles_lock:
        if key not in _throttles:
            _throttles[key] = Throttle(rate, clock=clock, sleep=sleep)
        return _throttles[key]


_gates: dict[tuple[str, str], threading.Lock] = {}


def account_gate(account: str, root_url: str) -> threading.Lock:
    """Held during a power call of an account at an endpoint: the API answers 503 to those that come at once."""
    with _throttles_lock:
        return _gates.setdefault((account, root_url), threading.Lock())


def wait_until(
    probe: Callable[[], T | None],
    *,
    what: str,
    where: str,
    deadline: float,
    poll: float,
    clock: Clock,
    sleep: Sleep,
    detail: Callable[[], str] = str,
) -> T:
    """Ask `probe` until it answers something, every `poll` seconds, for `deadline` seconds at most.

    DeadlineError says that `what` did not happen at `where`. The last look is made at the deadline itself, so
    that a late success is never reported as a failure. `detail` adds to the message what was seen last.
    """
    end = clock() + deadline
    while True:
        found = probe()
        if found is not None:
            return found
        left = end - clock()
        if left <= 0:
            raise DeadlineError(
                f"{what} did not happen within {deadline:.0f} s{detail()}",
                where=where,
                hint="look at it in the control panel; running the same command again goes on from here",
            )
        sleep(min(poll, left))

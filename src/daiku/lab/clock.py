"""Virtual time: what the emulators wait on instead of the wall clock.

An hour's reinstall passes in a test's millisecond (`advance`), or in six seconds of a demo (`Clock(scale=600)` with
`start()`): the emulators only ever ask for `now()` and `call_at()`.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

_log = logging.getLogger(__name__)


@dataclass(order=True, slots=True)
class Event:
    """A call that is due at `when` (virtual seconds). Events of one moment run in the order they were asked for."""

    when: float
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)

    def cancel(self) -> None:
        """The call will not be made. No effect once it ran."""
        self.cancelled = True


class Clock:
    """Virtual seconds since an arbitrary zero; safe to use from any thread.

    scale: virtual seconds per real second while the clock runs (between `start()` and `stop()`). 0 makes a manual
    clock, that moves by `advance` alone. A scaled clock may be advanced as well: it jumps ahead.
    """

    def __init__(self, *, scale: float = 0.0, start: float = 0.0) -> None:
        if scale < 0:
            raise ValueError("a clock cannot run backwards: scale must not be negative")
        self.scale = scale
        self._base = start
        self._started_at: float | None = None
        self._events: list[Event] = []
        self._orders = itertools.count()
        self._wake = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None

    def now(self) -> float:
        """Virtual seconds."""
        with self._wake:
            if self._started_at is None:
                return self._base
            return self._base + (time.monotonic() - self._started_at) * self.scale

    def call_at(self, when: float, action: Callable[[], None]) -> Event:
        """Run `action` when the clock reads `when`; a past moment is due at once (never inside this call)."""
        with self._wake:
            event = Event(when, next(self._orders), action)
            heapq.heappush(self._events, event)
            self._wake.notify_all()
            return event

    def call_later(self, delay: float, action: Callable[[], None]) -> Event:
        """Run `action` after `delay` virtual seconds."""
        return self.call_at(self.now() + delay, action)

    def advance(self, seconds: float) -> None:
        """Move the clock ahead, running what falls due on the way in order, in the calling thread.

        Each action sees `now()` at its own moment (manual clock), and what it schedules in the interval runs too.
        """
        if seconds < 0:
            raise ValueError("a clock cannot run backwards")
        target = self.now() + seconds
        while (event := self._pop(target)) is not None:
            self._move_to(event.when)
            event.action()
        self._move_to(target)

    def move_to(self, moment: float) -> None:
        """Jump to `moment` without running anything, to restore a state; a past moment changes nothing."""
        self._move_to(moment)

    def start(self) -> None:
        """Let the clock run by itself: one daemon thread runs the events as they fall due. Needs a scale."""
        if self.scale == 0:
            raise ValueError("a manual clock (scale 0) does not run by itself")
        with self._wake:
            if self._thread is not None:
                return
            self._started_at = time.monotonic()
            self._thread = threading.Thread(target=self._run, name="lab-clock", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Freeze the clock where it is and wait for its thread to end."""
        with self._wake:
            thread = self._thread
            self._base = self.now()
            self._started_at = None
            self._thread = None
            self._wake.notify_all()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _pop(self, until: float) -> Event | None:
        with self._wake:
            while self._events and self._events[0].when <= until:
                event = heapq.heappop(self._events)
                if not event.cancelled:
                    return event
            return None

    def _move_to(self, moment: float) -> None:
        with self._wake:
            behind = moment - self.now()
            if behind > 0:
                self._base += behind
                self._wake.notify_all()

    def _run(self) -> None:
        me = threading.current_thread()
        while True:
            with self._wake:
                if self._thread is not me:
                    return
                event = self._pop(self.now())
                if event is None:
                    self._wake.wait(self._pause())
                    continue
            try:
                event.action()
            except Exception:  # noqa: BLE001 - one faulty action must not stop time for all others
                _log.exception("an event of the virtual clock failed")

    def _pause(self) -> float | None:
        """Real seconds until the next event; None waits for a new one."""
        if not self._events:
            return None
        return max(0.0, (self._events[0].when - self.now()) / self.scale)

"""The lease on the cluster while the engine works: who lost it stops the engine."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

INTERVAL_SECONDS = 1.0
"""How often the lease is looked at. That is cheap: only one whose end has come is asked for."""


class LeaseWatch:
    """While its block lasts, `check` is called in a thread of its own, and once before the block.

    `check` raises (LockHeldError, or what keeps it from knowing) once the cluster is not ours any more. Then `stop` is
    called, once, and what `check` raised is raised at the end of the block, instead of whatever the block came to.
    """

    def __init__(
        self, check: Callable[[], None], stop: Callable[[], None], *, interval: float = INTERVAL_SECONDS
    ) -> None:
        self._lost: Exception | None = None
        self._check, self._stop, self._interval = check, stop, interval
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="lease watch", daemon=True)

    def __enter__(self) -> Self:
        self._check()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if self._lost is not None:
            raise self._lost from None

    def _watch(self) -> None:
        while not self._over.wait(self._interval):
            try:
                self._check()
            except Exception as error:  # noqa: BLE001 - raised at the end of the block
                self._lost = error
                self._stop()
                return

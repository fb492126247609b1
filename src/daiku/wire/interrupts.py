"""Ctrl-C held back while something is at work that nobody else would end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def interrupts_held() -> Generator[list[int]]:
    """While the block lasts Ctrl-C raises nothing; the list holds those that came. They take effect at its end.

    A child process that is started in the block, and seen to, is so never left alone: there is no moment at which a
    KeyboardInterrupt could come between its start and who ends it. The block must look at the list, and soon end when
    something is in it. Where Ctrl-C is ignored it stays so; threads other than the main one are never interrupted.
    """
    came: list[int] = []
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before in (signal.SIG_IGN, None):
        yield came
        return
    signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield came
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)

"""What all tests share."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """A runner in the background is started with Ctrl-C ignored; tests of interruptions send it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)

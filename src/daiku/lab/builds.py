"""Kubernetes' programs, built while the lab already runs: nothing waits for them but those who call them."""

from __future__ import annotations

import logging
import threading

from daiku.errors import MissingToolError
from daiku.lab.hosts import Programs
from daiku.lab.tools.build import provide_all
from daiku.lab.tools.catalog import HELM

_log = logging.getLogger("daiku.lab.builds")
_STOP_SECONDS = 10.0


class _StoppedError(Exception):
    """The lab goes down."""


class Builds:
    """A thread that finds or builds what the hosts run, then helm for the operator's side."""

    def __init__(self, programs: Programs) -> None:
        self._programs = programs
        self._stop = threading.Event()
        self._line = "not begun"
        # A thread that waits for another builder's lock cannot be stopped: it must not hold up the lab's end.
        self._thread = threading.Thread(target=self._run, name="builds", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End what is being built; what was compiled so far is kept for the next time."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_SECONDS)

    def line(self) -> str:
        """How far it is, for people: `ready` at the end."""
        return self._line

    def _run(self) -> None:
        try:
            self._programs.build(self._told)
            provide_all((HELM,), self._told)
        except _StoppedError:
            return
        except MissingToolError as error:
            self._line = f"failed: {error}"
            self._programs.fail(str(error))
            _log.error("%s; %s", error, error.hint)
            return
        self._line = "ready"
        _log.info("the programs of Kubernetes are ready")

    def _told(self, line: str) -> None:
        if self._stop.is_set():
            raise _StoppedError
        self._line = line
        _log.info("%s", line)

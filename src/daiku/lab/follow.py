"""Keeps the hosts equal to what the emulated APIs say: one thread, woken by every change."""

from __future__ import annotations

import logging
import threading

from daiku.errors import DaikuError
from daiku.lab.hosts import Hosts
from daiku.lab.sakura.world import World

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0


class Follower:
    """Applies the newest topology; changes that come while one is applied are taken together afterwards."""

    def __init__(self, world: World, hosts: Hosts) -> None:
        self._world = world
        self._hosts = hosts
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._failure = ""
        self._thread = threading.Thread(target=self._run, name="lab-hosts", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._world.on_change(self._wake.set)
        self._thread.start()

    def stop(self) -> None:
        """End after the step in hand."""
        self._ended.set()
        self._wake.set()
        self._thread.join(timeout=30)

    def failures(self) -> list[str]:
        """Why the last topology could not be applied; empty when it was."""
        return [self._failure] if self._failure else []

    def _run(self) -> None:
        while not self._ended.is_set():
            self._wake.wait(_RETRY_SECONDS if self._failure else None)
            if self._ended.is_set():
                return
            self._wake.clear()
            try:
                self._hosts.apply(self._world.topology())
            except (DaikuError, OSError) as error:
                self._failure = str(error)
                _log.exception("the hosts cannot follow")
            else:
                self._failure = ""

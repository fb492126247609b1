# ruff: noqa: PTH101, PTH105
"""The machine as daiku sees it: its files below a root, and our own records in /var/lib/daiku.

receipt.json    what the last finished run left: the bundle's digest, its files, the input of each trigger
intent.json     what a run is about to do; it is there only while a run works or after one that did not finish
previous/       the last version of each file that was replaced or removed
lock            held while a run changes things
guard.json      what helper/guard.py puts back when a change has cut the machine off
"""

from __future__ import annotations

import fcntl
import json
import os
import time

from daiku.apply.helper import files
from daiku.apply.helper.quick import content_of
from daiku.apply.helper.wire import HelperError, Wire

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Host:
    """`root` is "/" but in rehearsals."""

    def __init__(self, root: str, wire: Wire) -> None:
        self.root = root.rstrip("/")
        self.wire = wire
        self.base = self.root + "/var/lib/daiku"

    def at(self, path: str) -> str:
        """The path below the root."""
        return self.root + path

    def record(self, name: str) -> dict[str, Any]:
        """One of our records, {} when it is missing, damaged or no file: then all is looked at and done anew."""
        try:
            value = json.loads(content_of(f"{self.base}/{name}") or b"{}")
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}

    def write_record(self, name: str, value: dict[str, Any]) -> None:
        """Replace a record as a whole."""
        files.write_new(f"{self.base}/.{name}", json.dumps(value, sort_keys=True).encode(), 0o600, None)
        os.replace(f"{self.base}/.{name}", f"{self.base}/{name}")
        files.sync_directory(self.base)

    def drop_record(self, name: str) -> None:
        files.remove(f"{self.base}/{name}")
        files.sync_directory(self.base)

    def lock(self, seconds: float, meanwhile: Callable[[], None]) -> int:
        """Be the only run that changes this machine; wait up to `seconds` for another one. Held until the end.

        While it waits, `meanwhile` is called again and again.
        """
        files.make_directories(self.base, 0o700)
        os.chmod(self.base, 0o700)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(f"{self.base}/lock", flags, 0o600)
        end = time.monotonic() + seconds
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise HelperError("busy", "another run of daiku still works on this host") from None
                meanwhile()
                self.wire.beat()
                time.sleep(0.05)
            else:
                return descriptor

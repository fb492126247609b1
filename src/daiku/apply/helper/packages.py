"""Packages at exact versions, held: a run again never floats to what the mirrors have meanwhile."""

from __future__ import annotations

import os
import re
import time

from daiku.apply.helper.host import Host
from daiku.apply.helper.live import packages
from daiku.apply.helper.quick import content_of
from daiku.apply.helper.trigger import output_of
from daiku.apply.helper.wire import HelperError

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

_HALF_DONE = re.compile(rb"^Status: \S+ \S+ (half-|unpacked|triggers-)", re.MULTILINE)


def install(host: Host, trigger: dict[str, Any], limit: float) -> float:
    """Install what is not there in its version, and hold all; the seconds it took.

    HelperError: no source of this machine offers a version, or apt fails (its words are in `output`). What an
    installation that died left half done is finished first.
    """
    began = time.monotonic()

    def run(*command: str) -> str:
        return output_of(host, {"name": trigger["name"], "command": list(command)}, limit)

    if is_half_done(host.root):
        run("dpkg", "--configure", "-a")
    found = packages(host.root)
    missing = [pin for pin in trigger["packages"] if (found(pin[0]) or "").partition(", ")[0] != pin[1]]
    if missing:
        if not_offered(run, missing):
            _update(run)
        absent = not_offered(run, missing)
        if absent:
            raise HelperError(
                "packages", f"no apt source of this host offers {', '.join(absent)}", trigger=trigger["name"]
            )
        run(*trigger["command"], *(f"{name}={version}" for name, version in missing))
    run("apt-mark", "hold", *(name for name, _ in trigger["packages"]))
    return time.monotonic() - began


def is_half_done(root: str) -> bool:
    """Whether dpkg was interrupted: a package is between two states, or a change waits in its journal."""
    if _HALF_DONE.search(content_of(root + "/var/lib/dpkg/status") or b""):
        return True
    try:
        return bool([name for name in os.listdir(root + "/var/lib/dpkg/updates") if name.isdigit()])  # noqa: PTH208
    except OSError:
        return False


def not_offered(run: Any, wanted: list[list[str]]) -> list[str]:
    """The `name=version` of those that apt knows no source for."""
    offered: set[tuple[str, str]] = set()
    for line in run("apt-cache", "madison", *(name for name, _ in wanted)).splitlines():
        columns = [column.strip() for column in line.split("|")]
        if len(columns) == 3:
            offered.add((columns[0], columns[1]))
    return [f"{name}={version}" for name, version in wanted if (name, version) not in offered]


def _update(run: Any) -> None:
    """Fetch the sources' lists. One that cannot be fetched is told only if its packages are what is missing."""
    try:  # noqa: SIM105 - contextlib costs a host 2 ms to import
        run("apt-get", "-q", "update")
    except HelperError:
        pass

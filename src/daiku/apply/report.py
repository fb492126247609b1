"""What converging did, or would do: values for the plan, the diff, the summary and the journal."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Literal

from daiku.errors import HostError

What = Literal["create", "content", "mode", "owner", "type", "remove"]


@dataclass(frozen=True, slots=True)
class Rights:
    """Permission bits and owner of a file. Owner and group are names in what is wanted, numbers in what was found."""

    mode: int
    owner: str
    group: str

    def __str__(self) -> str:
        return f"{self.mode:04o} {self.owner}:{self.group}"


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file that differs. `before` is None for a new file, `after` for one that goes away.

    `diff` is a unified diff, "" where there is none to show; `private` says that there is one, but that the file is
    not for everybody's eyes: its contents are neither read back nor shown. The digests are SHA-256 of the contents, ""
    where there is none or what stands there is no plain file.
    """

    path: str
    what: tuple[What, ...]
    before: Rights | None
    after: Rights | None
    diff: str
    private: bool
    before_sha256: str = ""
    after_sha256: str = ""


@dataclass(frozen=True, slots=True)
class Drift:
    """One fact of the running machine that is not what the bundle's triggers bring about: an Expectation's kind, name
    and value (`after`), what was found (`before`), and the trigger that mends it."""

    kind: str
    name: str
    before: str
    after: str
    trigger: str


@dataclass(frozen=True, slots=True)
class TriggerRun:
    """A trigger that ran, with the seconds it took, or that would run: None."""

    name: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class HostReport:
    """What one host was brought to. `bundle` is the digest of its HostBundle; `sent` counts bytes, `round_trips` the
    times that we waited for an answer of the helper; `seconds` includes the connection when the fleet made it."""

    host: str
    bundle: str
    changes: tuple[FileChange, ...]
    triggers: tuple[TriggerRun, ...]
    dry_run: bool
    sent: int
    round_trips: int
    seconds: float
    drift: tuple[Drift, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, done."""
        return bool(self.changes or self.drift or self.triggers)


@dataclass(frozen=True, slots=True)
class FleetReport:
    """What became of each host: one report, one error, or its name in `skipped` when it was not begun: after an
    interruption, or because as many hosts had failed as the budget of failures allows (`over_budget`).

    All are in the order of the targets. `connections` counts SSH logins, the bastion's included.
    """

    reports: tuple[HostReport, ...]
    failures: tuple[HostError, ...]
    skipped: tuple[str, ...]
    interrupted: bool
    connections: int
    seconds: float
    over_budget: bool = False

    @property
    def left(self) -> tuple[str, ...]:
        """The hosts that are not brought to their bundles: those that failed, then those that were not begun."""
        return (*(failure.host for failure in self.failures), *self.skipped)


def unified_diff(path: str, before: str, after: str) -> str:
    """The lines of a unified diff with three lines of context; "" for equal texts."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        f"{path} (live)",
        f"{path} (wanted)",
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at end\n" for line in lines)

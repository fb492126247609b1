"""What differs, or was done, on a host, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daiku.apply.report import Drift, FileChange, HostReport


def differs(change: FileChange) -> str:
    """How a file differs; rights before and after where they do."""
    before, after = change.before, change.after
    words: list[str] = list(change.what)
    if before and after:
        rights = {
            "mode": f"mode {before.mode:04o} -> {after.mode:04o}",
            "owner": f"owner {before.owner}:{before.group} -> {after.owner}:{after.group}",
        }
        words = [rights.get(word, word) for word in words]
    return ", ".join(words)


def running(drift: Drift) -> str:
    """One fact of the running machine that is, or was, not as it should be."""
    from daiku.wire.plain import plain

    return f"{drift.kind} {drift.name}: {plain(drift.before)} -> {drift.after}"


def did(report: HostReport) -> str:
    """What was, or will be, done on a host: files by path, facts of the running machine, then the triggers."""
    files = [f"{change.path} ({differs(change)})" for change in report.changes]
    facts = [running(drift) for drift in report.drift]
    return "; ".join([*files, *facts, *(f"trigger {trigger.name}" for trigger in report.triggers)])

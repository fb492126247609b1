"""Copies of disks and archives: `MigratedMB` grows with virtual time until the transition at the end."""

from __future__ import annotations

from daiku.lab.sakura.iaas.models import Archive, Copying, Disk
from daiku.lab.sakura.world import World

SETUP_SECONDS = 20.0
MB_PER_SECOND = 250.0


def begin(world: World, row_id: int, kind: str, size_mb: int) -> Copying:
    """Start a copy; the transition `kind` ends it."""
    seconds = SETUP_SECONDS + size_mb / MB_PER_SECOND
    world.schedule(seconds, kind, row_id)
    return Copying(start=world.clock.now(), seconds=seconds)


def migrated_mb(row: Disk | Archive, now: float) -> int:
    """How far the copy is. A disk without a source shows 0, as the API does not count what it did not copy."""
    if row.copying is not None:
        return int(row.size_mb * min(1.0, max(0.0, (now - row.copying.start) / row.copying.seconds)))
    copied = row.source_archive is not None or row.source_disk is not None
    return row.size_mb if copied and row.availability == "available" else 0

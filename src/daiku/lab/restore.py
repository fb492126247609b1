"""Going on from a saved state: what `daiku lab save` wrote, checked before a lab is started with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from daiku.errors import LabError
from daiku.lab.clock import Clock
from daiku.lab.sakura.inventory import Inventory
from daiku.lab.sakura.world import FORMAT, World


def connect_secret(file: Path) -> str | None:
    """The AWS connect option's key that the saved state's local routers peer with, so that they go on doing so.

    None: none of them has such a peer. LabError: `file` is no saved state.
    """
    saved = _read(file)
    routers: list[dict[str, Any]] = saved["rows"].get("LocalRouter", [])
    own = {str(router["id"]) for router in routers}
    peers = [peer for router in routers for peer in router["settings"].get("Peers") or ()]
    return next((str(peer["SecretKey"]) for peer in peers if peer["ID"] not in own), None)


def world(file: Path, clock: Clock, inventory: Inventory) -> World:
    """The world that was saved, its transitions armed again. LabError when it cannot be read."""
    try:
        return World.from_json(json.dumps(_read(file)), clock, inventory)
    except (ValueError, KeyError, TypeError) as error:
        raise LabError(f"the saved state cannot be restored: {error}", where=str(file)) from error


def _read(file: Path) -> dict[str, Any]:
    hint = "make one: daiku lab save FILE"
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise LabError(f"the saved state cannot be read: {error}", where=str(file), hint=hint) from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise LabError("not a state that this version saved", where=str(file), hint=hint)
    return saved

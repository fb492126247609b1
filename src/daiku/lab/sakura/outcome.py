"""An answer before it is a response: what both APIs hand to the ASGI side."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Outcome:
    """`body` None: no content. `warnings` go to the audit log."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict[str, str])
    warnings: list[str] = field(default_factory=list[str])

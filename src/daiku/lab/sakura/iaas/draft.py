"""What an appliance family hands over for a new row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Draft:
    """`switch` None: the shared segment. `public` and `outer` only for VPC routers."""

    plan: int
    remark: dict[str, Any]
    settings: dict[str, Any]
    switch: int | None
    public: str = ""
    outer: str = ""

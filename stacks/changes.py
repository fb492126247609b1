"""What a run of the engine does, as values: the planned changes, the steps on the way, the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from daiku.plan.facts import Facts

Op = Literal["create", "update", "replace", "delete", "import", "read"]
Stage = Literal["started", "done", "failed", "note"]


@dataclass(frozen=True, slots=True)
class PropertyChange:
    """One property: `path` as in `firewalls[0].receive`, the values as short JSON, "" where there is none.

    Secrets are shown as `[secret]`, values that only the run will give as `[unknown]`.
    """

    path: str
    kind: Literal["add", "update", "delete"]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """One resource that will change.

    `replace_reasons` are the properties whose change makes a new one; `notes` is what the provider says about the
    change (a reboot, a new ID).
    """

    urn: str
    type: str
    name: str
    op: Op
    replace_reasons: tuple[str, ...] = ()
    properties: tuple[PropertyChange, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened during a run. `op` is "" and `urn` may be "" for a note; `text` is then its words."""

    stage: Stage
    urn: str
    type: str
    name: str
    op: Op | Literal[""] = ""
    text: str = ""


OnStep = Callable[[Step], None]
"""Called from a thread of the engine's, in order; must not block."""


@dataclass(frozen=True, slots=True)
class UpResult:
    """What `up` did. `counts` is operation -> number of resources, without those that stayed the same."""

    changes: tuple[PlannedChange, ...]
    counts: dict[str, int]
    facts: Facts


def name_of(urn: str) -> str:
    """The logical name at the end of a URN."""
    return urn.rsplit("::", 1)[-1]

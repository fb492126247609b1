"""The base of everything the emulator remembers: rows that save and restore as JSON by themselves."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

JST = timezone(timedelta(hours=9))
EPOCH = datetime(2026, 11, 1, tzinfo=JST)
"""The date of virtual second 0: fixed, so that one seed gives one transcript."""


def timestamp(moment: float) -> str:
    """A virtual moment as both APIs print it, with seconds and the Japanese offset."""
    return _printed(int(moment))


@lru_cache(maxsize=4096)
def _printed(second: int) -> str:
    return (EPOCH + timedelta(seconds=second)).isoformat()


class Record(BaseModel):
    """One row. Subclasses name their table by their class name.

    zone: "" for what belongs to no zone. visible_at: until then reads answer 404 although the thing exists.
    """

    model_config = ConfigDict(extra="forbid")
    tables: ClassVar[dict[str, type[Record]]] = {}

    id: int
    zone: str = ""
    name: str = ""
    description: str = ""
    tags: list[str] = []
    icon: int | None = None
    created: float = 0.0
    modified: float = 0.0
    visible_at: float = 0.0

    @classmethod
    def __pydantic_init_subclass__(cls, **_: object) -> None:
        Record.tables[cls.__name__] = cls


class Power(BaseModel):
    """The power of a machine. `goal`: where a running transition leads; a stale transition bears another `stamp`."""

    status: Literal["up", "down", "cleaning"] = "down"
    before: Literal["up", "down", "cleaning"] = "down"
    changed: float = 0.0
    goal: Literal["", "up", "down"] = ""
    stamp: int = 0
    boots: int = 0


class Pending(BaseModel):
    """A transition that the clock will bring: `kind` names its handler, `target` the row it is about."""

    at: float
    kind: str
    target: int
    stamp: int = 0


class Audit(BaseModel):
    """One call. `who` is the account's name, `-` when the key was wrong. Bodies, queries and keys are never kept."""

    n: int
    at: float
    api: Literal["iaas", "phy", "-"]
    method: str
    path: str
    status: int
    who: str
    warnings: list[str] = []
    fault: str = ""

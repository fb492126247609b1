"""What would change, property by property, and what that does: pure, from the table.

The old side is the state, which holds every input as the API shows it: a change made outside is a difference too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from daiku.provider.fields import UNKNOWN, Change, Field, FieldType, ListOf, Object, Props, ResourceType


class Kind(Enum):
    """How a property differs."""

    ADD = "add"
    DELETE = "delete"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One property that differs. `path` is like `vips[0].servers[1].enabled`."""

    path: str
    kind: Kind
    change: Change
    reason: str

    @property
    def root(self) -> str:
        """The property at the top."""
        return self.path.split(".", 1)[0].split("[", 1)[0]

    def __str__(self) -> str:
        because = f": {self.reason}" if self.reason else ""
        return f"{self.path} {self.change.meaning}{because}"


@dataclass(frozen=True, slots=True)
class Difference:
    """All that differs, in the order of the table."""

    changes: tuple[FieldChange, ...]

    @property
    def gravest(self) -> Change:
        """What the whole update does to the running thing."""
        return max((c.change for c in self.changes), default=Change.LIVE)

    @property
    def replaces(self) -> tuple[str, ...]:
        """The properties that force a replacement."""
        return tuple(dict.fromkeys(c.root for c in self.changes if c.change is Change.REPLACE))

    @property
    def roots(self) -> frozenset[str]:
        """The properties at the top that differ."""
        return frozenset(c.root for c in self.changes)


@dataclass(frozen=True, slots=True)
class _Policy:
    change: Change
    reason: str
    removal: Change | None = None

    def of(self, field: Field) -> _Policy:
        """The policy inside: that of the field, else this one."""
        return (
            self
            if field.change is None
            else _Policy(field.change, field.reason or self.reason, field.removal)
        )


def diff(resource: ResourceType, olds: Mapping[str, Any], news: Mapping[str, Any]) -> Difference:
    """Difference of state `olds` and checked inputs `news`."""
    changes: list[FieldChange] = []
    top = _Policy(Change.LIVE, "")
    for field in resource.inputs:
        new = news.get(field.name)
        if field.name not in olds and new is not UNKNOWN and new == field.default:
            continue  # a state older than the property: its default is what was always there
        changes.extend(_compare(field.type, field.name, olds.get(field.name), new, top.of(field)))
    changes.extend(
        FieldChange(field.name, Kind.UPDATE, Change.LIVE, field.reason)
        for field in resource.outputs
        if field.wanted is not None and olds.get(field.name, field.wanted) != field.wanted
    )
    return Difference(tuple(changes))


def _compare(type_: FieldType, path: str, old: Any, new: Any, policy: _Policy) -> Iterable[FieldChange]:
    if old is None and new is None:
        return
    if old is None or new is None:
        if old is None:
            yield FieldChange(path, Kind.ADD, policy.change, policy.reason)
        elif policy.removal is not None:
            yield FieldChange(path, Kind.DELETE, policy.removal, "")
        else:
            yield FieldChange(path, Kind.DELETE, policy.change, policy.reason)
    elif new is not UNKNOWN and isinstance(type_, Object):
        for field in type_.fields:
            inner_old, inner_new = old.get(field.name), new.get(field.name)
            yield from _compare(field.type, f"{path}.{field.name}", inner_old, inner_new, policy.of(field))
    elif new is not UNKNOWN and isinstance(type_, ListOf) and isinstance(type_.item, Object):
        for i in range(max(len(old), len(new))):
            inner_old, inner_new = _at(old, i), _at(new, i)
            yield from _compare(type_.item, f"{path}[{i}]", inner_old, inner_new, policy)
    elif old != new:
        yield FieldChange(path, Kind.UPDATE, policy.change, policy.reason)


def _at(items: list[Any], index: int) -> Any:
    return items[index] if index < len(items) else None


def foresee(resource: ResourceType, olds: Mapping[str, Any] | None, news: Mapping[str, Any]) -> Props:
    """The state that a preview shows: inputs as asked; outputs unknown where the update may change them.

    `olds` None is a creation.
    """
    changed = frozenset[str]() if olds is None else diff(resource, olds, news).roots
    state: Props = dict(news)
    for field in resource.outputs:
        if olds is None or changed.intersection(field.varies_with):
            state[field.name] = UNKNOWN
        elif field.wanted is not None:
            state[field.name] = field.wanted
        elif field.name in olds:
            state[field.name] = olds[field.name]
    return state

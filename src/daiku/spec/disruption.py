"""What an edit of the cluster file does to the cluster that runs: what changes, and what that disturbs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar, cast

from pydantic import BaseModel

from daiku.errors import Fault
from daiku.spec.base import Disruption, OnChange
from daiku.spec.cluster import Cluster
from daiku.spec.defaults import fill
from daiku.spec.machines import GpuNode, GpuPool
from daiku.spec.platform import Registry, Tenant
from daiku.spec.source import Path, Source
from daiku.spec.walk import key, settings

_M = TypeVar("_M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Change:
    """One setting before and after; None: not there. List entries with an identity are named by it:
    `gpuPools.h100.nodes.5`, so that their place in the list never counts as a change."""

    path: str
    before: Any
    after: Any
    disruption: Disruption
    note: str

    @property
    def refused(self) -> bool:
        """Whether a cluster that stands cannot take it: kubeadm, the certificates or the network are built on it."""
        return self.disruption is Disruption.REBUILD

    @property
    def disturbs(self) -> str:
        """What it does to the cluster that runs, in words."""
        words = f"{self.disruption.value} ({self.note})" if self.note else self.disruption.value
        return f"refused: {words}" if self.refused else words


_IDENTITY: dict[type[BaseModel], str] = {
    GpuPool: "name",
    GpuNode: "index",
    Tenant: "name",
    Registry: "source",
}


@cache
def _table() -> dict[Path, OnChange]:
    return {s.path: s.on_change for s in settings(Cluster)}


def on_change(path: Path) -> OnChange:
    """What changing the setting does. List positions may be numbers, identities or `*`. KeyError: no such setting."""
    table = _table()
    known: Path = ()
    for part in path:
        if (*known, part) in table:
            known = (*known, part)
        elif any(p[: len(known) + 1] == (*known, "*") for p in table):
            known = (*known, "*")
        else:
            raise KeyError(".".join(map(str, path)))
    return table[known[:-1] if known[-1:] == ("*",) else known]


def compare(old: Cluster, new: Cluster) -> tuple[Change, ...]:
    """Every setting that differs, defaults that follow from other settings included, in the order of the classes."""
    return tuple(_models(fill(old), fill(new), ()))


def as_built(cluster: Cluster, built: Mapping[tuple[str, ...], str | int]) -> Cluster:
    """The file of a cluster of which is known, by paths in the file, what it was built with; else it is as `cluster`.
    KeyError: no such setting."""
    for path, value in built.items():
        cluster = _with(cluster, path, value)
    return cluster


def refusals(old: Cluster, new: Cluster, source: Source) -> tuple[Fault, ...]:
    """A fault in the new file (`source`) for each setting that a cluster built as `old` cannot take."""
    return tuple(
        source.fault(
            tuple(change.path.split(".")),
            f"the cluster stands with {_words(change.before)} and cannot be changed to {_words(change.after)}: "
            f"{change.disturbs.removeprefix('refused: ')}",
            "put it back; for the new value build another cluster, or remove this one first: daiku down",
        )
        for change in compare(old, new)
        if change.refused
    )


def _with(model: _M, path: tuple[str, ...], value: str | int) -> _M:
    """The model with another value at `path`, which is not looked at: it is only compared."""
    names = {key(name, field): name for name, field in type(model).model_fields.items()}
    name = names[path[0]]
    inner = value if len(path) == 1 else _with(getattr(model, name), path[1:], value)
    return model.model_copy(update={name: inner})


def _words(value: Any) -> str:
    return "nothing" if value is None else str(value)


def _models(old: BaseModel, new: BaseModel, path: Path) -> Iterator[Change]:
    for name, field in type(new).model_fields.items():
        yield from _values(getattr(old, name), getattr(new, name), (*path, field.alias or name))


def _values(old: Any, new: Any, path: Path) -> Iterator[Change]:
    if old == new:
        return
    one, other = _models_in(old), _models_in(new)
    if isinstance(old, BaseModel) and isinstance(new, BaseModel):
        yield from _models(old, new, path)
    elif _keyed(one) or _keyed(other):
        before, after = _by_identity(one), _by_identity(other)
        for identity in [*before, *(k for k in after if k not in before)]:
            yield from _values(before.get(identity), after.get(identity), (*path, identity))
    elif one and len(one) == len(other):
        for place, (was, now) in enumerate(zip(one, other, strict=True)):
            yield from _values(was, now, (*path, place))
    else:
        yield _change(old, new, path)


def _change(old: Any, new: Any, path: Path) -> Change:
    own = on_change(path)
    if old is None and isinstance(new, BaseModel):
        own = OnChange(Disruption.NONE, "is added")
    elif new is None and type(old) in _IDENTITY:
        own = OnChange(Disruption.REMOVE)
    return Change(".".join(map(str, path)), _plain(old), _plain(new), own.disruption, own.note)


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", by_alias=True)
    if isinstance(value, tuple):
        return [_plain(v) for v in cast("tuple[Any, ...]", value)]
    return value


def _models_in(value: Any) -> tuple[BaseModel, ...]:
    items = cast("tuple[Any, ...]", value) if isinstance(value, tuple) else ()
    return tuple(item for item in items if isinstance(item, BaseModel))


def _keyed(value: tuple[BaseModel, ...]) -> bool:
    return bool(value) and type(value[0]) in _IDENTITY


def _by_identity(value: tuple[BaseModel, ...]) -> dict[str | int, BaseModel]:
    return {getattr(item, _IDENTITY[type(item)]): item for item in value}

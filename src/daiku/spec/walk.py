"""Walk the models by the paths that users write: which settings there are, and what each field says about itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from daiku.spec.base import Disruption, OnChange
from daiku.spec.source import Path


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of the specification. `path` has `*` for list positions; `model` is what it holds, if settings."""

    path: Path
    field: FieldInfo
    model: type[BaseModel] | None
    is_list: bool
    on_change: OnChange


def key(name: str, field: FieldInfo) -> str:
    """The key of a field as the user writes it."""
    return field.alias or name


def choices(annotation: Any) -> tuple[Any, ...]:
    """The values that a `Literal` allows, through `Annotated` and `| None`; empty for anything else."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return choices(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(c for part in get_args(annotation) for c in choices(part))
    return get_args(annotation) if origin is Literal else ()


def inner(annotation: Any) -> tuple[type[BaseModel] | None, bool]:
    """The model inside an annotation, if any, and whether it stands in a list."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return inner(get_args(annotation)[0])
    if origin in (Union, UnionType):
        parts = [inner(part) for part in get_args(annotation) if part is not type(None)]
        return parts[0] if parts else (None, False)
    if origin is tuple:
        return inner(get_args(annotation)[0])[0], True
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    return None, False


def settings(model: type[BaseModel]) -> Iterator[Setting]:
    """Every setting under a model, parents before children, in the order of the classes."""
    yield from _settings(model, (), OnChange(Disruption.NONE))


def _settings(model: type[BaseModel], path: Path, inherited: OnChange) -> Iterator[Setting]:
    for name, field in model.model_fields.items():
        here = (*path, key(name, field))
        own = next((m for m in field.metadata if isinstance(m, OnChange)), inherited)
        held, is_list = inner(field.annotation)
        yield Setting(here, field, held, is_list, own)
        if held is not None:
            yield from _settings(held, (*here, "*") if is_list else here, own)


def fields_at(model: type[BaseModel], path: Path) -> dict[str, FieldInfo]:
    """The settings that may stand under a path, by key; empty when the path leads nowhere or to a plain value."""
    current: type[BaseModel] | None = model
    for part in path:
        if isinstance(part, int):
            continue
        if current is None:
            return {}
        field = {key(n, f): f for n, f in current.model_fields.items()}.get(part)
        current = inner(field.annotation)[0] if field is not None else None
    return {key(n, f): f for n, f in current.model_fields.items()} if current is not None else {}


def field_at(model: type[BaseModel], path: Path) -> FieldInfo | None:
    """The field that a path leads to. A position in a list leads to the list's field."""
    named = tuple(part for part in path if not isinstance(part, int))
    return fields_at(model, named[:-1]).get(named[-1]) if named else None

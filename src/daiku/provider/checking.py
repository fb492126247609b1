"""Inputs against the table: types, required ones, choices, defaults; every fault at once."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from daiku.provider.fields import UNKNOWN, Failure, Field, FieldType, ListOf, Object, Props, Scalar


def accept(
    fields: Iterable[Field], given: Mapping[str, Any], settings: Mapping[str, Any], path: str = ""
) -> tuple[Props, list[Failure]]:
    """`given` with its defaults, numbers as int, unordered lists sorted, nulls gone; and what is wrong with it.

    `settings` are the provider's, for `default_from`. Engine bookkeeping (names that start with "__") is dropped.
    """
    table = {f.name: f for f in fields}
    accepted: Props = {}
    strange = [name for name in sorted(given) if name not in table and not name.startswith("__")]
    failures = [Failure(path + name, _unknown_name(name, table)) for name in strange]
    for field in table.values():
        value = given.get(field.name)
        if value is None:
            value = field.default if not field.default_from else settings.get(field.default_from)
        if value is None:
            if field.required:
                failures.append(Failure(path + field.name, "is required"))
            continue
        accepted[field.name], wrong = _value(field, value, path + field.name)
        failures.extend(wrong)
    return accepted, failures


def _value(field: Field, value: Any, path: str) -> tuple[Any, list[Failure]]:
    accepted, failures = _typed(field.type, value, path)
    if failures or not is_known(accepted):
        return accepted, failures
    if field.choices and accepted not in field.choices:
        shown = "it" if field.secret else repr(accepted)
        return accepted, [Failure(path, f"must be one of {', '.join(field.choices)}, not {shown}")]
    if field.problem is not None and (problem := field.problem(accepted)):
        return accepted, [Failure(path, problem)]
    return accepted, []


def _typed(type_: FieldType, value: Any, path: str) -> tuple[Any, list[Failure]]:
    if value is UNKNOWN:
        return value, []
    if isinstance(type_, ListOf):
        if not isinstance(value, list | tuple):
            return value, [Failure(path, "must be a list")]
        pairs = [_typed(type_.item, item, f"{path}[{i}]") for i, item in enumerate(value)]
        items = [item for item, _ in pairs]
        if type_.unordered and all(isinstance(item, str) for item in items):
            items = sorted(set(items))
        return items, [failure for _, wrong in pairs for failure in wrong]
    if isinstance(type_, Object):
        if not isinstance(value, Mapping):
            return value, [Failure(path, "must be an object")]
        return accept(type_.fields, value, {}, f"{path}.")
    return _scalar(type_, value, path)


def _scalar(type_: Scalar, value: Any, path: str) -> tuple[Any, list[Failure]]:
    if type_ is Scalar.INTEGER:
        # The engine carries every number as a float, and provider settings as text.
        if isinstance(value, float) and value.is_integer():
            return int(value), []
        if isinstance(value, int) and not isinstance(value, bool):
            return value, []
        if isinstance(value, str) and value.isascii() and value.lstrip("-").isdigit():
            return int(value), []
        return value, [Failure(path, "must be a whole number")]
    if type_ is Scalar.BOOLEAN:
        if isinstance(value, bool):
            return value, []
        if value in ("true", "false"):
            return value == "true", []
        return value, [Failure(path, "must be true or false")]
    return value, [] if isinstance(value, str) else [Failure(path, "must be text")]


def is_known(value: Any) -> bool:
    """Whether there is no `UNKNOWN` anywhere in `value`."""
    if isinstance(value, list):
        return all(is_known(item) for item in value)
    if isinstance(value, dict):
        return all(is_known(item) for item in value.values())
    return value is not UNKNOWN


def load(fields: Iterable[Field], state: Mapping[str, Any]) -> Props:
    """State as the engine kept it, numbers as int again, unordered lists sorted; properties of an older provider
    that are no more in the table are dropped.
    """
    table = {f.name: f for f in fields}
    return {
        name: _typed(table[name].type, value, name)[0]
        for name, value in state.items()
        if name in table and value is not None
    }


def _unknown_name(name: str, table: Mapping[str, Field]) -> str:
    near = difflib.get_close_matches(name, table, n=1)
    return f"there is no such property; did you mean {near[0]}?" if near else "there is no such property"

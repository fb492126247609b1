"""Between Pulumi's property values and plain Python: unknown values, secrets and numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.runtime import rpc

from daiku.errors import DaikuError
from daiku.provider.fields import UNKNOWN, Field, FieldType, ListOf, Object, Props

# The engine's markers of unknown values: bool, number, string, list, object.
_UNKNOWN_MARKS = frozenset(
    {
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
        rpc.UNKNOWN,
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
    }
)


def plain(value: PropertyValue) -> Any:
    """A property as plain Python; secrets lose their mark, unknown values become `UNKNOWN`."""
    inner = value.value
    if isinstance(inner, str):
        return UNKNOWN if inner in _UNKNOWN_MARKS else inner
    if inner is None or isinstance(inner, bool | float):
        return inner
    if isinstance(inner, Mapping):
        return {key: plain(item) for key, item in inner.items()}
    if isinstance(inner, tuple | list):
        return [plain(item) for item in cast("Iterable[PropertyValue]", inner)]
    raise DaikuError(f"a property cannot be of type {type(inner).__name__}")


def plains(values: Mapping[str, PropertyValue]) -> Props:
    return {name: plain(value) for name, value in values.items()}


def marked(type_: FieldType, value: Any, secret: bool) -> PropertyValue:
    """Plain Python as a property, secrets marked at any depth."""
    if value is UNKNOWN:
        return PropertyValue(rpc.UNKNOWN, is_secret=secret)
    if isinstance(type_, Object) and isinstance(value, Mapping):
        table = {f.name: f for f in type_.fields}
        fields = {
            k: marked(table[k].type, v, table[k].secret)
            for k, v in cast("Props", value).items()
            if k in table
        }
        return PropertyValue(fields, is_secret=secret)
    if isinstance(type_, ListOf) and isinstance(value, list):
        return PropertyValue(
            [marked(type_.item, item, False) for item in cast("list[Any]", value)], is_secret=secret
        )
    if isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    return PropertyValue(value, is_secret=secret)


def marks(fields: Iterable[Field], values: Props, secrets: frozenset[str]) -> dict[str, PropertyValue]:
    """All of `values` that the table knows; `secrets` names more of them that the user made secret."""
    table = {f.name: f for f in fields}
    return {
        name: marked(table[name].type, value, table[name].secret or name in secrets)
        for name, value in values.items()
        if name in table and value is not None
    }


def secret_names(*values: Mapping[str, PropertyValue]) -> frozenset[str]:
    return frozenset(name for props in values for name, value in props.items() if value.contains_secret())

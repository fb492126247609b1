"""Chart values against the keys that a chart has: a chart takes a misspelt key without a word and goes on without it.

One file a chart lies in `data/known_keys/`, written from the chart's own values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from typing import Any, cast

import yaml

FREE = "*"
"""In place of keys: whatever is below belongs to another schema (labels, a pod's fields) and is not looked at."""


def unknown_keys(chart: str, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Dotted paths that the chart does not have. KeyError: there is no list for that chart."""
    return tuple(_unknown(values, known(chart)["keys"], ""))


@cache
def known(chart: str) -> Mapping[str, Any]:
    """The list of a chart: `seen`, the version that it was written from, and `keys`. KeyError when there is none."""
    file = files("daiku.render.data") / "known_keys" / f"{chart}.yaml"
    if not file.is_file():
        raise KeyError(chart)
    return yaml.load(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def _unknown(values: Mapping[str, Any], keys: object, path: str) -> Iterator[str]:
    if not isinstance(keys, dict):
        return
    there = cast("dict[str, Any]", keys)
    for key, value in values.items():
        match = key if key in there else next((k for k in there if FREE in k and fnmatchcase(key, k)), None)
        if match is None:
            yield f"{path}{key}"
        elif isinstance(value, Mapping):
            yield from _unknown(cast("Mapping[str, Any]", value), there[match], f"{path}{key}.")

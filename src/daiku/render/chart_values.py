"""Chart values against the keys that a chart has: a chart takes a misspelt key without a word and goes on without it.

`data/known_keys/CHART.txt` is a list of all keys of one version of the chart. Its first line names both; then every
line is a key, written as `helm --set` takes it: a dot between steps, `\\.` for a dot inside one. `*` is any name; as
the last step it also says that what is below belongs to another schema (labels, a pod's fields). `#` begins a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final, cast

import yaml

from daiku.errors import RenderError

ANY: Final = "*"
_STEP: Final = re.compile(r"(?<!\\)\.")

Keys = dict[str, "Keys | None"]
"""What is below a key, by name. None: anything."""


@dataclass(frozen=True, slots=True, eq=False)
class KnownKeys:
    """A chart's list: `version` is the chart's; `lines` are the keys as the list has them, `keys` the same nested."""

    chart: str
    version: str
    lines: tuple[str, ...]
    keys: Keys


def check_values(chart: str, content: bytes, where: str) -> None:
    """The values (YAML) that a chart is given; `where` names their file.

    RenderError: the chart does not have one of the keys, or nobody has listed its keys."""
    try:
        there = known(chart)
    except KeyError as error:
        raise RenderError(
            f"nobody has listed which values chart {chart} has, so a misspelt one would go unseen",
            where=where,
            hint=f"write src/daiku/render/data/known_keys/{chart}.txt as docs/rendering.md says",
        ) from error
    unknown = _judged(there, content)
    if unknown:
        told = ", ".join(key + _meant(there, key) for key in unknown)
        raise RenderError(
            f"chart {chart} {there.version} has no value {told}",
            where=where,
            hint="the chart would go on without a word, so nothing was rendered",
        )


def unknown_keys(there: KnownKeys, values: Mapping[str, Any]) -> tuple[str, ...]:
    """Keys that the chart does not have, as its list would write them."""
    return tuple(_unknown(values, there.keys, ""))


@cache
def known(chart: str) -> KnownKeys:
    """The list of a chart. KeyError: there is none."""
    file = files("daiku.render.data") / "known_keys" / f"{chart}.txt"
    if not file.is_file():
        raise KeyError(chart)
    return parse(file.read_text(encoding="utf-8"))


def parse(text: str) -> KnownKeys:
    """A list as its file has it. ValueError: its first line is not a chart and a version."""
    first, *rest = text.splitlines()
    chart, version = first.split()
    lines = tuple(line for line in rest if line and not line.startswith("#"))
    root: Keys = {}
    for line in lines:
        *above, last = (step.replace("\\.", ".") for step in _STEP.split(line))
        place = root
        for step in above:
            place = cast("Keys", place.setdefault(step, {}))
        place.setdefault(last, None if last == ANY else {})
    return KnownKeys(chart, version, lines, root)


@lru_cache(maxsize=64)
def _judged(there: KnownKeys, content: bytes) -> tuple[str, ...]:
    # The same values are rendered again and again: whenever one machine changes.
    return unknown_keys(there, yaml.load(content, Loader=yaml.CSafeLoader) or {})


def _unknown(values: Mapping[str, Any], keys: Keys, path: str) -> Iterator[str]:
    for key, value in values.items():
        here = path + str(key).replace(".", "\\.")
        match = key if key in keys else ANY
        if match not in keys:
            yield here
        elif (below := keys[match]) is not None and isinstance(value, Mapping):
            yield from _unknown(cast("Mapping[str, Any]", value), below, f"{here}.")


def _meant(there: KnownKeys, key: str) -> str:
    depth = len(_STEP.split(key))
    near = {".".join(_STEP.split(line)[:depth]) for line in there.lines}
    found = get_close_matches(key, sorted(near), 1, 0.8)
    return f" (is {found[0]} meant?)" if found else ""

"""The resolved form of a cluster file: everything that daiku will work with, and which of it nobody wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

from daiku.spec.defaults import fill
from daiku.spec.load import Loaded
from daiku.spec.source import Path

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_MARK = "# default"


def resolve(loaded: Loaded) -> dict[str, Any]:
    """Plain values with every default written out, keys as in the file. What is absent and has no default is null."""
    return fill(loaded.cluster).model_dump(mode="json", by_alias=True)


def as_yaml(loaded: Loaded) -> str:
    """The resolved form as YAML that loads to the same cluster; `# default` marks what the file does not say.

    Without a line end after the last line.
    """
    written = _Written(loaded)
    return "\n".join(_mapping(resolve(loaded), (), written, 0))


class _Written:
    """Whether a resolved setting stands in the file. The resolved nodes are sorted: their places are mapped back."""

    def __init__(self, loaded: Loaded) -> None:
        self._given = loaded.source.given
        self._places: dict[int, list[int]] = {}
        for position, pool in enumerate(loaded.cluster.gpu_pools):
            numbered = sorted((node.index, node.id, place) for place, node in enumerate(pool.nodes))
            self._places[position] = [place for _, _, place in numbered]

    def __call__(self, path: Path) -> bool:
        if len(path) > 3 and path[0] == "gpuPools" and path[2] == "nodes":
            place = self._places[cast("int", path[1])][cast("int", path[3])]
            path = (*path[:3], place, *path[4:])
        return self._given(path)


def _mapping(values: dict[str, Any], path: Path, written: _Written, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for key, value in values.items():
        here = (*path, key)
        mark = "" if written(here) else f"  {_MARK}"
        if isinstance(value, dict) and value:
            yield f"{pad}{key}:{mark}"
            yield from _mapping(cast("dict[str, Any]", value), here, written, depth + 1)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{pad}{key}:{mark}"
            yield from _items(cast("list[dict[str, Any]]", value), here, written, depth + 1)
        else:
            yield f"{pad}{key}: {_flow(value)}{mark}"


def _items(items: list[dict[str, Any]], path: Path, written: _Written, depth: int) -> Iterator[str]:
    pad = "  " * depth
    for place, item in enumerate(items):
        here = (*path, place)
        if any(isinstance(v, dict | list) for v in item.values()):
            first, *rest = _mapping(item, here, written, depth + 1)
            yield f"{pad}- {first.lstrip()}"
            yield from rest
        else:
            # One line an entry: a pool can have thousands of nodes.
            silent = [k for k in item if not written((*here, k))]
            yield f"{pad}- {_flow(item)}" + (f"  {_MARK}: {', '.join(silent)}" if silent else "")


def _flow(value: Any) -> str:
    if isinstance(value, dict):
        pairs = cast("dict[str, Any]", value).items()
        return "{ " + ", ".join(f"{k}: {_flow(v)}" for k, v in pairs) + " }" if value else "{}"
    if isinstance(value, list):
        return "[" + ", ".join(_flow(v) for v in cast("list[Any]", value)) + "]"
    if isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return json.dumps(value, ensure_ascii=False)

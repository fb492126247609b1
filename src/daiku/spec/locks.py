"""The releases that come with this daiku: one file of locked versions each, under `releases/`."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

import yaml


@cache
def names() -> tuple[str, ...]:
    """The releases that exist, oldest first."""
    folder = files("daiku.spec") / "releases"
    return tuple(sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml")))


def lock(name: str) -> dict[str, Any]:
    """The contents of a release's file; KeyError when there is none."""
    if name not in names():
        raise KeyError(name)
    text = (files("daiku.spec") / "releases" / f"{name}.yaml").read_text(encoding="utf-8")
    return yaml.load(text, Loader=yaml.CSafeLoader)

"""Secrets whose content the operator gave: it takes the marks' places on the way to the API server and nowhere else.

An object is known by what was rendered, so its digest is one of marks and tells nothing of the content. Whether the
live content is the one that was given is seen by comparing the two in memory.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from daiku.apply.cluster.model import Object, Ref, Wanted
from daiku.render.bundle import SECRET_MARK
from daiku.render.cluster_secrets import GIVEN_ANNOTATION

Source = Callable[[str], Mapping[str, bytes]]
"""What was given under a name, as the data of a Secret. It raises StateError for what cannot be read."""


def contents(wanted: Iterable[Wanted], source: Source | None) -> dict[Ref, dict[str, str]]:
    """The data, as base64, of every Secret of `wanted` that has marks.

    Read at once, so that nothing is sent when one of them cannot be. Errors of `source`; ValueError: there is none, or
    it knows nothing of a key.
    """
    found: dict[Ref, dict[str, str]] = {}
    for one in wanted:
        annotations = cast("dict[str, Any]", one.body["metadata"].get("annotations") or {})
        name = annotations.get(GIVEN_ANNOTATION)
        if one.ref.kind != "Secret" or one.ref.group or name is None:
            continue
        if source is None:
            raise ValueError(f"{one.ref}: no secrets to ask for {name}")
        data, mark = source(str(name)), SECRET_MARK.decode()
        marks = [key for key, value in cast("Object", one.body.get("data") or {}).items() if value == mark]
        if missing := sorted({*marks} - {*data}):
            raise ValueError(f"{one.ref}: {name} has no {', '.join(missing)}")
        found[one.ref] = {key: base64.b64encode(data[key]).decode() for key in marks}
    return found


def filled(body: Object, data: Mapping[str, str] | None) -> Object:
    """The object as it is sent: with `data` in the places of its marks, if there is any."""
    return body if data is None else {**body, "data": {**body["data"], **data}}

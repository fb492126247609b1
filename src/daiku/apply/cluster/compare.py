"""Comparing objects: whether a live one already is what is wanted, and which fields differ."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any, cast

from daiku.apply.cluster.model import DIGEST_ANNOTATION, OWNER_LABEL, FieldChange, Object, Wanted

_SERVER_METADATA = {"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}
"""What the server writes into every object by itself."""
_LIST_KEYS = ("name", "key", "type", "mountPath", "containerPort", "port")
"""What the items of lists are told apart by, where they carry it."""
_HIDDEN = "(secret)"


def marked(wanted: Wanted, cluster: str) -> Object:
    """The object as it is applied: with the owner's label, and with a digest of all the rest."""
    metadata: dict[str, Any] = {**wanted.body["metadata"]}
    metadata["labels"] = {**(metadata.get("labels") or {}), OWNER_LABEL: cluster}
    body = {**wanted.body, "metadata": metadata}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).hexdigest()
    annotations = {**(metadata.get("annotations") or {}), DIGEST_ANNOTATION: digest}
    return {**body, "metadata": {**metadata, "annotations": annotations}}


def same_mark(live: Object, applied: Object) -> bool:
    """Whether daiku last applied just this object."""
    mark = applied["metadata"]["annotations"][DIGEST_ANNOTATION]
    return cast("Object", live["metadata"].get("annotations") or {}).get(DIGEST_ANNOTATION) == mark


def settled(live: Object, applied: Object) -> bool:
    """Whether applying would surely change nothing, known without asking the server.

    The mark says that daiku last applied just this, so it owns just these fields; and each of them still has its
    value. False where the server writes a value in another way: then it must be asked.
    """
    return same_mark(live, applied) and _covers(live, applied)


def field_changes(before: Object, after: Object) -> tuple[FieldChange, ...]:
    """The meaningful fields that differ between two states of one object, by path.

    Left out: the status, what the server writes into every object's metadata, and daiku's digest.
    """
    secret = after.get("kind") == "Secret"
    old, new = dict(_leaves("", _meaningful(before))), dict(_leaves("", _meaningful(after)))
    found: list[FieldChange] = []
    for path in sorted({*old, *new}):
        was, now = old.get(path, ""), new.get(path, "")
        if was == now:
            continue
        if secret and path.startswith(("data.", "data[", "stringData.", "stringData[")):
            was, now = was and _HIDDEN, now and _HIDDEN
        found.append(FieldChange(path, was, now))
    return tuple(found)


def _covers(live: object, wanted: object) -> bool:
    if isinstance(wanted, dict):
        if not isinstance(live, dict):
            return False
        there = cast("Object", live)
        return all(
            key in there and _covers(there[key], value) for key, value in cast("Object", wanted).items()
        )
    if isinstance(wanted, list):
        items = cast("list[object]", wanted)
        if not isinstance(live, list) or len(cast("list[object]", live)) != len(items):
            return False
        return all(map(_covers, cast("list[object]", live), items))
    return type(live) is type(wanted) and live == wanted


def _meaningful(body: Object) -> Object:
    metadata = {key: value for key, value in body["metadata"].items() if key not in _SERVER_METADATA}
    annotations = cast("Object", metadata.get("annotations") or {})
    metadata["annotations"] = {key: value for key, value in annotations.items() if key != DIGEST_ANNOTATION}
    return {key: value for key, value in body.items() if key != "status"} | {"metadata": metadata}


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Path and JSON of every value that is no mapping and no list of mappings."""
    if isinstance(value, dict) and value:
        for key, inner in cast("Object", value).items():
            # A key with a dot would read as two steps.
            step = f"[{key}]" if "." in key or "/" in key else f".{key}" if path else key
            yield from _leaves(path + step, inner)
    elif (
        isinstance(value, list)
        and value
        and all(isinstance(item, dict) for item in cast("list[object]", value))
    ):
        items = cast("list[Object]", value)
        for name, item in zip(_names(items), items, strict=True):
            yield from _leaves(f"{path}[{name}]", item)
    elif value not in ({}, []):
        yield path, json.dumps(value, ensure_ascii=False, sort_keys=True)


def _names(items: list[Object]) -> list[str]:
    for key in _LIST_KEYS:
        values = [item.get(key) for item in items]
        if None not in values and len({str(value) for value in values}) == len(values):
            return [f"{key}={value}" for value in values]
    return [str(number) for number in range(len(items))]

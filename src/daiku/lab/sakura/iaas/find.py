"""`GET /resource?{...}`: the query document's filter, sort, paging and field selection, over the resources' views."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from daiku.lab.sakura.iaas.wire import Call, Reply, bad_request

_OPERATORS = (">=", "<=", ">", "<")
_MISSING = object()
MAX_COUNT = 10_000


def parse_query(raw: bytes) -> dict[str, Any]:
    """The query string, raw or percent-encoded, as its JSON document; `+` is a plus. 400 when it is no JSON object.

    Some clients put a cache-breaking `_=123` behind or instead of the document; only a document that starts with `{`
    is read, any other query string is ignored as the API ignores it.
    """
    text = unquote(raw.decode("utf-8", "replace"))
    if not text.lstrip().startswith("{"):
        return {}
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise bad_request("The query string is not valid JSON") from None
    return value


def listing(call: Call, key: str, views: list[dict[str, Any]]) -> Reply:
    """The list envelope over `views`, by the call's query."""
    query = call.query
    conditions = _object(query, "Filter")
    wanted = [view for view in views if _passes(view, conditions)]
    for field in reversed(_names(query, "Sort")):
        name = field.removeprefix("-")
        wanted.sort(key=lambda view, name=name: _order(_values(view, name)), reverse=field != name)
    start, count = _number(query, "From"), _number(query, "Count")
    page = wanted[start : start + (count or MAX_COUNT)]
    include, exclude = _names(query, "Include"), _names(query, "Exclude")
    if include or exclude:
        page = [{k: v for k, v in view.items() if _selected(k, include, exclude)} for view in page]
    shown = [{"Index": start + i, **view} for i, view in enumerate(page)]
    return Reply(200, {"From": start, "Count": len(shown), "Total": len(wanted), key: shown, "is_ok": True})


def _object(query: dict[str, Any], key: str) -> dict[str, Any]:
    value = query.get(key)
    if value in (None, []):
        return {}
    if not isinstance(value, dict):
        raise bad_request(f"{key} must be an object")
    return value


def _names(query: dict[str, Any], key: str) -> list[str]:
    value = query.get(key)
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise bad_request(f"{key} must be an array of field names")
    return value


def _number(query: dict[str, Any], key: str) -> int:
    value = query.get(key) or 0
    try:
        number = int(value)
    except (TypeError, ValueError, OverflowError):
        raise bad_request(f"{key} must be a number") from None
    if not 0 <= number < 2**31:
        raise bad_request(f"{key} is out of range")
    return number


def _selected(key: str, include: list[str], exclude: list[str]) -> bool:
    if include:
        return any(name.split(".")[0] in (key, "*") for name in include)
    return key not in exclude


def _passes(view: dict[str, Any], wanted: dict[str, Any]) -> bool:
    return all(_holds(view, key, value) for key, value in wanted.items())


def _holds(view: dict[str, Any], key: str, wanted: Any) -> bool:
    for operator in _OPERATORS:
        if key.endswith(operator):
            found = _values(view, key.removesuffix(operator))
            return any(_compare(value, operator, wanted) for value in found)
    found = _values(view, key)
    if isinstance(wanted, list):
        if any(isinstance(item, list) for item in wanted):
            return any(
                isinstance(i, list) and all(any(_equal(v, w) for v in found) for w in i) for i in wanted
            )
        return any(_equal(value, item) for value in found for item in wanted)
    if isinstance(wanted, str):
        words = wanted.split()
        return any(all(word.lower() in _text(value).lower() for word in words) for value in found)
    return any(_equal(value, wanted) for value in found)


def _values(view: Any, key: str) -> list[Any]:
    """All values behind a dotted key, through arrays; `Tags.Name` reads the array of tag names."""
    found = [view]
    for step in key.split("."):
        inner: list[Any] = []
        for value in found:
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict):
                    hit = item.get(step, _MISSING)
                    if hit is not _MISSING:
                        inner.append(hit)
                elif step == "Name" and isinstance(item, str):
                    inner.append(item)
        found = inner
    return [item for value in found for item in (value if isinstance(value, list) else [value])]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return "" if value is None else str(value)


def _equal(value: Any, wanted: Any) -> bool:
    if wanted is None or value is None:
        return value is wanted
    return _text(value) == _text(wanted)


def _compare(value: Any, operator: str, wanted: Any) -> bool:
    left, right = _order([value]), _order([wanted])
    if left[0] != right[0]:
        return False
    match operator:
        case ">":
            return left > right
        case ">=":
            return left >= right
        case "<":
            return left < right
        case _:
            return left <= right


def _order(values: list[Any]) -> tuple[int, int | float, str]:
    """A sort key over mixed types: nothing, then numbers, then texts."""
    value = values[0] if values else None
    if value is None:
        return (0, 0, "")
    if isinstance(value, int | float):
        return (1, value, "")
    return (2, 0, _text(value))

"""Bodies and query parameters of the PHY API: pydantic models in, the API's own problem details out."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from daiku.lab.sakura.phy.wire import Call, PhyError, Problems, invalid

M = TypeVar("M", bound="Fields")
MAX_NUMBER = 2**31
_CODES = {
    "missing": "required",
    "string_too_long": "max_length",
    "string_too_short": "min_length",
    "too_long": "max_length",
    "too_short": "min_length",
    "literal_error": "invalid_choice",
}


class Fields(BaseModel):
    """A request body. Types are strict: a number is no string, a string no boolean."""

    model_config = ConfigDict(strict=True, extra="allow", hide_input_in_errors=True)


def body(call: Call, model: type[M]) -> M:
    """The call's body; 400 with every faulty field. Unknown keys become warnings."""
    try:
        parsed = model.model_validate(call.body)
    except ValidationError as error:
        problems: Problems = {}
        for fault in error.errors(include_url=False, include_input=False, include_context=False):
            name = str(fault["loc"][0]) if fault["loc"] else "non_field_errors"
            problems.setdefault(name, []).append((_CODES.get(fault["type"], "invalid"), fault["msg"]))
        raise PhyError(400, problems=problems) from None
    call.warnings.extend(f"unknown key {key}" for key in sorted(parsed.model_extra or {}))
    return parsed


def number(call: Call, name: str, default: int) -> int:
    """A whole query parameter; the last one given counts."""
    values = call.query.get(name)
    if not values:
        return default
    text = values[-1]
    if not (
        text.isascii() and text.isdigit() and len(text) <= len(str(MAX_NUMBER)) and int(text) < MAX_NUMBER
    ):
        raise invalid(name, "invalid", "整数を指定してください。")
    return int(text)


def choice(call: Call, name: str, choices: tuple[str, ...], default: str = "") -> str:
    """A query parameter that is one of `choices`."""
    values = call.query.get(name)
    if not values:
        return default
    if values[-1] not in choices:
        raise invalid(name, "invalid_choice", f"{', '.join(choices)} のいずれかを指定してください。")
    return values[-1]


def several(call: Call, name: str, at_most: int, max_length: int = 50) -> list[str]:
    """A query parameter that may be repeated."""
    values = call.query.get(name, [])
    if len(values) > at_most:
        raise invalid(name, "max_length", f"{at_most}個以下で指定してください。")
    if any(len(value) > max_length for value in values):
        raise invalid(name, "max_length", f"{max_length}文字以下で指定してください。")
    return values


def identifiers(call: Call, name: str, at_most: int, *words: str) -> list[str]:
    """A query parameter of 12-digit ids, or of these words."""
    values = several(call, name, at_most)
    if not all(
        value in words or (len(value) == 12 and value.isascii() and value.isdigit()) for value in values
    ):
        raise invalid(name, "invalid", "IDの形式が正しくありません。")
    return values


def flag(call: Call, name: str) -> bool:
    return choice(call, name, ("true", "false", "1", "0", "True", "False"), "false").lower() in ("true", "1")


def page(call: Call, key: str, views: list[dict[str, Any]]) -> dict[str, Any]:
    """The list envelope: `meta.count` is the total."""
    offset, limit = number(call, "offset", 0), number(call, "limit", 10)
    return {"meta": {"count": len(views)}, key: views[offset : offset + limit]}


def ordered(views: list[tuple[dict[str, Any], Any]], *, descending: bool) -> list[dict[str, Any]]:
    """The views by their sort keys; equal ones keep their order."""
    return [view for view, _ in sorted(views, key=lambda pair: pair[1], reverse=descending)]

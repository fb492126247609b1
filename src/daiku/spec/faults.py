"""From pydantic's errors to faults that a person can act on: the key as written, plain words, and a likely remedy."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from daiku.errors import Fault
from daiku.spec.base import SecretRef
from daiku.spec.source import Path, Source
from daiku.spec.walk import choices, field_at, fields_at, inner


def explain_error(model: type[BaseModel], source: Source, error: ErrorDetails) -> Fault:
    """One fault for one of pydantic's errors about `model`."""
    path: Path = error["loc"]
    kind = error["type"]
    if kind == "missing":
        return _missing(model, source, path)
    if kind == "extra_forbidden":
        return _unknown_key(model, source, path)
    place = source.places.get(path)
    written = place.text if place is not None else None
    words = _WORDS.get(kind, _other)
    message, hint = words(error, written)
    if kind == "literal_error":
        message, hint = _not_a_choice(model, path, written)
    if kind == "string_pattern_mismatch":
        hint = _example(model, path)
    return _veiled(model, path, source.fault(path, message, hint))


def suggestion(word: str, known: Sequence[str]) -> str:
    """`did you mean ...?` when one of the known words is near, otherwise empty."""
    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if not near:
        folded = {_fold(k): k for k in known}
        near = [folded[_fold(word)]] if _fold(word) in folded else []
    return f"did you mean `{near[0]}`?" if near else ""


def _fold(word: str) -> str:
    return re.sub(r"[^a-z0-9]", "", word.lower())


def _missing(model: type[BaseModel], source: Source, path: Path) -> Fault:
    field = field_at(model, path)
    hint = (field.description or "") if field is not None else ""
    if field is not None and not hint:
        options = choices(field.annotation)
        hint = f"one of: {', '.join(map(str, options))}" if options else ""
    return source.fault(path, f"`{path[-1]}` is missing", hint or _example(model, path))


def _unknown_key(model: type[BaseModel], source: Source, path: Path) -> Fault:
    known = list(fields_at(model, path[:-1]))
    hint = suggestion(str(path[-1]), known) or f"known here: {', '.join(known)}"
    fault = source.fault(path, f"unknown setting `{path[-1]}`", hint, at_key=True)
    return _veiled(model, path[:-1], fault)


def _not_a_choice(model: type[BaseModel], path: Path, written: str | None) -> tuple[str, str]:
    field = field_at(model, path)
    options = [str(c) for c in choices(field.annotation)] if field is not None else []
    listed = ", ".join(options)
    if written is None:
        return f"must be one of: {listed}", ""
    return f"`{written}` is not one of: {listed}", suggestion(written, options)


def _example(model: type[BaseModel], path: Path) -> str:
    field = field_at(model, path)
    examples = (field.examples or []) if field is not None else []
    return f"for example {examples[0]}" if examples else ""


def _veiled(model: type[BaseModel], path: Path, fault: Fault) -> Fault:
    # The usual words repeat what was written.
    for depth in range(1, len(path) + 1):
        field = field_at(model, path[:depth])
        if field is not None and inner(field.annotation)[0] is SecretRef:
            return Fault(
                path=fault.path,
                message="must name where the secret is found, and never hold it",
                hint="for example { fromEnv: MY_SECRET }; the line is not shown",
                file=fault.file,
                line=fault.line,
                column=fault.column,
            )
    return fault


_Words = Callable[[ErrorDetails, str | None], tuple[str, str]]


def _limit(name: str, text: str) -> _Words:
    return lambda error, _written: (text.format(error.get("ctx", {}).get(name)), "")


def _wanted(what: str) -> _Words:
    def words(error: ErrorDetails, written: str | None) -> tuple[str, str]:
        value: Any = error["input"]
        if value is None:
            return f"is empty: {what} is wanted", "give a value, or remove the key to take the default"
        if isinstance(value, list):
            return f"{what} is wanted, not a list", ""
        if isinstance(value, dict):
            return f"{what} is wanted, not a mapping", ""
        return f"{what} is wanted, not `{written}`", ""

    return words


def _text(error: ErrorDetails, written: str | None) -> tuple[str, str]:
    value: Any = error["input"]
    if isinstance(value, bool):
        return f"`{written}` is read as true or false; text is wanted", f'write it in quotes: "{written}"'
    if isinstance(value, int | float):
        return f"`{written}` is read as a number; text is wanted", f'write it in quotes: "{written}"'
    return _wanted("text")(error, written)


def _integer(error: ErrorDetails, written: str | None) -> tuple[str, str]:
    value: Any = error["input"]
    message, hint = _wanted("a whole number")(error, written)
    if isinstance(value, str) and re.fullmatch(r"[1-9][0-9]{0,17}", value):
        hint = f"write it without quotes: {value}"
    return message, hint


def _value(error: ErrorDetails, _written: str | None) -> tuple[str, str]:
    message, _, hint = str(error.get("ctx", {}).get("error", error["msg"])).partition("; ")
    return message, hint


def _other(error: ErrorDetails, _written: str | None) -> tuple[str, str]:
    message = error["msg"]
    return message[:1].lower() + message[1:], ""


_WORDS: dict[str, _Words] = {
    "string_type": _text,
    "int_type": _integer,
    "int_from_float": _integer,
    "int_parsing": _integer,
    "bool_type": _wanted("true or false"),
    "tuple_type": _wanted("a list"),
    "model_type": _wanted("a mapping (key: value)"),
    "model_attributes_type": _wanted("a mapping (key: value)"),
    "greater_than_equal": _limit("ge", "must be at least {}"),
    "less_than_equal": _limit("le", "must be at most {}"),
    "too_short": _limit("min_length", "too few: at least {} wanted"),
    "too_long": _limit("max_length", "too many: at most {} allowed"),
    "string_pattern_mismatch": lambda _error, written: (f"`{written}` does not have the right form", ""),
    "value_error": _value,
}

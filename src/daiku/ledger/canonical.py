"""One value, one text: JSON whose bytes can be hashed.

The rules are those of RFC 8785 for the values that we write: keys sorted, no spaces, UTF-8, the shortest escapes, no
`NaN`. Numbers are whole and at most 2^53 - 1, because the text of fractions is where implementations differ; keys are
ASCII, because orders by code point and by UTF-16 unit differ beyond.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, cast

LARGEST = 2**53 - 1


def canonical(value: Any) -> bytes:
    """The bytes of `value` (text, whole numbers, booleans, None, lists and dictionaries of such).

    ValueError names the place of what has no canonical text: a fraction, a key that is no ASCII text, half a surrogate.
    """
    _check(value, "$")
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(value)).hexdigest()


def _check(value: Any, where: str) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{where}: half a surrogate has no UTF-8")
    elif isinstance(value, int):
        if abs(value) > LARGEST:
            raise ValueError(f"{where}: {value} is too large for a JSON number")
    elif isinstance(value, list | tuple):
        for position, one in enumerate(cast("list[Any]", value)):
            _check(one, f"{where}[{position}]")
    elif isinstance(value, dict):
        for key, one in cast("dict[Any, Any]", value).items():
            if not isinstance(key, str) or not key.isascii():
                raise ValueError(f"{where}: {key!r} is no ASCII text")
            _check(one, f"{where}.{key}")
    else:
        raise ValueError(f"{where}: {type(value).__name__} has no canonical JSON")  # noqa: TRY004 - bad values, one error

"""One value, one text."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daiku.ledger.canonical import LARGEST, canonical, digest_of

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-LARGEST, LARGEST)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(codec="ascii")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=PLAIN)
def test_it_reads_back_and_has_one_text(value: Any) -> None:
    text = canonical(value)
    assert json.loads(text) == value
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        # RFC 8785, section 3.2.2: what is escaped, and how.
        ('\u20ac$\u000f\nA\'B"\\\\"/\b\t\f\r\x7f', '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\t\\f\\r\x7f"'),
        ({"b": [1, True, None], "a": {}, "A": ""}, '{"A":"","a":{},"b":[1,true,null]}'),
        ((1, -0), "[1,0]"),
    ],
)
def test_the_text(value: Any, text: str) -> None:
    assert canonical(value) == text.encode()


def test_the_order_of_keys_does_not_count() -> None:
    assert digest_of({"a": 1, "b": 2}) == digest_of({"b": 2, "a": 1}) != digest_of({"a": 2, "b": 1})


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ({"a": [1, 0.5]}, r"\$\.a\[1\]"),
        (float("nan"), r"\$"),
        ({"é": 1}, r"é"),
        ({1: 1}, "1"),
        (2**53, "too large"),
        ("\ud800", "surrogate"),
        ({"a": {1, 2}}, r"\$\.a: set"),
    ],
)
def test_what_has_no_canonical_text_is_named(value: Any, place: str) -> None:
    with pytest.raises(ValueError, match=place):
        canonical(value)

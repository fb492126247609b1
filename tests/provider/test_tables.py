"""Checking inputs, differences and previews: pure, from tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daiku.provider.checking import accept, is_known, load
from daiku.provider.diffing import Kind, diff, foresee
from daiku.provider.fields import (
    BOOLEAN,
    INTEGER,
    STRING,
    UNKNOWN,
    Change,
    Failure,
    Field,
    ListOf,
    Object,
    ResourceType,
)  # fmt: skip

PART = Object(
    "Part",
    "A part.",
    (
        Field(name="at", type=STRING, description="d", required=True),
        Field(name="on", type=BOOLEAN, description="d", default=True, change=Change.LIVE),
        Field(name="key", type=STRING, description="d", secret=True, choices=("a", "b")),
    ),
)
THING = ResourceType(
    name="t:m:Thing",
    description="d",
    fields=(
        Field(name="name", type=STRING, description="d", required=True),
        Field(
            name="size",
            type=INTEGER,
            description="d",
            default=1,
            change=Change.REPLACE,
            reason="fixed at birth",
            problem=lambda v: "" if v > 0 else "must be positive",
        ),
        Field(name="tags", type=ListOf(STRING, unordered=True), description="d", default=[]),
        Field(name="parts", type=ListOf(PART), description="d", change=Change.RESTART, removal=Change.LIVE),
        Field(name="zone", type=STRING, description="d", default_from="zone"),
        Field(name="now", type=STRING, description="d", output=True, varies_with=("size",)),
        Field(name="born", type=STRING, description="d", output=True),
        Field(name="applied", type=BOOLEAN, description="d", output=True, wanted=True),
    ),
)


def checked(**given_: Any) -> tuple[dict[str, Any], list[Failure]]:
    return accept(THING.inputs, given_, {"zone": "z1"})


def test_defaults_settings_and_numbers_are_filled_in() -> None:
    accepted, failures = checked(name="a", size=2.0, tags=["b", "a", "b"], parts=[{"at": "x"}], __defaults=[])
    assert failures == []
    assert accepted == {
        "name": "a",
        "size": 2,
        "tags": ["a", "b"],
        "parts": [{"at": "x", "on": True}],
        "zone": "z1",
    }


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({}, "name", "required"),
        ({"name": 3.0}, "name", "text"),
        ({"name": "a", "size": 1.5}, "size", "whole"),
        ({"name": "a", "size": True}, "size", "whole"),
        ({"name": "a", "size": 0}, "size", "positive"),
        ({"name": "a", "szie": 1}, "szie", "did you mean size"),
        ({"name": "a", "tags": "x"}, "tags", "list"),
        ({"name": "a", "tags": [1.0]}, "tags[0]", "text"),
        ({"name": "a", "parts": ["x"]}, "parts[0]", "object"),
        ({"name": "a", "parts": [{}]}, "parts[0].at", "required"),
        ({"name": "a", "parts": [{"at": "x", "on": "maybe"}]}, "parts[0].on", "true or false"),
        ({"name": "a", "now": "x"}, "now", "no such"),
    ],
)
def test_each_fault_has_a_path_and_a_reason(inputs: dict[str, Any], path: str, reason: str) -> None:
    _, failures = checked(**inputs)
    assert [f.path for f in failures] == [path]
    assert reason in failures[0].reason


def test_all_faults_come_at_once_and_a_secret_is_not_repeated() -> None:
    _, failures = checked(size=0, parts=[{"at": "x", "key": "hunter2"}])
    assert {f.path for f in failures} == {"name", "size", "parts[0].key"}
    assert "hunter2" not in str(failures)


def test_what_is_not_known_yet_passes() -> None:
    accepted, failures = checked(name=UNKNOWN, size=UNKNOWN, parts=[{"at": UNKNOWN}])
    assert failures == []
    assert not is_known(accepted)


def changes(old: dict[str, Any], new: dict[str, Any]) -> list[tuple[str, Kind, Change]]:
    return [(c.path, c.kind, c.change) for c in diff(THING, old, new).changes]


BASE: dict[str, Any] = checked(name="a", parts=[{"at": "x"}, {"at": "y"}])[0]


@pytest.mark.parametrize(
    ("news", "expected"),
    [
        ({}, []),
        ({"name": "b"}, [("name", Kind.UPDATE, Change.LIVE)]),
        ({"size": 2}, [("size", Kind.UPDATE, Change.REPLACE)]),
        ({"size": UNKNOWN}, [("size", Kind.UPDATE, Change.REPLACE)]),
        ({"zone": None}, [("zone", Kind.DELETE, Change.LIVE)]),
        (
            {"parts": [{"at": "x", "on": False}, {"at": "z", "on": True}]},
            [("parts[0].on", Kind.UPDATE, Change.LIVE), ("parts[1].at", Kind.UPDATE, Change.RESTART)],
        ),
        (
            {"parts": [*BASE["parts"], {"at": "w", "on": True}]},
            [("parts[2]", Kind.ADD, Change.RESTART)],
        ),
        ({"parts": BASE["parts"][:1]}, [("parts[1]", Kind.DELETE, Change.LIVE)]),
        ({"parts": None}, [("parts", Kind.DELETE, Change.LIVE)]),
    ],
)
def test_differences(news: dict[str, Any], expected: list[tuple[str, Kind, Change]]) -> None:
    new = {k: v for k, v in {**BASE, **news}.items() if v is not None}
    assert changes(BASE, new) == expected


def test_an_output_that_must_have_a_value_is_a_difference() -> None:
    assert changes({**BASE, "applied": False}, BASE) == [("applied", Kind.UPDATE, Change.LIVE)]
    assert changes({**BASE, "applied": True}, BASE) == []


def test_a_state_older_than_a_property_has_its_default() -> None:
    old = {k: v for k, v in BASE.items() if k != "size"}
    assert changes(old, BASE) == []
    assert changes(old, {**BASE, "size": 2}) == [("size", Kind.ADD, Change.REPLACE)]


def test_a_difference_tells_what_it_does_and_why() -> None:
    difference = diff(THING, BASE, {**BASE, "size": 2, "name": "b"})
    assert difference.gravest is Change.REPLACE
    assert difference.replaces == ("size",)
    assert "size deletes it and makes a new one: fixed at birth" in [str(c) for c in difference.changes]


def test_a_preview_knows_what_stays() -> None:
    state = {**BASE, "now": "n", "born": "b", "applied": True}
    assert foresee(THING, None, BASE) == {**BASE, "now": UNKNOWN, "born": UNKNOWN, "applied": UNKNOWN}
    assert foresee(THING, state, {**BASE, "name": "b"}) == {**state, "name": "b"}
    assert foresee(THING, state, {**BASE, "size": 2})["now"] is UNKNOWN
    assert foresee(THING, state, {**BASE, "size": 2})["born"] == "b"


INPUTS = st.fixed_dictionaries(
    {"name": st.text(max_size=5)},
    optional={
        "size": st.integers(1, 9).map(float),
        "tags": st.lists(st.text("ab", max_size=2), max_size=4),
        "parts": st.lists(
            st.fixed_dictionaries({"at": st.text("xy", max_size=2)}, optional={"on": st.booleans()}),
            max_size=3,
        ),
    },
)


@given(INPUTS)
def test_what_is_accepted_is_accepted_again_and_no_difference(given_: dict[str, Any]) -> None:
    accepted, failures = accept(THING.inputs, given_, {})
    assert failures == []
    assert accept(THING.inputs, accepted, {}) == (accepted, [])
    assert load(THING.fields, accepted) == accepted
    assert diff(THING, accepted, accepted).changes == ()


@given(INPUTS, INPUTS)
def test_a_difference_is_seen_in_both_directions(a: dict[str, Any], b: dict[str, Any]) -> None:
    one, two = accept(THING.inputs, a, {})[0], accept(THING.inputs, b, {})[0]
    assert bool(diff(THING, one, two).changes) == bool(diff(THING, two, one).changes) == (one != two)

"""Whatever stands in a file: it makes a plan, or faults that each have a line. Never anything else."""

from __future__ import annotations

import copy
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from daiku.errors import Fault, SpecError
from daiku.plan.make import make
from daiku.plan.review import warnings
from daiku.spec.explain import as_yaml
from daiku.spec.load import parse
from tests.spec.cases import example

EXAMPLE = example()
VALUES: dict[str, Any] = yaml.safe_load(EXAMPLE)
quick = settings(max_examples=150, deadline=None)

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 5000),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(
        ["10.0.0.0/8", "10.10.0.0/30", "223.255.255.0/24", "1.2.3.4/32", "0.0.0.0/0", "10.10.0.1", "no", "~"]
    ),
    st.just([]),
    st.just({}),
    st.lists(st.integers(0, 3), max_size=3),
)


def faults_of(text: str) -> tuple[Fault, ...]:
    try:
        make(parse(text, "fuzz.yaml"))
    except SpecError as error:
        return error.faults or (Fault("", ""),)
    return ()


def check(text: str) -> None:
    faults = faults_of(text)
    assert all(f.line > 0 and f.message for f in faults)
    if faults:
        return
    loaded = parse(text, "fuzz.yaml")
    assert all(f.line > 0 for f in warnings(loaded))
    assert parse(as_yaml(loaded), "explained.yaml").digest == loaded.digest


@st.composite
def edits(draw: st.DrawFn) -> str:
    start = draw(st.integers(0, len(EXAMPLE)))
    end = min(len(EXAMPLE), start + draw(st.integers(0, 40)))
    return EXAMPLE[:start] + draw(st.text(max_size=12)) + EXAMPLE[end:]


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [p for k, v in items for p in [(*path, k), *places(v, (*path, k))]]


PLACES = places(VALUES)


@quick
@given(edits())
def test_any_edit_of_the_text(text: str) -> None:
    check(text)


@quick
@given(st.lists(st.tuples(st.sampled_from(PLACES), odd), min_size=1, max_size=3))
def test_any_value_at_any_place(edits: list[tuple[tuple[Any, ...], Any]]) -> None:
    values = copy.deepcopy(VALUES)
    for path, value in edits:
        target = values
        try:
            for part in path[:-1]:
                target = target[part]
            target[path[-1]] = value
        except (TypeError, KeyError, IndexError):
            continue
    check(yaml.dump(values, Dumper=yaml.CSafeDumper, allow_unicode=True, sort_keys=False))


@quick
@given(st.text(max_size=200))
def test_any_text(text: str) -> None:
    check(text)

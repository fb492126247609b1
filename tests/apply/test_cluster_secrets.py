"""A Secret that the operator gave is known by its marks, and its content is compared in memory alone."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from daiku.apply.cluster.compare import field_changes, marked, same_mark, settled
from daiku.apply.cluster.model import Wanted
from daiku.apply.cluster.secrets import contents, filled
from daiku.errors import StateError
from daiku.render.cluster_secrets import GIVEN_ANNOTATION

PIN = b"1234"


def secret(annotations: Mapping[str, str] | None = None, **data: str) -> Wanted:
    metadata: dict[str, Any] = {"name": "a", "namespace": "b", "annotations": annotations}
    return Wanted({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}, "a.yaml")


GIVEN = secret({GIVEN_ANNOTATION: "door"}, pin="@SECRET@")


def sent(pin: bytes) -> dict[str, Any]:
    data = contents([GIVEN], lambda name: {"pin": pin} if name == "door" else {})
    return filled(marked(GIVEN, "ishikari"), data[GIVEN.ref])


def test_the_content_takes_the_marks_place_on_the_way_alone() -> None:
    assert sent(PIN)["data"] == {"pin": base64.b64encode(PIN).decode()}
    assert GIVEN.body["data"] == {"pin": "@SECRET@"}


def test_no_digest_depends_on_the_content_so_none_can_be_guessed() -> None:
    one, other = sent(PIN), sent(b"4321")
    assert one["metadata"] == other["metadata"]
    assert same_mark(one, other)


def test_another_content_is_seen_and_not_shown() -> None:
    live = sent(PIN)
    assert settled(live, sent(PIN))
    assert not settled(live, sent(b"4321"))
    (change,) = field_changes(live, sent(b"4321"))
    assert (change.path, change.before, change.after) == ("data.pin", "(secret)", "(secret)")


def test_what_cannot_be_read_is_told_before_anything_is_sent() -> None:
    def missing(name: str) -> dict[str, bytes]:
        raise StateError(f"the secret {name} was not given")

    with pytest.raises(StateError, match="the secret door was not given"):
        contents([GIVEN], missing)
    with pytest.raises(ValueError, match="no secrets to ask for door"):
        contents([GIVEN], None)
    with pytest.raises(ValueError, match="door has no pin"):
        contents([GIVEN], lambda _name: {"other": b""})


def test_objects_of_others_are_left_as_they_are() -> None:
    theirs = secret(None, pin="MQ==")
    assert contents([theirs], None) == {}
    assert filled(theirs.body, None) is theirs.body

"""The marks by which a crashed run's objects are found again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from daiku.provider.identity import PENDING, carries, mark, own_tags, signed, unsigned


@given(st.text(), st.text())
def test_a_mark_fits_into_a_tag_and_is_the_same_in_every_run(namespace: str, urn: str) -> None:
    assert len(mark(namespace, urn)) == 29
    assert mark(namespace, urn) == mark(namespace, urn)


def test_two_backends_with_one_stack_name_do_not_adopt_each_other() -> None:
    marks = {mark(namespace, urn) for namespace in ("", "a", "b") for urn in ("urn:1", "urn:2")}
    assert len(marks) == 6


@given(st.text(max_size=200))
def test_a_description_keeps_its_text_and_carries_the_mark(text: str) -> None:
    identity = mark("", "urn")
    marked = signed(text, identity)
    assert unsigned(marked) == text
    assert carries(marked, identity)
    assert not carries(marked, mark("", "another"))


def test_users_see_their_own_tags_only() -> None:
    tags = ["b", mark("", "urn"), "@previous-id=112900000001", PENDING, "a", "@auto-reboot"]
    assert own_tags(tags) == ["@auto-reboot", "a", "b"]

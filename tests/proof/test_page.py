"""The page says what the rules say."""

from __future__ import annotations

from tests.proof.page import PAGE, written


def test_the_page_has_every_rule_as_it_is() -> None:
    page = PAGE.read_text()
    assert written(page) == page, "run: python -m tests.proof.page"

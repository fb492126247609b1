"""A property twice: on a few examples in the fast lane, on thousands in the slow one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis.strategies import SearchStrategy

Property = Callable[..., None]


def swept(few: int, many: int, **strategies: SearchStrategy[Any]) -> Callable[[Property], Property]:
    """As `given`, for a property without fixtures; with `many` examples it is marked slow."""

    def decorate(holds: Property) -> Property:
        @pytest.mark.parametrize("examples", [few, pytest.param(many, marks=pytest.mark.slow)])
        def test(examples: int) -> None:
            settings(max_examples=examples, deadline=None)(given(**strategies)(holds))()

        test.__name__, test.__doc__ = holds.__name__, holds.__doc__
        return test

    return decorate

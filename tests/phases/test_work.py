"""What the phases of a run share: the way to the API, and what is known of the cluster."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from daiku.apply.phases import work as module
from daiku.apply.phases.work import Work
from tests.phases.worlds import MACHINES, STANDING

FACTS = {m.name: STANDING for m in MACHINES if m.control_plane}


@dataclass
class Api:
    """An API server at the end of a tunnel."""

    well: bool = True
    closed: bool = False

    def ready(self) -> bool:
        return self.well


@dataclass
class Access:
    api: Api


def work() -> Work:
    unused: Any = None
    return Work(unused, MACHINES, {}, unused, unused, lambda _names: ())


def test_a_way_that_is_given_up_stays_open_for_those_who_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[Api] = []

    @contextmanager
    def api_access(*_: object) -> Generator[Access]:
        one = Api()
        opened.append(one)
        try:
            yield Access(one)
        finally:
            one.closed = True

    monkeypatch.setattr(module, "api_access", api_access)
    ours = work()
    first: Any = ours.api(FACTS)
    assert ours.api(FACTS) is first
    first.api.well = False
    assert ours.api(FACTS) is not first
    assert not first.api.closed, "another thread may be in a call"
    ours.close()
    assert len(opened) == 2
    assert all(one.closed for one in opened)

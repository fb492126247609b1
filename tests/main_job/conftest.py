"""Labs with the example cluster. One stands for the whole session; tests leave it as they found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daiku.lab.hosts import supports_namespaces
from tests.main_job.kit import PUBLIC, Done, Rehearsal

SCALE = "3000"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "main_job" in item.nodeid:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.timeout(300))
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", PUBLIC]))


@pytest.fixture(scope="session")
def number(worker_id: str) -> int:
    """This test process among its kind, so that their labs never meet."""
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    return int(worker_id.removeprefix("gw")) if worker_id.startswith("gw") else 0


@pytest.fixture(scope="session")
def lab(number: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A running lab in which nothing was made yet, or the cluster stands."""
    made = Rehearsal.prepare(tmp_path_factory.mktemp("main-job"), 21022 + 2 * number)
    try:
        made.ok("lab", "up", "--scale", SCALE)
        yield made
    finally:
        made.run("lab", "down")


@pytest.fixture(scope="session")
def first_up(lab: Rehearsal) -> Done:
    """What the `up` said that made everything from nothing."""
    return lab.ok("--lab", "up", "--yes", "--json")


@pytest.fixture
def cluster(lab: Rehearsal, first_up: Done) -> Rehearsal:
    """The cluster as the file says."""
    return lab

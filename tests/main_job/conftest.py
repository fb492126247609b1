"""Labs with the example cluster. One stands for the whole session; tests leave it as they found it."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daiku.lab.hosts import supports_namespaces
from tests.main_job.kit import PUBLIC, Done, Rehearsal
from tests.main_job.small import small as shape
from tests.main_job.small import up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "main_job" in item.nodeid:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.engine)
            item.add_marker(pytest.mark.timeout(1800 if item.get_closest_marker("kubernetes") else 900))
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", PUBLIC]))


@contextmanager
def rehearsal(folder: Path, shape: Callable[[str], str] = lambda text: text) -> Generator[Rehearsal]:
    """A running lab, of the example or what `shape` makes of its text; down again at the end."""
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    with socket.socket() as probe:
        probe.bind((PUBLIC, 0))
        port = probe.getsockname()[1]
    made = Rehearsal.prepare(folder, port, shape)
    try:
        made.ok("lab", "up", "--scale", "3000")
        yield made
    finally:
        made.run("lab", "down")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A running lab in which nothing was made yet, or the cluster stands."""
    with rehearsal(tmp_path_factory.mktemp("main-job")) as made:
        yield made


@pytest.fixture(scope="session")
def first_up(lab: Rehearsal) -> Done:
    """What the `up` said that made everything from nothing."""
    return lab.ok("--lab", "up", "--yes", "--json")


@pytest.fixture
def cluster(lab: Rehearsal, first_up: Done) -> Rehearsal:
    """The cluster as the file says."""
    return lab


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A small cluster that is up, Kubernetes and all. Tests leave it as whole as they found it."""
    with rehearsal(tmp_path_factory.mktemp("small"), shape) as made:
        up(made)
        yield made

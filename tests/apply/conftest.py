"""Lab hosts for the tests that converge real machines, and a fleet of SSH servers for those that need none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.lab.topology import Machine
from tests.apply.servers import Fleet
from tests.lab_hosts.kit import Lab, lab_of_a_cluster


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Lab]:
    with lab_of_a_cluster(tmp_path_factory.mktemp("apply"), worker_id) as made:
        yield made


@pytest.fixture
def machines(lab: Lab) -> dict[int, Machine]:
    """A bastion (2) and three hosts on fresh disks; the first host logs in as root, the others as ubuntu."""
    made = {n: lab.machine(n, login="root" if n == 3 else "ubuntu") for n in (2, 3, 4, 5)}
    lab.apply(*made.values())
    return made


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    made = Fleet(tmp_path)
    yield made
    for server in made.servers.values():
        server.close()

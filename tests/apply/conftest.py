"""Lab hosts for the tests that converge real machines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from daiku.lab.topology import Machine
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

"""Lab hosts for the tests that converge real machines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab_hosts.kit import Lab, lab_of_a_cluster


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Lab]:
    with lab_of_a_cluster(tmp_path_factory.mktemp("apply"), worker_id) as made:
        yield made

"""Lab hosts for the tests that converge real machines."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from daiku.lab.hosts import Hosts, supports_namespaces
from daiku.ledger.keys import ensure_deploy_key
from tests.lab_hosts.kit import Lab


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Lab]:
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    folder = tmp_path_factory.mktemp("apply")
    key, public = ensure_deploy_key(folder / "keys")
    shutil.copy(key, folder / "key")
    (folder / "key.pub").write_text(public)
    worker = int(worker_id.removeprefix("gw") or 0) if worker_id.startswith("gw") else 0
    said: list[str] = []
    with Hosts(folder / "state", log=said.append) as hosts:
        yield Lab(hosts, folder / "key", folder, f"127.77.210.{worker + 1}", said)

"""A running `Hosts` for a whole test file."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from daiku.lab.hosts import Hosts, supports_namespaces
from tests.lab_hosts.kit import Lab


@pytest.fixture(scope="session")
def namespaces() -> None:
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    if shutil.which("ssh") is None:
        pytest.skip("no `ssh` client on this machine: apt-get install openssh-client")


@pytest.fixture(scope="module")
def lab(namespaces: None, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("hosts")
    key = folder / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    said: list[str] = []
    worker = int(worker_id.removeprefix("gw") or 0) if worker_id.startswith("gw") else 0
    left: list[tuple[str, int]] = []
    with Hosts(folder / "state", log=said.append, left=lambda *one: left.append(one)) as hosts:
        yield Lab(hosts, key, folder, f"127.77.200.{worker + 1}", said, left)

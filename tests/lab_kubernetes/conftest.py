"""One cluster for all tests of a file: three control planes and a GPU server of the example, by the real kubeadm."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from daiku.lab.hosts import supports_namespaces
from tests.lab_kubernetes.kit import Cluster, running
from tests.render.plans import plan


@pytest.fixture(scope="session")
def namespaces() -> None:
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    if shutil.which("ssh") is None:
        pytest.skip("no `ssh` client on this machine: apt-get install openssh-client")


@pytest.fixture(scope="package")
def cluster(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    def prepare(built: Cluster) -> None:
        built.hosts.programs.build(lambda _: None)

    with running(tmp_path_factory.mktemp("kubernetes"), plan(), 220, prepare) as built:
        yield built

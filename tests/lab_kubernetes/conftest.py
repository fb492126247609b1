"""One cluster for all tests of a file: three control planes and a GPU server of the example, by the real kubeadm."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from daiku.lab.hosts import Hosts, supports_namespaces
from daiku.ledger.keys import ensure_deploy_key
from daiku.render.hosts import host_bundles
from tests.lab_kubernetes.kit import Cluster
from tests.render.plans import facts, plan

NAMES = ("ishikari-cp-1", "ishikari-cp-2", "ishikari-cp-3", "ishikari-h100-001")


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    if shutil.which("ssh") is None:
        pytest.skip("no `ssh` client on this machine: apt-get install openssh-client")
    folder = tmp_path_factory.mktemp("kubernetes")
    key, public = ensure_deploy_key(folder / "keys")
    shutil.copy(key, folder / "key")
    (folder / "key.pub").write_text(public)
    # Its own for each run: several may run side by side on one machine.
    address = f"127.77.220.{os.getpid() % 250 + 1}"
    made = plan()
    bundles = {bundle.host: bundle for bundle in host_bundles(made, facts(made))}
    with Hosts(folder / "state", log=lambda _: None) as hosts:
        hosts.programs.build(lambda _: None)
        built = Cluster(hosts, made, bundles, NAMES, folder / "key", address)
        built.apply()
        built.rendered()
        built.init()
        built.join(NAMES[1])
        with ThreadPoolExecutor(2) as pool:  # a worker joins whatever the control planes are at
            list(pool.map(built.join, NAMES[2:]))
        yield built

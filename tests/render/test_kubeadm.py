"""kubeadm's configuration as kubeadm itself reads it."""

from __future__ import annotations

import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.plan.make import make
from daiku.render.bundle import HostBundle
from daiku.render.host_kubernetes import DISCOVERY, KUBEADM, PATCHES
from daiku.render.hosts import host_bundles
from daiku.spec.load import parse
from tests.render.plans import facts

pytestmark = pytest.mark.kubernetes

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/**/*.yaml"))
PLANS = {path.stem: make(parse(path.read_text(), str(path))) for path in EXAMPLES}
FIRST, SERVER = "ishikari-cp-1", "ishikari-h100-001"


@cache
def bundles(example: str) -> dict[str, HostBundle]:
    made = PLANS[example]
    return {bundle.host: bundle for bundle in host_bundles(made, facts(made))}


def validate(kubeadm: Path, folder: Path, documents: list[Any]) -> str:
    """What kubeadm has against the documents, empty when nothing."""
    file = folder / "kubeadm.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    command = [kubeadm, "config", "validate", "--config", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    return done.stderr if done.returncode else ""


def documents(example: str, host: str, path: str) -> list[Any]:
    return list(yaml.safe_load_all(bundles(example)[host].file(path).content))


@pytest.mark.parametrize("example", PLANS)
def test_kubeadm_takes_the_first_control_planes_configuration(
    kubeadm: Path, example: str, tmp_path: Path
) -> None:
    assert validate(kubeadm, tmp_path, documents(example, FIRST, f"{KUBEADM}/init.yaml")) == ""


@pytest.mark.parametrize(
    ("example", "host"), [(name, node.name) for name, made in PLANS.items() for node in made.nodes]
)
def test_kubeadm_takes_every_join_once_the_discovery_file_is_there(
    kubeadm: Path, example: str, host: str, tmp_path: Path
) -> None:
    (join,) = documents(example, host, f"{KUBEADM}/join.yaml")
    assert join["discovery"]["file"]["kubeConfigPath"] == DISCOVERY
    discovery = tmp_path / "discovery.conf"
    discovery.write_text("apiVersion: v1\nkind: Config\n")
    join["discovery"]["file"]["kubeConfigPath"] = str(discovery)
    assert validate(kubeadm, tmp_path, [join]) == ""


@pytest.mark.parametrize("example", PLANS)
def test_kubeadm_takes_the_kubelet_configuration_of_a_gpu_server(
    kubeadm: Path, example: str, tmp_path: Path
) -> None:
    cluster, init, kubelet = documents(example, FIRST, f"{KUBEADM}/init.yaml")
    (patch,) = documents(example, SERVER, f"{PATCHES}/kubeletconfiguration+merge.yaml")
    assert validate(kubeadm, tmp_path, [cluster, init, kubelet | patch]) == ""
    assert "typo" in validate(kubeadm, tmp_path, [cluster, init, kubelet | patch | {"typo": 1}])

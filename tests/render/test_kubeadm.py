"""kubeadm's configuration as kubeadm itself reads it, when DAIKU_KUBEADM names the program."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.render.host_kubernetes import DISCOVERY, KUBEADM, PATCHES
from daiku.render.hosts import host_bundles
from tests.render.plans import facts, plan

PROGRAM = os.environ.get("DAIKU_KUBEADM", "")
pytestmark = pytest.mark.skipif(not PROGRAM, reason="DAIKU_KUBEADM names no kubeadm")

PLAN = plan()
BUNDLES = {bundle.host: bundle for bundle in host_bundles(PLAN, facts(PLAN))}
FIRST, SERVER = "ishikari-cp-1", "ishikari-h100-001"


def validate(folder: Path, documents: list[Any]) -> str:
    """What kubeadm has against the documents, empty when nothing."""
    file = folder / "kubeadm.yaml"
    file.write_text(yaml.safe_dump_all(documents))
    command = [PROGRAM, "config", "validate", "--config", str(file)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=30)
    return done.stderr if done.returncode else ""


def documents(host: str, path: str) -> list[Any]:
    return list(yaml.safe_load_all(BUNDLES[host].file(path).content))


def test_kubeadm_takes_the_first_control_planes_configuration(tmp_path: Path) -> None:
    assert validate(tmp_path, documents(FIRST, f"{KUBEADM}/init.yaml")) == ""


@pytest.mark.parametrize("host", BUNDLES)
def test_kubeadm_takes_every_join_once_the_discovery_file_is_there(host: str, tmp_path: Path) -> None:
    (join,) = documents(host, f"{KUBEADM}/join.yaml")
    assert join["discovery"]["file"]["kubeConfigPath"] == DISCOVERY
    discovery = tmp_path / "discovery.conf"
    discovery.write_text("apiVersion: v1\nkind: Config\n")
    join["discovery"]["file"]["kubeConfigPath"] = str(discovery)
    assert validate(tmp_path, [join]) == ""


def test_kubeadm_takes_the_kubelet_configuration_of_a_gpu_server(tmp_path: Path) -> None:
    cluster, init, kubelet = documents(FIRST, f"{KUBEADM}/init.yaml")
    (patch,) = documents(SERVER, f"{PATCHES}/kubeletconfiguration+merge.yaml")
    assert validate(tmp_path, [cluster, init, kubelet | patch]) == ""
    assert "typo" in validate(tmp_path, [cluster, init, kubelet | patch | {"typo": 1}])

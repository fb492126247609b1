"""Kubernetes' programs come to hosts that run already; whoever calls one before waits and is told."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from daiku.lab.tools.catalog import TOOLS
from tests.lab_hosts.kit import Lab

pytestmark = pytest.mark.lab


def script(folder: Path, name: str) -> Path:
    path = folder / name
    path.write_text('#!/bin/sh\necho "real $0 $*"\n')
    path.chmod(0o755)
    return path


def test_a_program_is_waited_for_with_a_line_and_runs_when_it_comes(lab: Lab, tmp_path: Path) -> None:
    lab.apply(lab.machine(9))
    missing = lab.try_ssh(9, "kubectl version")
    assert (missing.returncode, missing.stdout) == (127, "")
    assert "this lab builds no Kubernetes" in missing.stderr

    lab.hosts.programs.tell("building kubectl: 3 packages")
    waiting = subprocess.Popen(
        [*lab.ssh_command(9), "kubectl version -o yaml"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr
    assert waiting.stderr.readline() == (
        "kubectl waits until kubectl is built: building kubectl: 3 packages\n"
    )
    lab.hosts.programs.publish(TOOLS["kubectl"], script(tmp_path, "kubectl"))
    out, _ = waiting.communicate(timeout=30)
    assert (waiting.returncode, out.split()[0], out.split()[2:]) == (0, "real", ["version", "-o", "yaml"])

    lab.hosts.programs.fail("there is no Go")
    refused = lab.try_ssh(9, "kubeadm version")
    assert (refused.returncode, "there is no Go" in refused.stderr) == (127, True)
    assert lab.ssh(9, "kubelet --version") == f"Kubernetes v{TOOLS['kubeadm'].version}"


def test_a_static_pods_program_is_that_of_its_tag(lab: Lab, tmp_path: Path) -> None:
    lab.apply(lab.machine(10))
    for version in ("1.0.0", "2.0.0"):
        (tmp_path / version).mkdir()
        tool = replace(TOOLS["kube-scheduler"], version=version)
        lab.hosts.programs.publish(tool, script(tmp_path / version, "kube-scheduler"))
    for tag in ("v1.0.0", "v2.0.0"):
        pod = (
            "metadata: {name: p, namespace: kube-system}\nspec:\n  containers:\n"
            f"  - {{name: c, image: 'x/kube-scheduler:{tag}', command: [kube-scheduler, {tag}]}}\n"
        )
        lab.write(10, f"/etc/kubernetes/manifests/{tag}.yaml", pod)
    lab.write(10, "/var/lib/kubelet/config.yaml", "kind: KubeletConfiguration\n")
    lab.ssh(10, "systemctl restart kubelet")
    deadline = time.monotonic() + 20
    while True:
        said = lab.try_ssh(10, "cat /var/log/pods/*/c/0.log").stdout
        if {"1.0.0", "2.0.0"} <= {line.split("/")[-2] for line in said.splitlines()}:
            break
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    assert all(line.split("/")[-2] == line.split()[-1].removeprefix("v") for line in said.splitlines())


def test_a_host_has_the_version_that_its_own_disk_has(lab: Lab, tmp_path: Path) -> None:
    for version in ("1.0.0", "2.0.0"):
        (tmp_path / version).mkdir()
        tool = replace(TOOLS["kubeadm"], version=version)
        lab.hosts.programs.publish(tool, script(tmp_path / version, "kubeadm"))
    older = lab.machine(11)
    lab.apply(older, lab.machine(12))
    lab.ssh(11, "lab-packages kubeadm=1.0.0-1.1 kubelet=1.0.0")
    lab.ssh(12, "lab-packages kubeadm=2.0.0")
    said = [lab.ssh(number, "kubeadm version").split()[1].split("/")[-2] for number in (11, 12)]
    assert said == ["1.0.0", "2.0.0"]
    newest = TOOLS["kubeadm"].version
    assert [lab.ssh(number, "kubelet --version").split()[1] for number in (11, 12)] == [
        "v1.0.0",
        f"v{newest}",
    ]
    refused = lab.try_ssh(12, "lab-packages kubelet=3.0.0")
    assert (refused.returncode, "there is: 1.0.0, 2.0.0" in refused.stderr) == (100, True)
    # As long as the disk: a boot keeps it, a reinstalled machine has the lab's version.
    lab.apply(replace(older, boots=older.boots + 1), lab.machine(12))
    assert lab.ssh(11, "kubelet --version").split()[1] == "v1.0.0"
    lab.apply(lab.machine(11))
    assert lab.ssh(11, "kubelet --version").split()[1] == f"v{newest}"

"""What kubeadm itself keeps in the cluster is read as what the cluster was built with."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from daiku.apply.phases.work import CONFIGURATION, cluster_facts
from daiku.plan.make import make
from daiku.render.host_kubernetes import KUBEADM
from daiku.render.hosts import host_bundle
from daiku.spec.disruption import as_built, compare
from daiku.spec.load import parse
from daiku.wire.kubernetes import connect
from tests.kubernetes.control_plane import ControlPlane
from tests.render.plans import EXAMPLE, facts

pytestmark = pytest.mark.kubernetes


def test_what_kubeadm_uploads_tells_all_that_cannot_change(
    plane: ControlPlane, kubeadm: Path, tmp_path: Path
) -> None:
    made = parse(EXAMPLE.read_text(), "cluster.yaml")
    plan = make(made)
    init = host_bundle(plan, facts(plan), plan.by_role("control-plane")[0]).file(f"{KUBEADM}/init.yaml")
    for name, content in (("init.yaml", init.content), ("admin.conf", plane.admin.kubeconfig().encode())):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_bytes(content)
    command = [kubeadm, "init", "phase", "upload-config", "kubeadm"]
    command += ["--config", tmp_path / "init.yaml", "--kubeconfig", tmp_path / "admin.conf"]
    with connect(plane.admin) as api:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
            assert done.returncode == 0, done.stderr
            built = cluster_facts(api).built
        finally:
            namespace, name = CONFIGURATION
            place = {"name": name, "namespace": namespace}
            api.delete({"apiVersion": "v1", "kind": "ConfigMap", "metadata": place})
    assert len(built) == 7
    assert compare(as_built(made.cluster, built), made.cluster) == ()
    other = parse(EXAMPLE.read_text().replace("10.244.0.0/16", "10.240.0.0/16"), "cluster.yaml").cluster
    assert [c.path for c in compare(as_built(other, built), other) if c.refused] == ["network.pods.cidr"]

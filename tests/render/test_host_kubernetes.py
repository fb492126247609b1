"""What machines run Kubernetes with: containerd, kubeadm, and what a kubelet says of itself."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from daiku.plan.model import NodePlan
from daiku.render.bundle import HostBundle
from daiku.render.host_kubernetes import (
    first_control_plane,
    node_registration,
    reservation,
    reserved_cpus,
    reserved_gib,
)
from daiku.render.hosts import host_bundle
from tests.render.machines import BUNDLES, CONTROL, NODES, PLAN, SERVER, text
from tests.render.plans import facts


def documents(bundle: HostBundle, path: str) -> dict[str, Any]:
    return {d["kind"]: d for d in yaml.safe_load_all(text(bundle, path))}


def arguments(registration: dict[str, Any]) -> dict[str, str]:
    return {a["name"]: a["value"] for a in registration["kubeletExtraArgs"]}


@pytest.mark.parametrize("node", NODES)
def test_containerd(node: NodePlan) -> None:
    config = tomllib.loads(text(BUNDLES[node.name], "/etc/containerd/config.toml"))
    plugins = config["plugins"]
    runtimes = plugins["io.containerd.cri.v1.runtime"]["containerd"]["runtimes"]
    assert config["version"] == 3
    assert plugins["io.containerd.cri.v1.runtime"]["containerd"]["default_runtime_name"] == "runc"
    assert set(runtimes) == ({"runc", "nvidia"} if node.role == "gpu" else {"runc"})
    assert all(runtime["options"]["SystemdCgroup"] is True for runtime in runtimes.values())
    pause = dict(PLAN.release.images)["pause"]
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"]["sandbox"] == pause
    assert plugins["io.containerd.cri.v1.images"]["registry"]["config_path"] == "/etc/containerd/certs.d"
    assert plugins["io.containerd.nri.v1.nri"]["disable"] is False
    assert plugins["io.containerd.cri.v1.runtime"]["enable_cdi"] is True


def test_only_the_first_control_plane_can_begin_a_cluster() -> None:
    holders = [
        b.host for b in BUNDLES.values() if any(f.path.endswith("/kubeadm/init.yaml") for f in b.files)
    ]
    assert holders == [CONTROL] == [first_control_plane(PLAN)]


def test_kubeadm_init_matches_the_plan() -> None:
    made = documents(BUNDLES[CONTROL], "/etc/daiku/kubeadm/init.yaml")
    assert set(made) == {"ClusterConfiguration", "InitConfiguration", "KubeletConfiguration"}
    cluster = made["ClusterConfiguration"]
    assert cluster["controlPlaneEndpoint"] == "10.10.0.100:6443"
    assert cluster["kubernetesVersion"] == f"v{PLAN.release.kubernetes}"
    assert cluster["networking"] == {
        "podSubnet": PLAN.pods_cidr,
        "serviceSubnet": PLAN.services_cidr,
        "dnsDomain": PLAN.service_domain,
    }
    assert cluster["proxy"] == {"disabled": True}
    assert "10.10.0.100" in cluster["apiServer"]["certSANs"]
    assert {d["apiVersion"] for d in made.values()} == {
        "kubeadm.k8s.io/v1beta4",
        "kubelet.config.k8s.io/v1beta1",
    }
    # What every kubelet gets: a VM would not start with a reservation on a NUMA node that it lacks.
    assert not {"reservedMemory", "topologyManagerPolicy"} & made["KubeletConfiguration"].keys()


@pytest.mark.parametrize("node", NODES)
def test_kubeadm_join(node: NodePlan) -> None:
    join = documents(BUNDLES[node.name], "/etc/daiku/kubeadm/join.yaml")["JoinConfiguration"]
    assert ("controlPlane" in join) == (node.role == "control-plane")
    assert ("patches" in join) == (node.role == "gpu")
    assert join["discovery"] == {"file": {"kubeConfigPath": "/run/daiku/kubeadm/discovery.conf"}}
    given = arguments(join["nodeRegistration"])
    assert given["node-ip"] == node.address
    assert given["provider-id"] == f"sakura://is1b/{node.name}"
    assert dict(pair.split("=") for pair in given["node-labels"].split(",")) == dict(node.labels)
    assert join["nodeRegistration"]["name"] == node.name
    taints = join["nodeRegistration"]["taints"]
    expected = {"control-plane": ["node-role.kubernetes.io/control-plane"], "gpu": ["nvidia.com/gpu"]}
    assert [taint["key"] for taint in taints] == expected.get(node.role, [])


@pytest.mark.parametrize("node", NODES)
def test_a_kubelet_may_give_itself_every_label(node: NodePlan) -> None:
    allowed = re.compile(
        r"(kubernetes\.io/(hostname|os|arch)|(topology|node|kubelet)\.kubernetes\.io/.+|(?!.*(kubernetes|k8s)\.io/).+)"
    )
    labels = arguments(node_registration(node, ""))["node-labels"]
    assert all(allowed.fullmatch(label.partition("=")[0]) for label in labels.split(","))


def test_before_a_machine_was_made_it_has_no_provider_id() -> None:
    nothing = facts(PLAN).model_copy(update={"nodes": ()})
    join = documents(host_bundle(PLAN, nothing, PLAN.node(SERVER)), "/etc/daiku/kubeadm/join.yaml")
    assert "provider-id" not in arguments(join["JoinConfiguration"]["nodeRegistration"])


@pytest.mark.parametrize(
    ("taint", "read"),
    [
        ("a/b=c:NoSchedule", {"key": "a/b", "value": "c", "effect": "NoSchedule"}),
        ("a/b:NoExecute", {"key": "a/b", "effect": "NoExecute"}),
    ],
)
def test_a_taint_is_read(taint: str, read: dict[str, str]) -> None:
    node = PLAN.node(SERVER).model_copy(update={"taints": (taint,)})
    assert node_registration(node, "")["taints"] == [read]


@pytest.mark.parametrize("taint", ["a/b", "a/b=c", "a/b=c:Sometimes", ":NoSchedule"])
def test_an_odd_taint_is_refused(taint: str) -> None:
    node = PLAN.node(SERVER).model_copy(update={"taints": (taint,)})
    with pytest.raises(ValueError, match="not a taint"):
        node_registration(node, "")


def test_a_control_plane_without_taints_keeps_kubernetes_own() -> None:
    node = PLAN.node(CONTROL).model_copy(update={"taints": ()})
    assert "taints" not in node_registration(node, "")


@given(st.integers(64, 8192), st.integers(1, 8))
def test_reserved_memory_adds_up_and_leaves_the_most_to_pods(memory_gib: int, numa: int) -> None:
    kept = reservation(memory_gib, numa)

    def mebibytes(quantity: str) -> int:
        assert quantity.endswith("Mi")
        return int(quantity.removesuffix("Mi"))

    parts = [mebibytes(m) for m in kept.numa_memory]
    total = sum(mebibytes(m) for m in (kept.system_memory, kept.kube_memory, kept.eviction_memory))
    assert len(parts) == numa
    assert sum(parts) == total == reserved_gib(memory_gib) * 1024
    assert max(parts) - min(parts) <= 1
    assert total <= memory_gib * 1024 // 16
    assert int(kept.system_cpu) + int(kept.kube_cpu) == reserved_cpus()


def test_a_release_without_an_image_is_named() -> None:
    bare = PLAN.model_copy(update={"release": PLAN.release.model_copy(update={"images": ()})})
    with pytest.raises(ValueError, match=r"release 2026\.11 locks no image named 'pause'"):
        host_bundle(bare, facts(bare), bare.node(CONTROL))

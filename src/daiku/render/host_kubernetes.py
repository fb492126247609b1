"""A machine's part in Kubernetes as files: container runtime, kubeadm's configuration, the kubelet of GPU
nodes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar

from daiku.plan.model import NodePlan, Plan
from daiku.render.bundle import SECRET_MARK, HostFile
from daiku.render.engine import render
from daiku.render.images import KUBERNETES, image, registry

RUNTIME = "unix:///run/containerd/containerd.sock"
KUBEADM = "/etc/daiku/kubeadm"
PATCHES = f"{KUBEADM}/patches"
DISCOVERY = "/run/daiku/kubeadm/discovery.conf"
"""Made when a machine joins and removed afterwards: a kubeconfig with the join token. Never rendered."""
ENCRYPTION = f"{KUBEADM}/encryption"
"""On a control plane: what only the API server reads, at the same path inside its container."""
ENCRYPTION_FILE = f"{ENCRYPTION}/config.yaml"
ENCRYPTION_KEY = "etcd-encryption"
"""The secret's name on the operator's side."""
API_PORT = 6443
_RESERVED_CPUS = 2
_EVICTION_GIB = 1
_TAINT = re.compile(
    r"(?P<key>[^=:]+)(?:=(?P<value>[^=:]*))?:(?P<effect>NoSchedule|PreferNoSchedule|NoExecute)"
)


@dataclass(frozen=True, slots=True)
class Containerd:
    """`nvidia_runtime` is the path of the NVIDIA runtime, empty on machines without GPUs."""

    template: ClassVar[str] = "host/containerd.toml.j2"
    sandbox_image: str
    nvidia_runtime: str


@dataclass(frozen=True, slots=True)
class ContainerdUnit:
    template: ClassVar[str] = "host/containerd-unit.conf.j2"
    memlock: str


@dataclass(frozen=True, slots=True)
class Crictl:
    template: ClassVar[str] = "host/crictl.yaml.j2"
    endpoint: str


@dataclass(frozen=True, slots=True)
class KubeadmInit:
    template: ClassVar[str] = "host/kubeadm-init.yaml.j2"
    kubernetes_version: str
    cluster: str
    endpoint: str
    pods_cidr: str
    services_cidr: str
    service_domain: str
    api_names: tuple[str, ...]
    node_mask: str
    address: str
    api_port: int
    registration: dict[str, Any]
    runtime_endpoint: str
    image_repository: str
    dns_repository: str
    encryption_directory: str
    encryption_file: str


@dataclass(frozen=True, slots=True)
class Encryption:
    """How the API server writes Secrets. `mark` stands where the key will be, on the machine only."""

    template: ClassVar[str] = "host/encryption.yaml.j2"
    mark: str


@dataclass(frozen=True, slots=True)
class KubeadmJoin:
    """`api_port` is 0 for a worker; `patches` is empty where there are none (kubeadm wants the folder to
    exist)."""

    template: ClassVar[str] = "host/kubeadm-join.yaml.j2"
    discovery: str
    address: str
    api_port: int
    registration: dict[str, Any]
    patches: str


@dataclass(frozen=True, slots=True)
class Reserved:
    """What the kubelet of a GPU node keeps back, as Kubernetes quantities."""

    system_cpu: str
    system_memory: str
    kube_cpu: str
    kube_memory: str
    eviction_memory: str
    numa_memory: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class KubeletPatch:
    template: ClassVar[str] = "host/kubelet-patch.yaml.j2"
    topology_policy: str
    topology_scope: str
    reserved: Reserved


def kubernetes_files(plan: Plan, node: NodePlan, provider_id: str) -> tuple[HostFile, ...]:
    """The files of one machine. `provider_id` is empty before the machine was made.

    None has a trigger but containerd's: kubeadm reads the others when a machine joins or is upgraded.
    """
    gpu = node.role == "gpu"
    registration = node_registration(node, provider_id)
    containerd = Containerd(image(plan.release, "pause"), "/usr/bin/nvidia-container-runtime" if gpu else "")
    join = KubeadmJoin(
        DISCOVERY,
        node.address,
        API_PORT if node.role == "control-plane" else 0,
        registration,
        PATCHES if gpu else "",
    )
    files = [
        HostFile("/etc/containerd/config.toml", render(containerd), trigger="containerd"),
        HostFile("/etc/crictl.yaml", render(Crictl(RUNTIME))),
        HostFile(f"{KUBEADM}/join.yaml", render(join), mode=0o600),
    ]
    if node.role == "control-plane" and plan.encrypt_secrets:
        # Every API server has the same key: what one writes, each must read.
        content = render(Encryption(SECRET_MARK.decode()))
        files.append(HostFile(ENCRYPTION_FILE, content, mode=0o600, secret=ENCRYPTION_KEY))
    if node.name == first_control_plane(plan):
        files.append(HostFile(f"{KUBEADM}/init.yaml", render(_init(plan, node, registration)), mode=0o600))
    if gpu:
        pool = plan.pool(node.pool)
        reserved = reservation(node.memory_gib, pool.numa_nodes)
        patch = KubeletPatch(pool.topology_policy, pool.topology_scope, reserved)
        files += [
            HostFile(f"{PATCHES}/kubeletconfiguration+merge.yaml", render(patch)),
            HostFile(
                "/etc/systemd/system/containerd.service.d/10-daiku.conf",
                render(ContainerdUnit("infinity")),
                trigger="containerd",
            ),
        ]
    return tuple(files)


def first_control_plane(plan: Plan) -> str:
    """The control plane that `kubeadm init` runs on: the lowest index. Empty for a plan without any."""
    return min(((node.index, node.name) for node in plan.by_role("control-plane")), default=(0, ""))[1]


def node_registration(node: NodePlan, provider_id: str) -> dict[str, Any]:
    """kubeadm's `nodeRegistration`: name, labels, taints and provider ID.

    A control plane without taints of its own gets Kubernetes' usual one; any other machine has those of the
    plan.
    """
    arguments = [{"name": "node-ip", "value": node.address}]
    if node.labels:
        labels = ",".join(f"{key}={value}" for key, value in sorted(node.labels))
        arguments.append({"name": "node-labels", "value": labels})
    if provider_id:
        arguments.append({"name": "provider-id", "value": provider_id})
    registration: dict[str, Any] = {"name": node.name, "criSocket": RUNTIME}
    if node.taints or node.role != "control-plane":
        registration["taints"] = [_taint(text) for text in node.taints]
    registration["kubeletExtraArgs"] = arguments
    return registration


def reserved_cpus() -> int:
    """Processors of a GPU node that no pod gets."""
    return 2 * _RESERVED_CPUS


def reserved_gib(memory_gib: int) -> int:
    """GiB of a GPU node's memory that no pod gets."""
    return 2 * _reserved_share_gib(memory_gib) + _EVICTION_GIB


def reservation(memory_gib: int, numa: int) -> Reserved:
    """What a GPU node with `memory_gib` of memory keeps back for the system, for Kubernetes and before
    eviction.

    A sixty-fourth each for the system and for Kubernetes, 1 to 16 GiB, and 1 GiB before pods are evicted;
    spread evenly over `numa` NUMA nodes, so that the parts add up to the sum to the mebibyte.
    """
    share = _reserved_share_gib(memory_gib) * 1024
    base, rest = divmod(reserved_gib(memory_gib) * 1024, numa)
    return Reserved(
        system_cpu=str(_RESERVED_CPUS),
        system_memory=f"{share}Mi",
        kube_cpu=str(_RESERVED_CPUS),
        kube_memory=f"{share}Mi",
        eviction_memory=f"{_EVICTION_GIB * 1024}Mi",
        numa_memory=tuple(f"{base + (1 if place < rest else 0)}Mi" for place in range(numa)),
    )


def _reserved_share_gib(memory_gib: int) -> int:
    return min(max(memory_gib // 64, 1), 16)


def _init(plan: Plan, node: NodePlan, registration: dict[str, Any]) -> KubeadmInit:
    kubernetes_images = registry(plan.release, KUBERNETES)
    return KubeadmInit(
        kubernetes_version="v" + plan.release.kubernetes.removeprefix("v"),
        cluster=plan.cluster,
        endpoint=plan.api_endpoint,
        pods_cidr=plan.pods_cidr,
        services_cidr=plan.services_cidr,
        service_domain=plan.service_domain,
        api_names=plan.api_names,
        node_mask=str(plan.pods_node_mask),
        address=node.address,
        api_port=API_PORT,
        registration=registration,
        runtime_endpoint=RUNTIME,
        image_repository=kubernetes_images,
        dns_repository=f"{kubernetes_images}/coredns" if kubernetes_images else "",
        encryption_directory=ENCRYPTION if plan.encrypt_secrets else "",
        encryption_file=ENCRYPTION_FILE,
    )


def _taint(text: str) -> dict[str, str]:
    match = _TAINT.fullmatch(text)
    if match is None:
        raise ValueError(f"not a taint, KEY[=VALUE]:EFFECT: {text!r}")
    return {name: value for name, value in match.groupdict().items() if value}

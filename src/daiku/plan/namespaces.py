"""The namespaces that the cluster's own parts live in, and the names that no tenant may have because of them."""

from __future__ import annotations

RAILS = "rails"
SRIOV = "sriov-network-operator"
GPU = "gpu-operator"
CEPH = "rook-ceph"
"""Of the operator and the cluster, and the cluster's name: the CSI drivers' names begin with it."""
FLUID = "fluid-system"
FAST = "fast-tier"
KUEUE = "kueue-system"
MONITORING = "monitoring"
INGRESS = "ingress"
ACCEPTANCE = "acceptance"

PLATFORM = frozenset(
    {RAILS, SRIOV, GPU, CEPH, FLUID, FAST, KUEUE, MONITORING, INGRESS, ACCEPTANCE, "default", "multus"}
)
"""Names of namespaces that belong to the platform, whether this cluster has that part or not: a part that is turned
on later must find its place free."""


def owner(name: str) -> str:
    """Whose namespace that is, in words; empty when a tenant may have it."""
    if name.startswith("kube-"):
        return "Kubernetes'"
    if name == "default":
        return "everybody's"
    if name in PLATFORM or name.startswith(("cilium-", "daiku-")) or name.endswith("-system"):
        return "the platform's"
    return ""

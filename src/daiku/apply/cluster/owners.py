"""Which chart brings which API groups: what an object waits for when the cluster does not know its kind."""

from __future__ import annotations

from typing import Final

_CHARTS: Final = {
    "ceph.rook.io": "rook-ceph",
    "cilium.io": "cilium",
    "csi.ceph.io": "ceph-csi-drivers",
    "data.fluid.io": "fluid",
    "jobset.x-k8s.io": "jobset",
    "kubeflow.org": "mpi-operator",
    "kueue.x-k8s.io": "kueue",
    "leaderworkerset.x-k8s.io": "lws",
    "mellanox.com": "network-operator",
    "monitoring.coreos.com": "kube-prometheus-stack",
    "nfd.k8s-sigs.io": "gpu-operator",
    "nvidia.com": "gpu-operator",
    "objectbucket.io": "rook-ceph",
    "resource.nvidia.com": "dra-driver-nvidia-gpu",
    "sriovnetwork.openshift.io": "sriov-network-operator-chart",
    "trainer.kubeflow.org": "kubeflow-trainer",
    "traefik.io": "traefik",
    "whereabouts.cni.cncf.io": "whereabouts-chart",
}


def chart_of(group: str) -> str:
    """The chart that installs the definitions of an API group, "" where none is known."""
    return _CHARTS.get(group, "")

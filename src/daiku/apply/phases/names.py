"""The phases of `up`, in their order."""

from __future__ import annotations

from typing import Literal, get_args

Phase = Literal[
    "infrastructure",
    "hosts",
    "facts",
    "validation",
    "control-plane",
    "join",
    "workers",
    "add-ons",
    "checks",
]
PHASES: tuple[Phase, ...] = get_args(Phase)
SAYS: dict[Phase, str] = {
    "infrastructure": "machines and networks, by Pulumi",
    "hosts": "every machine holds its files, over SSH",
    "facts": "what the control planes are to Kubernetes now, and what its API says",
    "validation": "what makes the rest impossible is told before Kubernetes is touched",
    "control-plane": "kubeadm init on the first control plane",
    "join": "the other control planes, one after the other",
    "workers": "all other machines join, several at a time; labels and taints",
    "add-ons": "the cluster's own configuration, through its API",
    "checks": "every machine is a Ready node, every etcd member healthy, no join secret left",
}

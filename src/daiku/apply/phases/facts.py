"""Live facts: what a machine is to Kubernetes, and what the cluster says of its machines. Never a note of our own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from daiku.apply.phases.built import Built


@dataclass(frozen=True, slots=True)
class Member:
    """A member of etcd. `name` is empty until it has started once; a `learner` has no vote yet."""

    id: str
    name: str
    peers: tuple[str, ...] = ()
    learner: bool = False
    healthy: bool = False

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> Member:
        """From an entry of the host's own look."""
        peers = tuple(str(peer) for peer in answer["peers"])
        return cls(
            str(answer["id"]), str(answer["name"]), peers, bool(answer["learner"]), bool(answer["healthy"])
        )

    def is_of(self, name: str, address: str) -> bool:
        """Whether it is, or was to be, the member of the machine with that name and address."""
        return self.name == name or any(
            peer.partition("://")[2].rpartition(":")[0] == address for peer in self.peers
        )


@dataclass(frozen=True, slots=True)
class HostFacts:
    """A machine as it is. All false and empty: one that Kubernetes never touched.

    `joined`: its kubelet has credentials; `joining`: it was about to get them. `manifests`: its static pods. `ca`:
    digests of the certificates it trusts as the cluster's, two while they are rotated. `api`: "ok" or why its own API
    server is not ready, "" when it is to have none.
    `members` are etcd's as its own member lists them, `quorum`: its etcd serves reads that need one. `busy`: a
    kubeadm of an earlier run still works. `vip_file`: the load balancer's addresses are in its network's files.
    """

    busy: bool = False
    kubelet: str = ""
    joined: bool = False
    joining: bool = False
    manifests: tuple[str, ...] = ()
    etcd_data: bool = False
    ca: tuple[str, ...] = ()
    api: str = ""
    members: tuple[Member, ...] = ()
    quorum: bool = False
    vip_file: bool = False

    @classmethod
    def of(cls, answer: Mapping[str, Any]) -> HostFacts:
        """From what the host's own look answers."""
        etcd = answer["etcd"]
        return cls(
            busy=bool(answer["busy"]),
            kubelet=str(answer["kubelet"]),
            joined=bool(answer["joined"]),
            joining=bool(answer["joining"]),
            manifests=tuple(answer["manifests"]),
            etcd_data=bool(answer["etcd_data"]),
            ca=tuple(answer["ca"]),
            api=str(answer["api"]),
            members=tuple(Member.of(one) for one in etcd["members"]),
            quorum=bool(etcd["quorum"]),
            vip_file=bool(answer["vip_file"]),
        )

    @property
    def touched(self) -> bool:
        """Whether Kubernetes left anything here."""
        return bool(self.joined or self.joining or self.manifests or self.etcd_data or self.ca)


Effect = Literal["NoSchedule", "PreferNoSchedule", "NoExecute"]


@dataclass(frozen=True, slots=True)
class NodeSeen:
    """A Node of the cluster. `taints` are `KEY[=VALUE]:EFFECT`, sorted; `why` is the kubelet's word when not ready."""

    name: str
    ready: bool = False
    why: str = ""
    labels: Mapping[str, str] = field(default_factory=dict[str, str])
    taints: tuple[str, ...] = ()
    provider_id: str = ""
    version: str = ""
    uid: str = ""


RIGHTS = "the administrator's rights"
"""Missing when the API lets the administrator in and nothing do."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What the API says. `missing` are the parts of `kubeadm init` that are not there; `leftovers` are Secrets
    (namespace kube-system) of joins that are over. `built` are the settings that it was built with and that cannot
    change."""

    nodes: Mapping[str, NodeSeen] = field(default_factory=dict[str, NodeSeen])
    missing: tuple[str, ...] = ()
    leftovers: tuple[str, ...] = ()
    built: Built = field(default_factory=dict[tuple[str, ...], str | int])


@dataclass(frozen=True, slots=True)
class Live:
    """The live facts that decisions are made of. `hosts` by name; a machine that cannot be asked is not in it but in
    `silent`, with the reason. `cluster` is None while no API server answers."""

    hosts: Mapping[str, HostFacts]
    silent: Mapping[str, str] = field(default_factory=dict[str, str])
    cluster: ClusterFacts | None = None

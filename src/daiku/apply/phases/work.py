"""What the phases of one run share: the plan, the ways to the hosts and to the API, and who is told."""

from __future__ import annotations

import base64
import contextlib
import math
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Protocol

from daiku.apply.phases.access import Access, api_access
from daiku.apply.phases.built import built_with
from daiku.apply.phases.consent import Anything
from daiku.apply.phases.decide import Machine, Step
from daiku.apply.phases.facts import RIGHTS, ClusterFacts, HostFacts, Live, NodeSeen
from daiku.apply.phases.names import Phase
from daiku.apply.phases.reach import Reach
from daiku.apply.phases.remote import look
from daiku.apply.phases.secrets import (
    BOOTSTRAP_TYPE,
    CERTIFICATES,
    DESCRIPTION,
    NAMESPACE,
    PROXY_DESCRIPTION,
    TOKEN_MINUTES,
    JoinSecrets,
)
from daiku.errors import ApiError, CredentialsError, HostError, UnreachableError
from daiku.plan.model import Plan
from daiku.render.bundle import HostBundle
from daiku.wire.kubernetes import KubernetesApi, Object

CONFIGURATION = ("kube-system", "kubeadm-config")
PARTS = (
    CONFIGURATION,
    ("kube-system", "kubelet-config"),
    ("kube-public", "cluster-info"),
    ("kube-system", "coredns"),
)
"""ConfigMaps that `kubeadm init` writes, the last one at its end."""
UNKNOWN = 401
FORBIDDEN = 403
METADATA = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Teller(Protocol):
    """Who is told of what is done: the journal and the progress lines. Called from many threads."""

    def step(self, phase: Phase, host: str, what: str) -> AbstractContextManager[list[str]]:
        """Something is about to be changed. It may be refused by an exception; what was done is put into the list."""
        ...

    def detail(self, host: str, text: str) -> None:
        """What is happening right now."""
        ...


@dataclass
class Work:
    """One run over one cluster.

    `again` is the command that goes on after a failure. `settle` brings the named machines to their bundles, as the
    hosts phase does, and returns those that changed. `permit` raises HostError for a step that may not be taken.
    `left_out` are machines that failed before Kubernetes' turn.
    """

    plan: Plan
    machines: tuple[Machine, ...]
    bundles: Mapping[str, HostBundle]
    reach: Reach
    teller: Teller
    settle: Callable[[tuple[str, ...]], tuple[str, ...]]
    again: str = "daiku up"
    permit: Callable[[Step], None] = field(default_factory=Anything)
    left_out: Mapping[str, str] = field(default_factory=dict[str, str])
    secrets: JoinSecrets = field(default_factory=JoinSecrets.make)
    uploaded: bool = False
    """Whether the control planes' certificates were uploaded with this run's key."""
    _let_in: float = -math.inf
    _known: Live | None = None
    _access: Access | None = None
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def planes(self) -> tuple[Machine, ...]:
        return tuple(m for m in self.machines if m.control_plane)

    def machine(self, name: str) -> Machine:
        return next(m for m in self.machines if m.name == name)

    def looks(self, names: tuple[str, ...]) -> tuple[dict[str, HostFacts], dict[str, str]]:
        """The facts of those that answer, and why the others do not."""
        asked = [name for name in names if name not in self.left_out]
        answers = self.reach.each(
            asked, lambda name: look(self.reach.session(name), self.machine(name).address)
        )
        facts = {name: found for name, found in answers.items() if isinstance(found, HostFacts)}
        silent = {name: found.message for name, found in answers.items() if isinstance(found, HostError)}
        return facts, {**{n: self.left_out[n] for n in names if n in self.left_out}, **silent}

    def live(self) -> Live:
        """The control planes' facts and the cluster's word, as they were gathered last if nothing was done since."""
        return self._known or self.gather()

    def outdated(self) -> None:
        """Something was done: what is known of the cluster may be so no more."""
        self._known = None

    def gather(self) -> Live:
        """The control planes' facts and the cluster's word, now. CredentialsError: an API server is ready and does not
        let us in; HostError and other ApiErrors: it cannot be asked, or has trouble."""
        live = self.look_at_planes()
        self._known = replace(live, cluster=self.ask_cluster(live))
        return self._known

    def look_at_planes(self) -> Live:
        """The control planes' facts alone. Raises nothing for hosts that cannot be asked."""
        return Live(*self.looks(tuple(m.name for m in self.planes)))

    def ask_cluster(self, live: Live) -> ClusterFacts | None:
        """What the cluster says of itself, None while no API server answers. Errors as of `gather`."""
        if not any(one.api == "ok" for one in live.hosts.values()):
            return None
        try:
            return cluster_facts(self.api(live.hosts).api)
        except UnreachableError:
            return None
        except CredentialsError as error:
            # kubeadm gives the administrator its rights once the API server answers: init was cut off before.
            if error.status == FORBIDDEN:
                return ClusterFacts(missing=(RIGHTS,))
            if error.status != UNKNOWN:
                raise
            raise CredentialsError(
                f"the API server does not accept the administrator's certificate: {error.message}",
                where=error.where,
                hint=f"on a control plane: `kubeadm certs check-expiration`, `kubeadm certs renew admin.conf`; then: "
                f"{self.again}",
                status=error.status,
                code=error.code,
            ) from error

    def let_in(self, api: KubernetesApi) -> None:
        """Have this run's token stand in the cluster for some more minutes, so that machines can join. ApiError."""
        with self._lock:
            if time.monotonic() - self._let_in > TOKEN_MINUTES * 60 / 3:
                # The cluster ends it by its own clock, and ours may be hours off.
                api.apply(self.secrets.token_object(time.time() + api.ahead))
                self._let_in = time.monotonic()

    def let_nobody_in(self, api: KubernetesApi, names: tuple[str, ...]) -> None:
        """Delete these join secrets. ApiError."""
        self._let_in, self.uploaded = -math.inf, False
        forget_secrets(api, names)

    def api(self, facts: Mapping[str, HostFacts]) -> Access:
        """The API, through one tunnel as long as that leads to a server that is ready; `facts` tell who might be.

        One that is given up stays open until `close`, since other threads may be in a call of it. Errors of
        `api_access`.
        """
        planes = [m.name for m in self.planes if m.name in facts and facts[m.name].api == "ok"]
        with self._lock:
            if self._access is None or not self._access.api.ready():
                self._access = None
                self._access = self._open.enter_context(api_access(self.plan, self.reach, planes))
            return self._access

    def close(self) -> None:
        """Close the way to the API. The sessions are the caller's."""
        self._access = None
        self._open.close()


def cluster_facts(api: KubernetesApi) -> ClusterFacts:
    """What the API says of nodes, of `kubeadm init` and of join secrets. No Secret's content is kept. ApiError."""
    nodes = {node.name: node for node in (node_seen(body) for body in api.list("v1", "Node"))}
    parts = {(namespace, name): api.get("v1", "ConfigMap", name, namespace) for namespace, name in PARTS}
    missing = tuple(f"{namespace}/{name}" for (namespace, name), body in parts.items() if body is None)
    configuration = parts[CONFIGURATION]
    built = built_with((configuration or {}).get("data", {}).get("ClusterConfiguration", ""))
    return ClusterFacts(nodes, missing, join_secrets(api), built)


def join_secrets(api: KubernetesApi) -> tuple[str, ...]:
    """Names of the Secrets (in kube-system) with which machines could join: our tokens, the uploaded certificates, and
    the tokens that kubeadm makes to end these. Tokens that somebody else made are not ours to take."""
    path = f"/api/v1/namespaces/{NAMESPACE}/secrets"

    def listed(selector: str, **headers: str) -> list[Object]:
        answer = api.call("GET", path, query={"fieldSelector": selector}, headers=headers)
        return answer.get("items") or []

    known = {base64.b64encode(text.encode()).decode() for text in (DESCRIPTION, PROXY_DESCRIPTION)}
    tokens = listed(f"type={BOOTSTRAP_TYPE}")
    names = [one["metadata"]["name"] for one in tokens if (one.get("data") or {}).get("description") in known]
    names += [one["metadata"]["name"] for one in listed(f"metadata.name={CERTIFICATES}", Accept=METADATA)]
    return tuple(sorted(names))


def forget_secrets(api: KubernetesApi, names: tuple[str, ...]) -> None:
    """Delete these Secrets; what is gone already is well. ApiError."""
    for name in names:
        api.delete({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}})


def node_seen(body: Object) -> NodeSeen:
    """A Node as the API gives it."""
    status, spec = body.get("status") or {}, body.get("spec") or {}
    ready = next((c for c in status.get("conditions") or [] if c["type"] == "Ready"), {})
    return NodeSeen(
        name=body["metadata"]["name"],
        ready=ready.get("status") == "True",
        why=str(ready.get("message") or ready.get("reason") or "its kubelet never told its state"),
        labels=dict(body["metadata"].get("labels") or {}),
        taints=tuple(sorted(_taint(taint) for taint in spec.get("taints") or [])),
        provider_id=str(spec.get("providerID") or ""),
        version=str((status.get("nodeInfo") or {}).get("kubeletVersion") or ""),
        uid=str(body["metadata"].get("uid") or ""),
    )


def _taint(taint: Object) -> str:
    value = f"={taint['value']}" if taint.get("value") else ""
    return f"{taint['key']}{value}:{taint['effect']}"


def as_host_error(error: ApiError, host: str, step: str) -> HostError:
    """A failure of the API while `host` was worked on, as that host's."""
    return HostError(str(error), host=host, step=step, hint=error.hint)

"""What is to be done, and why: pure decisions over live facts. Shown by `daiku plan`, carried out by `daiku up`.

Two rules stand above all. A control plane whose etcd member has a vote is never reset: its data may be what the quorum
rests on. And no cluster is begun while a machine that could hold one is silent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from daiku.apply.phases.facts import RIGHTS, ClusterFacts, HostFacts, Live, Member, NodeSeen
from daiku.apply.phases.names import Phase
from daiku.errors import HostError, HostUnreachableError
from daiku.render.host_kubernetes import KUBEADM

STATIC_PODS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")
CONTROL_PLANE_LABEL = "node-role.kubernetes.io/control-plane"
_MAKES = {
    "kube-system/kubeadm-config": "upload-config kubeadm",
    "kube-system/kubelet-config": "upload-config kubelet",
    "kube-public/cluster-info": "bootstrap-token --skip-token-print",
    "kube-system/coredns": "addon coredns",
}
"""The phase of `kubeadm init` that makes each ConfigMap; without the configuration it would take kubeadm's defaults."""
_GIVE_RIGHTS = (
    "`kubectl --kubeconfig /etc/kubernetes/super-admin.conf create clusterrolebinding kubeadm:cluster-admins "
    "--clusterrole=cluster-admin --group=kubeadm:cluster-admins`"
)

Do = Literal[
    "wait",
    "drain",
    "init",
    "resume init",
    "forget etcd member",
    "delete node",
    "reset",
    "join",
    "restart kubelet",
    "mark",
    "clean up",
]


@dataclass(frozen=True, slots=True)
class Machine:
    """A machine as the plan wants it in Kubernetes. `taints` are `KEY[=VALUE]:EFFECT`."""

    name: str
    address: str
    control_plane: bool
    labels: Mapping[str, str]
    taints: tuple[str, ...] = ()
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `detail` is an etcd member's ID where one is to be forgotten."""

    phase: Phase
    host: str
    do: Do
    reason: str
    detail: str = ""


def problems(machines: Sequence[Machine], live: Live) -> tuple[HostError, ...]:
    """What makes bring-up impossible whatever is done: told before anything is touched."""
    found: list[HostError] = []
    holders = {
        m.name: live.hosts[m.name].ca
        for m in machines
        if m.control_plane and m.name in live.hosts and live.hosts[m.name].etcd_data
    }
    if not _of_one_cluster(list(holders.values())):
        told = ", ".join(f"{name} {_told(ca)}" for name, ca in sorted(holders.items()))
        found += [
            HostError(
                f"the control planes hold data of different clusters (their CAs: {told})",
                host=name,
                step="validation",
                hint="find out which machine belongs here; reinstall the other, then run the same command again",
            )
            for name in sorted(holders)
        ]
    found += [
        HostError(
            "it is no control plane in the plan, but holds data of etcd",
            host=m.name,
            step="validation",
            hint="save what is on it and reinstall it, or give it the role it has",
        )
        for m in machines
        if not m.control_plane and m.name in live.hosts and live.hosts[m.name].etcd_data
    ]
    return tuple(found)


def control_plane(machines: Sequence[Machine], live: Live) -> tuple[Step, ...]:
    """To have a cluster at all. HostError: nobody can tell whether there is one, or it cannot be gone on with."""
    planes = [m for m in machines if m.control_plane]
    first = planes[0]
    if waiting := _busy(planes, live, "control-plane"):
        return waiting
    here = live.hosts.get(first.name)
    if live.cluster is not None:
        if not live.cluster.missing:
            return ()
        if here is None or not here.etcd_data or _lived_in(first, live, live.cluster):
            raise _incomplete(first, planes, live, live.cluster.missing)
        missing = ", ".join(live.cluster.missing)
        return (_step("control-plane", first, "resume init", f"init did not end: {missing} missing"),)
    holders = [m.name for m in planes if m.name in live.hosts and live.hosts[m.name].etcd_data]
    silent = [m.name for m in planes if m.name not in live.hosts]
    if holders:
        untouched = all(m.name in live.hosts and not live.hosts[m.name].touched for m in planes[1:])
        if holders == [first.name] and untouched and here is not None:
            if here.kubelet == "active" and set(STATIC_PODS) <= set(here.manifests):
                return (_step("control-plane", first, "wait", f"its API server starts: {here.api}"),)
            return (
                _step("control-plane", first, "resume init", "init was cut off and etcd holds data already"),
            )
        told = f"{', '.join(holders)} hold{'s' if len(holders) == 1 else ''} the cluster's data"
        if silent:
            told += f" and {', '.join(silent)} cannot be asked"
        return (Step("control-plane", holders[0], "wait", f"{told}; no API server answers yet"),)
    if silent:
        raise HostUnreachableError(
            f"nobody can tell whether a cluster exists while it cannot be asked: {live.silent.get(silent[0], '')}",
            host=silent[0],
            step="control-plane",
            hint="switch it on or replace it, then run the same command again",
        )
    assert here is not None
    begin = _step("control-plane", first, "init", "no control plane holds a cluster")
    if here.touched:
        return (_step("control-plane", first, "reset", "an init was cut off before etcd held data"), begin)
    return (begin,)


def join(machine: Machine, machines: Sequence[Machine], live: Live) -> tuple[Step, ...]:
    """To have the control plane `machine` in the cluster, in order; () when it is, or when it cannot be asked.

    HostError: it cannot join without losing something.
    """
    here, cluster = live.hosts.get(machine.name), live.cluster
    if here is None or cluster is None:
        return ()
    if waiting := _busy([machine], live, "join"):
        return waiting
    members, ca = _reference(machine, machines, live)
    mine = [member for member in members if member.is_of(machine.name, machine.address)]
    voting = [member for member in mine if not member.learner]
    node = cluster.nodes.get(machine.name)
    if here.etcd_data and voting:
        if not _shared(here.ca, ca):
            raise HostError(
                f"its etcd member has a vote, but its CA is another ({_told(here.ca)}) than the cluster's "
                f"({_told(ca)})",
                host=machine.name,
                step="join",
                hint="put the cluster's CA back as /etc/kubernetes/pki/ca.crt: it is on the other control planes",
            )
        return _standing(machine, here, node)
    if here.quorum and here.etcd_data and not voting:
        raise HostError(
            "its etcd serves a cluster of its own, which is not the one of the other control planes",
            host=machine.name,
            step="join",
            hint="find out whose data it holds; if nobody needs it, reinstall the machine",
        )
    if voting:
        _may_forget(machine, voting, members)
    steps = [_step("join", machine, "forget etcd member", _why_forget(member), member.id) for member in mine]
    if node is not None:
        steps.append(
            _step("join", machine, "delete node", "its Node is of before: this machine has not joined")
        )
    if here.touched:
        steps.append(_step("join", machine, "reset", "a join was cut off before its etcd had a vote"))
    return (*steps, _step("join", machine, "join", "it is no control plane yet"))


def worker(machine: Machine, machines: Sequence[Machine], live: Live) -> tuple[Step, ...]:
    """To have the machine in the cluster as a worker, in order; () when it is, or when it cannot be asked."""
    here, cluster = live.hosts.get(machine.name), live.cluster
    if here is None or cluster is None:
        return ()
    if waiting := _busy([machine], live, "workers"):
        return waiting
    node = cluster.nodes.get(machine.name)
    _, ca = _reference(machine, machines, live)
    if here.joined and _shared(here.ca, ca):
        if node is None:
            return (_step("workers", machine, "restart kubelet", "it has its credentials, but no Node"),)
        if here.kubelet != "active":
            return (
                _step("workers", machine, "restart kubelet", f"its kubelet is {here.kubelet or 'not there'}"),
            )
        return ()
    if here.joined and node is not None:
        raise HostError(
            f"it is a Node of the cluster, but its CA is another ({_told(here.ca)}) than the cluster's "
            f"({_told(ca)})",
            host=machine.name,
            step="workers",
            hint="put the cluster's CA back as /etc/kubernetes/pki/ca.crt; or, if nothing on it is needed, delete its "
            "Node, and it is reset and joined anew",
        )
    steps: list[Step] = []
    if node is not None:
        steps.append(
            _step("workers", machine, "delete node", "its Node is of before: this machine has not joined")
        )
    if here.touched:
        reason = "it belongs to another cluster" if here.joined else "a join was cut off"
        steps.append(_step("workers", machine, "reset", reason))
    return (*steps, _step("workers", machine, "join", "it is no node yet"))


def leftovers(cluster: ClusterFacts) -> tuple[Step, ...]:
    """Join secrets that nobody needs any more."""
    if not cluster.leftovers:
        return ()
    return (Step("checks", "", "clean up", f"join secrets are left: {', '.join(cluster.leftovers)}"),)


def forecast(machines: Sequence[Machine], live: Live) -> tuple[Step, ...]:
    """All that a run would do from here on, as far as can be told; a machine that was not looked at is passed over.

    HostError as `control_plane` and `join` raise them.
    """
    begin = control_plane(machines, live)
    if live.cluster is None:
        there = {step.host for step in begin}
        steps = list(begin)
        for m in machines:
            if m.control_plane and m.name in there:
                continue
            phase: Phase = "join" if m.control_plane else "workers"
            if m.name in live.hosts and live.hosts[m.name].touched:
                steps.append(
                    _step(phase, m, "reset", "it is of before: a join was cut off, or of another cluster")
                )
            steps.append(_step(phase, m, "join", "once the control plane stands"))
        return tuple(steps)
    steps = list(begin)
    for machine in machines:
        decided = join if machine.control_plane else worker
        steps += decided(machine, machines, live)
    return (*steps, *leftovers(live.cluster))


def _lived_in(first: Machine, live: Live, cluster: ClusterFacts) -> bool:
    """Whether the cluster has more than what `kubeadm init` makes: another Node, or another etcd member with a vote."""
    members = [member for facts in live.hosts.values() for member in facts.members if not member.learner]
    others = [member for member in members if not member.is_of(first.name, first.address)]
    return bool(others or set(cluster.nodes) - {first.name})


def _incomplete(first: Machine, planes: Sequence[Machine], live: Live, missing: Sequence[str]) -> HostError:
    """A cluster that lives lacks what `kubeadm init` made: only those parts are put back, and by a person."""
    serving = [m.name for m in planes if m.name in live.hosts and live.hosts[m.name].api == "ok"]
    where = first.name if first.name in serving or not serving else serving[0]
    config = f"--config {KUBEADM}/init.yaml"
    commands = dict.fromkeys(
        f"`kubeadm init phase {_MAKES[part]} {config}`" for part in missing if part in _MAKES
    )
    if RIGHTS in missing:
        commands[_GIVE_RIGHTS] = None
    copied = "" if where == first.name else f" (with a copy of that file of {first.name}'s)"
    return HostError(
        f"the cluster lacks {', '.join(missing)}, which `kubeadm init` made",
        host=where,
        step="control-plane",
        hint=f"on {where}{copied}: {', '.join(commands)}; then run the same command again",
    )


def _standing(machine: Machine, here: HostFacts, node: NodeSeen | None) -> tuple[Step, ...]:
    """A control plane whose etcd member has a vote: never reset, whatever else it lacks."""
    if here.api != "ok":
        return (_step("join", machine, "wait", f"its API server is not ready: {here.api or 'none runs'}"),)
    if node is None or here.kubelet != "active":
        reason = "it has no Node" if node is None else f"its kubelet is {here.kubelet or 'not there'}"
        return (_step("join", machine, "restart kubelet", reason),)
    if CONTROL_PLANE_LABEL not in node.labels:
        return (_step("join", machine, "mark", "its Node is not marked as a control plane"),)
    return ()


def _shared(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether both trust a certificate in common: while a CA is rotated, not all have the same set."""
    return bool(set(one) & set(other))


def _of_one_cluster(cas: Sequence[Sequence[str]]) -> bool:
    """Whether those who trust a certificate in common make one group."""
    if not cas:
        return True
    group, rest = set(cas[0]), list(cas[1:])
    while near := [ca for ca in rest if _shared(ca, tuple(group))]:
        group.update(*near)
        rest = [ca for ca in rest if ca not in near]
    return not rest


def _told(ca: Sequence[str]) -> str:
    return "+".join(one[:12] for one in ca) or "none"


def _reference(
    machine: Machine, machines: Sequence[Machine], live: Live
) -> tuple[tuple[Member, ...], tuple[str, ...]]:
    """etcd's members as a control plane with quorum has them, and the CAs that such ones trust; not `machine`'s own
    word if another's is to be had."""
    planes = [m for m in machines if m.control_plane and m.name in live.hosts]
    serving = [m for m in planes if live.hosts[m.name].quorum and live.hosts[m.name].api == "ok"]
    if asked := [live.hosts[m.name] for m in serving if m is not machine] or [
        live.hosts[m.name] for m in serving
    ]:
        return asked[0].members, tuple(sorted({one for facts in asked for one in facts.ca}))
    raise HostError(
        "no control plane that can be asked has both an etcd with quorum and an API server that is ready",
        host=machine.name,
        step="join",
        hint="see `daiku status`: more than half of the control planes must run; then run the same command again",
    )


def _may_forget(machine: Machine, mine: Sequence[Member], members: Sequence[Member]) -> None:
    """HostError unless etcd keeps its quorum without these members."""
    if any(member.healthy for member in mine):
        raise HostError(
            "etcd has a healthy member of its name, but the machine holds none of its data",
            host=machine.name,
            step="join",
            hint="two machines seem to have this name or address: switch the wrong one off",
        )
    gone = {member.id for member in mine}
    if lack := no_quorum(member for member in members if member.id not in gone):
        raise HostError(
            f"its old etcd member cannot be removed: {lack}",
            host=machine.name,
            step="join",
            hint="bring the other control planes up first, or restore etcd from a snapshot",
        )


def no_quorum(others: Iterable[Member]) -> str:
    """Why etcd would have no quorum with these members alone; "" when it would have one. Learners have no vote."""
    voting = [member for member in others if not member.learner]
    healthy = sum(member.healthy for member in voting)
    return "" if healthy > len(voting) // 2 else f"only {healthy} of the {len(voting)} others are healthy"


def _why_forget(member: Member) -> str:
    if member.learner:
        return "a join was cut off before its etcd member had a vote"
    return "the machine of this etcd member is gone: its successor could not join while it is listed"


def _busy(machines: Sequence[Machine], live: Live, phase: Phase) -> tuple[Step, ...]:
    return tuple(
        _step(phase, m, "wait", "a kubeadm of an earlier run still works on it")
        for m in machines
        if m.name in live.hosts and live.hosts[m.name].busy
    )


def _step(phase: Phase, machine: Machine, do: Do, reason: str, detail: str = "") -> Step:
    return Step(phase, machine.name, do, reason, detail)

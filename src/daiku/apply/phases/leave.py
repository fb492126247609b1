"""Machines that the plan has no more: what becomes of them in the cluster before and after they go.

They are known by what is there: a Node with a provider ID as daiku gives it, whose name is none of the plan's. A Node
that somebody else brought has another provider ID, or none, and is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from daiku.apply.phases.decide import Machine, Step, no_quorum
from daiku.apply.phases.facts import HostFacts, Live, NodeSeen
from daiku.apply.phases.names import Phase
from daiku.errors import HostError

OURS = ("sakura://", "sakura-phy://")
"""How the provider IDs begin that daiku gives."""
WHY = "the file has it no more"


def leaving(machines: Sequence[Machine], live: Live) -> tuple[NodeSeen, ...]:
    """The Nodes of machines that are none of `machines`, the plan's, by name."""
    nodes = live.cluster.nodes if live.cluster else {}
    known = {machine.name for machine in machines}
    return tuple(
        node
        for name, node in sorted(nodes.items())
        if name not in known and node.provider_id.startswith(OURS)
    )


def drains(machines: Sequence[Machine], live: Live) -> tuple[Step, ...]:
    """While their machines still stand, their pods go elsewhere. A Node that is not ready is passed over: nobody there
    would end the pods."""
    return tuple(
        Step("infrastructure", node.name, "drain", WHY) for node in leaving(machines, live) if node.ready
    )


def forgets(machines: Sequence[Machine], live: Live, phase: Phase) -> tuple[Step, ...]:
    """etcd gives up its members on them, one after the other; before (phase `infrastructure`) or after they are gone.
    Those that are not healthy go first, because they count against the quorum of the others; then by name.

    A step `wait` while no control plane that stays can be asked. HostError: etcd would lose its quorum.
    """
    names = {node.name for node in leaving(machines, live)}
    if not names:
        return ()
    source = _source(machines, live)
    if source is None:
        first = next(machine for machine in machines if machine.control_plane)
        return (Step(phase, first.name, "wait", "no control plane that stays has an etcd with quorum"),)
    members, steps = list(source.members), list[Step]()
    for member in sorted(source.members, key=lambda member: (member.healthy, member.name)):
        if member.name not in names:
            continue
        members.remove(member)
        if lack := no_quorum(members):
            raise HostError(
                f"its etcd member cannot be removed: {lack}",
                host=member.name,
                step="forget etcd member",
                hint="bring the other control planes up first (daiku status), then run the same command again",
            )
        steps.append(Step(phase, member.name, "forget etcd member", WHY, member.id))
    return tuple(steps)


def deletes(machines: Sequence[Machine], live: Live) -> tuple[Step, ...]:
    """When their machines are gone, so are their Nodes."""
    return tuple(Step("join", node.name, "delete node", WHY) for node in leaving(machines, live))


def _source(machines: Sequence[Machine], live: Live) -> HostFacts | None:
    for machine in machines:
        facts = live.hosts.get(machine.name)
        if machine.control_plane and facts and facts.quorum and facts.api == "ok":
            return facts
    return None

"""A model of a cluster in which everything is cut off anywhere: whatever the facts, what is decided is legal, loses no
data, and leads to the cluster that was wanted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daiku.apply.phases import decide
from daiku.apply.phases.decide import STATIC_PODS, Step
from daiku.apply.phases.facts import ClusterFacts, HostFacts, Live, Member
from daiku.errors import HostError
from tests.phases.worlds import (
    CA,
    FRESH,
    MACHINES,
    OTHER_CA,
    PLANES,
    STANDING,
    WORKERS,
    WORKING,
    member,
    node,
)

EXAMPLES = 50
PARTS = ("kube-public/cluster-info", "kube-system/coredns")


@dataclass
class World:
    """What really is. `members` are etcd's; a voting one whose host is on and has its data is healthy."""

    hosts: dict[str, HostFacts] = field(default_factory=lambda: {m.name: FRESH for m in MACHINES})
    on: dict[str, bool] = field(default_factory=lambda: {m.name: True for m in MACHINES})
    members: dict[str, Member] = field(default_factory=dict[str, Member])
    nodes: set[str] = field(default_factory=set[str])
    unmarked: set[str] = field(default_factory=set[str])
    finished: bool = False
    clusters: int = 0

    def holds(self, name: str) -> bool:
        """Whether the member of that host has a vote and its data."""
        voting = name in self.members and not self.members[name].learner
        return voting and self.hosts[name].etcd_data

    def quorum(self) -> bool:
        voters = [name for name, one in self.members.items() if not one.learner]
        return sum(self.holds(n) and self.on[n] for n in voters) > len(voters) / 2

    def live(self) -> Live:
        quorum = self.quorum()
        listed = tuple(
            replace(one, healthy=self.on[name] and quorum and self.holds(name))
            for name, one in sorted(self.members.items())
        )
        facts: dict[str, HostFacts] = {}
        for name, host in self.hosts.items():
            if not self.on[name]:
                continue
            mine = self.holds(name)
            serving = mine and quorum and set(host.manifests) == set(STATIC_PODS) and host.kubelet == "active"
            facts[name] = replace(
                host,
                members=listed if mine else (),
                quorum=mine and quorum,
                api="ok" if serving else "no answer" if host.manifests else "",
            )
        cluster = None
        if any(one.api == "ok" for one in facts.values()):
            seen = {m.name: node(m) for m in MACHINES if m.name in self.nodes}
            seen |= {n: replace(seen[n], labels={}) for n in self.unmarked if n in seen}
            cluster = ClusterFacts(seen, () if self.finished else PARTS)
        silent = {name: "no answer" for name, on in self.on.items() if not on}
        return Live(facts, silent, cluster)

    def do(self, step: Step, cut: int) -> None:
        """Do the first `cut` parts of a step: it may be cut off anywhere. Checks what must never happen."""
        name = step.host
        match step.do:
            case "reset":
                assert not self.holds(name), "a member with a vote was reset"
                self.hosts[name] = FRESH
            case "init" | "resume init":
                self._init(name, fresh=step.do == "init", cut=cut)
            case "join":
                self._join(name, cut)
            case "forget etcd member":
                victim = next(n for n, one in self.members.items() if one.id == step.detail)
                assert not (self.holds(victim) and self.on[victim]), "a living member was forgotten"
                assert self.quorum(), "etcd needs a quorum to forget a member"
                del self.members[victim]
                assert self.quorum(), "forgetting it cost the quorum"
            case "delete node":
                assert not self.holds(name), "the Node of a standing control plane was deleted"
                self.nodes.discard(name)
            case "restart kubelet":
                self.hosts[name] = replace(self.hosts[name], kubelet="active")
                self.nodes.add(name)
            case "mark":
                self.unmarked.discard(name)
            case "wait" | "clean up":
                self.hosts[name] = replace(self.hosts[name], busy=False)

    def _init(self, name: str, *, fresh: bool, cut: int) -> None:
        if fresh:
            assert not any(host.etcd_data for host in self.hosts.values()), "a second cluster was begun"
            assert not self.hosts[name].touched, "init on a machine that was touched"
            self.members, self.nodes, self.finished = {}, set(), False
        machine = next(m for m in PLANES if m.name == name)
        parts: list[dict[str, Any]] = [
            {"ca": CA},
            {"kubelet": "active", "joined": True},
            {"manifests": STATIC_PODS[:2]},
            {"manifests": STATIC_PODS, "etcd_data": True},
        ]
        for part in parts[:cut]:
            self.hosts[name] = replace(self.hosts[name], **part)
        if cut > 3 and not self.members:
            self.members[name] = member(machine)
            self.clusters += 1
        if cut > 4:
            self.nodes.add(name)
            self.finished = True

    def _join(self, name: str, cut: int) -> None:
        assert self.quorum(), "a join without a quorum"
        assert not self.hosts[name].touched, "a join of a machine that was touched"
        assert name not in self.nodes, "a join with an old Node"
        machine = next(m for m in MACHINES if m.name == name)
        if not machine.control_plane:
            for state in (HostFacts(ca=CA, joining=True), WORKING)[:cut]:
                self.hosts[name] = state
            if cut > 2:
                self.nodes.add(name)
            return
        assert name not in self.members, "a join while an old member is listed"
        steps: list[dict[str, Any]] = [
            {"ca": CA, "manifests": STATIC_PODS[1:]},
            {"joined": True, "kubelet": "active"},
            {"manifests": STATIC_PODS, "etcd_data": True},
            {},
        ]
        for number, part in enumerate(steps[:cut], 1):
            self.hosts[name] = replace(self.hosts[name], **part)
            if number == 2:
                self.nodes.add(name)
                self.unmarked.add(name)
            if number == 3:
                self.members[name] = member(machine, learner=True)
            if number == 4:
                self.members[name] = member(machine)
        if cut > 4:
            self.unmarked.discard(name)


def run(world: World, cuts: list[int]) -> list[HostError]:
    """One `up`, cut off by the first of `cuts` that says so; the failures of machines."""
    failures: list[HostError] = []

    def until_done(decided: Callable[[Live], tuple[Step, ...]]) -> bool:
        for _ in range(12):
            steps = decided(world.live())
            for step in steps:
                cut = cuts.pop() if cuts else 99
                world.do(step, cut)
                if cut < 99:
                    return False
                if step.do == "wait" and not world.hosts[step.host].busy:
                    break
            if not steps:
                return True
        return True

    try:
        if not until_done(partial(decide.control_plane, MACHINES)):
            return failures
    except HostError as error:
        return [error]
    for machine in MACHINES:
        decided = decide.join if machine.control_plane else decide.worker
        try:
            if not until_done(partial(decided, machine, MACHINES)):
                return failures
        except HostError as error:
            failures.append(error)
    return failures


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.lists(st.integers(0, 6) | st.just(99), max_size=12), max_size=4))
def test_cut_off_anywhere_the_next_run_ends_where_it_should(runs: list[list[int]]) -> None:
    world = World()
    for cuts in runs:
        run(world, list(cuts))
    assert run(world, []) == []
    assert world.clusters == 1
    assert world.quorum()
    assert world.nodes == {m.name for m in MACHINES}
    assert decide.forecast(MACHINES, world.live()) == ()


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["lose", "off", "on", "up"]),
            st.sampled_from([m.name for m in MACHINES]),
            st.lists(st.integers(0, 6) | st.just(99), max_size=6),
        ),
        max_size=10,
    )
)
def test_machines_may_be_lost_and_come_back_new(events: list[tuple[str, str, list[int]]]) -> None:
    """Nothing illegal is done whatever happens; and what kept its quorum is whole again in the end."""
    world = World()
    run(world, [])
    for event, name, cuts in events:
        if event == "lose":
            world.hosts[name], world.on[name] = FRESH, True
        elif event == "up":
            run(world, list(cuts))
        else:
            world.on[name] = event == "on"
    world.on = dict.fromkeys(world.on, True)
    kept = world.quorum()
    failures = run(world, [])
    if kept:
        assert failures == []
        assert decide.forecast(MACHINES, world.live()) == ()


@settings(max_examples=EXAMPLES, deadline=None)
@given(st.data())
def test_no_mix_of_facts_resets_what_holds_the_quorum(data: st.DataObject) -> None:
    """Facts that no history may have led to: half a host, a strange member, a silent neighbour."""
    flags = st.booleans()
    hosts: dict[str, HostFacts] = {}
    for machine in MACHINES:
        if not data.draw(flags, f"{machine.name} answers"):
            continue
        hosts[machine.name] = replace(
            STANDING if machine.control_plane and data.draw(flags) else FRESH,
            **{
                key: data.draw(flags, key)
                for key in ("busy", "joined", "joining", "etcd_data", "quorum")
                if data.draw(flags)
            },
            ca=data.draw(st.sampled_from([(), CA, OTHER_CA, (*CA, *OTHER_CA)])),
            api=data.draw(st.sampled_from(["", "ok", "no answer"])),
            members=tuple(
                member(m, healthy=data.draw(flags), learner=data.draw(flags))
                for m in PLANES
                if data.draw(flags)
            ),
        )
    nodes = {m.name: node(m) for m in MACHINES if data.draw(flags)}
    cluster = ClusterFacts(nodes, data.draw(st.sampled_from([(), PARTS]))) if data.draw(flags) else None
    live = Live(hosts, {m.name: "off" for m in MACHINES if m.name not in hosts}, cluster)
    for machine in PLANES:
        try:
            steps = decide.join(machine, MACHINES, live)
        except HostError:
            continue
        does = [step.do for step in steps]
        here = hosts.get(machine.name)
        if "reset" in does:
            assert here is not None
            assert not (here.quorum and here.etcd_data), "what serves was reset"
            reference = next(
                h
                for _, h in sorted(hosts.items(), key=lambda kv: kv[0] == machine.name)
                if h.quorum and h.api == "ok"
            )
            voting = [
                m for m in reference.members if m.is_of(machine.name, machine.address) and not m.learner
            ]
            assert not (voting and here.etcd_data), "a member with a vote was reset"
        order = ["forget etcd member", "delete node", "reset", "join"]
        assert [order.index(d) for d in does if d in order] == sorted(
            order.index(d) for d in does if d in order
        )
    for machine in WORKERS:
        try:
            does = [step.do for step in decide.worker(machine, MACHINES, live)]
        except HostError:
            continue
        assert "forget etcd member" not in does
    try:
        steps = decide.control_plane(MACHINES, live)
    except HostError:
        return
    if any(step.do in {"init", "reset"} for step in steps):
        assert not any(hosts[m.name].etcd_data for m in PLANES if m.name in hosts)
        assert all(m.name in hosts for m in PLANES)

"""How Kubernetes is shown: its state for `status`, the steps ahead for `plan`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from daiku.cli import acceptance, bringup, objects, output
from daiku.errors import ApiError, DaikuError, HostError, StateError

if TYPE_CHECKING:
    from daiku.apply.cluster.model import ClusterReport
    from daiku.apply.phases.decide import Machine, Step
    from daiku.apply.phases.facts import HostFacts, Live
    from daiku.cli.job import Job
    from daiku.observe.acceptance_jobs import Proof
    from daiku.plan.facts import Facts
    from daiku.plan.model import Plan

LOOK_SECONDS = 10.0
"""For each stage of a log-in: a control plane that is off is not waited for longer."""


@dataclass(frozen=True, slots=True)
class State:
    """What was seen. `by_vip`: the API answers at the load balancer's address; None: it does not answer at all.
    `trouble` is why, where an API server is ready and yet tells nothing. `proof` is what acceptance jobs came to, None
    where there are none; `unread` why that could not be read."""

    live: Live
    by_vip: bool | None
    proof: Proof | None = None
    unread: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Ahead:
    """The steps that `up` would take, what it would do to the cluster's objects (None where no API server can be
    asked), and what it would stop at."""

    steps: tuple[Step, ...] = ()
    stop: DaikuError | None = None
    objects: ClusterReport | None = None

    def __bool__(self) -> bool:
        return bool(self.steps or self.stop or (self.objects and self.objects.changed))

    @property
    def counts(self) -> tuple[int, int]:
        """How many objects would change, and how many charts."""
        if not self.objects:
            return 0, 0
        charts = sum(chart.what in ("install", "upgrade") for chart in self.objects.charts)
        return len(self.objects.changes), charts

    def show(self) -> None:
        show_steps(self.steps)
        if self.objects and (self.objects.changed or self.objects.failures):
            objects.show_changes(self.objects, diffs=True)
        if self.stop:
            output.note(f"Kubernetes: up would stop at {self.stop}")
            output.note(f"next: {self.stop.hint}")

    def as_json(self) -> dict[str, Any]:
        from daiku.plan.durations import of_step

        return {
            "phases": list(dict.fromkeys(step.phase for step in self.steps)),
            "steps": [
                {**asdict(step), "seconds": [takes.low, takes.high], "disturbs": takes.disturbs}
                for step in self.steps
                for takes in (of_step(step.do),)
            ],
            "stop": str(self.stop) if self.stop else None,
            "objects": objects.changes_json(self.objects) if self.objects else None,
        }


def show_steps(steps: Sequence[Step]) -> None:
    """The steps as a table in the order of their phases, nothing where there are none."""
    from daiku.apply.phases.names import PHASES
    from daiku.plan.durations import of_step, words

    if steps:
        rows = [
            [step.phase, step.host, step.do, step.reason, words(takes), takes.disturbs]
            for step in sorted(steps, key=lambda step: PHASES.index(step.phase))
            for takes in (of_step(step.do),)
        ]
        output.table(["phase", "machine", "Kubernetes", "why", "takes", "disturbs"], rows)


def look(job: Job, facts: Facts) -> State:
    """The control planes and the API, live. What cannot be reached is told in the State."""
    from daiku.observe.acceptance_jobs import look as look_at_jobs

    with bringup.looking(job, facts, timeout=LOOK_SECONDS) as work:
        live = work.look_at_planes()
        try:
            live = replace(live, cluster=work.ask_cluster(live))
            if live.cluster is None:
                return State(live, None)
            access = work.api(live.hosts)
        except (ApiError, HostError) as error:
            return State(live, None, trouble=str(error))
        try:
            return State(live, access.by_vip, look_at_jobs(job.plan, access.api))
        except ApiError as error:
            return State(live, access.by_vip, unread=str(error))


def forecast(job: Job, facts: Facts | None, fresh: frozenset[str] = frozenset()) -> Ahead:
    """What `up` would do to Kubernetes. `fresh` are machines that it makes (anew) first; before the first `up` all.
    SpecError: the file changes what the cluster was built with, and no record of ours tells that."""
    from daiku.apply.phases.addons import addons
    from daiku.apply.phases.decide import forecast as decide
    from daiku.apply.phases.facts import HostFacts, Live
    from daiku.apply.phases.marks import machines_of
    from daiku.apply.phases.run import forecast as ahead
    from daiku.render.cluster import cluster_tree

    try:
        if facts is None:
            machines = machines_of(job.plan, None)
            return Ahead(decide(machines, Live({m.name: HostFacts() for m in machines})))
        with bringup.looking(job, facts, timeout=LOOK_SECONDS) as work:
            every, unmade = machines_ahead(job.plan, facts)
            work.machines = tuple(m for m in every if m.name in fresh or m.name not in unmade)
            work.left_out = dict.fromkeys(fresh, "it is made first")
            if job.standing() is None:
                job.check_built(work.live().cluster)
            steps = ahead(work, fresh, removed=False)
            if work.live().cluster is None:
                return Ahead(steps)
            tree = cluster_tree(job.plan)
            charts = objects.charts(tree, None, lambda _line: None)
            rehearsed = addons(work, tree, charts=charts, secrets=job.given, dry_run=True)
            return Ahead(steps, objects=rehearsed)
    except (ApiError, HostError, StateError) as error:
        return Ahead(stop=error)


def machines_ahead(plan: Plan, facts: Facts) -> tuple[tuple[Machine, ...], dict[str, str]]:
    """All of the plan's machines, and those of them that were not made yet, with that as the reason not to ask them."""
    from daiku.apply.phases.marks import machines_of

    known = {machine.name: machine for machine in machines_of(plan, facts)}
    every = tuple(known.get(machine.name, machine) for machine in machines_of(plan, None))
    return every, {machine.name: "it is made first" for machine in every if machine.name not in known}


def show(job: Job, state: State) -> None:
    """The control planes, the nodes, and what acceptance jobs measured where there are any."""
    live = state.live
    output.table(
        ["control plane", "API server", "etcd", "node"],
        [[name, _api(live, name), _etcd(live, name), _node(live, name)] for name in _planes(job)],
        title=f"Kubernetes API {job.plan.api_endpoint}: {_endpoint(state)}",
    )
    if live.cluster is not None:
        bringup.show_nodes(job, live)
    if state.proof:
        acceptance.summarize(state.proof)
    elif state.unread:
        output.note(f"acceptance: its jobs cannot be read: {state.unread}")


def as_json(job: Job, state: State) -> dict[str, Any]:
    """The same for machines."""
    live = state.live
    return {
        "endpoint": job.plan.api_endpoint,
        "state": _endpoint(state),
        "control_planes": [
            {"name": name, "api": _api(live, name), "etcd": _etcd(live, name)} for name in _planes(job)
        ],
        "nodes": bringup.nodes_json(live),
        "acceptance": _acceptance(state),
    }


def _acceptance(state: State) -> dict[str, Any] | None:
    if state.proof:
        return acceptance.as_json(state.proof)
    return {"unread": state.unread} if state.unread else None


def _planes(job: Job) -> list[str]:
    return [node.name for node in job.plan.by_role("control-plane")]


def _endpoint(state: State) -> str:
    if state.trouble:
        return f"it cannot be asked: {state.trouble}"
    if state.by_vip is None:
        begun = any(facts.etcd_data for facts in state.live.hosts.values())
        return "unreachable" if begun or state.live.silent else "not begun: daiku up"
    return "ready" if state.by_vip else "ready on a control plane, but not by the load balancer"


def _api(live: Live, name: str) -> str:
    facts = live.hosts.get(name)
    if facts is None:
        return "unreachable"
    return "ready" if facts.api == "ok" else facts.api or "none"


def _etcd(live: Live, name: str) -> str:
    """The member as those see it that have a quorum."""
    source = _source(live)
    if source is None:
        facts = live.hosts.get(name)
        return "no quorum" if facts is None or facts.etcd_data else "none"
    mine = next((member for member in source.members if member.name == name), None)
    if mine is None:
        return "none"
    return "learner" if mine.learner else "healthy" if mine.healthy else "down"


def _source(live: Live) -> HostFacts | None:
    return next((facts for facts in live.hosts.values() if facts.quorum), None)


def _node(live: Live, name: str) -> str:
    if live.cluster is None:
        return "unknown"
    node = live.cluster.nodes.get(name)
    return "missing" if node is None else "ready" if node.ready else "not ready"

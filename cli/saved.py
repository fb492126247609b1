"""Saved plans: made from what `plan` finds, and looked at again before `up` carries one out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from daiku.cli import output
from daiku.errors import ApplyError, StalePlanError

if TYPE_CHECKING:
    from daiku.apply.phases.names import Phase
    from daiku.apply.planfile import FreshHost, SavedPlan
    from daiku.apply.report import FleetReport
    from daiku.cli.bringup import Brought
    from daiku.cli.common import HostOptions
    from daiku.cli.job import Job
    from daiku.cli.kubernetes import Ahead
    from daiku.plan.durations import Estimate
    from daiku.plan.facts import Facts
    from daiku.stacks.changes import PlannedChange, UpResult
    from daiku.stacks.engine import Engine


def saved_plan(
    job: Job,
    changes: Sequence[PlannedChange],
    facts: Facts | None,
    report: FleetReport | None,
    ahead: Ahead,
) -> SavedPlan:
    """What `plan` found, what is `ahead` of Kubernetes included, as the value that is saved. Changes of the engine's
    own bookkeeping are left out.

    ApplyError: a host that stands could not be compared, so what it would be done is not known.
    """
    from daiku import __version__
    from daiku.apply.planfile import KubernetesMove, ObjectMove, of_plan
    from daiku.cli.infra import of_the_world
    from daiku.ledger.lock import this_process

    me = this_process()
    world = of_the_world(changes)
    fresh = _fresh(job, world, facts)
    new = {one.host for one in fresh}
    unseen = [failure for failure in report.failures if failure.host not in new] if report else []
    if unseen:
        raise ApplyError(unseen, len(job.plan.nodes))
    return of_plan(
        job.plan,
        facts,
        tuple(_plain(asdict(change)) for change in world),
        tuple(one for one in report.reports if one.host not in new) if report else (),
        fresh,
        tuple(
            KubernetesMove(phase=step.phase, host=step.host, do=step.do, reason=step.reason)
            for step in ahead.steps
        ),
        ObjectMove.of(ahead.objects) if ahead.objects else None,
        secrets=job.secret_marks(),
        daiku=__version__,
        made_at=datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        made_by=f"{me.who}@{me.machine}",
    )


def check(
    job: Job,
    saved: SavedPlan,
    engine: Engine,
    progress: output.Progress,
    *,
    refresh: bool,
    how: HostOptions,
    until: Phase | None = None,
) -> None:
    """Make the plan anew, changing nothing. StalePlanError names what moved; ApplyError: a host cannot be compared.

    Called with the cluster's lock held, which a secret is set under, too: it stays as it is until the run ends.
    """
    from daiku.apply.saved import beyond, check_secrets, moved, refuse
    from daiku.cli import fleet, kubernetes
    from daiku.cli.infra import of_the_world

    with progress.step("compare with the saved plan"):
        check_secrets(saved, job.secret_marks())
        changes = engine.preview(refresh=refresh)
        facts = job.facts()
        report = fleet.converge(job, facts, progress, dry_run=True, how=how) if facts else None
        ahead = kubernetes.Ahead()
        if until not in ("infrastructure", "hosts"):
            ahead = kubernetes.forecast(job, facts, fresh_names(job, of_the_world(changes), facts))
    now = saved_plan(job, changes, facts, report, ahead)
    if until in ("infrastructure", "hosts"):  # nothing is done to Kubernetes, so nothing was looked at
        now = now.model_copy(update={"objects": saved.objects})
    refuse((*moved(saved, now), *beyond(saved, ahead.steps)))


def check_done(saved: SavedPlan, made: UpResult, report: FleetReport, cluster: Brought | None) -> None:
    """StalePlanError when something else was done than planned: the world moved in the seconds of the run."""
    from daiku.apply.planfile import ObjectMove
    from daiku.apply.saved import deviations, shortened
    from daiku.cli.infra import of_the_world

    done = ((change.urn, change.op) for change in of_the_world(made.changes))
    objects = ObjectMove.of(cluster.objects) if cluster and cluster.objects else None
    lines = deviations(saved, done, report.reports, made.facts, objects)
    if lines:
        told = "\n".join(f"  {line}" for line in shortened(lines))
        raise StalePlanError(
            f"the world moved while the plan was carried out, and this was done otherwise:\n{told}",
            hint="look at it with: daiku plan",
        )


def estimates(
    changes: Sequence[PlannedChange], report: FleetReport | None, fresh: int, ahead: Ahead
) -> tuple[Estimate, ...]:
    """How long each change takes, hosts and Kubernetes included."""
    from daiku.plan.durations import of_host, of_objects, of_resource, of_steps

    hosts = [
        of_host(len(one.changes), [t.name for t in one.triggers])
        for one in (report.reports if report else ())
        if one.changed
    ]
    new = [of_host(1, ("packages", "units", "containerd"), fresh=True)] if fresh else []
    steps = of_steps((step.phase, step.host, step.do) for step in ahead.steps)
    kubernetes = (*steps, *of_objects(*ahead.counts))
    return (*(of_resource(change.type, change.op) for change in changes), *hosts, *new, *kubernetes)


def fresh_names(job: Job, changes: Sequence[PlannedChange], facts: Facts | None) -> frozenset[str]:
    """Machines that do not stand, or that the changes make anew."""
    standing = {node.name for node in facts.nodes} if facts else set[str]()
    made = {change.name for change in changes if change.op in ("create", "replace")}
    return frozenset(
        node.name
        for node in job.plan.nodes
        if node.name not in standing or made & {node.name, f"{node.name}-{node.image}"}
    )


def _fresh(job: Job, changes: Sequence[PlannedChange], facts: Facts | None) -> tuple[FreshHost, ...]:
    """Machines that do not stand, or that the changes make anew: their files do not depend on what is there."""
    from daiku.apply.planfile import FreshHost
    from daiku.plan.facts import Facts, NodeFacts
    from daiku.render.hosts import host_bundle

    new = fresh_names(job, changes, facts)
    nodes = [node for node in job.plan.nodes if node.name in new]

    def supposing(provider_id: str) -> Facts:
        return Facts(
            cluster=job.plan.cluster,
            plan_digest=job.plan.digest(),
            router_address="",
            bastion_port=job.plan.router.bastion_port,
            nodes=tuple(
                NodeFacts(name=node.name, resource_id="", provider_id=provider_id, incarnation="")
                for node in nodes
            ),
        )

    one, other = supposing("one"), supposing("other")
    return tuple(
        FreshHost.of(host_bundle(job.plan, one, node), host_bundle(job.plan, other, node)) for node in nodes
    )


def _plain(value: dict[str, Any]) -> dict[str, Any]:
    """A change without what only helps to show it."""
    return {
        key: value[key] for key in ("urn", "type", "name", "op", "replace_reasons", "properties", "notes")
    }

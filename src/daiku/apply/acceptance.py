"""Runs the acceptance jobs one after the other: two at the same time would measure each other."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from daiku.apply.cluster.model import Wanted
from daiku.apply.cluster.order import order
from daiku.apply.cluster.parts import wanted_objects
from daiku.errors import DeadlineError
from daiku.observe.acceptance import NAMESPACE, SELECTOR
from daiku.observe.acceptance_jobs import ended
from daiku.plan.model import Plan
from daiku.render.acceptance import acceptance_tree
from daiku.wire.kubernetes import KubernetesApi, Object

COMMON = "common.yaml"
_POLL = 1.0
_GRACE_SECONDS = 120.0
"""For the controllers: to end a job that is over its deadline, and to take an old job's pods away."""


@dataclass(frozen=True, slots=True)
class Trial:
    """A job by name (`h100-ring`) and by what it checks in its pool (`ring`), and all that it needs besides the common
    objects. `deadline` is in seconds."""

    name: str
    check: str
    objects: tuple[Wanted, ...]
    deadline: float


def common(plan: Plan) -> tuple[Wanted, ...]:
    """What all jobs share: their namespace, who may talk to them, their scripts. Empty without GPU servers."""
    return order(one for one in wanted_objects(acceptance_tree(plan)) if one.source == COMMON)


def trials(plan: Plan) -> tuple[Trial, ...]:
    """Every job in the order in which they are to run. Empty without GPU servers."""
    by_file: dict[str, list[Wanted]] = {}
    for one in wanted_objects(acceptance_tree(plan)):
        if one.source != COMMON:
            by_file.setdefault(one.source, []).append(one)
    found: list[Trial] = []
    for file, objects in by_file.items():
        job = next(one.body for one in objects if one.ref.kind == "Job")
        name, pool = str(job["metadata"]["name"]), file.partition("/")[0]
        deadline = float(job["spec"]["activeDeadlineSeconds"])
        found.append(Trial(name, name.removeprefix(f"{pool}-"), order(objects), deadline))
    return tuple(found)


def run(
    api: KubernetesApi,
    trial: Trial,
    check: Callable[[], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """Run one job to its end: "Complete" or "Failed". The common objects are there.

    A job of that name that still runs is waited for; one that has ended is replaced, its logs go with it. `check` is
    called while waiting and may raise. ApiError; DeadlineError: nobody ends the job, or takes the old one away.
    """
    (job,) = (one.body for one in trial.objects if one.ref.kind == "Job")
    live = _live(api, job)
    if live is not None and ended(live):
        api.delete(live)
        _until(lambda: not _left(api, job), _GRACE_SECONDS, f"{trial.name}: the old job's end", check, sleep)
        live = None
    if live is None:
        for one in trial.objects:
            api.apply(one.body)
    result = ""

    def over() -> bool:
        nonlocal result
        result = ended(_live(api, job) or {})
        return bool(result)

    _until(over, trial.deadline + _GRACE_SECONDS, f"{trial.name}: the job's end", check, sleep)
    return result


def remove(api: KubernetesApi) -> bool:
    """Delete the jobs with their results and whatever they wrote; whether there were any. Kubernetes takes a while."""
    live = api.get("v1", "Namespace", NAMESPACE)
    if live is not None:
        api.delete(live)
    return live is not None


def _live(api: KubernetesApi, job: Object) -> Object | None:
    return api.get("batch/v1", "Job", job["metadata"]["name"], NAMESPACE)


def _left(api: KubernetesApi, job: Object) -> bool:
    """Whether anything of a deleted job is there: pods of it would be read as results of the next."""
    name = job["metadata"]["name"]
    return bool(_live(api, job) or api.list("v1", "Pod", namespace=NAMESPACE, labels=f"{SELECTOR}={name}"))


def _until(
    done: Callable[[], bool],
    seconds: float,
    what: str,
    check: Callable[[], None],
    sleep: Callable[[float], None],
) -> None:
    end = time.monotonic() + seconds
    while not done():
        check()
        if time.monotonic() > end:
            raise DeadlineError(
                f"not within {seconds:.0f} s: {what}",
                where=f"namespace {NAMESPACE}",
                hint=f"daiku kubectl -- -n {NAMESPACE} describe jobs",
            )
        sleep(_POLL)

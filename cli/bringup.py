"""What the verbs share that touch Kubernetes: composing the phases, telling what they do, and the table of nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from daiku.cli import output
from daiku.errors import (
    ApiError,
    ApplyError,
    AuditError,
    DaikuError,
    HostError,
    LockHeldError,
    SpecError,
    StalePlanError,
    StateError,
)

if TYPE_CHECKING:
    from daiku.apply.cluster.model import ClusterReport
    from daiku.apply.phases.decide import Step
    from daiku.apply.phases.facts import Live
    from daiku.apply.phases.names import Phase
    from daiku.apply.phases.reach import Reach
    from daiku.apply.phases.work import Work
    from daiku.apply.report import FleetReport
    from daiku.cli.job import Job
    from daiku.ledger.running import Running
    from daiku.plan.facts import Facts

    Consent = Callable[[Work], Callable[[Step], None]]
    """Looks at what is ahead of a run, and says what may be done: a call that raises HostError for what may not."""


LOOKING = ("facts", "validation")
"""Phases that change nothing."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What the Kubernetes phases came to: what was seen last, what failed on hosts and otherwise (objects, the API),
    how many steps changed something, and what became of the cluster's objects (None: their phase did not come)."""

    live: Live
    failures: tuple[HostError, ...]
    others: tuple[DaikuError, ...]
    changed: int
    objects: ClusterReport | None = None

    @property
    def well(self) -> bool:
        return not self.failures and not self.others


def until_option(context: click.Context, parameter: click.Parameter, value: str | None) -> Phase | None:
    """The phase of that name; a usage error with the nearest one for any other."""
    import difflib

    from daiku.apply.phases.names import PHASES, SAYS

    if value is None:
        return None
    for phase in PHASES:
        if phase == value:
            return phase
    close = difflib.get_close_matches(value, PHASES, n=1)
    tip = (
        f"did you mean {close[0]}?"
        if close
        else "they are:\n" + "\n".join(f"  {p}: {SAYS[p]}" for p in PHASES)
    )
    raise click.BadParameter(f"there is no phase {value!r}; {tip}", context, parameter)


class Teller:
    """Tells the journal and the progress lines what the phases do. Used from many threads."""

    def __init__(self, job: Job, run: Running, progress: output.Progress) -> None:
        self._journal = job.journal()
        self._run = run
        self._progress = progress
        self.changed = 0
        """How many steps changed something."""

    @contextmanager
    def step(self, phase: Phase, host: str, what: str) -> Generator[list[str]]:
        self._run.check()
        number = self._journal.begin_step(self._run.id, what, host)
        self._progress.line(f"  {host or phase}: {what}")
        did: list[str] = []
        try:
            yield did
        except BaseException as error:
            with contextlib.suppress(StateError):
                message = error.message if isinstance(error, DaikuError) else type(error).__name__
                self._journal.end_step(number, "failed", message)
            raise
        self._journal.end_step(number, "done" if did else "unchanged", "; ".join(did))
        self.changed += bool(did)

    def detail(self, host: str, text: str) -> None:
        self._progress.detail(f"{host} {text}")


class Silent:
    """Tells nobody: for verbs that only look."""

    @contextmanager
    def step(self, phase: Phase, host: str, what: str) -> Generator[list[str]]:
        raise AssertionError(f"{phase} {what} on {host or 'the cluster'}: this verb changes nothing")

    def detail(self, host: str, text: str) -> None:
        del host, text


def reach(job: Job, facts: Facts, *, timeout: float = 15.0) -> Reach:
    """The ways to the hosts, to be closed."""
    from daiku.apply.phases.reach import Reach
    from daiku.apply.targets import targets_of

    return Reach(
        targets_of(job.plan, facts), key_file=job.login(), host_keys=job.host_keys(facts), timeout=timeout
    )


@contextmanager
def looking(job: Job, facts: Facts, *, timeout: float = 10.0) -> Generator[Work]:
    """A Work that nothing is changed with: for `plan`, `status` and `kubectl`."""
    from daiku.apply.phases.marks import machines_of
    from daiku.apply.phases.work import Work

    with reach(job, facts, timeout=timeout) as ways:
        work = Work(job.plan, machines_of(job.plan, facts), {}, ways, Silent(), lambda _names: ())
        try:
            yield work
        finally:
            work.close()


def bring_up(
    job: Job,
    facts: Facts,
    run: Running,
    progress: output.Progress,
    hosts: FleetReport,
    *,
    until: Phase,
    again: str,
    consent: Consent | None = None,
) -> Brought:
    """The phases behind the hosts', up to `until`. One that fails on some machines does not keep the next from the
    others; `again` is the command that goes on. `consent` is asked before anything is changed; None: all may be."""
    from daiku.apply.phases import run as phases
    from daiku.apply.phases.marks import machines_of
    from daiku.apply.phases.names import PHASES
    from daiku.apply.phases.work import Work
    from daiku.cli import fleet
    from daiku.render.hosts import host_bundles

    left_out = {f.host: f.message for f in hosts.failures} | dict.fromkeys(
        hosts.skipped, "it was not configured"
    )
    teller = Teller(job, run, progress)
    applied: list[ClusterReport] = []

    def settle(names: tuple[str, ...]) -> tuple[str, ...]:
        before = int(run.details.get("hosts changed", 0))
        report = fleet.converge(job, facts, progress, only=names, run=run)
        run.details["hosts changed"] = before + int(run.details["hosts changed"])
        fleet.check(report, again=again)
        return tuple(one.host for one in report.reports if one.changed)

    with reach(job, facts) as ways:
        bundles = {bundle.host: bundle for bundle in host_bundles(job.plan, facts)}
        work = Work(
            job.plan,
            machines_of(job.plan, facts),
            bundles,
            ways,
            teller,
            settle,
            again=again,
            left_out=left_out,
        )
        doing: dict[Phase, Callable[[], object]] = {
            "facts": work.gather,
            "validation": lambda: _validation(job, facts, work),
            "control-plane": lambda: _control_plane(job, work),
            "join": lambda: phases.join(work),
            "workers": lambda: phases.workers(work),
            "add-ons": lambda: apply_addons(job, work, progress, run.check, applied.append),
            "checks": lambda: phases.checks(work),
        }
        try:
            ahead = PHASES[: PHASES.index(until) + 1]
            looks, changes = (
                {phase: do for phase, do in doing.items() if phase in ahead and (phase in LOOKING) is first}
                for first in (True, False)
            )
            failures, others = through(looks, work.outdated, progress)
            if changes and not failures and not others:
                if consent is not None:
                    work.permit = consent(work)
                failures, others = through(changes, work.outdated, progress)
            try:
                live = work.live()
            except (ApiError, HostError):  # told by the phase that met it, or by `daiku status`
                live = work.look_at_planes()
            report = applied[0] if applied else None
            return Brought(live, tuple(failures), tuple(others), teller.changed, report)
        finally:
            work.close()


def through(
    doing: Mapping[str, Callable[[], object]], outdated: Callable[[], None], progress: output.Progress
) -> tuple[list[HostError], list[DaikuError]]:
    """The phases in order. One that fails does not keep the next from what it can do, unless all later ones hang on
    it; what failed on hosts, and what failed otherwise. A lost lock and a ledger that cannot be written end it."""
    failures: list[HostError] = []
    others: list[DaikuError] = []
    for phase, do in doing.items():
        try:
            with progress.step(phase):
                do()
            continue
        except (LockHeldError, StateError, AuditError, SpecError, StalePlanError):
            raise
        except ApplyError as error:
            failures += error.failures
        except HostError as error:
            failures.append(error)
        except DaikuError as error:
            others.append(error)
        if phase in ("facts", "validation", "control-plane"):
            break
        outdated()
    return failures, others


def check(report: FleetReport, cluster: Brought | None, *, again: str, just: str) -> None:
    """Raise what failed in the hosts phase and after it: ApplyError where hosts failed, with the command that goes on
    (`again`) and the one that configures only hosts that were not (`just`), else the first of the others. What cannot
    be in the one that is raised is told here."""
    from daiku.cli import fleet

    others = list(cluster.others) if cluster else []
    failures = cluster.failures if cluster else ()
    first = None if report.failures or failures or not others else others.pop(0)
    for other in others:
        output.error(other)
    if first is not None:
        raise first
    fleet.check(
        report,
        failures,
        again=f"{again}; for the configuration of just those: {just}" if report.left else again,
    )


def failures_json(cluster: Brought | None) -> list[dict[str, Any]]:
    """What failed in the Kubernetes phases, for machines."""
    every = [*cluster.failures, *cluster.others] if cluster else []
    return [
        {
            "host": one.host if isinstance(one, HostError) else "",
            "step": one.step if isinstance(one, HostError) else "",
            "message": one.message,
            "hint": one.hint,
            "exit_code": one.exit_code,
        }
        for one in every
    ]


def _validation(job: Job, facts: Facts, work: Work) -> None:
    """What was made is what was planned, the cluster was built with what cannot change, and nothing on the machines
    makes Kubernetes impossible."""
    from daiku.apply.phases import run as phases
    from daiku.plan.proof.prove import prove

    errors = prove(job.loaded, job.plan, facts).errors
    if errors:
        raise SpecError(errors)
    job.check_built(work.live().cluster)
    phases.validation(work, work.live())


def _control_plane(job: Job, work: Work) -> None:
    from daiku.apply.phases import run as phases

    job.keep_begun()
    phases.control_plane(work)


def apply_addons(
    job: Job,
    work: Work,
    progress: output.Progress,
    check: Callable[[], None],
    done: Callable[[ClusterReport], None] = lambda _report: None,
) -> None:
    """The cluster's configuration; charts go through helm where DAIKU_CHARTS names a folder of archives. `check` is
    asked before each write and raises LockHeldError once the cluster is not ours any more. `done` gets the report,
    also of a run in which something was refused."""
    from daiku.apply.phases.addons import addons, words
    from daiku.cli import objects
    from daiku.render.cluster import cluster_tree

    tree = cluster_tree(job.plan)
    with work.teller.step("add-ons", "", "apply the cluster's configuration") as did:
        report = addons(
            work,
            tree,
            charts=objects.charts(tree, None, progress.detail),
            secrets=job.given,
            check=check,
        )
        done(report)
        lines = words(report)
        if report.changed:
            did += lines
    for line in lines:
        progress.line(f"  {line}")
    if report.failures or any(chart.what == "failed" for chart in report.charts):
        report.check()


def show_nodes(job: Job, live: Live) -> None:
    """The Kubernetes nodes as a table; machines that are none, too."""
    if live.cluster is None:
        output.say("Kubernetes: no API server answers")
        return
    output.table(
        ["node", "role", "state", "version", "provider ID"], [_row(live, n.name) for n in job.plan.nodes]
    )


def nodes_json(live: Live | None) -> list[dict[str, Any]]:
    """The nodes for machines."""
    if live is None or live.cluster is None:
        return []
    return [
        {
            "name": node.name,
            "ready": node.ready,
            "why": "" if node.ready else node.why,
            "version": node.version,
            "provider_id": node.provider_id,
            "labels": dict(sorted(node.labels.items())),
            "taints": list(node.taints),
        }
        for _, node in sorted(live.cluster.nodes.items())
    ]


def _row(live: Live, name: str) -> list[str]:
    assert live.cluster is not None
    node = live.cluster.nodes.get(name)
    if node is None:
        return [name, "", "missing", "", ""]
    prefix = "node-role.kubernetes.io/"
    roles = sorted(key.removeprefix(prefix) for key in node.labels if key.startswith(prefix))
    return [name, " ".join(roles), "ready" if node.ready else "not ready", node.version, node.provider_id]

"""The Kubernetes phases, each to be read from top to bottom: gather, decide, change, verify."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from daiku.apply.phases import decide, leave
from daiku.apply.phases.act import carry_out, mark
from daiku.apply.phases.consent import supposing
from daiku.apply.phases.decide import Step
from daiku.apply.phases.facts import ClusterFacts, Live
from daiku.apply.phases.marks import marks
from daiku.apply.phases.names import Phase
from daiku.apply.phases.work import Work, as_host_error, node_seen
from daiku.errors import ApiError, ApplyError, HostError

WAIT_SECONDS = 180.0
"""How long something that comes by itself (an API server that starts, a kubeadm of an earlier run) is waited for."""
RESTART_SECONDS = 60.0
"""How long a kubelet that was restarted has to get its Node before it is looked at anew."""
POLL_SECONDS = 1.0
ROUNDS = 6
"""How often a machine is decided on anew before we own up that it does not get there."""


def validation(work: Work, live: Live) -> None:
    """ApplyError or HostError with what makes the rest impossible."""
    _raise(list(decide.problems(work.machines, live)), len(work.machines))


def farewell(work: Work) -> None:
    """Before machines are removed that the plan has no more: they are drained, several at a time, and etcd gives up
    its members on them. Nothing where no cluster was begun. ApplyError or HostError: then none may be removed."""
    live = work.live()
    if live.cluster is None:
        begun = any(facts.etcd_data for facts in live.hosts.values())
        if begun or any(m.name in live.silent and m.name not in work.left_out for m in work.planes):
            raise _silent(work, live)
        return
    steps = {step.host: step for step in leave.drains(work.machines, live)}
    answers = work.reach.each(steps, lambda name: carry_out(work, steps[name], dict(live.hosts)))
    _raise([answer for answer in answers.values() if isinstance(answer, HostError)], len(steps))

    def gather() -> Live:
        # The API is not asked: behind the balancer it may be the one of a control plane that just lost its etcd.
        return replace(work.look_at_planes(), cluster=live.cluster)

    _until_done(work, lambda now: leave.forgets(work.machines, now, "infrastructure")[:1], gather)


def control_plane(work: Work) -> Live:
    """A cluster that answers, begun on the first control plane if there is none. HostError."""
    return _until_done(work, lambda live: decide.control_plane(work.machines, live), work.live)


def join(work: Work) -> None:
    """What is left of machines that are gone leaves the cluster; then the other control planes come, one after the
    other, because etcd takes one new member at a time.

    One that fails stops no other; ApplyError names them. Afterwards all carry the load balancer's addresses, and the
    join secrets go.
    """
    failures: list[HostError] = []
    with _collected(failures, work.planes[0].name, "join"):
        _until_done(work, lambda live: leave.forgets(work.machines, live, "join")[:1], work.live)
        _until_done(work, lambda live: leave.deletes(work.machines, live), work.live)
    for machine in work.planes:
        with _collected(failures, machine.name, "join"):
            _until_done(
                work, lambda live, machine=machine: decide.join(machine, work.machines, live), work.live
            )
    with _collected(failures, work.planes[0].name, "join"):
        if lacking := _without_address(work):
            work.settle(lacking)
    with _collected(failures, work.planes[0].name, "join"):
        forget_joins(work, "join")
    _raise(failures, len(work.planes))


def workers(work: Work) -> None:
    """All other machines, several at a time, then labels and taints of all. Only machines that are no Ready node are
    logged in to. ApplyError names those that failed."""
    first = work.live()
    if first.cluster is None:
        raise _silent(work, first)
    doubtful = _doubtful(work, first.cluster)

    def bring(name: str) -> None:
        machine = work.machine(name)

        def gather() -> Live:
            facts, silent = work.looks((name,))
            body = work.api(first.hosts).api.get("v1", "Node", name)
            nodes = {} if body is None else {name: node_seen(body)}
            return Live({**first.hosts, **facts}, silent, ClusterFacts(nodes))

        _until_done(work, lambda live: decide.worker(machine, work.machines, live), gather)

    answers = work.reach.each([name for name in doubtful if name not in work.left_out], bring)
    failures = [answer for answer in answers.values() if isinstance(answer, HostError)]
    with _collected(failures, work.planes[0].name, "labels and taints"):
        failures += _keep_marks(work)
    with _collected(failures, work.planes[0].name, "workers"):
        forget_joins(work, "workers")
    _raise(failures, len(work.machines))


def forecast(work: Work, fresh: frozenset[str] = frozenset(), *, removed: bool = True) -> tuple[Step, ...]:
    """What `up` would do, as far as can be told from here; changes nothing. `fresh` are machines that it makes anew
    first; `removed`: those that the plan has no more are gone already. HostError: what it would stop at."""
    live = supposing(work.live(), work.machines, fresh)
    if live.cluster is None:
        begins = decide.control_plane(work.machines, live)[-1].do == "init"
        others = tuple(m.name for m in work.machines if begins and not m.control_plane)
    else:
        others = _doubtful(work, live.cluster)
    facts, silent = work.looks(tuple(name for name in others if name not in fresh))
    whole = Live({**live.hosts, **facts}, {**live.silent, **silent}, live.cluster)
    if live.cluster is None:
        return decide.forecast(work.machines, whole)
    steps = [*goodbyes(work, live, removed=removed), *decide.forecast(work.machines, whole)]
    for machine in work.machines:
        node = live.cluster.nodes.get(machine.name)
        if node is not None and machine.name not in fresh and (wrong := marks(machine, node)):
            steps.append(Step("workers", machine.name, "mark", wrong.words()))
    return tuple(steps)


def goodbyes(work: Work, live: Live, *, removed: bool) -> tuple[Step, ...]:
    """The steps for machines that the plan has no more. HostError: etcd would lose its quorum."""
    drains = () if removed else leave.drains(work.machines, live)
    forgets = leave.forgets(work.machines, live, "join" if removed else "infrastructure")
    return (*drains, *forgets, *leave.deletes(work.machines, live))


def checks(work: Work, *, seconds: float = WAIT_SECONDS) -> None:
    """Join secrets go; then every machine must be a Ready node with the plan's provider ID, and etcd whole.

    `seconds` to wait for it. ApplyError with what is not so.
    """
    failures: list[HostError] = []
    with _collected(failures, work.planes[0].name, "clean up"):
        forget_joins(work, "checks")
    live = work.live()
    end = time.monotonic() + seconds
    while wrong := unwell(work, live):
        if time.monotonic() > end:
            _raise([*failures, *wrong], len(work.machines))
        work.teller.detail(wrong[0].host, wrong[0].message)
        time.sleep(POLL_SECONDS)
        live = work.gather()
    _raise(failures, len(work.machines))


def forget_joins(work: Work, phase: Phase) -> None:
    """Delete the secrets with which machines could join, this run's and those of a run that was killed. ApiError."""
    live = work.live()
    if live.cluster is None or not live.cluster.leftovers:
        return
    with work.teller.step(phase, "", "clean up") as did:
        work.let_nobody_in(work.api(live.hosts).api, live.cluster.leftovers)
        did.append(f"deleted {', '.join(live.cluster.leftovers)}")
    work.outdated()


def unwell(work: Work, live: Live) -> list[HostError]:
    """What keeps the cluster from being as the plan says, machine by machine; those left out are not told again."""
    if live.cluster is None:
        return [_silent(work, live)]
    found: list[HostError] = []
    for machine in work.machines:
        if machine.name in work.left_out:
            continue
        node = live.cluster.nodes.get(machine.name)
        why = live.silent.get(machine.name, "")
        if node is None:
            why = why or "it is no node of the cluster"
        elif not node.ready:
            why = f"its node is not Ready: {node.why}"
        elif machine.provider_id and node.provider_id != machine.provider_id:
            why = f"its node has provider ID {node.provider_id or 'none'} for good, not {machine.provider_id}"
        elif machine.control_plane and not why:
            why = _member_trouble(machine.name, machine.address, live)
        if why:
            found.append(HostError(why, host=machine.name, step="checks", hint="daiku status"))
    return found


def _silent(work: Work, live: Live) -> HostError:
    reasons = {**live.silent, **{name: facts.api or "has none" for name, facts in live.hosts.items()}}
    told = "; ".join(f"{name}: {why}" for name, why in sorted(reasons.items()))
    return HostError(
        f"no API server of the cluster answers ({told})",
        host=work.planes[0].name,
        step="checks",
        hint=f"daiku status; then {work.again}",
    )


def _member_trouble(name: str, address: str, live: Live) -> str:
    source = next((h for h in live.hosts.values() if h.quorum), None)
    if source is None:
        return "etcd has no quorum"
    mine = [member for member in source.members if member.is_of(name, address)]
    if any(member.healthy and not member.learner for member in mine):
        return ""
    return "its etcd member is not healthy" if mine else "etcd has no member of it"


def _doubtful(work: Work, cluster: ClusterFacts) -> tuple[str, ...]:
    """Workers that are no Ready node: only these need a closer look."""
    ready = {name for name, node in cluster.nodes.items() if node.ready}
    return tuple(m.name for m in work.machines if not m.control_plane and m.name not in ready)


def _without_address(work: Work) -> tuple[str, ...]:
    """Control planes that stand, but whose files do not say yet that they carry the balancer's addresses."""
    return tuple(
        name for name, facts in work.live().hosts.items() if facts.api == "ok" and not facts.vip_file
    )


def _keep_marks(work: Work) -> list[HostError]:
    """Labels and taints of every Node that the plan knows; the failures."""
    live = work.live()
    if live.cluster is None:
        return [_silent(work, live)]
    wrong = [
        m.name for m in work.machines if m.name in live.cluster.nodes and marks(m, live.cluster.nodes[m.name])
    ]
    failures: list[HostError] = []
    if not wrong:
        return failures
    work.outdated()
    for name in wrong:
        with (
            _collected(failures, name, "labels and taints"),
            work.teller.step("workers", name, "labels and taints") as did,
        ):
            did.append(mark(work, work.api(live.hosts).api, name))
    return failures


@contextmanager
def _collected(failures: list[HostError], host: str, step: str) -> Generator[None]:
    """What fails here on hosts, or at the API while `host` is worked on, joins `failures` and stops nothing else."""
    try:
        yield
    except ApplyError as error:
        failures += error.failures
    except HostError as error:
        failures.append(error)
    except ApiError as error:
        failures.append(as_host_error(error, host, step))


def _until_done(work: Work, decided: Callable[[Live], tuple[Step, ...]], gather: Callable[[], Live]) -> Live:
    """Gather, decide and act until nothing is left to do. HostError when it does not come to that."""
    end = time.monotonic() + WAIT_SECONDS
    restarted = -math.inf
    rounds = 0
    while True:
        live = gather()
        steps = decided(live)
        if not steps:
            return live
        if steps[0].do == "wait":
            if time.monotonic() > end:
                raise _never(steps[0], f"within {WAIT_SECONDS:g} s", work.again)
            work.teller.detail(steps[0].host, steps[0].reason)
            time.sleep(POLL_SECONDS)
            work.outdated()
            continue
        if steps[0].do == "restart kubelet" and time.monotonic() < restarted + RESTART_SECONDS:
            work.teller.detail(steps[0].host, f"its kubelet was restarted: {steps[0].reason}")
            time.sleep(POLL_SECONDS)
            work.outdated()
            continue
        rounds += 1
        if rounds > ROUNDS:
            raise _never(steps[0], f"after {ROUNDS} attempts", work.again)
        for step in steps:
            carry_out(work, step, dict(live.hosts))
            if step.do == "restart kubelet":
                restarted = time.monotonic()
        end = time.monotonic() + WAIT_SECONDS


def _never(step: Step, when: str, again: str) -> HostError:
    return HostError(
        f"it is not done {when}: {step.reason}",
        host=step.host,
        step=step.phase,
        hint=f"`daiku status` shows more; when the cause is mended: {again}",
    )


def _raise(failures: Sequence[HostError], total: int) -> None:
    if len(failures) == 1:
        raise failures[0]
    if failures:
        raise ApplyError(failures, total)

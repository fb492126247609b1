"""Holding a saved plan to its word: what moved since, what a host may be done, and what was done otherwise."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import TypeVar

from daiku.apply.phases.consent import Planned
from daiku.apply.phases.decide import Step
from daiku.apply.planfile import (
    FieldMove,
    FileMove,
    HostMove,
    ObjectMove,
    PropertyMove,
    ResourceMove,
    SavedPlan,
)
from daiku.apply.report import HostReport
from daiku.errors import HostError, StalePlanError
from daiku.plan.facts import Facts
from daiku.plan.given import PREFIX, taken
from daiku.plan.model import Plan

T = TypeVar("T")
SHOWN = 20
"""Most things that a message names one by one."""


def check_source(saved: SavedPlan, plan: Plan) -> None:
    """StalePlanError when the cluster file, the release or daiku's own decisions are not the saved plan's.

    Cheap: nothing of the world is read.
    """
    now = {"cluster": plan.cluster, "spec": plan.spec_digest, "release": plan.release.name}
    told = {
        "cluster": f"the file describes cluster {plan.cluster}, the plan is of {saved.cluster}",
        "release": f"the release was {saved.release} and is {plan.release.name}",
        "spec": "the cluster file was changed",
    }
    moved = [words for key, words in told.items() if getattr(saved, key) != now[key]]
    if not moved and saved.plan != plan.digest():
        moved = _given(saved, plan) or [
            f"the plan was made by daiku {saved.daiku}, and this one decides otherwise"
        ]
    refuse(moved)


def check_secrets(saved: SavedPlan, now: Mapping[str, str]) -> None:
    """StalePlanError when a secret that the plan brings somewhere is another than then. `now` are the marks of those
    that there are. Nothing of the world is read."""
    then = dict(saved.secrets)
    refuse([_secret(name, then, now) for name in sorted({*then, *now}) if then.get(name) != now.get(name)])


def refuse(moved: Sequence[str]) -> None:
    """StalePlanError that names what moved, when anything did."""
    if moved:
        lines = "\n".join(f"  {one}" for one in shortened(moved))
        raise StalePlanError(
            f"the saved plan is stale, nothing was changed:\n{lines}", hint="make a new plan and review it"
        )


def shortened(lines: Sequence[str]) -> list[str]:
    """The first of many lines, and how many more there are."""
    more = len(lines) - SHOWN
    return list(lines) if more <= 0 else [*lines[:SHOWN], f"and {more} more"]


def moved(saved: SavedPlan, now: SavedPlan) -> tuple[str, ...]:
    """What is not as the saved plan saw it, one line each; `now` is the same plan made at this moment."""
    return (
        *_machines(dict(saved.incarnations), dict(now.incarnations)),
        *_differences({r.urn: r for r in saved.resources}, {r.urn: r for r in now.resources}, _resource),
        *_differences({h.host: h for h in saved.hosts}, {h.host: h for h in now.hosts}, _host),
        *_differences({h.host: h for h in saved.fresh}, {h.host: h for h in now.fresh}, _plain),
        *_objects(saved.objects, now.objects),
    )


def beyond(saved: SavedPlan, steps: Iterable[Step]) -> tuple[str, ...]:
    """Steps of Kubernetes that would be taken now and that the saved plan does not list, one line each."""
    planned = permitted(saved)
    return tuple(
        f"{step.host}: {step.do} is not in the plan ({step.reason})"
        for step in steps
        if not planned.allows(step)
    )


def permitted(saved: SavedPlan) -> Planned:
    """What the Kubernetes phases may do under the plan."""
    return Planned((step.host, step.do) for step in saved.kubernetes)


class Approval:
    """What hosts may be done under a saved plan: asked for each host, just before it is changed.

    `facts` are those after the infrastructure was changed: a machine that was made anew meanwhile is brought to its
    bundle from whatever its image holds; one that stood must change exactly as planned.
    """

    def __init__(self, saved: SavedPlan, facts: Facts) -> None:
        self._planned = {host.host: host for host in saved.hosts}
        self._fresh = {host.host: host for host in saved.fresh}
        stood = dict(saved.incarnations)
        self._new = {n.name for n in facts.nodes if stood.get(n.name) != n.incarnation} | set(self._fresh)

    def __call__(self, report: HostReport) -> None:
        """HostError when what is about to be done is not what was planned."""
        otherwise = self._fresh_host(report) if report.host in self._new else self._standing(report)
        if otherwise:
            raise HostError(
                f"not changed, because it moved since the plan was saved: {'; '.join(shortened(otherwise))}",
                host=report.host,
                step="compare with the plan",
                hint="make a new plan and review it",
            )

    def _standing(self, report: HostReport) -> list[str]:
        doing = HostMove.of(report)
        planned = self._planned.get(report.host, HostMove(host=report.host, files=(), triggers=()))
        return list(_files(planned, doing))

    def _fresh_host(self, report: HostReport) -> list[str]:
        fresh = self._fresh.get(report.host)
        if fresh is None:
            return []
        known = dict(fresh.files)
        return [
            change.path
            for change in report.changes
            if known.get(change.path) not in ("", change.after_sha256)
        ]


def deviations(
    saved: SavedPlan,
    made: Iterable[tuple[str, str]],
    reports: Iterable[HostReport],
    facts: Facts,
    objects: Sequence[ObjectMove] | None = None,
) -> tuple[str, ...]:
    """What was done otherwise than planned. `made` are URN and operation of the engine's changes; `objects` what was
    done to the cluster's, None where that phase did not come."""
    done = dict(made)
    planned = {r.urn: r.op for r in saved.resources}
    lines = [
        f"{urn.rsplit('::', 1)[-1]}: planned was {planned.get(urn, 'nothing')}, done was {done.get(urn, 'nothing')}"
        for urn in sorted({*planned, *done})
        if planned.get(urn) != done.get(urn)
    ]
    stood = dict(saved.incarnations)
    new = {n.name for n in facts.nodes if stood.get(n.name) != n.incarnation} | {h.host for h in saved.fresh}
    hosts = {h.host: h for h in saved.hosts}
    for report in reports:
        if report.host not in new:
            nothing = HostMove(host=report.host, files=(), triggers=())
            lines += _files(hosts.get(report.host, nothing), HostMove.of(report))
    if saved.objects is not None and objects is not None:
        lines += _undone(saved.objects, objects)
    return tuple(lines)


def _undone(saved: Iterable[ObjectMove], done: Iterable[ObjectMove]) -> list[str]:
    """Objects that were changed otherwise than listed. One that waited for its chart is made once that is there."""
    planned, made = (
        {(m.object, m.group): m.what for m in moves if m.what != "wait"} for moves in (saved, done)
    )
    waited = {(m.object, m.group) for m in saved if m.what == "wait"}
    return [
        f"{key[0]}: planned was {planned.get(key, 'nothing')}, done was {made.get(key, 'nothing')}"
        for key in sorted({*planned, *made})
        if planned.get(key) != made.get(key) and not (key in waited and made[key] == "create")
    ]


def _given(saved: SavedPlan, plan: Plan) -> list[str]:
    """Secrets that were given or removed since: some files and objects are there only with theirs."""
    then = {name for name, _ in saved.secrets if name.startswith(PREFIX)}
    now = {f"{PREFIX}{name}" for name in taken(plan)}
    return [_secret(name, then, now) for name in sorted(then ^ now)]


def _secret(name: str, then: Container[str], now: Container[str]) -> str:
    what = "was set" if name not in then else "was removed" if name not in now else "was set anew"
    return f"the secret {name.removeprefix(PREFIX)} {what}"


def _machines(saved: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [
        f"{name}: "
        + ("is new" if name not in saved else "is gone" if name not in now else "was reinstalled or replaced")
        for name in sorted({*saved, *now})
        if saved.get(name) != now.get(name)
    ]


def _differences(
    saved: Mapping[str, T], now: Mapping[str, T], words: Callable[[str, T | None, T | None], list[str]]
) -> list[str]:
    return [
        line
        for key in sorted({*saved, *now})
        if saved.get(key) != now.get(key)
        for line in words(key, saved.get(key), now.get(key))
    ]


def _resource(urn: str, saved: ResourceMove | None, now: ResourceMove | None) -> list[str]:
    name = urn.rsplit("::", 1)[-1]
    before, after = saved.op if saved else "nothing", now.op if now else "nothing"
    if before != after or saved is None or now is None:
        return [f"{name}: planned was {before}, now it would be {after}"]
    return [f"{name}: {_paths(saved.properties, now.properties) or 'the reasons'} moved"]


def _objects(saved: Sequence[ObjectMove] | None, now: Sequence[ObjectMove] | None) -> list[str]:
    if saved is None or now is None:
        told = "a cluster answers now" if saved is None else "its objects cannot be compared any more"
        return [] if saved is now else [f"Kubernetes: {told}"]
    before, after = ({f"{m.object} {m.group}".rstrip(): m for m in moves} for moves in (saved, now))
    return _differences(before, after, _object)


def _object(name: str, saved: ObjectMove | None, now: ObjectMove | None) -> list[str]:
    before, after = saved.what if saved else "nothing", now.what if now else "nothing"
    if before != after or saved is None or now is None:
        return [f"{name}: planned was {before}, now it would be {after}"]
    return [f"{name}: {_paths(saved.fields, now.fields)} moved"]


def _paths(saved: Sequence[PropertyMove | FieldMove], now: Sequence[PropertyMove | FieldMove]) -> str:
    """The paths whose entries differ."""
    old, new = {move.path: move for move in saved}, {move.path: move for move in now}
    return ", ".join(sorted(path for path in {*old, *new} if old.get(path) != new.get(path)))


def _host(host: str, saved: HostMove | None, now: HostMove | None) -> list[str]:
    nothing = HostMove(host=host, files=(), triggers=())
    return _files(saved or nothing, now or nothing)


def _plain(host: str, saved: object, now: object) -> list[str]:
    if saved is None:
        return [f"{host}: would be a new machine now"]
    return [f"{host}: is no new machine any more" if now is None else f"{host}: its files would be others"]


def _files(saved: HostMove, now: HostMove) -> list[str]:
    before, after = {f.path: f for f in saved.files}, {f.path: f for f in now.files}
    lines = [
        f"{saved.host}: {path}: {_file(before.get(path), after.get(path))}"
        for path in sorted({*before, *after})
        if before.get(path) != after.get(path)
    ]
    then, today = ({(f.kind, f.name): f for f in move.facts} for move in (saved, now))
    lines += [
        f"{saved.host}: {' '.join(key)} moved since"
        for key in sorted({*then, *today})
        if then.get(key) != today.get(key)
    ]
    if saved.triggers != now.triggers:
        lines.append(
            f"{saved.host}: planned triggers were {_list(saved.triggers)}, now they are {_list(now.triggers)}"
        )
    return lines


def _file(saved: FileMove | None, now: FileMove | None) -> str:
    if saved is None:
        assert now is not None
        return f"was right and would change now ({', '.join(now.what)})"
    if now is None:
        return "would not change any more"
    return "is not what it was, or would become something else"


def _list(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"

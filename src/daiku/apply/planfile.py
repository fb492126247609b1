"""A plan that was saved: every change, what it was made from, and what the world was then.

It is reviewed by people and carried out later, so it is refused as soon as the cluster file, the release or the world
is not what it was. It holds no contents of files: digests, rights and names only; of secrets marks that only the
ledger can make again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import ValidationError

from daiku.apply.cluster.model import ClusterReport
from daiku.apply.report import FileChange, HostReport
from daiku.errors import StateError
from daiku.ledger.canonical import digest_of
from daiku.plan.facts import Facts
from daiku.plan.model import Frozen, Plan
from daiku.render.bundle import HostBundle

FORMAT: Literal[4] = 4
_LONGEST = 120
"""Characters of an object's value that are shown."""


class PropertyMove(Frozen):
    """One property of a resource: values as short JSON, `[secret]` and `[unknown]` for what cannot be shown."""

    path: str
    kind: str
    before: str
    after: str


class ResourceMove(Frozen):
    """One resource that will be created, updated, replaced or deleted."""

    urn: str
    type: str
    name: str
    op: str
    replace_reasons: tuple[str, ...] = ()
    properties: tuple[PropertyMove, ...] = ()
    notes: tuple[str, ...] = ()


class FileMove(Frozen):
    """One file of a host. `before` and `after` are rights as `0644 root:root`; digests are SHA-256, "" for none."""

    path: str
    what: tuple[str, ...]
    before: str
    after: str
    before_sha256: str
    after_sha256: str
    private: bool

    @classmethod
    def of(cls, change: FileChange) -> Self:
        return cls(
            path=change.path,
            what=change.what,
            before=str(change.before or ""),
            after=str(change.after or ""),
            before_sha256=change.before_sha256,
            after_sha256=change.after_sha256,
            private=change.private,
        )


class FactMove(Frozen):
    """One fact of the running machine that a trigger puts right: see render.bundle.Expectation for the kinds."""

    kind: str
    name: str
    before: str
    after: str
    trigger: str


class HostMove(Frozen):
    """What changes on one host, and the triggers that then run, in order."""

    host: str
    files: tuple[FileMove, ...]
    triggers: tuple[str, ...]
    facts: tuple[FactMove, ...] = ()

    @classmethod
    def of(cls, report: HostReport) -> Self:
        return cls(
            host=report.host,
            files=tuple(FileMove.of(change) for change in report.changes),
            triggers=tuple(trigger.name for trigger in report.triggers),
            facts=tuple(FactMove.model_validate(asdict(fact)) for fact in report.drift),
        )


class FreshHost(Frozen):
    """A machine that the plan makes: every file that it will be given, with its digest; "" where the content holds
    what only the cloud can say (the machine's own ID)."""

    host: str
    files: tuple[tuple[str, str], ...]
    triggers: tuple[str, ...]

    @classmethod
    def of(cls, one: HostBundle, other: HostBundle) -> Self:
        """From the bundle for two different IDs: what is the same in both is known already."""
        known = {file.path: file.sha256 for file in other.files}
        return cls(
            host=one.host,
            files=tuple((f.path, f.sha256 if known.get(f.path) == f.sha256 else "") for f in one.files),
            triggers=tuple(trigger.name for trigger in one.triggers),
        )


class KubernetesMove(Frozen):
    """One step of a Kubernetes phase: what is done to which machine, and why. Steps are decided anew when their phase
    comes, so the list says what may be done."""

    phase: str
    host: str
    do: str
    reason: str


class FieldMove(Frozen):
    """One field of a cluster's object: values as JSON, "" for none; a long one ends with a digest of it."""

    path: str
    before: str
    after: str


class ObjectMove(Frozen):
    """What is done to one object of the cluster: `create`, `update`, `delete`, or `wait` for the chart that brings its
    kind. A chart is `chart NAME VERSION`: `install`, `upgrade`. `group` is the API group, "" for the core's."""

    object: str
    what: str
    group: str = ""
    fields: tuple[FieldMove, ...] = ()

    @classmethod
    def of(cls, report: ClusterReport) -> tuple[Self, ...]:
        """Everything that a run or its rehearsal changes, in the order of the objects' names."""
        moves = [
            cls(
                object=str(change.ref),
                what=change.what,
                group=change.ref.group,
                fields=tuple(
                    FieldMove(path=f.path, before=_brief(f.before), after=_brief(f.after))
                    for f in change.fields
                ),
            )
            for change in report.changes
        ]
        moves += [cls(object=str(one.ref), what="wait", group=one.ref.group) for one in report.waiting]
        moves += [
            cls(object=f"chart {chart.chart} {chart.version}", what=chart.what)
            for chart in report.charts
            if chart.what in {"install", "upgrade"}
        ]
        return tuple(sorted(moves, key=lambda move: (move.object, move.group)))


def _brief(value: str) -> str:
    if len(value) <= _LONGEST:
        return value
    mark = f"… {hashlib.sha256(value.encode()).hexdigest()[:12]}"
    return value[: _LONGEST - len(mark)] + mark


class SavedPlan(Frozen):
    """`spec`, `plan` and `release_digest` are SHA-256 of the specification, the plan and the release's locks;
    `secrets` are the names and marks (`ledger.secrets.Secrets.mark`) of the secrets that it brings somewhere.
    `incarnations` are the machines that stood then. `made_at` is RFC 3339, `made_by` is who and where. `objects` is
    None where no API server could be asked: before the cluster is begun."""

    format: Literal[4] = FORMAT
    cluster: str
    daiku: str
    made_at: str
    made_by: str
    spec: str
    plan: str
    release: str
    release_digest: str
    secrets: tuple[tuple[str, str], ...]
    incarnations: tuple[tuple[str, str], ...]
    resources: tuple[ResourceMove, ...]
    hosts: tuple[HostMove, ...]
    fresh: tuple[FreshHost, ...]
    kubernetes: tuple[KubernetesMove, ...] = ()
    objects: tuple[ObjectMove, ...] | None = None

    @property
    def world(self) -> str:
        """The fingerprint of the world as the plan saw it: what stands, and how it differs from what is wanted."""
        parts = {"incarnations", "resources", "hosts", "fresh", "objects"}
        return digest_of(self.model_dump(mode="json", include=parts))

    def digest(self) -> str:
        """SHA-256 of the canonical JSON."""
        return digest_of(self.model_dump(mode="json"))

    def __bool__(self) -> bool:
        """Whether anything changes."""
        objects = any(move.what != "wait" for move in self.objects or ())
        return bool(self.resources or self.hosts or self.fresh or self.kubernetes or objects)


def of_plan(
    plan: Plan,
    facts: Facts | None,
    resources: tuple[Mapping[str, Any], ...],
    reports: tuple[HostReport, ...],
    fresh: tuple[FreshHost, ...],
    kubernetes: tuple[KubernetesMove, ...] = (),
    objects: tuple[ObjectMove, ...] | None = None,
    *,
    secrets: Mapping[str, str],
    daiku: str,
    made_at: str,
    made_by: str,
) -> SavedPlan:
    """The plan to save. `resources` are the engine's changes as dictionaries; hosts that do not change are left out."""
    standing = facts.nodes if facts else ()
    return SavedPlan(
        cluster=plan.cluster,
        daiku=daiku,
        made_at=made_at,
        made_by=made_by,
        spec=plan.spec_digest,
        plan=plan.digest(),
        release=plan.release.name,
        release_digest=digest_of(plan.release.model_dump(mode="json")),
        secrets=tuple(sorted(secrets.items())),
        incarnations=tuple(sorted((node.name, node.incarnation) for node in standing)),
        resources=tuple(sorted((ResourceMove.model_validate(r) for r in resources), key=lambda r: r.urn)),
        hosts=tuple(sorted((HostMove.of(r) for r in reports if r.changed), key=lambda h: h.host)),
        fresh=tuple(sorted(fresh, key=lambda h: h.host)),
        kubernetes=kubernetes,
        objects=objects,
    )


def write(path: Path, plan: SavedPlan) -> None:
    """Write the plan (mode 0600), all of it or nothing. StateError."""
    body = plan.model_dump(mode="json")
    text = json.dumps(
        {"digest": plan.digest(), "world": plan.world, "plan": body}, indent=1, ensure_ascii=False
    )
    temporary = path.with_name(f".{path.name}.daiku-new")
    try:
        temporary.unlink(missing_ok=True)  # of a writer that was killed
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(
            f"the plan cannot be written: {error.strerror}", where=str(path), hint="choose another place"
        ) from error


def read(path: Path) -> SavedPlan:
    """The plan in a file. StateError: there is none, another format, or not as it was written."""
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        plan = SavedPlan.model_validate(kept["plan"])
        whole = kept["digest"] == plan.digest() and kept["world"] == plan.world
    except OSError as error:
        raise StateError(
            f"the plan cannot be read: {error.strerror}",
            where=str(path),
            hint="daiku plan --out FILE writes one",
        ) from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise StateError(
            "this is no plan that this daiku can carry out",
            where=str(path),
            hint="run: daiku plan --out FILE",
        ) from error
    if not whole:
        raise StateError(
            "the plan is not as it was written", where=str(path), hint="make a new one: daiku plan --out FILE"
        )
    return plan

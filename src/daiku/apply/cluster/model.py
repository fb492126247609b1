"""The values of applying to a cluster: what is wanted, what was done, what was left and why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, cast

from daiku.errors import ApiError, ObjectsError
from daiku.wire.kubernetes import Object, label

OWNER_LABEL = "daiku.io/cluster"
"""On every object that daiku applied; its value is the cluster's name."""
DIGEST_ANNOTATION = "daiku.io/applied"
"""SHA-256 of the object as daiku last applied it."""


@dataclass(frozen=True, slots=True, order=True)
class Ref:
    """An object's identity over all versions of its kind. `namespace` is "" outside of namespaces."""

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that shall be there. `source` is the rendered file that it comes from."""

    body: Object
    source: str = ""

    @property
    def ref(self) -> Ref:
        return ref_of(self.body)

    @property
    def api_version(self) -> str:
        return str(self.body["apiVersion"])


class Prune(Enum):
    """What may be deleted of what daiku applied once and is wanted no more.

    SAFE leaves out what takes data or other people's things with it; DESTRUCTIVE is for after somebody was asked.
    """

    NOTHING = "nothing"
    SAFE = "safe"
    DESTRUCTIVE = "destructive"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field by its path (`spec.template.spec.containers[name=x].image`). Values are JSON, "" where there is none;
    those of secrets are not shown."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ObjectChange:
    """What was, or with a dry run would be, done to one object.

    `fields` are empty for a new or deleted object, and where only daiku's mark on it changes. `taken` says which
    fields another manager had set and daiku took back. `checked` False: a dry run could not show the object to the
    server, because its namespace or its definition is not there yet.
    """

    ref: Ref
    what: Literal["create", "update", "delete"]
    fields: tuple[FieldChange, ...] = ()
    taken: str = ""
    source: str = ""
    checked: bool = True


@dataclass(frozen=True, slots=True)
class Waiting:
    """An object whose kind the cluster does not serve. `chart` would bring it, "" where none is known."""

    ref: Ref
    api_version: str
    chart: str
    source: str


@dataclass(frozen=True, slots=True)
class Note:
    """An object and a reason: why it is not ready, why it was kept, or which failure it stands behind.

    `asks`: it was kept only because nobody was asked yet.
    """

    ref: Ref
    reason: str
    asks: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """An object that the server refused."""

    ref: Ref
    error: ApiError
    source: str = ""


@dataclass(frozen=True, slots=True)
class ChartResult:
    """What became of one chart. `detail` is what changed, or the reason why it is not there."""

    release: str
    chart: str
    version: str
    what: Literal["unchanged", "install", "upgrade", "missing", "failed"]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClusterReport:
    """What was done, or with `dry_run` would be. All lists are in the order of the work.

    `kept` was applied by daiku once, is wanted no more, and stays: see the reasons. `skipped` depends on a failure.
    `calls` and `writes` count requests to the API server (those of helm not included); `seconds` is all of it.
    """

    changes: tuple[ObjectChange, ...]
    unchanged: tuple[Ref, ...]
    waiting: tuple[Waiting, ...]
    unready: tuple[Note, ...]
    kept: tuple[Note, ...]
    skipped: tuple[Note, ...]
    failures: tuple[Failure, ...]
    charts: tuple[ChartResult, ...]
    dry_run: bool
    calls: int
    writes: int
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything was, or would be, done."""
        return bool(self.changes) or any(chart.what in {"install", "upgrade"} for chart in self.charts)

    def check(self) -> None:
        """ObjectsError: something failed, or is still not ready. What waits for a chart is no failure."""
        broken = [chart for chart in self.charts if chart.what == "failed"]
        lines = [f"{failure.ref}: {failure.error.message}" for failure in self.failures]
        lines += [f"chart {chart.chart}: {chart.detail}" for chart in broken]
        lines += [f"{note.ref} is not ready: {note.reason}" for note in self.unready]
        if lines:
            raise ObjectsError(lines)


def ref_of(body: Object) -> Ref:
    """The identity of an object."""
    api_version, metadata = str(body["apiVersion"]), cast("dict[str, Any]", body["metadata"])
    group = api_version.partition("/")[0] if "/" in api_version else ""
    return Ref(group, str(body["kind"]), str(metadata.get("namespace") or ""), str(metadata["name"]))


__all__ = [
    "DIGEST_ANNOTATION",
    "OWNER_LABEL",
    "ChartResult",
    "ClusterReport",
    "Failure",
    "FieldChange",
    "Note",
    "Object",
    "ObjectChange",
    "Prune",
    "Ref",
    "Waiting",
    "Wanted",
    "label",
    "ref_of",
]

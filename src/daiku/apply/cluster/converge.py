"""Make the objects of a cluster equal to what is wanted, or say what that would change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from daiku.apply.cluster import inventory
from daiku.apply.cluster.compare import field_changes, marked, same_mark, settled
from daiku.apply.cluster.model import (
    OWNER_LABEL,
    ChartResult,
    ClusterReport,
    Failure,
    FieldChange,
    Note,
    Object,
    ObjectChange,
    Prune,
    Ref,
    Waiting,
    Wanted,
    ref_of,
)
from daiku.apply.cluster.order import FOUNDATION, duplicates, needs, order, rank
from daiku.apply.cluster.owners import chart_of
from daiku.apply.cluster.pruning import doomed
from daiku.apply.cluster.readiness import pods_reason, pods_selector, unready
from daiku.apply.cluster.secrets import Source, contents, filled
from daiku.errors import ApiError, ConflictError, NotFoundError, UnreachableError
from daiku.wire.kubernetes import KubernetesApi

TIMEOUT_SECONDS = 300.0
_GROUNDS = {"CustomResourceDefinition", "Namespace"}
"""What others cannot even be sent without."""
_POLL = 0.5

Say = Callable[[str], None]
Check = Callable[[], None]


class Charts(Protocol):
    """Installs the charts between the foundation (namespaces, rights, settings) and the rest."""

    def install(self, *, dry_run: bool, say: Say, check: Check) -> tuple[ChartResult, ...]: ...


def converge(
    api: KubernetesApi,
    objects: Iterable[Wanted],
    *,
    cluster: str,
    say: Say,
    dry_run: bool = False,
    prune: Prune = Prune.SAFE,
    force: bool = True,
    timeout: float = TIMEOUT_SECONDS,
    charts: Charts | None = None,
    secrets: Source | None = None,
    check: Check = lambda: None,
) -> ClusterReport:
    """Bring the cluster named `cluster` to `objects`, by server-side apply in the order of their dependencies.

    A second run that finds nothing to do makes no write: two calls for what is served, one for the inventory, and one
    for each kind. `dry_run` sends everything as a rehearsal. `force` takes fields back from other managers; without
    it such an object fails. `timeout`: seconds in all to wait for objects to become ready. `say` gets lines of
    progress. `secrets` gives the content of Secrets that the operator gave; all of it is read before the first call.
    `check` is called before each write and raises once the cluster is not ours any more: then the run ends.

    A refused object is a Failure of the report and stops only what depends on it; when the server can no longer be
    reached, that is one Failure and the rest is skipped. Raises StateError for a cluster that another file keeps,
    UnreachableError or CredentialsError when not even the first look succeeds, what `secrets` raises, ValueError for an
    object that is wanted twice.
    """
    began, calls, writes = time.monotonic(), api.calls, api.writes
    wanted = order(objects)
    if twice := duplicates(wanted):
        ref, sources = next(iter(twice.items()))
        raise ValueError(f"{ref} is wanted more than once: {', '.join(sources)}")
    run = _Run(
        api,
        cluster,
        wanted,
        say=say,
        dry_run=dry_run,
        force=force,
        deadline=began + timeout,
        secrets=contents(wanted, secrets),
        check=check,
    )
    installed: tuple[ChartResult, ...] = ()
    listed = inventory.read(api, cluster)
    entries = frozenset(inventory.Entry(one.ref, one.api_version) for one in wanted)
    if not dry_run and (listed is None or entries - listed):
        # Before the first object: what a run that dies has applied is known to the next.
        check()
        inventory.write(api, cluster, entries | (listed or frozenset()))
    run.apply(one for one in wanted if rank(one.ref) < FOUNDATION)
    if charts is not None and not run.lost:
        started = time.monotonic()
        installed = charts.install(dry_run=dry_run, say=say, check=check)
        run.deadline += time.monotonic() - started
        api.forget_kinds()
    run.apply(one for one in wanted if rank(one.ref) >= FOUNDATION)
    if not run.lost:
        # After a failure, what is wanted no more may still do the work of what could not be made.
        run.prune(listed or frozenset(), Prune.NOTHING if run.failures else prune)
    if not run.lost:
        stay = {note.ref for note in run.kept}
        left = entries | {entry for entry in listed or () if entry.ref in stay}
        if not dry_run and listed is not None and left != listed and not run.failures:
            check()
            inventory.write(api, cluster, left)
        run.wait()
    return ClusterReport(
        changes=tuple(run.changes),
        unchanged=tuple(run.unchanged),
        waiting=tuple(run.waiting),
        unready=tuple(run.unready),
        kept=tuple(run.kept),
        skipped=tuple(run.skipped),
        failures=tuple(run.failures),
        charts=installed,
        dry_run=dry_run,
        calls=api.calls - calls,
        writes=api.writes - writes,
        seconds=time.monotonic() - began,
    )


class _Run:
    """One run: what is known, and what became of each object so far."""

    def __init__(
        self,
        api: KubernetesApi,
        cluster: str,
        wanted: Sequence[Wanted],
        *,
        say: Say,
        dry_run: bool,
        force: bool,
        deadline: float,
        secrets: Mapping[Ref, Mapping[str, str]],
        check: Check,
    ) -> None:
        self.changes: list[ObjectChange] = []
        self.unchanged: list[Ref] = []
        self.waiting: list[Waiting] = []
        self.unready: list[Note] = []
        self.kept: list[Note] = []
        self.skipped: list[Note] = []
        self.failures: list[Failure] = []
        self.lost = False
        self._api, self._cluster, self._wanted = api, cluster, wanted
        self._say, self._dry_run, self._force, self.deadline = say, dry_run, force, deadline
        self._secrets, self._check = secrets, check
        self._needs = needs(wanted)
        self._live: dict[tuple[str, str], dict[Ref, Object]] = {}
        self._stopped: dict[Ref, str] = {}
        self._pending: set[Ref] = set()
        self._states: dict[Ref, Object] = {}

    def apply(self, objects: Iterable[Wanted]) -> None:
        """Each object in turn, unless something that it needs has failed."""
        for one in objects:
            broken = sorted(need for need in self._needs[one.ref] if need in self._stopped)
            if self.lost or broken:
                reason = (
                    f"{broken[0]} {self._stopped[broken[0]]}"
                    if broken
                    else "the API was lost before its turn"
                )
                self._stopped[one.ref] = "was skipped"
                self.skipped.append(Note(one.ref, reason))
                continue
            try:
                self._apply(one)
            except ApiError as error:
                self._stopped[one.ref] = "failed"
                self.lost = isinstance(error, UnreachableError)
                self.failures.append(Failure(one.ref, error, one.source))

    def _apply(self, one: Wanted) -> None:
        how = self._api.kind(one.api_version, one.ref.kind)
        coming = self._pending & self._needs[one.ref]
        if coming and (how or any(need.kind == "CustomResourceDefinition" for need in coming)):
            # A rehearsal cannot show the server an object whose namespace or definition is only to come.
            self._pending.add(one.ref)
            self.changes.append(ObjectChange(one.ref, "create", source=one.source, checked=False))
            return
        if how is None:
            chart = chart_of(one.ref.group)
            self._stopped[one.ref] = f"waits for chart {chart}" if chart else "waits for its definition"
            self.waiting.append(Waiting(one.ref, one.api_version, chart, one.source))
            return
        if how.namespaced != bool(one.ref.namespace):
            said = "names no namespace" if how.namespaced else "names a namespace, and its kind has none"
            raise ApiError(f"the object {said}", where=one.source, hint="this is a fault of its template")
        body = filled(marked(one, self._cluster), self._secrets.get(one.ref))
        live = self._labelled(one).get(one.ref)
        if live is not None and settled(live, body):
            self._done(one.ref, body, live, None)
            return
        if live is None:
            live = self._api.get(one.api_version, one.ref.kind, one.ref.name, one.ref.namespace)
        if not self._dry_run:
            self._say(f"applying {one.ref}")
        # The mark says that this was applied, yet a value differs: drift, or only the server's way to write it.
        doubtful = live is not None and same_mark(live, body)
        after, taken = self._send(body, dry_run=self._dry_run or doubtful)
        fields = () if live is None else field_changes(live, after)
        change = _change(one, live, after, fields, taken)
        if change is not None and doubtful and not self._dry_run:
            after, taken = self._send(body, dry_run=False)
        self._done(one.ref, body, after, change)

    def _done(self, ref: Ref, body: Object, state: Object, change: ObjectChange | None) -> None:
        if change is None:
            self.unchanged.append(ref)
        else:
            self.changes.append(change)
        if self._dry_run:
            if change is not None and change.what == "create" and ref.kind in _GROUNDS:
                self._pending.add(ref)
            return
        self._states[ref] = state
        if ref.kind in _GROUNDS and (change is not None or unready(state)):
            self._stand(ref, body, state)

    def _stand(self, ref: Ref, body: Object, state: Object) -> None:
        """Wait until a definition is served or a namespace is open: the next objects are sent into it. One that was
        on its way out is made anew when it is gone."""
        while (reason := unready(state) or self._unserved(state)) and time.monotonic() < self.deadline:
            self._say(f"waiting for {ref}: {reason}")
            time.sleep(_POLL / 5)
            found = self._api.get(str(state["apiVersion"]), ref.kind, ref.name)
            state = found or self._send(body, dry_run=False)[0]
        self._states[ref] = state
        if reason:
            self._stopped[ref] = f"is not ready: {reason}"

    def _unserved(self, definition: Object) -> str:
        if definition["kind"] != "CustomResourceDefinition":
            return ""
        self._api.forget_kinds()
        spec = definition["spec"]
        for version in spec["versions"]:
            api_version = f"{spec['group']}/{version['name']}"
            if version.get("served") and self._api.kind(api_version, spec["names"]["kind"]) is None:
                return f"{api_version} is not served yet"
        return ""

    def _send(self, body: Object, *, dry_run: bool) -> tuple[Object, str]:
        """Apply one object; what another manager had set is asked for by name, then taken back."""
        if not dry_run:
            self._check()
        try:
            return self._api.apply(body, dry_run=dry_run, force=False), ""
        except ConflictError as conflict:
            if not self._force or conflict.code != "Conflict" or "another manager owns" not in conflict.hint:
                raise
            taken = conflict.hint.removeprefix("another manager owns ")
            return self._api.apply(body, dry_run=dry_run, force=True), taken

    def _labelled(self, one: Wanted) -> dict[Ref, Object]:
        """The live objects of the same kind that bear the cluster's label: one call a kind."""
        key = (one.api_version, one.ref.kind)
        if key not in self._live:
            found = self._api.list(*key, labels=f"{OWNER_LABEL}={self._cluster}")
            self._live[key] = {ref_of(body): body for body in found}
        return self._live[key]

    def prune(self, listed: Iterable[inventory.Entry], how: Prune) -> None:
        """Delete what is wanted no more and may go."""
        try:
            going, kept = doomed(self._api, self._cluster, listed, self._needs.keys(), how)
            self.kept.extend(kept)
            for body in going:
                ref = ref_of(body)
                if not self._dry_run:
                    self._check()
                try:
                    self._api.delete(body, dry_run=self._dry_run)
                except UnreachableError:
                    raise
                except ApiError as error:
                    self.failures.append(Failure(ref, error))
                else:
                    self.changes.append(ObjectChange(ref, "delete"))
        except UnreachableError as error:
            self.lost = True
            self.failures.append(Failure(Ref("", "ConfigMap", inventory.NAMESPACE, inventory.NAME), error))

    def wait(self) -> None:
        """Until everything that was applied is ready, or the time is over: then each with its reason."""
        left = {ref: state for ref, state in self._states.items() if unready(state)}
        while left:
            first = next(iter(left))
            self._say(f"waiting for {first}: {unready(left[first])}")
            if time.monotonic() >= self.deadline:
                break
            time.sleep(_POLL)
            try:
                fresh = {
                    ref: self._api.get(str(s["apiVersion"]), ref.kind, ref.name, ref.namespace)
                    for ref, s in left.items()
                }
            except ApiError as error:
                self.lost = isinstance(error, UnreachableError)
                self.failures.append(Failure(first, error))
                return
            gone = "it was deleted while the run went on: run the same command again"
            self.unready += (Note(ref, gone) for ref, state in fresh.items() if state is None)
            left = {ref: state for ref, state in fresh.items() if state is not None and unready(state)}
        for ref, state in left.items():
            self.unready.append(Note(ref, self._reason(ref, state)))

    def _reason(self, ref: Ref, state: Object) -> str:
        reason = unready(state)
        selector = pods_selector(state)
        if not selector:
            return reason
        try:
            pods = self._api.list("v1", "Pod", namespace=ref.namespace, labels=selector)
        except (UnreachableError, NotFoundError):
            return reason
        return "; ".join(part for part in (reason, pods_reason(pods)) if part)


def _change(
    one: Wanted, live: Object | None, after: Object, fields: tuple[FieldChange, ...], taken: str
) -> ObjectChange | None:
    """What the server's answer means; None: nothing. `live` is the object before, None where there was none."""
    if live is None:
        return ObjectChange(one.ref, "create", (), taken, one.source)
    same = live["metadata"].get("resourceVersion") == after["metadata"].get("resourceVersion")
    if not fields and (same or same_mark(live, after)):
        return None
    return ObjectChange(one.ref, "update", fields, taken, one.source)

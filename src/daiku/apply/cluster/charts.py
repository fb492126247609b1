"""The charts: which archives are there, what installing them would change, and doing it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daiku.apply.cluster.model import ChartResult, Object, ref_of
from daiku.errors import DaikuError, LockHeldError
from daiku.wire.helm import Helm, Installation
from daiku.wire.kubernetes import KubernetesApi

TIMEOUT_SECONDS = 600.0
_NAMED = 4


@dataclass(frozen=True, slots=True)
class ChartWanted:
    """A chart that shall be installed as `release`. `sha256` is the archive's digest, "" while the release of daiku
    does not know it; `source` is the rendered file that names it."""

    chart: str
    version: str
    release: str
    namespace: str
    values: bytes
    sha256: str = ""
    source: str = ""


class HelmCharts:
    """Installs charts from the archives in `folder` (NAME-VERSION.tgz; None: there is no folder).

    A chart without an archive is reported as missing, which is no failure; one that helm refuses does not stop the
    others.
    """

    def __init__(
        self,
        helm: Helm,
        api: KubernetesApi,
        folder: Path | None,
        wanted: Sequence[ChartWanted],
        *,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        self._helm, self._api, self._folder, self._wanted, self._timeout = helm, api, folder, wanted, timeout

    def install(
        self, *, dry_run: bool, say: Callable[[str], None], check: Callable[[], None] = lambda: None
    ) -> tuple[ChartResult, ...]:
        """Each in the order given: what became of it, or with `dry_run` would become. `check` is called before each
        change and raises LockHeldError once the cluster is not ours any more: then the run ends."""
        results: list[ChartResult] = []
        for one in self._wanted:
            say(f"chart {one.chart} {one.version}")
            try:
                what, detail = self._install(one, check, dry_run=dry_run)
            except LockHeldError:
                raise
            except DaikuError as error:
                what, detail = "failed", error.message
            results.append(ChartResult(one.release, one.chart, one.version, what, detail))
        return tuple(results)

    def _install(
        self, one: ChartWanted, check: Callable[[], None], *, dry_run: bool
    ) -> tuple[Literal["unchanged", "install", "upgrade", "missing", "failed"], str]:
        archive = archive_of(self._folder, one)
        if archive is None:
            folder = (
                f"in {self._folder}"
                if self._folder
                else "(--charts or DAIKU_CHARTS names the folder of archives)"
            )
            return "missing", f"not installed: no archive of {one.chart}-{one.version} {folder}"
        if one.sha256 and hashlib.sha256(archive.read_bytes()).hexdigest() != one.sha256:
            return "failed", f"{archive.name} is not the archive that the release locks: its SHA-256 differs"
        wanted = Installation(one.release, one.namespace, archive, one.values)
        there = self._helm.release(one.release, one.namespace)
        if there is not None and there.status == "deployed" and there.inputs == wanted.inputs():
            return "unchanged", ""
        before = self._helm.manifest(one.release, one.namespace) if there is not None else []
        detail = difference(before, self._helm.render(wanted, upgrade=there is not None))
        if not dry_run:
            check()
            for definition in self._helm.definitions(archive) if there is not None else ():
                self._api.apply(definition)
            if there is not None and there.pending:
                self._repair(one)
            self._helm.upgrade(wanted, timeout=self._timeout)
        return ("install" if there is None else "upgrade"), detail

    def _repair(self, one: ChartWanted) -> None:
        """Free a release whose helm was cut off. The caller has the cluster to itself, so no other helm is at work.

        The last revision that stood comes back, which also removes what only the cut-off one brought. Where none
        ever stood, that revision is forgotten, and the install that follows takes over the objects it left.
        """
        revisions = self._helm.revisions(one.release, one.namespace)
        stood = [revision for revision, status in revisions.items() if status == "deployed"]
        if stood:
            self._helm.rollback(one.release, one.namespace, stood[-1])
            return
        for revision, status in revisions.items():
            name = f"sh.helm.release.v1.{one.release}.v{revision}"
            memory = self._api.get("v1", "Secret", name, one.namespace)
            if status.startswith("pending-") and memory is not None:
                self._api.delete(memory)


def archive_of(folder: Path | None, one: ChartWanted) -> Path | None:
    """The chart's archive, None where there is none."""
    if folder is None:
        return None
    archive = folder / f"{one.chart}-{one.version}.tgz"
    return archive if archive.is_file() else None


def difference(before: Iterable[Object], after: Iterable[Object]) -> str:
    """Which objects a chart adds, changes and removes, in words; contents are not shown: they may hold secrets."""
    old, new = {ref_of(body): body for body in before}, {ref_of(body): body for body in after}
    parts = (
        ("new", sorted(new.keys() - old.keys())),
        ("changed", sorted(ref for ref in new.keys() & old.keys() if new[ref] != old[ref])),
        ("gone", sorted(old.keys() - new.keys())),
    )
    found: list[str] = []
    for word, refs in parts:
        if refs:
            names = ", ".join(map(str, refs[:_NAMED])) + (" ..." if len(refs) > _NAMED else "")
            found.append(f"{len(refs)} {word}: {names}")
    return "; ".join(found) or "its objects stay the same"

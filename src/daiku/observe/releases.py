"""What registries say about the images and charts of a release: the digests of a lock file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from daiku.errors import Fault, SpecError
from daiku.plan.model import Release
from daiku.spec.lockfile import Locked, ReleaseLock
from daiku.wire.registry import ChartDigests

CHARTS = "charts"
"""The source of all charts: a registry that they are pushed to, each under its own name."""


class Asked(Protocol):
    """A registry as far as a lock needs it."""

    def digest(self, repository: str, tag: str) -> str: ...
    def chart(self, repository: str, version: str) -> ChartDigests: ...


def missing_sources(release: Release) -> tuple[str, ...]:
    """The sources of images and charts that the cluster file names no registry for."""
    wanted = {source for _, source in release.sources} | {CHARTS}
    return tuple(sorted(wanted - {source for source, _ in release.registries}))


def lock(
    release: Release, registry: Callable[[str], Asked], say: Callable[[str], None], *, file: str = ""
) -> ReleaseLock:
    """Ask for every digest. `registry` gives the one at an address; `say` is told each name that is asked for;
    `file` is the cluster file's name.

    Raises the first error, since a lock with holes is none: SpecError when a registry is not named, or an API error.
    """
    missing = missing_sources(release)
    if missing:
        hint = f"for example `registries: [{{ source: {missing[0]}, at: mirror.example:5000 }}]`"
        raise SpecError([Fault("registries", f"no registry is named for: {', '.join(missing)}", hint, file)])
    at, source = dict(release.registries), dict(release.sources)
    images: dict[str, Locked] = {}
    for name, reference in release.images:
        repository, _, tag = reference.rpartition(":")
        say(f"image {name} {tag}")
        images[name] = Locked(version=tag, digest=registry(at[source[name]]).digest(repository, tag))
    charts: dict[str, Locked] = {}
    for name, version in release.charts:
        say(f"chart {name} {version}")
        found = registry(at[CHARTS]).chart(name, version)
        charts[name] = Locked(version=version, digest=found.manifest, archive=found.archive)
    return ReleaseLock(release=release.name, images=images, charts=charts)

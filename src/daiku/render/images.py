"""Container images and charts of a release, by name. The renderer invents no version and no registry."""

from __future__ import annotations

from daiku.plan.model import Release


def image(release: Release, name: str) -> str:
    """The full reference of an image, with tag or digest. ValueError: the release does not lock it."""
    return _look_up(release, release.images, name, "image")


def chart_version(release: Release, name: str) -> str:
    """The version of a chart. ValueError: the release does not lock it."""
    return _look_up(release, release.charts, name, "chart")


def _look_up(release: Release, entries: tuple[tuple[str, str], ...], name: str, what: str) -> str:
    for key, value in entries:
        if key == name:
            return value
    raise ValueError(f"release {release.name} locks no {what} named {name!r}")

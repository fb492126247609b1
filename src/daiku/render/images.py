"""Container images and charts of a release, by name. The renderer invents no version, no registry and no digest."""

from __future__ import annotations

from daiku.plan.model import Release

KUBERNETES = "kubernetes"
"""The source of Kubernetes' own images, which kubeadm asks for by itself."""


def image(release: Release, name: str) -> str:
    """The reference of an image: registry, if the cluster file names one for its source; repository and tag; digest,
    if the release was locked. ValueError: the release does not have the image."""
    repository, tag = image_parts(release, name)
    return f"{repository}:{tag}"


def image_parts(release: Release, name: str) -> tuple[str, str]:
    """The same in two parts, for charts that ask for them so: repository with its registry, tag with its digest."""
    repository, _, tag = _look_up(release, release.images, name, "image").rpartition(":")
    at = registry(release, dict(release.sources).get(name, ""))
    digest = dict(release.image_digests).get(name, "")
    return f"{at}/{repository}" if at else repository, f"{tag}@{digest}" if digest else tag


def registry(release: Release, source: str) -> str:
    """Where the images of that source are; empty when the cluster file does not say."""
    return dict(release.registries).get(source, "")


def chart_version(release: Release, name: str) -> str:
    """The version of a chart. ValueError: the release does not lock it."""
    return _look_up(release, release.charts, name, "chart")


def chart_sha256(release: Release, name: str) -> str:
    """SHA-256 of the chart's archive in hexadecimal; empty while the release is not locked."""
    return dict(release.chart_archives).get(name, "").removeprefix("sha256:")


def _look_up(release: Release, entries: tuple[tuple[str, str], ...], name: str, what: str) -> str:
    for key, value in entries:
        if key == name:
            return value
    raise ValueError(f"release {release.name} locks no {what} named {name!r}")

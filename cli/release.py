"""`daiku release`: what a release locks, and the digests that the registries give for it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option

if TYPE_CHECKING:
    from daiku.wire.registry import Registry


@click.group()
def release() -> None:
    """The locked set of versions that the cluster runs."""


@release.command()
@file_option
@json_option
def show(file: Path, as_json: bool) -> None:
    """Show its versions, images and charts."""
    from daiku.plan.make import make
    from daiku.render.images import image
    from daiku.spec.load import load

    found = make(load(file)).release
    images = {name: image(found, name) for name, _ in found.images}
    archives = dict(found.chart_archives)
    if as_json:
        charts = {name: {"version": v, "archive": archives.get(name, "")} for name, v in found.charts}
        plain = found.model_dump(mode="json")
        versions = {key: value for key, value in plain.items() if isinstance(value, str)}
        output.emit_json(
            {"versions": versions, "packages": dict(found.packages), "images": images, "charts": charts}
        )
        return
    output.say(f"release {found.name}: Kubernetes {found.kubernetes}, GPU driver {found.gpu_driver}")
    for name, reference in images.items():
        output.say(f"  image  {name}  {reference}")
    for name, version in found.charts:
        output.say(f"  chart  {name}  {version}  {archives.get(name, '')}".rstrip())
    if not found.image_digests:
        output.note("digests are not known yet: `daiku release lock` asks the registries")


@release.command()
@file_option
@json_option
def lock(file: Path, as_json: bool) -> None:
    """Record digests from the registries.

    They are written beside the cluster file, in cluster.lock.yaml. The registries are those of `registries` in the
    cluster file. Nothing is written unless every one was found.
    """
    from daiku.observe.releases import lock as ask
    from daiku.plan.view import release_of
    from daiku.spec.load import load_without_lock
    from daiku.spec.lockfile import dump, path_of
    from daiku.wire.registry import Registry

    named = release_of(load_without_lock(file).cluster, None)
    path = path_of(file)
    with contextlib.ExitStack() as stack:
        known: dict[str, Registry] = {}

        def registry(at: str) -> Registry:
            if at not in known:
                known[at] = Registry(at)
                stack.callback(known[at].close)
            return known[at]

        found = ask(named, registry, (lambda _text: None) if as_json else output.note, file=str(file))
    text = dump(found)
    changed = not path.exists() or path.read_text(encoding="utf-8") != text
    if changed:
        path.write_text(text, encoding="utf-8")
    if as_json:
        output.emit_json({"file": str(path), "changed": changed, **found.model_dump(mode="json")})
        return
    count = f"{len(found.images)} images and {len(found.charts)} charts of release {found.release}"
    output.say(f"{path}: {count}, {'written' if changed else 'unchanged'}")

"""`daiku release lock`: every digest from a registry or nothing at all, and what rendering makes of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from daiku.cli.main import root
from daiku.errors import NotFoundError, SpecError
from daiku.plan.make import make
from daiku.plan.model import Release
from daiku.plan.view import release_of
from daiku.render.cluster import cluster_tree
from daiku.render.images import image
from daiku.spec.load import load
from daiku.spec.lockfile import path_of
from tests.release.oci_registry import OciRegistry, digest_of, serving
from tests.render.plans import example, objects, plan, read

RELEASE: Release = plan().release
SOURCES = sorted({source for _, source in RELEASE.sources} | {"charts"})


def stocked() -> OciRegistry:
    """A mirror with everything that the release names."""
    made = OciRegistry()
    sources = dict(RELEASE.sources)
    for name, reference in RELEASE.images:
        repository, _, tag = reference.rpartition(":")
        made.image(f"{sources[name]}/{repository}", tag)
    for name, version in RELEASE.charts:
        made.chart(f"charts/{name}", version, f"{name} {version}".encode())
    return made


def cluster_file(folder: Path, at: str, **sections: Any) -> Path:
    path = folder / "cluster.yaml"
    registries = [{"source": source, "at": f"{at}/{source}"} for source in SOURCES]
    path.write_text(yaml.safe_dump(example() | {"registries": registries} | sections))
    return path


def daiku(*arguments: str) -> Any:
    return CliRunner().invoke(root, arguments, catch_exceptions=True)


def test_every_image_of_the_release_has_a_source() -> None:
    assert {name for name, _ in RELEASE.images} == {name for name, _ in RELEASE.sources}


def test_a_lock_holds_what_the_registries_say_and_rendering_uses_it(tmp_path: Path) -> None:
    with serving(stocked()) as mirror:
        file = cluster_file(tmp_path, mirror.at)
        done = daiku("release", "lock", "-f", str(file), "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["changed"] is True
        written = path_of(file).read_text()
        assert json.loads(daiku("release", "lock", "-f", str(file), "--json").stdout)["changed"] is False
        assert path_of(file).read_text() == written
        made = make(load(file))
        ceph = mirror.manifests["quay/ceph/ceph", "v20.2.4"][1]
        assert image(made.release, "ceph") == f"{mirror.at}/quay/ceph/ceph:v20.2.4@{digest_of(ceph)}"
        tree = cluster_tree(made)
        assert objects(tree, "CephCluster")[0]["spec"]["cephVersion"]["image"].endswith(digest_of(ceph))
        archive = f"kueue {dict(RELEASE.charts)['kueue']}".encode()
        assert read(tree, "60-kueue/chart.yaml")["sha256"] == digest_of(archive).removeprefix("sha256:")
        assert read(tree, "21-whereabouts/chart.yaml")["version"] == "0.9.4"


def test_one_that_is_missing_leaves_no_lock(tmp_path: Path) -> None:
    mirror = stocked()
    del mirror.manifests["quay/ceph/ceph", "v20.2.4"]
    with serving(mirror):
        file = cluster_file(tmp_path, mirror.at)
        done = daiku("release", "lock", "-f", str(file))
        assert isinstance(done.exception, NotFoundError)
        assert done.exception.where.endswith("quay/ceph/ceph:v20.2.4")
        assert not path_of(file).exists()


def test_sources_without_a_registry_are_named(tmp_path: Path) -> None:
    file = cluster_file(tmp_path, "", registries=[{"source": "quay", "at": "mirror.example"}])
    done = daiku("release", "lock", "-f", str(file))
    assert isinstance(done.exception, SpecError)
    (fault,) = done.exception.faults
    assert fault.message == "no registry is named for: charts, docker, github, kubernetes, nvidia"
    assert "source: charts" in fault.hint


def test_a_lock_of_another_release_is_refused_until_it_is_made_again(tmp_path: Path) -> None:
    with serving(stocked()) as mirror:
        file = cluster_file(tmp_path, mirror.at)
        assert daiku("release", "lock", "-f", str(file)).exit_code == 0
        lock = path_of(file)
        lock.write_text(lock.read_text().replace("release: '2026.11'", "release: '2026.05'"))
        with pytest.raises(SpecError) as caught:
            load(file)
        assert "locks release 2026.05" in caught.value.faults[0].message
        assert daiku("release", "lock", "-f", str(file)).exit_code == 0
        assert load(file).lock is not None


@pytest.mark.parametrize(
    "text", ["", "release: [", "release: '2026.11'\nimages: {a: {digest: latest}}\ncharts: {}\n"]
)
def test_a_damaged_lock_is_one_clear_fault(tmp_path: Path, text: str) -> None:
    file = cluster_file(tmp_path, "mirror.example")
    path_of(file).write_text(text)
    with pytest.raises(SpecError) as caught:
        load(file)
    (fault,) = caught.value.faults
    assert "damaged" in fault.message
    assert fault.file == str(path_of(file))


def test_a_digest_of_another_version_is_not_used(tmp_path: Path) -> None:
    with serving(stocked()) as mirror:
        file = cluster_file(tmp_path, mirror.at)
        assert daiku("release", "lock", "-f", str(file)).exit_code == 0
        path_of(file).write_text(path_of(file).read_text().replace("v20.2.4", "v19.2.0"))
        loaded = load(file)
        assert image(release_of(loaded.cluster, loaded.lock), "ceph") == f"{mirror.at}/quay/ceph/ceph:v20.2.4"


def test_show_tells_references_and_what_is_not_known(tmp_path: Path) -> None:
    file = cluster_file(tmp_path, "mirror.example")
    found = json.loads(daiku("release", "show", "-f", str(file), "--json").stdout)
    assert found["images"]["pause"] == "mirror.example/kubernetes/pause:3.10.2"
    assert found["charts"]["kueue"] == {"version": "0.19.2", "archive": ""}
    assert "digests are not known yet" in daiku("release", "show", "-f", str(file)).output


def test_without_registries_images_keep_their_plain_names() -> None:
    assert image(RELEASE, "ceph") == "ceph/ceph:v20.2.4"

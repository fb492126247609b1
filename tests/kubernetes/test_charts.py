"""Charts through the real helm, against the real API server, from archives that the tests make."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import tarfile
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from daiku.apply.cluster.charts import ChartWanted, HelmCharts
from daiku.apply.cluster.model import ChartResult
from daiku.errors import LockHeldError, ObjectsError
from daiku.lab.tools.build import find_or_build
from daiku.wire.helm import Helm
from daiku.wire.kubernetes import Object
from tests.kubernetes.conftest import Place

pytestmark = pytest.mark.kubernetes

CONFIG = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: from-chart, namespace: {{ .Release.Namespace }}}
data: {message: {{ required "message is not set" .Values.message | quote }}}
"""
STUCK = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: stuck, namespace: {{ .Release.Namespace }}}
spec:
  selector: {matchLabels: {a: b}}
  template:
    metadata: {labels: {a: b}}
    spec: {nodeSelector: {no: where}, containers: [{name: x, image: registry.test/x:1}]}
"""


def pack(
    folder: Path, version: str = "1.2.3", definition: Object | None = None, template: str = CONFIG
) -> Path:
    """An archive of a chart `tiny` as `helm package` makes it."""
    files = {
        "Chart.yaml": yaml.safe_dump({"apiVersion": "v2", "name": "tiny", "version": version}),
        "values.yaml": "",
        "templates/all.yaml": template,
    }
    if definition:
        files["crds/definition.yaml"] = yaml.safe_dump(definition)
    path = folder / f"tiny-{version}.tgz"
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"tiny/{name}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


class Setting:
    def __init__(self, place: Place, folder: Path) -> None:
        self.place, self.folder = place, folder
        self.helm = Helm(lambda: find_or_build("helm", lambda _line: None), place.api.credentials)
        self.wanted = ChartWanted("tiny", "1.2.3", "tiny", place.name, b"message: hello\n")

    def charts(self, timeout: float = 30) -> HelmCharts:
        return HelmCharts(self.helm, self.place.api, self.folder, [self.wanted], timeout=timeout)

    def run(self, *, dry_run: bool = False, timeout: float = 30) -> ChartResult:
        (result,) = self.charts(timeout).install(dry_run=dry_run, say=lambda _line: None)
        return result

    def message(self) -> str | None:
        live = self.place.get(self.place.config("from-chart"))
        return str(live["data"]["message"]) if live else None


@pytest.fixture
def setting(place: Place, tmp_path: Path) -> Generator[Setting]:
    place.converge(place.namespace())
    yield Setting(place, tmp_path)
    place.api.delete(place.namespace())


def test_a_chart_is_installed_once_and_upgraded_when_its_values_change(setting: Setting) -> None:
    pack(setting.folder)
    assert setting.run(dry_run=True).what == "install"
    assert setting.message() is None
    assert setting.run().what == "install"
    assert setting.message() == "hello"
    assert setting.run().what == "unchanged"
    setting.wanted = replace(setting.wanted, values=b"message: again\n")
    rehearsal = setting.run(dry_run=True)
    assert (rehearsal.what, setting.message()) == ("upgrade", "hello")
    assert rehearsal.detail == f"1 changed: ConfigMap {setting.place.name}/from-chart"
    assert setting.run().what == "upgrade"
    assert setting.message() == "again"


def test_another_archive_of_the_same_version_is_an_upgrade(setting: Setting) -> None:
    pack(setting.folder)
    setting.run()
    pack(setting.folder, template=CONFIG.replace("message: {{", "more: x, message: {{"))
    assert setting.run().what == "upgrade"


def test_without_an_archive_the_chart_is_missing_and_its_objects_wait(setting: Setting) -> None:
    place = setting.place
    report = place.converge(place.namespace(), place.custom(size=1), charts=setting.charts())
    (chart,) = report.charts
    assert chart.what == "missing"
    assert chart.detail == f"not installed: no archive of tiny-1.2.3 in {setting.folder}"
    assert [waiting.ref.kind for waiting in report.waiting] == ["Widget"]
    report.check()


def test_objects_of_a_charts_kinds_follow_in_the_same_run(setting: Setting) -> None:
    place = setting.place
    pack(setting.folder, definition=place.definition())
    report = place.converge(place.namespace(), place.custom(size=1), charts=setting.charts())
    assert [chart.what for chart in report.charts] == ["install"]
    assert [change.ref.kind for change in report.changes] == ["Widget"]
    assert place.get(place.custom()) is not None


def test_an_upgrade_brings_the_charts_new_definitions_too(setting: Setting) -> None:
    place = setting.place
    pack(setting.folder, definition=place.definition())
    setting.run()
    newer = place.definition()
    newer["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["new"] = {
        "type": "string"
    }
    pack(setting.folder, "1.3.0", definition=newer)
    setting.wanted = replace(setting.wanted, version="1.3.0")
    assert setting.run().what == "upgrade"
    report = place.converge(place.namespace(), place.custom(new="x"))
    assert not report.failures


def test_what_helm_refuses_is_told_in_its_words_and_fails_the_run(setting: Setting) -> None:
    pack(setting.folder)
    setting.wanted = replace(setting.wanted, values=b"mesage: hello\n")
    report = setting.place.converge(
        setting.place.namespace(), setting.place.config(a="b"), charts=setting.charts()
    )
    (chart,) = report.charts
    assert chart.what == "failed"
    assert "message is not set" in chart.detail
    assert [change.ref.kind for change in report.changes] == ["ConfigMap"]
    with pytest.raises(ObjectsError, match=r"chart tiny: .*message is not set"):
        report.check()


def test_an_upgrade_that_does_not_become_ready_is_taken_back(setting: Setting) -> None:
    pack(setting.folder)
    setting.run()
    pack(setting.folder, "1.3.0", template=CONFIG.replace("quote", "upper | quote") + "---\n" + STUCK)
    setting.wanted = replace(setting.wanted, version="1.3.0")
    result = setting.run(timeout=3)
    assert result.what == "failed"
    assert setting.message() == "hello"
    assert setting.place.api.get("apps/v1", "Deployment", "stuck", setting.place.name) is None


def test_without_the_lease_no_chart_is_installed(setting: Setting) -> None:
    pack(setting.folder)

    def gone() -> None:
        raise LockHeldError("another run holds the cluster")

    with pytest.raises(LockHeldError):
        setting.charts().install(dry_run=False, say=lambda _line: None, check=gone)
    assert setting.helm.release("tiny", setting.place.name) is None
    (rehearsal,) = setting.charts().install(dry_run=True, say=lambda _line: None, check=gone)
    assert rehearsal.what == "install"


def cut_off(setting: Setting) -> None:
    """Install or upgrade with a helm that is killed while it waits for what never becomes ready."""
    helm, number = setting.helm, setting.folder / "pid"
    real = find_or_build("helm", lambda _line: None)
    program = setting.folder / "helm"
    program.write_text(f'#!/bin/sh\necho $$ > {number}\nexec {real} "$@"\n')
    program.chmod(0o755)
    setting.helm = Helm(lambda: program, setting.place.api.credentials)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(setting.run, timeout=60)
        deadline = time.monotonic() + 60
        # Its objects are there, so it only waits now.
        while setting.place.api.get("apps/v1", "Deployment", "stuck", setting.place.name) is None:
            assert not running.done(), running.result()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        os.kill(int(number.read_text()), signal.SIGKILL)
        assert running.result().what == "failed"
    setting.helm = helm
    release = helm.release("tiny", setting.place.name)
    assert release is not None
    assert release.pending


def test_an_install_that_was_killed_is_taken_over_by_the_next_run(setting: Setting) -> None:
    pack(setting.folder, template=CONFIG + "---\n" + STUCK)
    cut_off(setting)
    pack(setting.folder)
    assert setting.run().what == "upgrade"
    assert setting.message() == "hello"
    assert setting.run().what == "unchanged"


def test_an_upgrade_that_was_killed_is_rolled_back_and_done_again(setting: Setting) -> None:
    pack(setting.folder)
    setting.run()
    pack(setting.folder, "1.3.0", template=CONFIG.replace("quote", "upper | quote") + "---\n" + STUCK)
    setting.wanted = replace(setting.wanted, version="1.3.0")
    cut_off(setting)
    pack(setting.folder, "1.4.0", template=CONFIG.replace("quote", "title | quote"))
    setting.wanted = replace(setting.wanted, version="1.4.0")
    assert setting.run().what == "upgrade"
    assert setting.message() == "Hello"
    assert setting.place.api.get("apps/v1", "Deployment", "stuck", setting.place.name) is None
    assert setting.run().what == "unchanged"


def test_an_archive_that_is_not_the_locked_one_is_refused(setting: Setting) -> None:
    path = pack(setting.folder)
    setting.wanted = replace(setting.wanted, sha256="0" * 64)
    assert "SHA-256 differs" in setting.run().detail
    setting.wanted = replace(setting.wanted, sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert setting.run().what == "install"


def test_helm_leaves_nothing_on_disk(
    setting: Setting, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path_factory.mktemp("scratch")
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    pack(setting.folder)
    assert setting.run().what == "install"
    assert not list(scratch.iterdir())

"""Which version of Kubernetes a lab host has, and which versions the lab can have at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from daiku.lab.hosts import Programs
from daiku.lab.hosts import programs as outside
from daiku.lab.hosts.guest.packages import lab_packages, offered, version
from daiku.lab.tools.build import digest
from daiku.lab.tools.catalog import BEFORE, HELM, KUBERNETES, KWOK, PULUMI, Tool


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As the hosts see it: two versions of kubeadm, one of kubectl."""
    shown = tmp_path / "programs"
    for name, number in (("kubeadm", "1.9.4"), ("kubeadm", "1.10.3"), ("kubectl", "1.10.3")):
        (shown / name / number).mkdir(parents=True)
        (shown / name / number / name).touch()
    (shown / "kubernetes").write_text("1.10.3\n")
    return shown


def test_a_fresh_disk_has_the_labs_version(folder: Path, tmp_path: Path) -> None:
    assert version("kubelet", folder, tmp_path / "disk") == "1.10.3"
    assert version("kubelet", tmp_path / "nowhere", tmp_path / "disk") == "0.0.0"


def test_packages_change_one_by_one(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    disk = tmp_path / "disk"
    assert lab_packages(["kubeadm=1.9.4-1.1", "kubelet=1.9.4"], folder, disk) == 0
    assert capsys.readouterr().out == "kubeadm 1.9.4\nkubelet 1.9.4\nkubectl 1.10.3\n"
    assert lab_packages(["kubeadm=1.10.3"], folder, disk) == 0
    assert [version(name, folder, disk) for name in ("kubeadm", "kubelet")] == ["1.10.3", "1.9.4"]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ["kubeadm=1.10.3", "kubelet=1.8.0"],
            100,
            "version '1.8.0' of kubelet is not here; there is: 1.9.4, 1.10.3",
        ),
        (["kubectl=1.9.4"], 100, "there is: 1.10.3"),
        (["kubeadm"], 100, "version ''"),
        (["etcd=3.6.8"], 2, "etcd is none of kubeadm, kubelet, kubectl"),
    ],
)
def test_what_is_not_offered_changes_nothing(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    assert lab_packages(words, folder, tmp_path / "disk") == code
    assert said in capsys.readouterr().err
    assert not (tmp_path / "disk").exists()
    assert offered("kubelet", folder) == ["1.9.4", "1.10.3"]


def minor(tools: Sequence[Tool]) -> int:
    return int(next(tool for tool in tools if tool.name == "kubeadm").version.split(".")[1])


def test_the_version_before_is_one_minor_older_and_all_its_parts_are_of_one_release() -> None:
    assert minor(BEFORE) == minor(KUBERNETES) - 1
    assert {tool.name for tool in BEFORE} <= {tool.name for tool in KUBERNETES}
    (number,) = {tool.version for tool in BEFORE if tool.name != "etcd"}
    (module,) = {tool.module for tool in BEFORE if tool.name != "etcd"}
    replaced = [line.split()[-1] for line in (module / "go.mod").read_text().splitlines() if "=>" in line]
    assert set(replaced) == {f"v0.{number.removeprefix('1.')}"}


@pytest.mark.parametrize("tool", BEFORE, ids=lambda tool: tool.name)
def test_it_is_pinned_and_kept_apart_from_the_newest(tool: Tool) -> None:
    pins = (tool.module / "go.mod").read_text() + (tool.module / "go.sum").read_text()
    assert f" v{tool.version}" in pins
    assert "://" not in pins
    newest = next(other for other in KUBERNETES if other.name == tool.name)
    assert digest(tool) != digest(newest)
    assert not newest.accepts(tool.oldest)


def test_a_lab_that_is_not_asked_does_not_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted: list[Tool] = []

    def provided(tools: Sequence[Tool], progress: Callable[[str], None], *_: object, **__: object) -> None:
        wanted.extend(tools)

    monkeypatch.setattr(outside, "provide_all", provided)
    Programs(tmp_path).build(lambda _: None)
    assert wanted == [*KUBERNETES, KWOK]
    assert not {*wanted, PULUMI, HELM} & {*BEFORE}

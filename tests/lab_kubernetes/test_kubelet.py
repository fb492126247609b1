"""The kubelet's stand-in, apart from the API: settings, manifests, processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from daiku.lab.hosts.guest import programs
from daiku.lab.hosts.guest.kubelet import processes, settings
from daiku.lab.hosts.guest.kubelet.manifest import Manifests, StaticPod, image_parts, run_of
from daiku.lab.hosts.guest.kubelet.pods import (
    MIRROR,
    is_ready,
    mirror_pod,
    mirror_status,
    needs_report,
    pretended_status,
)
from daiku.lab.hosts.guest.kubelet.probes import probe_port
from daiku.lab.hosts.guest.kubelet.reporter import Reporter
from daiku.lab.hosts.guest.kubelet.settings import SettingsError, parse_flags, parse_taint
from daiku.lab.hosts.guest.kubelet.static import StaticPods

CONTAINER: dict[str, Any] = {"name": "c", "image": "registry.example/sleep:v1.0", "command": ["sleep", "600"]}


def pod(container: dict[str, Any] = CONTAINER, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "p", "namespace": "kube-system"},
        "spec": {"containers": [container], **spec},
    }


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("registry.k8s.io/kube-apiserver:v1.36.3", ("kube-apiserver", "1.36.3")),
        ("registry.k8s.io/etcd:3.6.8-0", ("etcd", "3.6.8")),
        ("mirror.example:5000/k8s/etcd:3.6.8-0@sha256:00", ("etcd", "3.6.8")),
        ("etcd", ("etcd", "")),
    ],
)
def test_the_program_is_chosen_by_name_and_version(image: str, parts: tuple[str, str]) -> None:
    assert image_parts(image) == parts


def test_flags_are_read_as_kubeadm_writes_them() -> None:
    flags = parse_flags(["--node-ip=10.0.0.1", "--node-labels", "a=b,c=d", "--v", "--config=x", "--config=y"])
    assert flags == {"node-ip": "10.0.0.1", "node-labels": "a=b,c=d", "v": "true", "config": "y"}
    assert parse_taint("k=v:NoSchedule") == {"key": "k", "value": "v", "effect": "NoSchedule"}
    assert parse_taint("k:NoExecute") == {"key": "k", "effect": "NoExecute"}


def test_settings_come_from_flags_and_the_configuration_file(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    with pytest.raises(SettingsError, match="failed to load"):
        settings.read([f"--config={config}", "--node-ip=10.0.0.1"])
    content = {
        "kind": "KubeletConfiguration",
        "staticPodPath": "/m",
        "healthzPort": 1,
        "providerID": "lab://x",
    }
    config.write_text(yaml.safe_dump(content))
    found = settings.read(
        [f"--config={config}", "--hostname-override=n", "--node-ip=10.0.0.1", "--node-labels=a=b"]
    )
    assert (found.node_name, found.labels, found.provider_id) == ("n", {"a": "b"}, "lab://x")
    assert (found.manifests, found.healthz_port, found.lease_seconds) == (Path("/m"), 1, 40)


def test_a_broken_manifest_is_told_and_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(pod()))
    (tmp_path / "b.yaml").write_text("{")
    (tmp_path / ".hidden.yaml").write_text("{")
    (tmp_path / "c.txt").write_text("{")
    told: list[str] = []
    manifests = Manifests(tmp_path, told.append)
    first = manifests.read()
    assert list(first) == ["a.yaml"]
    assert manifests.read()["a.yaml"] is first["a.yaml"]
    assert len(told) == 1
    (tmp_path / "b.yaml").write_text(yaml.safe_dump(pod()))
    assert list(manifests.read()) == ["a.yaml", "b.yaml"]


def test_a_container_becomes_words_and_other_paths_are_bound(tmp_path: Path) -> None:
    volumes = [
        {"name": "same", "hostPath": {"path": "/etc/pki", "type": "DirectoryOrCreate"}},
        {"name": "moved", "hostPath": {"path": "/etc/host file", "type": "FileOrCreate"}},
    ]
    mounts = [{"name": "same", "mountPath": "/etc/pki/"}, {"name": "moved", "mountPath": "/etc/inside"}]
    container = {**CONTAINER, "volumeMounts": mounts, "env": [{"name": "A", "value": "1"}]}
    run = run_of(StaticPod("f", "d", pod(container, volumes=volumes)), container, tmp_path / "sleep")
    assert run.folders == ("/etc/pki",)
    assert run.files == ("/etc/host file",)
    assert run.words[:2] == ("unshare", "--mount")
    assert "mount --bind '/etc/host file' /etc/inside" in run.words[4]
    assert run.words[-2:] == (str(tmp_path / "sleep"), "600")
    assert run.environment["A"] == "1"
    with pytest.raises(ValueError, match="no hostPath"):
        run_of(StaticPod("f", "d", pod(container, volumes=[{"name": "same"}])), container, tmp_path / "sleep")


@pytest.fixture
def static(tmp_path: Path) -> StaticPods:
    (tmp_path / "m").mkdir()
    return StaticPods(
        tmp_path / "m",
        "n",
        lambda _name, _version: Path("/usr/bin/sleep"),
        lambda _line: None,
        tmp_path / "r",
        tmp_path / "l",
    )


def settle(static: StaticPods, wanted: int) -> int:
    """Look until that many containers run (0 or 1); the PID of the one that does."""
    deadline = time.monotonic() + 10
    while True:
        static.sync()
        live = [found for record in static.records.glob("*.json") if (found := processes.find(record))]
        if len(live) == wanted and all(p.digest in {s.digest for s in static.pods.values()} for p in live):
            return live[0].pid if live else 0
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_static_pods_start_are_adopted_replaced_and_ended(static: StaticPods, tmp_path: Path) -> None:
    manifest = static.folder / "p.yaml"
    manifest.write_text(yaml.safe_dump(pod()))
    first = settle(static, 1)
    assert os.getsid(first) == first
    again = StaticPods(static.folder, "n", static.program, static.log, static.records, static.logs)
    assert settle(again, 1) == first
    manifest.write_text(yaml.safe_dump(pod({**CONTAINER, "command": ["sleep", "601"]})))
    second = settle(again, 1)
    assert second != first
    manifest.unlink()
    assert settle(again, 0) == 0
    again.sync()
    assert list(static.records.iterdir()) == []


def test_a_pid_that_is_used_again_is_not_ours(tmp_path: Path) -> None:
    record = tmp_path / "x.json"
    process = processes.start(record, "d", ["sleep", "600"], {"PATH": "/usr/bin:/bin"}, "/", tmp_path / "log")
    assert processes.find(record) == process
    record.write_text(record.read_text().replace(process.born, "1"))
    assert processes.find(record) is None
    os.kill(process.pid, signal.SIGKILL)
    os.waitpid(process.pid, 0)


def test_an_end_while_a_process_starts_leaves_none_that_nobody_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record, known = tmp_path / "x.json", list[bool]()
    before = signal.signal(signal.SIGTERM, lambda _number, _frame: known.append(record.exists()))

    def interrupted() -> str:
        os.kill(os.getpid(), signal.SIGTERM)
        return "2026-01-01T00:00:00Z"

    monkeypatch.setattr(processes, "now", interrupted)
    try:
        process = processes.start(
            record, "d", ["sleep", "600"], {"PATH": "/usr/bin:/bin"}, "/", tmp_path / "log"
        )
    finally:
        signal.signal(signal.SIGTERM, before)
    assert known == [True]
    os.kill(process.pid, signal.SIGTERM)
    assert os.WTERMSIG(os.waitpid(process.pid, 0)[1]) == signal.SIGTERM


def test_after_a_reset_nothing_is_left(tmp_path: Path) -> None:
    record = tmp_path / "x.json"
    process = processes.start(record, "d", ["sleep", "600"], {"PATH": "/usr/bin:/bin"}, "/", tmp_path / "log")
    assert processes.end_all(tmp_path) == 1
    assert list(tmp_path.glob("*.json")) == []
    os.waitpid(process.pid, 0)


def test_a_mirror_is_the_manifest_and_says_whose() -> None:
    owner = {"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u"}
    source = pod()
    made = mirror_pod(StaticPod("f", "digest", source), "n", owner, "now")
    assert made["metadata"]["name"] == "p-n"
    assert made["metadata"]["annotations"][MIRROR] == "digest"
    assert made["metadata"]["ownerReferences"] == [{**owner, "controller": True}]
    assert "nodeName" not in source["spec"]
    assert mirror_status("10.0.0.1", "now", [])["phase"] == "Pending"


@pytest.mark.parametrize(("policy", "phase"), [("Always", "Running"), ("Never", "Succeeded")])
def test_other_pods_are_reported_as_what_they_would_become(policy: str, phase: str) -> None:
    source = {**pod(restartPolicy=policy), "metadata": {"uid": "u"}}
    status = pretended_status(source, "10.0.0.1", "now")
    ready = {entry["type"]: entry["status"] for entry in status["conditions"]}
    assert (status["phase"], ready["Ready"]) == (phase, "True" if phase == "Running" else "False")
    assert status["podIP"] == pretended_status(source, "10.0.0.1", "later")["podIP"]


def marked(status: dict[str, Any]) -> dict[str, Any]:
    """As the controller manager leaves it when the machine was silent."""
    conditions = [
        {**one, "status": "False"} if one["type"] == "Ready" else one for one in status["conditions"]
    ]
    return {**status, "conditions": conditions}


def test_a_pod_that_was_called_not_ready_while_its_machine_was_away_is_reported_anew() -> None:
    source = {**pod(), "metadata": {"uid": "u"}}
    running = pretended_status(source, "10.0.0.1", "now")
    done = pretended_status({**pod(restartPolicy="Never"), "metadata": {"uid": "u"}}, "10.0.0.1", "now")
    reports = [{}, {"phase": "Pending"}, running, marked(running), done]
    assert [needs_report({"status": status}) for status in reports] == [True, True, False, True, False]


class Played:
    """An API server that holds pods, and the statuses that it is given."""

    def __init__(self, *pods: dict[str, Any]) -> None:
        self.pods = pods
        self.given: list[tuple[str, dict[str, Any]]] = []

    def call(self, method: str, path: str, body: Any = None, _kind: str = "") -> Any:
        if method == "GET":
            return {"items": list(self.pods)}
        assert (method, path.rpartition("/")[2]) == ("PATCH", "status")
        self.given.append((path.split("/")[-2], body["status"]))
        return {}


class Running:
    """Static pods of which every container runs."""

    def __init__(self, *pods: StaticPod) -> None:
        self.pods = {one.file: one for one in pods}

    def state(self, *_: Any) -> tuple[Any, int, str]:
        return SimpleNamespace(pid=1, since="now"), 0, ""


def test_after_its_machine_was_away_every_pod_is_ready_again() -> None:
    told = settings.read(["--hostname-override=n", "--node-ip=10.0.0.1"])
    static = StaticPod("f", "digest", pod())
    mirror = mirror_pod(static, "n", {}, "now")
    other = {**pod(), "metadata": {"name": "q", "namespace": "default", "uid": "u"}}
    reporter = Reporter(told, Running(static), "v1.36.3", print)  # type: ignore[arg-type]

    def reported(*statuses: dict[str, Any]) -> dict[str, dict[str, Any]]:
        pairs = zip((mirror, other), statuses, strict=True)
        played = Played(*({**one, "status": status} for one, status in pairs))
        reporter._sync_pods(played)  # type: ignore[arg-type]
        return dict(played.given)

    first = reported({}, {})
    assert sorted(first) == ["p-n", "q"]
    assert all(is_ready(status) for status in first.values())
    assert reported(first["p-n"], first["q"]) == {}
    again = reported(marked(first["p-n"]), marked(first["q"]))
    assert sorted(again) == ["p-n", "q"]
    assert all(is_ready(status) for status in again.values())


def test_a_probes_port_may_be_a_name() -> None:
    container = {"ports": [{"name": "probe-port", "containerPort": 6443}]}
    assert (probe_port(container, 1), probe_port(container, "probe-port")) == (1, 6443)


@pytest.mark.parametrize(
    ("words", "checks"),
    [
        ("init --config x", True),
        ("init phase preflight --config x", True),
        ("init phase upload-certs --upload-certs", False),
        ("join --config x", True),
        ("join phase kubelet-start", False),
        ("upgrade apply v1.36.3 --yes", True),
        ("upgrade node", True),
        ("upgrade diff", False),
        ("reset --force", False),
        ("token create", False),
        ("version -o short", False),
    ],
)
def test_only_commands_with_preflight_checks_get_the_flag(words: str, checks: bool) -> None:
    assert programs.has_preflight(words.split()) is checks

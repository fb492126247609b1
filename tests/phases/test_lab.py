"""The real Kubernetes on lab hosts: brought up, cut off, run again, and bereaved of its first control plane."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.lab.hosts import supports_namespaces
from tests.main_job.conftest import rehearsal
from tests.main_job.kit import PUBLIC, Done, Rehearsal, eventually

pytestmark = [
    pytest.mark.lab,
    pytest.mark.engine,
    pytest.mark.kubernetes,
    pytest.mark.slow,
    pytest.mark.timeout(2400),
    pytest.mark.allow_hosts(["127.0.0.1", PUBLIC]),
]
FIRST, SECOND, THIRD = (f"ishikari-cp-{number}" for number in (1, 2, 3))
UP = ("--lab", "up", "--yes", "--until", "checks")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A lab whose machines are configured; Kubernetes has not been thought of."""
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    with rehearsal(tmp_path_factory.mktemp("bring-up")) as made:
        made.ok("--lab", "up", "--yes", "--until", "hosts")
        yield made


def up(lab: Rehearsal, *more: str) -> Done:
    done = lab.run(*UP, *more)
    assert done.code == 0, f"{done.out}\n{done.err}"
    return done


def there(lab: Rehearsal, host: str, path: str) -> bool:
    return lab.on(host, f"test -e {path} && echo yes || true").strip() == "yes"


@pytest.fixture(scope="module")
def arguments_seen(lab: Rehearsal) -> list[str]:
    """What the process list of the first control plane held while the cluster came up."""
    return []


@pytest.fixture(scope="module")
def cluster(lab: Rehearsal, arguments_seen: list[str]) -> Done:
    """The `up` that went on after two that were killed: one with its host in the middle of init, one in a join."""
    first = lab.start(*UP)
    eventually(lambda: there(lab, FIRST, "/etc/kubernetes/manifests/etcd.yaml"))
    arguments_seen.append(lab.on(FIRST, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"))
    first.kill(group=True)
    lab.power(FIRST, on=False)
    lab.power(FIRST, on=True)
    second = lab.start(*UP)
    second.wait_for(f"{SECOND}: join")
    eventually(lambda: there(lab, SECOND, "/run/daiku/kubeadm/join.yaml"))
    arguments_seen.append(lab.on(SECOND, "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"))
    second.process.send_signal(signal.SIGKILL)
    second.process.wait(10)
    return up(lab, "--json")


def test_cut_off_twice_the_third_run_has_all_nodes_ready(lab: Rehearsal, cluster: Done) -> None:
    nodes = {node["name"]: node for node in cluster.json["nodes"]}
    assert {name for name, node in nodes.items() if node["ready"]} == {
        *(FIRST, SECOND, THIRD),
        *(f"ishikari-mgmt-{n}" for n in (1, 2)),
        *(f"ishikari-h100-00{n}" for n in (1, 2, 3, 4)),
    }
    gpu = nodes["ishikari-h100-003"]
    assert gpu["labels"]["daiku.io/rack"] == "r02"
    assert gpu["labels"]["node-role.kubernetes.io/gpu"] == ""
    assert gpu["taints"] == ["nvidia.com/gpu=present:NoSchedule"]
    assert gpu["provider_id"] == "sakura-phy://113600000003"
    shown = lab.ok("--lab", "kubectl", "--", "get", "nodes", "--no-headers").out
    assert len(re.findall(r"^\S+ +Ready ", shown, re.MULTILINE)) == 9


@pytest.mark.usefixtures("cluster")
def test_a_second_run_changes_nothing(lab: Rehearsal) -> None:
    before = lab.writes()
    again = up(lab, "--json").json
    assert again["steps"] == 0
    assert not any(host["changed"] for host in again["fleet"]["hosts"])
    assert lab.writes() == before
    ahead = lab.ok("--lab", "plan", "--json", "--until", "checks").json["kubernetes"]
    assert ahead == {"phases": [], "steps": [], "stop": None, "objects": []}


@pytest.mark.usefixtures("cluster")
def test_an_object_that_somebody_deleted_is_seen_and_put_back_alone(lab: Rehearsal) -> None:
    assert not lab.ok("--lab", "diff", "--cluster", "--json").json["changed"]
    lab.ok("--lab", "kubectl", "--", "delete", "networkpolicy", "default-deny", "-n", "plamo")
    seen = lab.ok("--lab", "diff", "--cluster", "--json").json["changes"]
    assert [(one["what"], one["object"]) for one in seen] == [("create", "NetworkPolicy plamo/default-deny")]
    done = lab.ok("--lab", "apply", "--cluster", "--json").json
    assert done["changes"] == seen
    assert not lab.ok("--lab", "diff", "--cluster", "--json").json["changed"]


@pytest.mark.usefixtures("cluster")
def test_every_control_plane_carries_the_address(lab: Rehearsal) -> None:
    for host in (FIRST, SECOND, THIRD):
        assert "10.10.0.100/32" in lab.on(host, "ip -br address show dev lo")
        assert there(lab, host, "/etc/netplan/60-daiku-vips.yaml")


@pytest.mark.usefixtures("cluster")
def test_join_secrets_are_nowhere(lab: Rehearsal, arguments_seen: list[str]) -> None:
    listed = lab.ok("--lab", "kubectl", "--", "get", "secrets", "-n", "kube-system", "-o", "name").out
    assert "bootstrap-token" not in listed
    assert "kubeadm-certs" not in listed
    for host in (FIRST, SECOND, THIRD, "ishikari-h100-001"):
        assert not there(lab, host, "/run/daiku/kubeadm")
        assert lab.on(host, "grep -lE '^certificateKey|token:' -r /etc/daiku || true").strip() == ""
    assert any("kubeadm" in seen for seen in arguments_seen)
    token = re.compile(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b")
    assert not any(token.search(seen) for seen in arguments_seen)
    ours = [path for path in lab.folder.rglob("*") if path.is_file() and _is_ours(path)]
    assert ours
    assert not any(b"PRIVATE KEY-----" in path.read_bytes() for path in ours if path.name != "deploy")
    assert not any(re.search(rb"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", path.read_bytes()) for path in ours)


def _is_ours(path: Path) -> bool:
    """What daiku itself keeps of the cluster: journal, audit log, facts, plans."""
    return ".daiku" in path.parts and "pulumi" not in str(path)


@pytest.mark.usefixtures("cluster")
def test_without_its_first_control_plane_the_cluster_serves(lab: Rehearsal) -> None:
    lab.power(FIRST, on=False)
    try:
        # etcd elects a leader, and the load balancer takes the dead one out: seconds, and more on a busy machine.
        eventually(lambda: lab.run("--lab", "kubectl", "--", "get", "--raw", "/readyz").out == "ok")
        lab.ok("--lab", "kubectl", "--", "create", "configmap", "written-meanwhile", "-n", "default")
        state = lab.ok("--lab", "status", "--json").json["kubernetes"]
        planes = {plane["name"]: (plane["api"], plane["etcd"]) for plane in state["control_planes"]}
        assert state["state"] == "ready"
        assert planes == {
            FIRST: ("unreachable", "down"),
            SECOND: ("ready", "healthy"),
            THIRD: ("ready", "healthy"),
        }
    finally:
        lab.power(FIRST, on=True)
    eventually(lambda: _first(lab) == ("ready", "healthy"))


def _first(lab: Rehearsal) -> tuple[str, str]:
    planes = lab.ok("--lab", "status", "--json").json["kubernetes"]["control_planes"]
    return next((plane["api"], plane["etcd"]) for plane in planes if plane["name"] == FIRST)


@pytest.mark.usefixtures("cluster")
def test_a_lost_control_plane_is_replaced(lab: Rehearsal) -> None:
    lab.power(SECOND, on=False)
    server = lab.named("server", SECOND)
    disks = [disk["ID"] for disk in server["Disks"]]
    lab.cloud("DELETE", f"server/{server['ID']}", {"WithDisk": disks})
    told = up(lab)
    steps = [line.strip() for line in told.err.splitlines() if line.startswith(f"  {SECOND}: ")]
    assert steps[:3] == [f"{SECOND}: {what}" for what in ("forget etcd member", "delete node", "join")]
    planes = lab.ok("--lab", "status", "--json").json["kubernetes"]["control_planes"]
    assert all((plane["api"], plane["etcd"]) == ("ready", "healthy") for plane in planes)

"""The jobs that prove a cluster: what they ask for, in which order, and that their scripts can run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from daiku.observe.acceptance import NAMESPACE, SELECTOR
from daiku.plan.acceptance import places
from daiku.plan.model import Plan
from daiku.render.acceptance import SCRIPTS, acceptance_tree
from daiku.render.cluster import cluster_tree
from daiku.render.engine import render
from tests.render.plans import fabric, plan

PLAN = plan()


def jobs(made: Plan) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path, file in acceptance_tree(made).items():
        for document in yaml.safe_load_all(file.content):
            if document["kind"] == "Job":
                found[path] = document
    return found


def container(job: dict[str, Any]) -> dict[str, Any]:
    (only,) = job["spec"]["template"]["spec"]["containers"]
    return only


def test_they_are_no_part_of_the_cluster() -> None:
    assert not [path for path in cluster_tree(PLAN) if "acceptance" in path]
    assert "acceptance" not in cluster_tree(PLAN)["00-namespaces/namespaces.yaml"].content.decode()


def test_their_order_is_in_their_names() -> None:
    assert list(jobs(PLAN)) == [
        "h100/1-diag.yaml",
        "h100/2-nvlink.yaml",
        "h100/3-port.yaml",
        "h100/4-ring.yaml",
        "h100/5-storage-fast.yaml",
        "h100/6-storage-reliable.yaml",
    ]


def test_every_machine_runs_one_pod_of_each_once() -> None:
    for job in jobs(PLAN).values():
        spec, pod = job["spec"], job["spec"]["template"]["spec"]
        assert job["metadata"]["namespace"] == NAMESPACE
        assert SELECTOR in spec["template"]["metadata"]["labels"]
        assert (spec["completionMode"], spec["completions"], spec["parallelism"]) == ("Indexed", 4, 4)
        assert (spec["backoffLimit"], pod["restartPolicy"]) == (0, "Never")
        assert pod["nodeSelector"] == {"daiku.io/pool": "h100"}
        (term,) = pod["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
        assert term["labelSelector"]["matchLabels"] == {SELECTOR: job["metadata"]["name"]}
        assert "runtimeClassName" not in pod


def test_what_must_be_proven_has_a_job_and_the_other_way_round() -> None:
    checks = {check.rstrip("0123456789") for _, check, _ in places(PLAN)}
    scripted = {path.partition("-")[2].removesuffix(".yaml") for path in jobs(PLAN)}
    # The ring's job tries each rail alone, too; of the reliable tier nothing is known but what it reaches.
    assert checks - {"rail"} == scripted - {"storage-reliable"}


def test_the_ring_takes_whole_machines_and_all_rails() -> None:
    ring = jobs(PLAN)["h100/4-ring.yaml"]
    limits = container(ring)["resources"]["limits"]
    assert limits == {"nvidia.com/gpu": "8", **{f"daiku.io/h100_rail{n}": "1" for n in range(4)}}
    networks = ring["spec"]["template"]["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"]
    assert networks == "rails/h100-rail0,rails/h100-rail1,rails/h100-rail2,rails/h100-rail3"
    environment = {e["name"]: e.get("value") for e in container(ring)["env"]}
    assert environment["INTERFACES"] == "net1 net2 net3 net4"
    assert (environment["NODES"], environment["GPUS"]) == ("4", "8")
    assert environment["NCCL_CROSS_NIC"] == "0"
    # The algorithm is forced for the measurement, and nowhere else.
    assert "NCCL_ALGO" not in environment
    assert "NCCL_ALGO=Ring" in render("cluster/acceptance/rank.sh.j2").decode()


def test_claims_take_the_place_of_networks() -> None:
    ring = jobs(fabric(attach="dranet"))["h100/4-ring.yaml"]
    pod = ring["spec"]["template"]["spec"]
    assert "annotations" not in ring["spec"]["template"]["metadata"]
    assert [c["resourceClaimTemplateName"] for c in pod["resourceClaims"]] == [
        f"h100-rail{number}" for number in range(4)
    ]
    assert container(ring)["resources"]["limits"] == {"nvidia.com/gpu": "8"}
    environment = {e["name"]: e.get("value") for e in container(ring)["env"]}
    assert environment["INTERFACES"] == "ens1f0np0 ens2f0np0 ens3f0np0 ens4f0np0"


@pytest.mark.parametrize(
    ("made", "left"),
    [
        (fabric(vfs=0), {"diag", "nvlink", "storage-fast", "storage-reliable"}),
        (
            plan(gpus=1, storage={"reliable": None, "fast": None}, tenants=[]),
            {"diag", "nvlink"},
        ),
        (plan(gpuPools=[], tenants=[], storage={"reliable": None, "fast": None}), set[str]()),
    ],
)
def test_what_a_cluster_does_not_have_is_not_tried(made: Plan, left: set[str]) -> None:
    assert {path.partition("-")[2].removesuffix(".yaml") for path in jobs(made)} == left
    assert bool(acceptance_tree(made)) == bool(left)


@pytest.mark.parametrize("name", [name for name in SCRIPTS if name.endswith(".sh")])
def test_a_script_is_a_script_and_marks_what_it_prints(name: str) -> None:
    text = render(f"cluster/acceptance/{name}.j2")
    done = subprocess.run(["sh", "-n"], input=text, capture_output=True, check=False, timeout=10)
    assert done.stderr == b""
    assert name == "rank.sh" or b'echo "@daiku pool=$POOL check=' in text


def test_commands_reach_other_pods_of_the_same_job_only(tmp_path: Path) -> None:
    program = tmp_path / "remote.py"
    program.write_bytes(render("cluster/acceptance/remote.py.j2"))
    mine = os.environ | {"JOB_UID": "0b6f", "POD_IP": "127.83.7.1"}
    command = [sys.executable, str(program)]

    def call(words: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, "127.83.7.1", *words],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=60,
        )

    with subprocess.Popen([*command, "serve"], env=mine) as server:
        try:
            # The first call waits for the server.
            done = call(["echo", "one", "&&", "exit", "7"], mine)
            assert (done.returncode, done.stdout.split()) == (7, ["one"])
            foreign = call(["touch", str(tmp_path / "touched")], mine | {"JOB_UID": "another"})
            assert foreign.returncode == 1
            assert not (tmp_path / "touched").exists()
            assert call(["quit"], mine).returncode == 0
            end = time.monotonic() + 30
            while server.poll() is None and time.monotonic() < end:
                time.sleep(0.05)
            assert server.poll() is not None
        finally:
            server.kill()

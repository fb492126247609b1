"""Acceptance in a live cluster: the real API server fetches the jobs' logs from kubelets, and they become verdicts."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

from daiku.apply import acceptance as proving
from daiku.cli import acceptance as shown
from daiku.errors import AcceptanceError, NotFoundError, UnreachableError
from daiku.observe.acceptance import NAMESPACE, SELECTOR, Acceptance, Outcome
from daiku.observe.acceptance_jobs import Proof, job_of, look
from daiku.wire.kubernetes import KubernetesApi, connect
from daiku.wire.kubernetes_logs import pod_logs
from tests.acceptance.test_verdicts import FIRST, PLAN, SECOND, log
from tests.acceptance.test_verdicts import pod as printed
from tests.kubernetes.control_plane import ControlPlane
from tests.kubernetes.kubelet import STATUS, kubelet, node_at
from tests.kubernetes.test_scheduling import until
from tests.render.plans import plan

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(300)]

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
ALONE = plan(gpus=1, storage={"reliable": None}, tenants=[])
CONTAINER = {"name": "check", "image": "registry.test/check:1"}


@pytest.fixture
def api(plane: ControlPlane) -> Generator[KubernetesApi]:
    """The namespace of acceptance with an account, and emptied afterwards."""
    with connect(plane.admin, patience=0.5) as api:
        api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        account = {"name": "default", "namespace": NAMESPACE}
        api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account})
        yield api
        at_once = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        for path in (PODS, f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"):
            api.call("DELETE", path, body=at_once)


def put(api: KubernetesApi, job: str, name: str, node: str = "", phase: str = "Succeeded") -> None:
    """A pod of a job, on that node without a scheduler."""
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {SELECTOR: job}}
    place = {"nodeName": node} if node else {}
    spec = {"containers": [CONTAINER], "restartPolicy": "Never", **place}
    api.call("POST", PODS, body={"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec})
    set_phase(api, name, phase)


def set_phase(api: KubernetesApi, pod: str, phase: str) -> None:
    api.call("PATCH", f"{PODS}/{pod}/status", body={"status": {"phase": phase}}, headers=STATUS)


def briefly(_seconds: float) -> None:
    time.sleep(0.1)


def begin(api: KubernetesApi, name: str) -> None:
    """A Job that nobody runs."""
    template = {"spec": {"containers": [CONTAINER], "restartPolicy": "Never"}}
    metadata = {"name": name, "namespace": NAMESPACE}
    api.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": {"template": template}})


@contextmanager
def cluster(
    api: KubernetesApi, plane: ControlPlane, first: dict[str, str], second: dict[str, str]
) -> Generator[None]:
    """Two machines and what their pods printed."""
    with kubelet(api, plane.authority, FIRST, first), kubelet(api, plane.authority, SECOND, second):
        yield


def test_without_a_job_there_is_nothing_to_tell(api: KubernetesApi) -> None:
    assert look(PLAN, api) is None
    with pytest.raises(AcceptanceError, match="no acceptance job was begun"):
        shown.tell(None, set(), json=False)


def test_logs_become_verdicts(api: KubernetesApi, plane: ControlPlane) -> None:
    good = printed("nvlink", log("nccl-ring.txt").replace("93.55", "450.1"), FIRST)
    slow = printed("nvlink", log("nccl-ring.txt").replace("93.55", "210.0"), SECOND)
    ring = printed("rail0", log("nccl-ring.txt").replace("93.5", "23.5"), "all")
    with cluster(api, plane, {"n-0": good, "r-0": ring, "other": good}, {"n-1": slow}):
        for job in ("h100-nvlink", "h100-ring"):
            begin(api, job)
        put(api, "h100-nvlink", "n-0", FIRST)
        put(api, "h100-nvlink", "n-1", SECOND)
        put(api, "h100-ring", "r-0", FIRST)
        proof = look(PLAN, api)
    assert proof is not None
    assert proof.silent == ()
    assert proof.running == ("h100-nvlink", "h100-ring")
    seen = {(o.check, o.where): (o.verdict, o.value, o.least) for o in proof.acceptance.outcomes if o.value}
    assert seen == {
        ("nvlink", FIRST): ("passed", 450.1, 382.5),
        ("nvlink", SECOND): ("failed", 210.0, 382.5),
        ("rail0", "all"): ("passed", 23.55, 20.8),
    }
    assert {job_of(o) for o in proof.acceptance.outcomes if o.verdict == "passed"} == {
        "h100-nvlink",
        "h100-ring",
    }
    assert not proof.acceptance.accepted


def test_the_verdicts_are_shown(
    api: KubernetesApi, plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    good = printed("nvlink", log("nccl-ring.txt").replace("93.55", "450.1"), FIRST)
    slow = printed("nvlink", log("nccl-ring.txt").replace("93.55", "210.0"), SECOND)
    with cluster(api, plane, {"n-0": good}, {"n-1": slow}):
        begin(api, "h100-nvlink")
        put(api, "h100-nvlink", "n-0", FIRST)
        put(api, "h100-nvlink", "n-1", SECOND)
        proof = look(PLAN, api)
    assert proof is not None
    with pytest.raises(AcceptanceError, match="not accepted: 1 passed, 1 failed"):
        shown.tell(proof, {"h100-nvlink"}, json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["accepted"] is False
    assert told["running"] == ["h100-nvlink"]
    assert [(one["where"], one["verdict"]) for one in told["outcomes"]] == [
        (SECOND, "failed"),
        (FIRST, "passed"),
    ]
    shown.summarize(proof)
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[0].startswith("acceptance, not accepted: 1 passed, 1 failed")
    assert any(line.startswith(f"h100 nvlink {SECOND} 210 GB/s 382.5 failed NVLink 4") for line in lines)
    assert any(line.startswith(f"h100 nvlink {FIRST} 450.1 GB/s 382.5 passed") for line in lines)
    # What nobody ran yet is a line a check, not one a machine.
    assert sum(line.startswith("h100 diag 2 places missing") for line in lines) == 1
    assert "not ended: h100-nvlink" in lines


def test_a_job_that_failed_is_no_proof_whatever_it_printed() -> None:
    good = Outcome("h100", "diag", FIRST, "passed", None, None, "", "")
    proof = Proof(Acceptance((good,)), (), (), ())
    assert (proof.accepted, proof.summary()) == (True, "accepted: 1 passed")
    bad = replace(proof, failed=("h100-diag",))
    assert (bad.accepted, bad.summary()) == (False, "not accepted: 1 passed; failed jobs: h100-diag")
    assert bad.of({"h100-ring"}).failed == ()


def test_what_has_no_log_is_a_state(api: KubernetesApi, plane: ControlPlane) -> None:
    begin(api, "h100-diag")
    with (
        cluster(api, plane, {"d-0": printed("diag", log("diag-3.json"), FIRST)}, {}),
        node_at(api, "dark", 1),
        node_at(api, "played", None),
    ):
        put(api, "h100-diag", "d-0", FIRST)
        put(api, "h100-diag", "d-1", SECOND)
        put(api, "h100-diag", "d-2", "dark", "Running")
        put(api, "h100-diag", "d-3", phase="Pending")
        put(api, "h100-diag", "d-4", "played")
        proof = look(PLAN, api)
    assert proof is not None
    assert [(one.pod, one.node, one.phase) for one in proof.silent] == [
        ("d-1", SECOND, "Succeeded"),
        ("d-2", "dark", "Running"),
        ("d-3", "", "Pending"),
        ("d-4", "played", "Succeeded"),
    ]
    whys = {one.pod: one.why for one in proof.silent}
    assert "connection refused" in whys["d-2"]
    assert whys["d-4"] == "its node tells no address at which its kubelet could be asked"
    assert all(whys.values())
    diag = {o.where: o.verdict for o in proof.acceptance.outcomes if o.check == "diag"}
    assert diag == {FIRST: "passed", SECOND: "missing"}


def test_a_log_is_read_from_its_beginning_and_no_further_than_asked(
    api: KubernetesApi, plane: ControlPlane
) -> None:
    with cluster(api, plane, {"d-0": "a" * 100 + "b" * 100}, {}):
        put(api, "h100-diag", "d-0", FIRST)
        put(api, "other", "d-1", FIRST)
        (found,) = pod_logs(api, NAMESPACE, f"{SELECTOR}=h100-diag", most_bytes=100)
    assert found.text == "a" * 100


def test_a_server_that_is_gone_is_an_error(plane: ControlPlane) -> None:
    with (
        connect(replace(plane.admin, server="https://127.0.0.1:1"), patience=0.1) as api,
        pytest.raises(UnreachableError),
    ):
        look(PLAN, api)


def test_jobs_run_to_their_end_and_are_run_again_anew(controlled: ControlPlane, api: KubernetesApi) -> None:
    (diag, *others) = proving.trials(ALONE)
    assert [diag.name, diag.check] == ["h100-diag", "diag"]
    assert [other.check for other in others] == ["nvlink", "storage-fast"]
    uids: list[str] = []
    phase = "Succeeded"

    def finish() -> None:
        """The tool's end. There is no node, so nobody but this test says what becomes of the pods."""
        for one in api.list("v1", "Pod", namespace=NAMESPACE, labels=SELECTOR):
            if one["status"].get("phase") == "Pending" and not one["metadata"].get("deletionTimestamp"):
                with suppress(NotFoundError):
                    set_phase(api, one["metadata"]["name"], phase)

    for one in proving.common(ALONE):
        api.apply(one.body)
    for _ in range(2):
        assert proving.run(api, diag, finish, sleep=briefly) == "Complete"
        uids.append((api.get("batch/v1", "Job", diag.name, NAMESPACE) or {})["metadata"]["uid"])
    pods = api.list("v1", "Pod", namespace=NAMESPACE, labels=SELECTOR)
    phase = "Failed"
    assert proving.run(api, diag, finish, sleep=briefly) == "Failed"
    proof = look(ALONE, api)
    assert proof is not None
    assert (proof.failed, proof.running) == (("h100-diag",), ())
    assert proof.summary().endswith("; failed jobs: h100-diag")
    assert uids[0] != uids[1]
    assert [pod["metadata"]["ownerReferences"][0]["uid"] for pod in pods] == [uids[1]]


def test_a_run_that_is_stopped_leaves_its_job_to_be_waited_for(
    controlled: ControlPlane, api: KubernetesApi
) -> None:
    (diag, *_) = proving.trials(ALONE)
    for one in proving.common(ALONE):
        api.apply(one.body)

    def stop() -> None:
        raise InterruptedError

    uids: list[str] = []
    # No node: the job waits for a place.
    for _ in range(2):
        with pytest.raises(InterruptedError):
            proving.run(api, diag, stop, sleep=briefly)
        uids.append((api.get("batch/v1", "Job", diag.name, NAMESPACE) or {})["metadata"]["uid"])
    assert uids[0] == uids[1]
    until(lambda: api.list("v1", "Pod", namespace=NAMESPACE, labels=SELECTOR), "the job's pod")

"""A cluster that Kubernetes runs on: saved plans are carried out as listed, or refused with nothing touched; and
machines that leave it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.main_job.kit import Done, Rehearsal
from tests.main_job.small import FIRST, WHOLE, edited, kubectl, up
from tests.main_job.test_standing import changed, names

pytestmark = [pytest.mark.kubernetes, pytest.mark.slow]
NEW = "ishikari-h100-003"
THIRD_NODE = '      - { index: 3, id: "113600000003", rack: r02 }\n'
POLICY = ("networkpolicy", "default-deny", "-n", "plamo")


@pytest.fixture
def lab(small: Rehearsal) -> Rehearsal:
    return small


def planned(lab: Rehearsal, *more: str) -> Any:
    return lab.ok("--lab", "plan", "--json", *WHOLE, *more).json


def objects(changes: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(one["what"], one["object"]) for one in changes]


def files(fleet: dict[str, Any]) -> dict[str, list[str]]:
    """The files that change, by host."""
    return {h["host"]: [file["path"] for file in h["files"]] for h in fleet["hosts"] if h["changed"]}


def steps(lab: Rehearsal) -> list[tuple[str, str]]:
    """What the last run did to machines by way of Kubernetes, from its journal."""
    run = lab.ok("--lab", "history", "show", "last", "--json").json
    known = {"infrastructure", "converge", "apply the cluster's configuration", "clean up"}
    return [(step["host"], step["step"]) for step in run["steps"] if step["step"] not in known]


def nothing_ahead(lab: Rehearsal) -> None:
    plan = planned(lab)
    assert (plan["infrastructure"], plan["new_hosts"], changed(plan["hosts"])) == ([], [], [])
    assert plan["kubernetes"] == {"phases": [], "steps": [], "stop": None, "objects": []}


def test_up_does_what_the_plan_listed_and_nothing_else(lab: Rehearsal) -> None:
    nothing_ahead(lab)
    text = edited(
        lab.file.read_text(),
        ("rack: r01 }\n    gpu:", f"rack: r01 }}\n{THIRD_NODE}    gpu:"),
        (
            "  egress: { router: premium, bandwidthMbps: 500 }",
            "  egress: { router: premium, bandwidthMbps: 500, dns: [133.242.0.4] }",
        ),
        ("  - { name: plamo, gpus: 8 }\n", "  - { name: plamo, gpus: 8 }\n  - { name: kento, gpus: 8 }\n"),
    )
    lab.file.write_text(text)
    plan = planned(lab, "--out", "grown.json")
    listed = plan["kubernetes"]
    assert ("create", NEW) in names(plan["infrastructure"])
    assert plan["new_hosts"] == [NEW]
    assert FIRST in changed(plan["hosts"])
    assert [(step["host"], step["do"]) for step in listed["steps"]] == [(NEW, "join")]
    assert ("create", "Namespace kento") in objects(listed["objects"])
    saved = json.loads((lab.folder / "grown.json").read_text())["plan"]
    assert [(one["what"], one["object"]) for one in saved["objects"] if one["what"] != "wait"] == sorted(
        objects(listed["objects"]), key=lambda one: one[1]
    )
    assert NEW not in kubectl(lab, "get", "nodes").out

    done = up(lab, "--plan", "grown.json")
    assert names(done["changes"]) == names(plan["infrastructure"])
    assert {host: what for host, what in files(done["fleet"]).items() if host != NEW} == files(plan["hosts"])
    assert changed(done["fleet"]) == sorted([*changed(plan["hosts"]), NEW])
    assert objects(done["objects"]) == objects(listed["objects"])
    assert [step for step in steps(lab) if step[1] != "labels and taints"] == [(NEW, "join")]
    assert {node["name"] for node in done["nodes"] if node["ready"]} == {
        *(FIRST, "ishikari-mgmt-1"),
        *(f"ishikari-h100-00{number}" for number in (1, 2, 3)),
    }
    nothing_ahead(lab)
    lab.run("--lab", "up", "--yes", "--plan", "grown.json", *WHOLE).failed(
        5, "the saved plan is stale, nothing was changed", "make a new plan"
    )


@pytest.fixture
def waiting(lab: Rehearsal) -> Path:
    """A file with one more limit, and the plan that was saved of it, as next.yaml and next.json."""
    next_, made_of = lab.folder / "next.yaml", lab.folder / "next.made-of"
    text = edited(
        lab.file.read_text(), ("{ name: plamo, gpus: 8 }", "{ name: plamo, gpus: 8, borrow: false }")
    )
    next_.write_text(text)
    if not made_of.exists() or made_of.read_text() != text:
        plan = planned(lab, "-f", next_.name, "--out", "next.json")
        assert ("update", QUOTA) in objects(plan["kubernetes"]["objects"])
        made_of.write_text(text)
    return next_


QUOTA = "ResourceQuota plamo/tenant"


def carry_out(lab: Rehearsal, *more: str) -> Done:
    return lab.run("--lab", "up", "-f", "next.yaml", "--yes", "--plan", "next.json", *WHOLE, *more)


def quotas(lab: Rehearsal) -> str:
    return kubectl(lab, "get", "resourcequotas", "-n", "plamo", "-o", "jsonpath={.items[*].spec.hard}").out


def refused(lab: Rehearsal, *words: str) -> None:
    """Exit code 5 with these words; neither the cloud, nor a host, nor the cluster was written to."""
    before, quota = lab.writes(), quotas(lab)
    carry_out(lab).failed(5, "the saved plan is stale, nothing was changed", *words)
    assert (lab.writes(), quotas(lab)) == (before, quota)
    assert lab.ok("--lab", "history", "--json").json[0]["outcome"] == "failed"


def test_another_file_is_refused_before_the_world_is_looked_at(lab: Rehearsal, waiting: Path) -> None:
    text = waiting.read_text()
    waiting.write_text(edited(text, ("gpus: 8, borrow", "gpus: 4, borrow")))
    carry_out(lab).failed(5, "the cluster file was changed", "make a new plan")
    waiting.write_text(text)


@pytest.mark.usefixtures("waiting")
def test_an_object_that_somebody_else_changed_is_named(lab: Rehearsal) -> None:
    assert kubectl(lab, "delete", *POLICY).code == 0
    refused(lab, "NetworkPolicy plamo/default-deny", "planned was nothing, now it would be create")
    assert kubectl(lab, "get", *POLICY).code != 0
    lab.ok("--lab", "apply", "--cluster")


@pytest.mark.usefixtures("waiting")
def test_a_host_that_drifted_is_named(lab: Rehearsal) -> None:
    lab.on("ishikari-h100-001", "rm /etc/daiku/release.json")
    refused(lab, "ishikari-h100-001: /etc/daiku/release.json", "was right and would change now")
    assert lab.on("ishikari-h100-001", "test -e /etc/daiku/release.json || echo gone") == "gone\n"
    lab.ok("--lab", "apply", "ishikari-h100-001")


@pytest.mark.usefixtures("waiting")
def test_a_node_that_somebody_else_marked_is_named(lab: Rehearsal) -> None:
    label = ("label", "node", "ishikari-h100-001", "daiku.io/pool=other", "--overwrite")
    assert kubectl(lab, *label).code == 0
    refused(lab, "ishikari-h100-001: mark is not in the plan")
    assert "daiku.io/pool=other" in kubectl(lab, "get", "node", "ishikari-h100-001", "--show-labels").out
    lab.ok("--lab", "up", "--yes", "--until", "workers")


@pytest.mark.usefixtures("waiting")
def test_what_was_put_back_is_as_it_was_and_the_plan_is_good(lab: Rehearsal) -> None:
    done = carry_out(lab, "--json")
    assert done.code == 0, done.err
    assert ("update", QUOTA) in objects(done.json["objects"])
    assert "requests.nvidia.com/gpu" in quotas(lab)
    back = up(lab)
    assert ("update", QUOTA) in objects(back["objects"])
    nothing_ahead(lab)


GONE = ("ishikari-cp-2", "ishikari-cp-3", "ishikari-h100-004")
FOURTH_NODE = '      - { index: 4, id: "113600000004", rack: r02 }\n'
UP = ("--lab", "up", *WHOLE)


@pytest.fixture
def shrunk(lab: Rehearsal) -> Rehearsal:
    """Two control planes and a GPU server stand and are in the cluster, and the file has them no more."""
    text = lab.file.read_text()
    lab.file.write_text(
        edited(
            text, ("{ count: 1, cpu: 4,", "{ count: 3, cpu: 4,"), ("    gpu: {", f"{FOURTH_NODE}    gpu: {{")
        )
    )
    up(lab)
    assert set(GONE) <= set(kubernetes_nodes(lab))
    place = json.dumps({"spec": {"nodeName": GONE[2]}})
    assert kubectl(lab, "run", "work", "-n", "default", "--image=work:1", f"--overrides={place}").code == 0
    lab.file.write_text(text)
    return lab


def kubernetes_nodes(lab: Rehearsal) -> dict[str, bool]:
    """The Nodes, and whether they take pods."""
    listed = json.loads(kubectl(lab, "get", "nodes", "-o", "json").out)["items"]
    return {node["metadata"]["name"]: not node["spec"].get("unschedulable") for node in listed}


def members(lab: Rehearsal) -> str:
    certificates = (
        "--cert /etc/kubernetes/pki/etcd/healthcheck-client.crt --cacert /etc/kubernetes/pki/etcd/ca.crt"
    )
    key = "--key /etc/kubernetes/pki/etcd/healthcheck-client.key"
    return lab.on(FIRST, f"etcdctl {certificates} {key} member list")


def test_machines_that_leave_are_asked_for_drained_and_forgotten(shrunk: Rehearsal) -> None:
    lab = shrunk
    foreseen = [(step["host"], step["do"]) for step in planned(lab)["kubernetes"]["steps"]]
    assert foreseen == [
        *((name, "drain") for name in GONE),
        *((name, "forget etcd member") for name in GONE[:2]),
        *((name, "delete node") for name in GONE),
    ]
    writes, nodes, etcd = lab.writes(), kubernetes_nodes(lab), members(lab)
    for answers in (("n",), ("y", "n")):
        done = lab.asked(answers, *UP)
        assert (done.code, "not confirmed: nothing of this was done" in done.out) == (4, True), done.out
        assert (lab.writes(), kubernetes_nodes(lab), members(lab)) == (writes, nodes, etcd)
    assert "ishikari-h100-004: drain" in " ".join(done.out.split())
    lab.run(*UP).failed(4, "there is no terminal to ask on", "--yes")

    done = lab.asked(("y", "y"), *UP)
    assert done.code == 0, done.out
    taken = steps(lab)
    assert (sorted(taken[:3]), taken[3:]) == (sorted(foreseen[:3]), foreseen[3:])
    assert not set(GONE) & set(kubernetes_nodes(lab))
    assert all(kubernetes_nodes(lab).values())
    assert (members(lab).count("ishikari-"), kubectl(lab, "get", "pod", "work", "-n", "default").code) == (
        1,
        1,
    )
    planes = lab.ok("--lab", "status", "--json").json["kubernetes"]["control_planes"]
    assert planes == [{"name": FIRST, "api": "ready", "etcd": "healthy"}]
    nothing_ahead(lab)

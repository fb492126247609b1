"""Labels and taints of a Node are kept in line with the plan; what is not the plan's stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daiku.apply.phases.facts import NodeSeen
from daiku.apply.phases.marks import OWN_KEYS, machines_of, marks
from daiku.apply.phases.work import node_seen
from tests.phases.worlds import PLANES, WORKERS, node
from tests.render.plans import facts, plan

PLAN = plan()
GPU = replace(WORKERS[0], taints=("nvidia.com/gpu=present:NoSchedule",))


def after(seen: NodeSeen, patch: dict[str, Any]) -> NodeSeen:
    """The Node once the API has taken the patch."""
    body: dict[str, Any] = {
        "metadata": {"name": seen.name, "labels": dict(seen.labels)},
        "spec": {"taints": [_taint(text) for text in seen.taints]},
    }
    for key, value in patch.get("metadata", {}).get("labels", {}).items():
        if value is None:
            body["metadata"]["labels"].pop(key, None)
        else:
            body["metadata"]["labels"][key] = value
    body["spec"].update(patch.get("spec", {}))
    return node_seen(body)


def _taint(text: str) -> dict[str, str]:
    left, _, effect = text.rpartition(":")
    key, _, value = left.partition("=")
    return {"key": key, "value": value, "effect": effect}


def test_a_node_in_line_is_left_alone() -> None:
    for machine in (*PLANES, GPU):
        assert not marks(machine, node(machine))


def test_what_differs_is_mended_and_what_is_others_stays() -> None:
    seen = NodeSeen(
        GPU.name,
        labels={"daiku.io/pool": "old", "daiku.io/rack": "r9", "team": "x"},
        taints=("maintenance:NoExecute", "nvidia.com/gpu=absent:NoSchedule"),
    )
    wrong = marks(GPU, seen)
    assert wrong.labels == {"daiku.io/pool": "h100", "daiku.io/rack": None}
    assert wrong.taints == ("maintenance:NoExecute", "nvidia.com/gpu=present:NoSchedule")
    assert "daiku.io/rack goes" in wrong.words()
    assert not marks(GPU, after(seen, wrong.patch()))


KEYS = st.sampled_from([*OWN_KEYS, "team", "kubernetes.io/hostname"])
TAINTS = st.sampled_from(
    [
        "a:NoSchedule",
        "a=1:NoSchedule",
        "a:NoExecute",
        "nvidia.com/gpu:NoSchedule",
        "nvidia.com/gpu=x:NoExecute",
    ]
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(KEYS, st.sampled_from(["", "h100", "r1"])), st.sets(TAINTS))
def test_one_patch_brings_any_node_in_line(labels: dict[str, str], taints: set[str]) -> None:
    slots = {(t.rpartition(":")[0].partition("=")[0], t.rpartition(":")[2]): t for t in sorted(taints)}
    seen = NodeSeen(GPU.name, labels=labels, taints=tuple(sorted(slots.values())))
    patched = after(seen, marks(GPU, seen).patch())
    assert not marks(GPU, patched)
    assert {
        k: v for k, v in labels.items() if k not in {*OWN_KEYS, *GPU.labels}
    }.items() <= patched.labels.items()
    assert {t for t in seen.taints if not t.startswith("nvidia.com/gpu")} <= set(patched.taints)


def test_machines_come_from_the_plan_and_the_facts() -> None:
    machines = machines_of(PLAN, facts(PLAN))
    assert [m.name for m in machines[:3]] == ["ishikari-cp-1", "ishikari-cp-2", "ishikari-cp-3"]
    gpu = next(m for m in machines if m.name == "ishikari-h100-001")
    assert gpu.labels["daiku.io/rail-group"] == "h100"
    assert gpu.labels["node-role.kubernetes.io/gpu"] == ""
    assert gpu.provider_id
    assert machines[-1].name == PLAN.nodes[-1].name
    assert {m.name for m in machines_of(PLAN, None)} == {n.name for n in PLAN.nodes}

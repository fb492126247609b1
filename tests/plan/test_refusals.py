"""What cannot be built is refused, with every line that takes part in the clash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from daiku.errors import Fault, SpecError
from daiku.plan.make import make
from daiku.plan.review import REFUSALS, WARNINGS, refusals, warnings
from daiku.plan.view import View
from daiku.spec.load import load, parse
from tests.spec.cases import EXAMPLES, assert_fault, cases, changed, example

CASES = cases(Path(__file__).with_name("refusals.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["name"])
def test_one_impossible_thing_gives_one_fault_with_both_lines(case: dict[str, Any]) -> None:
    text = changed(case)
    with pytest.raises(SpecError) as caught:
        make(parse(text, "cluster.yaml"))
    first, rest = _split(case, list(caught.value.faults))
    assert_fault(case, first, text)
    assert [f.path for f in rest] == [o["path"] for o in case.get("others", [])]
    assert all(o["says"] in f.message for o, f in zip(case.get("others", []), rest, strict=True))
    assert "hunter2" not in repr(caught.value.faults)


def _split(case: dict[str, Any], faults: list[Fault]) -> tuple[list[Fault], list[Fault]]:
    count = len(faults) - len(case.get("others", []))
    return faults[:count], faults[count:]


def test_every_check_has_a_case() -> None:
    found = set()
    for case in CASES:
        view = View.of(parse(changed(case), "cluster.yaml"))
        found |= {check for check in REFUSALS if list(check(view))}
    assert found == set(REFUSALS)


def test_all_clashes_come_at_once_in_the_order_of_the_file() -> None:
    wrong = {
        "count: 3, cpu: 4": "count: 2, cpu: 4",
        "apiVip: 10.10.0.100": "apiVip: 10.11.0.1",
        "gpus: 24": "gpus: 999",
    }
    faults = refusals(parse(changed({"change": wrong}), "cluster.yaml"))
    assert [f.path for f in faults] == ["loadBalancer.apiVip", "controlPlane.count", "tenants.0.gpus"]


@pytest.mark.parametrize("name", ["cluster.yaml", "production.yaml"])
def test_the_examples_can_be_built(name: str) -> None:
    loaded = load(EXAMPLES / name)
    assert refusals(loaded) == []
    assert [f.path for f in warnings(loaded)] == ["aws.managementCluster.imageId"]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"mtu: 9000": "mtu: 1500"}, "gpuPools.0.fabric.mtu"),
        ({"    hybrid:": "    mtu: 9000\n    hybrid:"}, "network.node.mtu"),
        (
            {"phase: verification": "phase: production", "count: 3, cpu: 4": "count: 1, cpu: 4"},
            "controlPlane.count",
        ),
        (
            {
                "phase: verification": "phase: production",
                "addresses: [10.10.0.8, 10.10.0.9]": "addresses: [10.10.0.8]",
            },
            "loadBalancer",
        ),
    ],
)
def test_what_is_likely_not_meant_is_a_warning(change: dict[str, str], path: str) -> None:
    loaded = parse(changed({"change": change}), "cluster.yaml")
    make(loaded)
    assert path in [f.path for f in warnings(loaded)]


def test_without_aws_the_snapshots_have_no_bucket() -> None:
    text = example()
    start, end = text.index("aws:\n"), text.index("storage:\n")
    loaded = parse(text[:start] + text[end:], "cluster.yaml")
    assert make(loaded).aws is None
    assert [f.path for f in warnings(loaded)] == ["kubernetes.etcd"]


def test_every_warning_has_been_seen() -> None:
    seen = {
        "mtu: 9000": "mtu: 1500",
        "    hybrid:": "    mtu: 1501\n    hybrid:",
        "phase: verification": "phase: production",
        "count: 3, cpu: 4": "count: 1, cpu: 4",
        "reliable: { replicas: 3, osdDisksPerNode: 2 }": "reliable: null",
    }
    found = {check for check in WARNINGS if list(check(View.of(parse(changed({"change": seen}), "x"))))}
    assert {check.__name__ for check in WARNINGS if check not in found} == {"snapshots"}

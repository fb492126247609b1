"""Charts take a misspelt key without a word. So every key that we set is in our own list of the pinned chart's keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

import daiku.render
from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from tests.render.plans import example, fabric, plan

FOLDER = Path(daiku.render.__file__).parent / "known_keys"
LISTS: dict[str, dict[str, Any]] = {
    file.stem: yaml.safe_load(file.read_text()) for file in sorted(FOLDER.glob("*.yaml"))
}
OURS = {
    "cilium",
    "dranet",
    "gpu-operator",
    "nvidia-device-plugin",
    "sriov-network-operator",
    "whereabouts-chart",
}


def plans() -> Iterator[Plan]:
    """Plans that together set every key which a chart of the network or of the GPUs can be given."""
    yield plan()
    network = example()["network"]
    network["pods"]["mode"] = "native"
    network["bgp"] = {"localAsn": 65001, "peers": [{"address": "10.10.0.1", "asn": 65000}]}
    yield plan(network=network)
    yield fabric(attach="dranet")
    (pool,) = example()["gpuPools"]
    for sharing in ("mig", "mps"):
        yield plan(gpuPools=[pool | {"sharing": sharing}])
    yield plan(gpuPools=[pool | {"sharing": "mps"}], kubernetes={"gpuStack": "device-plugin"})


def leaves(value: Any, above: str = "") -> Iterator[str]:
    """Dotted names of what is set; a list is one value."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from leaves(below, f"{above}.{key}" if above else str(key))
    else:
        yield above


def charts() -> dict[str, tuple[str, set[str]]]:
    """Version and keys that are set, by chart, in all plans together."""
    found: dict[str, tuple[str, set[str]]] = {}
    for made in plans():
        tree = cluster_tree(made)
        for path in tree:
            if not path.endswith("/chart.yaml"):
                continue
            chart = yaml.safe_load(tree[path].content)
            values = yaml.safe_load(tree[path.replace("chart.yaml", "values.yaml")].content)
            found.setdefault(chart["chart"], (chart["version"], set()))[1].update(leaves(values))
    return found


CHARTS = charts()


def unknown(chart: str, keys: set[str]) -> list[str]:
    """Keys that the list of the chart does not have, neither itself nor as a part of something open."""
    known = LISTS[chart]
    return sorted(
        key
        for key in keys
        if key not in known["keys"]
        and not any(key == above or key.startswith(f"{above}.") for above in known["open"])
    )


def test_the_charts_of_network_and_gpus_have_lists() -> None:
    assert LISTS.keys() >= OURS
    assert CHARTS.keys() >= OURS


@pytest.mark.parametrize("chart", sorted(LISTS))
def test_no_key_is_misspelt(chart: str) -> None:
    assert unknown(chart, CHARTS[chart][1]) == []


@pytest.mark.parametrize("chart", sorted(LISTS))
def test_a_list_was_read_in_the_version_that_is_pinned(chart: str) -> None:
    assert LISTS[chart]["version"] == CHARTS[chart][0].partition("@")[0]


@pytest.mark.parametrize("chart", sorted(OURS))
def test_a_list_has_nothing_that_nobody_sets(chart: str) -> None:
    assert [key for key in LISTS[chart]["keys"] if key not in CHARTS[chart][1]] == []


def test_a_slip_is_found() -> None:
    assert unknown("cilium", {"routingMode", "tunelPort", "cni.exclusiv"}) == ["cni.exclusiv", "tunelPort"]
    assert unknown("dranet", {"args.anything", "arg.filter"}) == ["arg.filter"]

"""Generated clusters that can be built: any size, any mix of pools, addresses and options."""

from __future__ import annotations

import json
from ipaddress import IPv4Network
from itertools import islice
from typing import Any

from hypothesis import strategies as st

from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.spec.load import parse


def planned(values: dict[str, Any]) -> Plan:
    """The plan of plain values. JSON is YAML, so this takes the way that a file takes."""
    return make(parse(json.dumps(values, indent=1), "generated.yaml"))


@st.composite
def pools(draw: st.DrawFn, position: int) -> dict[str, Any]:
    rails = draw(st.integers(0, 8))
    indexes = draw(st.lists(st.integers(1, 200), min_size=1, max_size=9, unique=True))
    base = IPv4Network("10.128.0.0/9")
    subnets = list(islice(base.subnets(new_prefix=20), position * 16, position * 16 + rails))
    return {
        "name": f"pool-{position}",
        "nodes": [{"index": i, "id": f"1136{position:04d}{i:04d}"} for i in indexes],
        "gpu": {"count": draw(st.sampled_from([1, 4, 8]))},
        "fabric": {
            "mtu": draw(st.sampled_from([1500, 4200, 9000])),
            "vfs": draw(st.integers(0, 8)),
            "rails": [{"nic": f"rail{r}np0", "cidr": str(subnets[r]), "numa": r % 2} for r in range(rails)],
        },
        "disks": {"count": draw(st.integers(4, 8))},
    }


@st.composite
def clusters(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(0, 4))
    return {
        "apiVersion": "daiku/v1",
        "kind": "Cluster",
        "name": draw(st.sampled_from(["a", "ishikari", "x" * 20])),
        "release": "2026.11",
        "network": {
            "node": {
                "cidr": draw(st.sampled_from(["10.10.0.0/20", "172.16.0.0/16"])),
                "hybrid": {"privateNetwork": "1" * 12},
            },
            "pods": {"cidr": "10.244.0.0/16", "mode": draw(st.sampled_from(["vxlan", "native"]))},
            "egress": {"router": draw(st.sampled_from(["standard", "premium", "highspec"]))},
        },
        "loadBalancer": {"plan": draw(st.sampled_from(["standard", "highspec"])), "apiVip": "_"},
        "controlPlane": {"count": draw(st.sampled_from([1, 3, 5, 7]))},
        "management": {"count": draw(st.integers(1, 20))},
        "gpuPools": [draw(pools(position)) for position in range(count)],
        "storage": {"reliable": None},
    }


def with_vip(values: dict[str, Any]) -> dict[str, Any]:
    """The API VIP in the first /24 of whichever node network was drawn."""
    start = values["network"]["node"]["cidr"].rsplit(".", 1)[0]
    return {**values, "loadBalancer": {**values["loadBalancer"], "apiVip": f"{start}.100"}}


valid = clusters().map(with_vip)

"""Rendering of a large cluster: all of it, and one changed machine. Part of `make bench`; `python benchmarks/render.py`
runs it alone.

Processor time of one core, not wall time: machines that measure are shared.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import yaml

ROOT = Path(__file__).resolve().parent.parent
NODES = 2000
T = TypeVar("T")


def large(nodes: int, moved: int = 0) -> str:
    """The example with that many GPU servers, as a cluster file, in wider networks. The server with the index
    `moved` is in another rack."""
    document: dict[str, Any] = yaml.safe_load((ROOT / "examples/ishikari/cluster.yaml").read_text("utf-8"))
    del document["aws"]
    document["network"]["node"]["cidr"] = "10.8.0.0/14"
    document["network"]["pods"] = {"cidr": "10.128.0.0/11", "nodeMask": 25}
    document["loadBalancer"] = {
        "addresses": ["10.8.0.8", "10.8.0.9"],
        "apiVip": "10.8.0.100",
        "ingress": {"vip": "10.8.0.101", "ports": [80, 443]},
    }
    (pool,) = document["gpuPools"]
    pool["addresses"] = "10.9.0.0/20"
    pool["nodes"] = [{"index": i, "id": f"11360000{i:04d}"} for i in range(1, nodes + 1)]
    if moved:
        pool["nodes"][moved - 1]["rack"] = "r99"
    for number, rail in enumerate(pool["fabric"]["rails"]):
        rail["cidr"] = f"10.{32 + number}.0.0/16"
    return yaml.safe_dump(document)


def measure(nodes: int = NODES) -> list[tuple[str, str]]:
    """Figures as (what, value)."""
    from daiku.plan.facts import Facts, NodeFacts
    from daiku.plan.make import make
    from daiku.render.whole import rendered
    from daiku.spec.load import parse

    text = large(nodes)
    (plan, planning) = _timed(lambda: make(parse(text, "cluster.yaml")))
    made = tuple(
        NodeFacts(name=node.name, resource_id="1", provider_id=f"x://{node.name}", incarnation="1")
        for node in plan.nodes
    )
    facts = Facts(
        cluster=plan.cluster, plan_digest=plan.digest(), router_address="", bastion_port=1, nodes=made
    )
    first, rendering = _timed(lambda: rendered(plan, facts))
    tree, gathering = _timed(first.tree)
    changed = make(parse(large(nodes, moved=nodes // 2), "cluster.yaml"))
    again, one = _timed(lambda: rendered(changed, facts, first))
    return [
        (f"load, check and plan {nodes} GPU servers", f"{planning:.1f} s"),
        (f"render {nodes} GPU servers and the cluster", f"{rendering + gathering:.1f} s, {len(tree)} files"),
        (
            "render again after one server changed",
            f"{one * 1000:.0f} ms, {len(again.fresh)} of {len(plan.nodes)} machines rendered",
        ),
    ]


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    start = time.process_time()
    value = action()
    return value, time.process_time() - start


def main() -> int:
    """Print the figures."""
    for what, value in measure():
        sys.stdout.write(f"{what:<64} {value}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Rendering of a large cluster: all of it, beside helm with as many objects, and one changed machine. Part of
`make bench`; `python benchmarks/render.py` runs it alone.

Processor time, not wall time: machines that measure are shared. What each side does is in docs/benchmarks.md.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import chart
import yaml

if TYPE_CHECKING:
    from daiku.plan.model import Plan
    from daiku.render.tree import Tree

ROOT = Path(__file__).resolve().parent.parent
NODES = 2000
TIMES = 3
"""How often each side renders, in turns; the median counts."""
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
    from daiku.plan.proof.prove import prove
    from daiku.render.whole import rendered
    from daiku.spec.load import parse

    text = large(nodes)
    plan = make(parse(text, "cluster.yaml"))
    made = tuple(
        NodeFacts(name=node.name, resource_id="1", provider_id=f"x://{node.name}", incarnation="1")
        for node in plan.nodes
    )
    facts = Facts(
        cluster=plan.cluster, plan_digest=plan.digest(), router_address="", bastion_port=1, nodes=made
    )

    def proven() -> Plan:
        loaded = parse(text, "cluster.yaml")
        plan = make(loaded)
        if errors := prove(loaded, plan, facts).errors:
            raise SystemExit(f"{errors[0]}")
        return plan

    first = rendered(plan, facts)
    tree = first.tree()
    planning: list[float] = []
    rendering: list[float] = []
    rivals: list[chart.Rendering] = []
    walls: list[float] = []
    for _ in range(TIMES):
        start = time.monotonic()
        planning.append(_timed(proven)[1])
        rendering.append(_timed(lambda: rendered(plan, facts).tree())[1])
        walls.append(time.monotonic() - start)
        rivals.append(_helm(plan, tree))
    rival = sorted(rivals, key=lambda one: one.processor)[TIMES // 2]
    ours = statistics.median(map(sum, zip(planning, rendering, strict=True)))
    size = sum(len(file.content) for file in tree.values())
    changed = make(parse(large(nodes, moved=nodes // 2), "cluster.yaml"))
    again, one = _timed(lambda: rendered(changed, facts, first))
    objects = len(tree) / rival.objects * rival.processor
    by_bytes = size / rival.size * rival.processor
    alone = statistics.median(rendering)
    return [
        (f"load, check, plan and prove {nodes} GPU servers", f"{statistics.median(planning):.1f} s"),
        (
            f"render {nodes} GPU servers and the cluster",
            f"{alone:.1f} s, {len(tree)} files, {size / 1e6:.1f} MB",
        ),
        (
            "helm template, as many objects",
            f"{rival.processor:.1f} s, {rival.objects} objects, {rival.size / 1e6:.1f} MB ({rival.wall:.1f} s wall)",
        ),
        ("daiku, all of it", f"{ours:.1f} s ({statistics.median(walls):.1f} s wall)"),
        (
            "  against helm",
            f"{objects / ours:.1f} x the objects, {by_bytes / ours:.1f} x the bytes a second of processor",
        ),
        ("  against helm, rendering alone", f"{objects / alone:.1f} x the objects a second of processor"),
        (
            "render again after one server changed",
            f"{one * 1000:.0f} ms, {len(again.fresh)} of {len(plan.nodes)} machines rendered",
        ),
    ]


def _helm(plan: Plan, tree: Tree) -> chart.Rendering:
    """The same tree by helm, from the files of the last GPU server."""
    from daiku.lab.tools.build import find_or_build

    machines = [(node.name, node.address) for node in plan.by_role("gpu")]
    mine = f"hosts/{machines[-1][0]}/"
    theirs = tuple(f"hosts/{name}/" for name, _ in machines)
    files = {path: file.content for path, file in tree.items() if path.startswith(mine)}
    others = {path: file.content for path, file in tree.items() if not path.startswith(theirs)}
    program = find_or_build("helm", lambda _line: None)
    return chart.rendered_by_helm(str(program), machines, files, others)


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

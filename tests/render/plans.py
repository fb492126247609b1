"""Plans of the example for these tests: as it is, with another number of GPU nodes, or with sections
changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from daiku.plan.facts import Facts, NodeFacts
from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.render.tree import Tree
from daiku.spec.load import parse

EXAMPLE = Path(__file__).parents[2] / "examples/ishikari/cluster.yaml"


def example() -> dict[str, Any]:
    """The example's file as a mapping; a new one each time."""
    return yaml.safe_load(EXAMPLE.read_text())


def plan(*, gpus: int = 4, **sections: Any) -> Plan:
    """The example's plan with `gpus` GPU servers. `sections` replace whole sections of the file by their
    name."""
    document = example()
    (pool,) = document["gpuPools"]
    pool["nodes"] = [{"index": i, "id": f"1136000000{i:02d}"} for i in range(1, gpus + 1)]
    return make(parse(yaml.safe_dump(document | sections), "cluster.yaml"))


def fabric(gpus: int = 4, rail: dict[str, Any] | None = None, **changed: Any) -> Plan:
    """The example with settings of its fabric changed, and the first rail's too."""
    (pool,) = example()["gpuPools"]
    values = pool["fabric"] | changed
    values["rails"][0] |= rail or {}
    pool["nodes"] = [{"index": i, "id": f"1136000000{i:02d}"} for i in range(1, gpus + 1)]
    return plan(gpus=gpus, gpuPools=[pool | {"fabric": values}])


def facts(made: Plan) -> Facts:
    """Facts as after `up`: every machine has an ID that no other machine shifts."""
    nodes = tuple(
        NodeFacts(
            name=node.name,
            resource_id=node.phy_id or f"1130000{len(node.role):02d}{node.index:03d}",
            provider_id=f"sakura://{made.zone}/{node.name}",
            incarnation="1",
        )
        for node in made.nodes
    )
    return Facts(
        cluster=made.cluster,
        plan_digest=made.digest(),
        router_address="192.0.2.1",
        bastion_port=20022,
        nodes=nodes,
    )


def read(tree: Tree, path: str) -> Any:
    """The one document of a file."""
    return yaml.load(tree[path].content, yaml.CSafeLoader)


def objects(tree: Tree, kind: str) -> list[dict[str, Any]]:
    """All manifests of a kind, in the tree's order."""
    found: list[dict[str, Any]] = []
    for path, file in tree.items():
        # Hundreds of tests ask: a file that does not hold the word is not read, and libyaml reads the others.
        if not path.endswith(("chart.yaml", "values.yaml")) and kind.encode() in file.content:
            found += [d for d in yaml.load_all(file.content, yaml.CSafeLoader) if d and d["kind"] == kind]
    return found

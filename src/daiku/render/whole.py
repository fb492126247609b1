"""The whole tree: every machine's files and everything that the cluster is given.

`Rendered` keeps what it was made of. Made again from a plan in which little changed, it renders only the machines
that changed: of two thousand, the one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from daiku.plan.facts import Facts
from daiku.plan.model import NodePlan, Plan
from daiku.render.acceptance import acceptance_tree
from daiku.render.bundle import HostBundle
from daiku.render.cluster import cluster_tree
from daiku.render.hosts import bundle, provider_ids, shared
from daiku.render.tree import File, Tree


@dataclass(frozen=True, slots=True)
class Machine:
    """A bundle and what it was made of, besides what all machines share."""

    node: NodePlan
    provider_id: str
    bundle: HostBundle


@dataclass(frozen=True, slots=True)
class Rendered:
    """All configuration of one plan. `machines` are by name, in the plan's order; `fresh` names those that
    were rendered for this value, not taken over from an earlier one."""

    common: Plan
    machines: dict[str, Machine]
    cluster: Tree
    acceptance: Tree
    fresh: tuple[str, ...] = field(compare=False)

    def tree(self) -> Tree:
        """`hosts/NAME/...` as the files lie on that machine, `cluster/...`, and `acceptance/...`, which nobody
        applies unasked."""
        files: dict[str, File] = {}
        for name, machine in self.machines.items():
            files |= {f"hosts/{name}/{path}": file for path, file in host_files(machine.bundle).items()}
        files |= {f"cluster/{path}": file for path, file in self.cluster.items()}
        files |= {f"acceptance/{path}": file for path, file in self.acceptance.items()}
        return Tree(files)


def rendered(plan: Plan, facts: Facts, before: Rendered | None = None) -> Rendered:
    """The configuration of a plan. With `before`, machines whose part did not change are taken over from it.

    ValueError: the release lacks a version or image that is needed, or the plan contradicts itself."""
    common, ids = shared(plan), provider_ids(facts)
    known = before.machines if before is not None and before.common == common else {}
    machines: dict[str, Machine] = {}
    fresh: list[str] = []
    for node in plan.nodes:
        own, old = ids.get(node.name, ""), known.get(node.name)
        if old is not None and old.provider_id == own and (old.node is node or old.node == node):
            machines[node.name] = old
        else:
            machines[node.name] = Machine(node, own, bundle(common, node, own))
            fresh.append(node.name)
    return Rendered(common, machines, cluster_tree(plan), acceptance_tree(plan), tuple(fresh))


def tree(plan: Plan, facts: Facts) -> Tree:
    """As `Rendered.tree` of the plan. ValueError: see `rendered`."""
    return rendered(plan, facts).tree()


def host_files(made: HostBundle) -> dict[str, File]:
    """The files of one machine by their paths below its root."""
    return {
        file.path.lstrip("/"): File(
            file.content, file.mode, file.owner, file.group, (file.trigger,) if file.trigger else ()
        )
        for file in made.files
    }

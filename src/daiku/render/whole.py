"""The whole tree: every machine's files and everything that the cluster is given."""

from __future__ import annotations

from daiku.plan.facts import Facts
from daiku.plan.model import Plan
from daiku.render.bundle import HostBundle
from daiku.render.cluster import cluster_tree
from daiku.render.hosts import host_bundles
from daiku.render.tree import File, Tree


def tree(plan: Plan, facts: Facts) -> Tree:
    """`hosts/NAME/...` as the files lie on that machine, and `cluster/...`. ValueError: see the two parts."""
    files: dict[str, File] = {}
    for bundle in host_bundles(plan, facts):
        files |= {f"hosts/{bundle.host}/{path}": file for path, file in host_tree(bundle).items()}
    files |= {f"cluster/{path}": file for path, file in cluster_tree(plan).items()}
    return Tree(files)


def host_tree(bundle: HostBundle) -> Tree:
    """The files of one machine as a tree whose root is the machine's."""
    return Tree(
        {
            file.path.lstrip("/"): File(
                file.content, file.mode, file.owner, file.group, (file.trigger,) if file.trigger else ()
            )
            for file in bundle.files
        }
    )

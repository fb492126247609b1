"""Further nodes for a rehearsed cluster, played by KWOK: what `lab-nodes` on a control plane is called with."""

from __future__ import annotations

import shlex

from daiku.errors import LabError
from daiku.plan.gpus import resources
from daiku.plan.model import Plan
from daiku.plan.nodes import DOMAIN
from daiku.render.rail_cni import rail_name


def lab_nodes_command(plan: Plan, pool: str, count: int) -> str:
    """The shell command that makes `count` nodes like those of a GPU pool: its labels, taints, GPUs and rails.

    `pool` "" means the first one. Raises LabError for a pool that the cluster does not have.
    """
    known = {made.name: made for made in plan.pools}
    name = pool or next(iter(known), "")
    if name not in known:
        raise LabError(
            f"the cluster has no GPU pool {pool!r}", hint=f"its pools: {', '.join(known) or 'none'}"
        )
    pattern = next(node for node in plan.nodes if node.pool == name)
    offered = [f"{resource}={amount}" for resource, amount in resources(known[name])]
    # Virtual functions are counted; of a whole NIC there is one; claims (DRA) are no resource of a node.
    each = {"sriov": 0, "host-device": 1}.get(known[name].attach)
    offered += [
        f"{DOMAIN}/{rail_name(name, rail.rail).resource}={each or rail.vfs}"
        for rail in plan.rails
        if rail.pool == name and each is not None and (each or rail.vfs)
    ]
    words = ["lab-nodes", str(count), "--prefix", f"{plan.cluster}-{name}-kwok"]
    words += [word for text in offered for word in ("--resource", text)]
    words += [word for key, value in pattern.labels for word in ("--label", f"{key}={value}")]
    words += [word for taint in pattern.taints for word in ("--taint", taint)]
    return shlex.join(words)

"""The plan's rail routes between real network stacks: they carry node traffic, spread it, and give way to the next.

Two hosts as network namespaces inside a user namespace of their own; the rails are cables between them. The claims of
docs/decisions/0002-rail-routes.md are what is tested here.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from daiku.plan.make import make
from daiku.plan.model import NodePlan
from daiku.spec.load import load
from tests.spec.cases import EXAMPLES

pytestmark = pytest.mark.lab

WORLD = Path(__file__).with_name("rail_world.py")


def node(plan: NodePlan) -> dict[str, Any]:
    """What the host renderer takes from a NodePlan for its network, as plain values."""
    links = {plan.interface: plan.address_cidr} | {p.nic: p.address_cidr for p in plan.rails}
    routes = [r.model_dump() for r in plan.routes if r.via is None]
    return {"address": plan.address, "interface": plan.interface, "links": links, "routes": routes}


def test_node_traffic_takes_the_rails_and_survives_their_loss() -> None:
    if shutil.which("unshare") is None or shutil.which("ip") is None:
        pytest.skip("needs unshare and ip")
    if subprocess.run(["unshare", "-Urn", "true"], check=False, capture_output=True).returncode:
        pytest.skip("user namespaces are not allowed here")
    nodes = make(load(EXAMPLES / "cluster.yaml")).by_role("gpu")
    pair = json.dumps([node(nodes[0]), node(nodes[1])])
    run = subprocess.run(
        ["unshare", "-Urn", sys.executable, str(WORLD)],
        input=pair,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    used = json.loads(run.stdout)
    assert used["all rails"] == "ens2f0np0", "node 1 starts at the rail that its index gives"
    assert used["without ens2f0np0"] == "ens3f0np0"
    assert used["without ens3f0np0"] == "ens4f0np0"
    assert used["without ens4f0np0"] == "ens1f0np0"
    assert used["without ens1f0np0"] == "eno2", "with no rail left the node network carries it"

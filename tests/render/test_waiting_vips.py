"""A control plane's virtual addresses wait for its API server; other machines' do not wait."""

from __future__ import annotations

from daiku.render.host_network import API_MANIFEST, NETPLAN_VIPS
from daiku.render.hosts import host_bundles
from tests.render.plans import facts, plan

PLAN = plan()


def test_only_control_planes_wait_with_file_and_expectation() -> None:
    for bundle in host_bundles(PLAN, facts(PLAN)):
        node = PLAN.node(bundle.host)
        waits = API_MANIFEST if node.role == "control-plane" else ""
        assert {f.after for f in bundle.files if f.path == NETPLAN_VIPS} == ({waits} if node.vips else set())
        assert {f.path for f in bundle.files if f.after} <= {NETPLAN_VIPS}
        told = {e.name: e.after for e in bundle.expectations if e.name.startswith("lo ")}
        assert told == {f"lo {vip}/32": waits for vip in node.vips}

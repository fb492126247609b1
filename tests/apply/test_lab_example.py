"""The example cluster's own bundles, as rendered, on nine lab hosts: from fresh disks to nothing left to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.apply.fleet import Settings, run
from daiku.apply.targets import login_user, targets_of
from daiku.lab.hosts import Hosts, supports_namespaces
from daiku.lab.topology import INTERNET, Forward, Machine, Nic, Router, Segment, Topology
from daiku.ledger.keys import ensure_deploy_key
from daiku.ledger.secrets import Secrets
from daiku.plan.model import Plan
from daiku.render.hosts import host_bundles
from tests.render.plans import facts, plan
from tests.ssh.server import Pins

pytestmark = [pytest.mark.lab, pytest.mark.allow_hosts([f"127.77.214.{n}" for n in range(1, 17)])]


def topology(made: Plan, public: str, address: str) -> Topology:
    """The machines of a plan on fresh disks, the node network, a segment a rail, and the router's forwarded port."""
    rails = {(rail.pool, rail.rail): Segment(f"{rail.pool}-{rail.rail}", rail.mtu) for rail in made.rails}
    machines: list[Machine] = []
    for i, node in enumerate(made.nodes):
        mac = f"02:00:00:00:{i:02x}"
        nics = [Nic(node.interface, f"{mac}:00", "node", (node.address_cidr,), node.gateway)]
        nics += [Nic(r.nic, f"{mac}:{r.rail + 1:02x}", rails[node.pool, r.rail].id) for r in node.rails]
        disk = f"{node.name}-disk"
        machines.append(
            Machine(node.name, "vm", True, 1, disk, "fresh", login_user(node), (public,), tuple(nics))
        )
    prefix = made.node_network.cidr.partition("/")[2]
    legs = (
        Nic("eth0", "02:aa:00:00:00:01", INTERNET, ("198.51.100.10/24",), "198.51.100.1"),
        Nic("eth1", "02:aa:00:00:00:02", "node", (f"{made.node_network.gateway}/{prefix}",)),
    )
    forward = Forward(20022, made.router.bastion_address, 22)
    segments = (Segment("node", made.node_network.mtu), Segment(INTERNET), *rails.values())
    return Topology(segments, tuple(machines), (Router("r", True, address, legs, (forward,), nat=True),))


def test_the_example_comes_up_and_a_second_run_changes_nothing(tmp_path: Path, worker_id: str) -> None:
    reason = supports_namespaces()
    if reason is not None:
        pytest.skip(f"hosts cannot run here: {reason}")
    address = f"127.77.214.{int(worker_id.removeprefix('gw')) + 1 if worker_id.startswith('gw') else 1}"
    key, public = ensure_deploy_key(tmp_path / "keys")
    made = plan().model_copy(update={"authorized_keys": (public,)})
    known = facts(made).model_copy(update={"router_address": address})
    bundles = {bundle.host: bundle for bundle in host_bundles(made, known)}
    pins = Pins()
    with Hosts(tmp_path / "state", log=lambda _: None) as hosts:
        hosts.apply(topology(made, public, address))
        first, second = (
            run(
                targets_of(made, known),
                bundles,
                key_file=key,
                host_keys=pins,
                settings=Settings(patience=30),
                run_id=f"run-{number}",
                secrets=Secrets(tmp_path / "secrets").text,
            )
            for number in (1, 2)
        )
    assert first.failures == second.failures == ()
    assert all(report.changed for report in first.reports)
    assert {"netplan", "sysctl", "containerd"} <= {
        t.name for report in first.reports for t in report.triggers
    }
    assert [report.host for report in second.reports if report.changed] == []
    assert {report.round_trips for report in second.reports} == {1}
    assert second.connections == len(made.nodes) == 9

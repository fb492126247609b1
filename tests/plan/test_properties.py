"""What holds for every cluster that can be built."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from daiku.plan.compare import compare
from tests.plan.clusters import planned, valid
from tests.spec.cases import EXAMPLES

quick = settings(max_examples=40, deadline=None)


@quick
@given(valid)
def test_every_address_is_inside_its_network_and_nobody_elses(values: dict[str, Any]) -> None:
    plan = planned(values)
    network = IPv4Network(plan.node_network.cidr)
    vips = [v.address for v in plan.load_balancer.vips]
    single = [
        *plan.router.addresses,
        *plan.load_balancer.addresses,
        *set(vips),
        *(n.address for n in plan.nodes),
    ]
    assert len(single) == len(set(single))
    assert all(IPv4Address(a) in network for a in single)
    assert not {str(network.network_address), str(network.broadcast_address)} & set(single)
    ports = [port for node in plan.nodes for port in node.rails]
    assert len({p.address_cidr for p in ports}) == len(ports)
    for port in ports:
        address, subnet, pods = (
            IPv4Interface(port.address_cidr),
            IPv4Network(port.subnet),
            IPv4Network(port.pods_cidr),
        )
        assert address.network == subnet
        assert pods.subnet_of(subnet)
        assert address.ip not in pods
        assert address.ip != subnet.network_address


@quick
@given(valid)
def test_every_name_is_a_host_name_and_nobody_elses(values: dict[str, Any]) -> None:
    names = [node.name for node in planned(values).nodes]
    assert len(names) == len(set(names))
    assert all(len(name) <= 63 and name == name.lower() for name in names)


@quick
@given(valid, st.data())
def test_adding_a_node_changes_no_other(values: dict[str, Any], data: st.DataObject) -> None:
    grown = copy.deepcopy(values)
    if not grown["gpuPools"]:
        return
    pool = data.draw(st.sampled_from(grown["gpuPools"]))
    free = sorted(set(range(1, 200)) - {n["index"] for n in pool["nodes"]})
    node = {"index": data.draw(st.sampled_from(free)), "id": "9" * 12}
    pool["nodes"].insert(data.draw(st.integers(0, len(pool["nodes"]))), node)
    change = compare(planned(values), planned(grown))
    assert change.changed == ()
    assert change.removed == ()
    assert len(change.added) == 1
    assert change.cluster == ()


@quick
@given(valid, st.sampled_from(["controlPlane", "management"]))
def test_adding_vms_changes_no_other_machine(values: dict[str, Any], role: str) -> None:
    grown = copy.deepcopy(values)
    grown[role]["count"] = {1: 3, 3: 5, 5: 7, 7: 7}.get(grown[role]["count"], grown[role]["count"])
    change = compare(planned(values), planned(grown))
    assert change.changed == ()
    assert change.removed == ()
    assert {f.path for f in change.cluster} <= {"load_balancer.vips"}


@quick
@given(valid, st.data())
def test_the_order_of_nodes_in_the_file_means_nothing(values: dict[str, Any], data: st.DataObject) -> None:
    shuffled = copy.deepcopy(values)
    for pool in shuffled["gpuPools"]:
        pool["nodes"] = data.draw(st.permutations(pool["nodes"]))
    assert planned(shuffled).digest() == planned(values).digest()


@quick
@given(valid)
def test_rail_routes_lead_to_the_own_pool_and_start_at_different_rails(values: dict[str, Any]) -> None:
    plan = planned(values)
    for node in plan.by_role("gpu"):
        block = next(p.addresses_cidr for p in plan.pools if p.name == node.pool)
        rails = [r for r in node.routes if r.to == block]
        assert [r.via for r in rails] == [None] * len(node.rails)
        assert {r.dev for r in rails} == {p.nic for p in node.rails}
        assert [r.metric for r in rails] == list(range(50, 50 + len(rails)))
        assert all(r.source == node.address for r in rails)
        # More specific than the connected route of the node network, or the node network would win.
        assert IPv4Network(block).prefixlen > IPv4Network(plan.node_network.cidr).prefixlen
        if rails:
            assert rails[0].dev == node.rails[node.index % len(node.rails)].nic


def test_the_same_file_gives_the_same_bytes_whatever_the_hash_seed() -> None:
    program = (
        "import sys; from pathlib import Path; from daiku.spec.load import load; from daiku.plan.make import make; "
        "from daiku.spec.explain import as_yaml; l = load(Path(sys.argv[1])); "
        "print(make(l).digest(), l.digest, hash('seed')); print(as_yaml(l))"
    )
    outputs = []
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", program, str(EXAMPLES / "cluster.yaml")],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        outputs.append(run.stdout.split("\n"))
    (first, *rest), (second, *others) = outputs
    assert first.split()[:2] == second.split()[:2]
    assert first.split()[2] != second.split()[2]
    assert rest == others

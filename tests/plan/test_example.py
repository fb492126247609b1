"""The plan of the example, as numbers that a person can check by hand."""

from __future__ import annotations

from functools import cache

import pytest

from daiku.plan.compare import NODE_FIELDS, RAIL_FIELDS, compare
from daiku.plan.make import make
from daiku.plan.model import NodePlan, Plan, RailPort
from daiku.plan.review import refusals
from daiku.spec.base import Disruption
from daiku.spec.load import load, parse
from tests.spec.cases import EXAMPLES, changed, example


@cache
def plan(name: str = "cluster.yaml") -> Plan:
    return make(load(EXAMPLES / name))


def with_change(change: dict[str, str]) -> Plan:
    return make(parse(changed({"change": change}), "cluster.yaml"))


@pytest.mark.parametrize(
    ("name", "address", "rails"),
    [
        ("ishikari-cp-1", "10.10.0.11/20", []),
        ("ishikari-cp-3", "10.10.0.13/20", []),
        ("ishikari-mgmt-1", "10.10.0.31/20", []),
        (
            "ishikari-h100-001",
            "10.10.1.1/20",
            ["10.32.0.1/20", "10.32.16.1/20", "10.32.32.1/20", "10.32.48.1/20"],
        ),
        (
            "ishikari-h100-004",
            "10.10.1.4/20",
            ["10.32.0.4/20", "10.32.16.4/20", "10.32.32.4/20", "10.32.48.4/20"],
        ),
    ],
)
def test_names_and_addresses(name: str, address: str, rails: list[str]) -> None:
    node = plan().node(name)
    assert node.address_cidr == address
    assert [p.address_cidr for p in node.rails] == rails


def test_a_rails_upper_half_is_left_to_pods() -> None:
    assert [(r.subnet, r.hosts_cidr, r.pods_cidr) for r in plan().rails][:2] == [
        ("10.32.0.0/20", "10.32.0.0/21", "10.32.8.0/21"),
        ("10.32.16.0/20", "10.32.16.0/21", "10.32.24.0/21"),
    ]


def test_node_traffic_starts_at_a_different_rail_on_each_node() -> None:
    first = [n.routes[0] for n in plan().by_role("gpu")]
    assert [r.dev for r in first] == ["ens2f0np0", "ens3f0np0", "ens4f0np0", "ens1f0np0"]
    assert {(r.to, r.via, r.metric) for r in first} == {("10.10.1.0/24", None, 50)}


def test_every_node_reaches_aws_through_the_local_router() -> None:
    for node in plan().nodes:
        (route,) = [r for r in node.routes if r.to == "10.64.0.0/16"]
        assert (route.via, route.dev) == ("10.10.0.5", node.interface)


def test_vips_are_on_the_loopback_of_their_real_servers_only() -> None:
    assert {n.name: n.vips for n in plan().nodes if n.vips} == {
        "ishikari-cp-1": ("10.10.0.100",),
        "ishikari-cp-2": ("10.10.0.100",),
        "ishikari-cp-3": ("10.10.0.100",),
        "ishikari-mgmt-1": ("10.10.0.101",),
        "ishikari-mgmt-2": ("10.10.0.101",),
    }
    balancer = plan().load_balancer
    assert [(v.name, v.port, v.check, v.path) for v in balancer.vips] == [
        ("api", 6443, "https", "/readyz"),
        ("ingress", 80, "tcp", ""),
        ("ingress", 443, "tcp", ""),
    ]
    assert all(s.port == v.port for v in balancer.vips for s in v.servers)
    assert [s.node for s in balancer.vips[0].servers] == ["ishikari-cp-1", "ishikari-cp-2", "ishikari-cp-3"]
    assert balancer.addresses == ("10.10.0.8", "10.10.0.9")


@pytest.mark.parametrize(("mode", "pods", "overhead"), [("vxlan", 1450, 50), ("native", 1500, 0)])
def test_mtu_of_every_layer(mode: str, pods: int, overhead: int) -> None:
    mtu = with_change({"mode: vxlan": f"mode: {mode}"}).mtu
    assert (mtu.node, mtu.pods, mtu.tunnel_overhead, mtu.rails) == (1500, pods, overhead, (("h100", 9000),))


@pytest.mark.parametrize(
    ("egress", "addresses", "bandwidth"),
    [
        ("router: premium, bandwidthMbps: 500", ("10.10.0.1", "10.10.0.2", "10.10.0.3"), 500),
        ("router: highspec", ("10.10.0.1", "10.10.0.2", "10.10.0.3"), 500),
        ("router: standard", ("10.10.0.1",), None),
    ],
)
def test_the_way_out(egress: str, addresses: tuple[str, ...], bandwidth: int | None) -> None:
    router = with_change({"router: premium, bandwidthMbps: 500": egress}).router
    assert (router.addresses, router.bandwidth_mbps) == (addresses, bandwidth)
    assert router.bastion_address == "10.10.0.31"


@pytest.mark.parametrize(
    ("kind", "addresses"), [("standard", ("10.10.0.8",)), ("highspec", ("10.10.0.8", "10.10.0.9"))]
)
def test_default_addresses_of_the_load_balancer(kind: str, addresses: tuple[str, ...]) -> None:
    line = "addresses: [10.10.0.8, 10.10.0.9]          # two: redundant"
    assert with_change({line: f"plan: {kind}"}).load_balancer.addresses == addresses


def test_the_aws_side() -> None:
    aws = plan().aws
    assert aws is not None
    assert [(s.cidr, s.zone) for s in aws.subnets] == [
        ("10.64.0.0/20", "ap-northeast-1a"),
        ("10.64.16.0/20", "ap-northeast-1c"),
    ]
    assert aws.bucket == "ishikari-etcd-123456789012"
    assert aws.management_address == "10.64.0.10"
    assert aws.records == (
        ("api.ishikari.internal", "10.10.0.100"),
        ("ingress.ishikari.internal", "10.10.0.101"),
    )
    assert (aws.connect.prefixes_to_aws, aws.connect.prefixes_from_aws) == (
        ("10.10.0.0/20",),
        ("10.64.0.0/16",),
    )
    assert aws.connect.secret_env == "DAIKU_AWS_CONNECT_SECRET"


def test_labels_are_ones_that_a_kubelet_may_set_on_its_own_node() -> None:
    allowed = {"topology.kubernetes.io/region", "topology.kubernetes.io/zone"}
    for node in plan().nodes:
        assert {k for k, _ in node.labels if not k.startswith("daiku.io/")} == allowed
    gpu = plan().node("ishikari-h100-003")
    assert dict(gpu.labels)["daiku.io/rack"] == "r02"
    assert gpu.taints == ("nvidia.com/gpu=present:NoSchedule",)


def test_a_second_pool_takes_the_next_block() -> None:
    second = """
  - name: b200
    nodes: [{ index: 7, id: "113600000107" }]
    gpu: { model: b200-sxm6-180gb }
    fabric: { rails: [{ nic: ens1f0np0, cidr: 10.33.0.0/20 }] }
"""
    grown = with_change({"\naws:": f"{second}\naws:"})
    assert grown.node("ishikari-b200-007").address == "10.10.2.7"
    assert compare(plan(), grown).changed == ()


def test_production_moves_nothing_that_stands() -> None:
    small, large = plan("cluster.yaml"), plan("production.yaml")
    assert len(large.by_role("gpu")) == 16
    for node in small.nodes:
        assert large.node(node.name) == node
    change = compare(small, large)
    assert change.added == tuple(f"ishikari-h100-{i:03d}" for i in range(5, 17))
    assert (change.removed, change.changed) == ((), ())
    assert {f.path for f in change.cluster} == {"phase", "tenants"}


def test_equal_plans_differ_in_nothing() -> None:
    assert not compare(plan(), make(parse(example() + "# a comment\n", "other.yaml")))


@pytest.mark.parametrize(
    ("change", "node", "worst", "fields"),
    [
        ({"cpu: 4": "cpu: 8"}, "ishikari-cp-1", Disruption.ROLLING_REBOOT, {"cpu"}),
        ({"diskGib: 60": "diskGib: 80"}, "ishikari-mgmt-2", Disruption.REPLACE, {"disk_gib"}),
        (
            {"mtu: 9000": "mtu: 4200"},
            "ishikari-h100-002",
            Disruption.ROLLING_RESTART,
            {f"rails.{i}.mtu" for i in range(4)},
        ),
        (
            {"mtu: 9000": "mtu: 9000\n      vfs: 4"},
            "ishikari-h100-002",
            Disruption.ROLLING_REBOOT,
            {f"rails.{i}.vfs" for i in range(4)},
        ),
        (
            {"10.32.48.0/20": "10.33.0.0/20"},
            "ishikari-h100-002",
            Disruption.REINSTALL,
            {"rails.3.address_cidr", "rails.3.subnet", "rails.3.pods_cidr"},
        ),
        ({'"113600000002"': '"113600000009"'}, "ishikari-h100-002", Disruption.REINSTALL, {"phy_id"}),
        ({"    disks: {": "    cpu: 96\n    disks: {"}, "ishikari-h100-002", Disruption.NONE, {"cpu"}),
        (
            {'        - { nic: ens4f0np0, cidr: 10.32.48.0/20, pci: "0000:bc:00.0", numa: 1 }\n': ""},
            "ishikari-h100-004",
            Disruption.ROLLING_REBOOT,
            {"rails.3", "routes"},
        ),
        ({"vip: 10.10.0.5": "vip: 10.10.0.4"}, "ishikari-cp-1", Disruption.APPLY, {"routes"}),
    ],
)
def test_a_change_names_the_nodes_and_what_it_does_to_them(
    change: dict[str, str], node: str, worst: Disruption, fields: set[str]
) -> None:
    found = next(c for c in compare(plan(), with_change(change)).changed if c.name == node)
    assert found.disruption is worst
    assert {f.path for f in found.fields} == fields


def test_every_field_of_a_node_says_what_its_change_does() -> None:
    assert set(NODE_FIELDS) == set(NodePlan.model_fields)
    assert set(RAIL_FIELDS) == set(RailPort.model_fields)


def test_a_smaller_pool_removes_its_nodes_and_touches_no_other() -> None:
    change = compare(plan("production.yaml"), plan("cluster.yaml"))
    assert len(change.removed) == 12
    assert change.changed == ()


def test_a_first_cluster_is_short() -> None:
    text = """
apiVersion: daiku/v1
kind: Cluster
name: small
release: "2026.11"
network: { node: { cidr: 192.168.10.0/24 } }
loadBalancer: { apiVip: 192.168.10.100 }
controlPlane: { count: 1 }
management: { count: 1 }
"""
    loaded = parse(text, "small.yaml")
    assert refusals(loaded) == []
    assert [n.name for n in make(loaded).nodes] == ["small-cp-1", "small-mgmt-1"]

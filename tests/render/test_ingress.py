"""The ingress controller listens where the load balancer sends, and believes nobody about who the client is."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.render.cluster_ingress import entry_points, ingress_values
from tests.render.plans import example, objects, plan, read

PLAN = plan()


def balanced(**ingress: Any) -> Plan:
    balancer = {key: value for key, value in example()["loadBalancer"].items() if key != "ingress"}
    own = {"ingress": {"vip": "10.10.0.101"} | ingress} if ingress else {}
    return plan(loadBalancer=balancer | own, aws=None)


def values(*ports: int) -> Any:
    return read(cluster_tree(balanced(ports=list(ports))), "35-ingress/values.yaml")


def test_it_is_what_the_plan_declares_as_real_servers() -> None:
    found = values(80, 443, 8443)
    vips = balanced(ports=[80, 443, 8443]).load_balancer.vips
    declared = [vip for vip in vips if vip.name == "ingress"]
    ports = {p["hostPort"] for p in found["ports"].values() if p and "hostPort" in p}
    assert ports == {v.port for v in declared} == {80, 443, 8443}
    assert {s.node for v in declared for s in v.servers} == {n.name for n in PLAN.by_role("management")}
    assert found["nodeSelector"] == {"daiku.io/pool": "management"}
    assert found["deployment"]["kind"] == "DaemonSet"
    assert found["service"]["spec"]["externalIPs"] == [declared[0].address]
    assert found["service"]["spec"]["externalTrafficPolicy"] == "Local"


def test_two_controllers_never_want_one_port_of_one_machine() -> None:
    assert values(80, 443)["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1, "maxSurge": 0}


def test_no_header_is_believed() -> None:
    for point in values(80, 443)["ports"].values():
        if point and "hostPort" in point:
            assert (
                point["forwardedHeaders"] == point["proxyProtocol"] == {"insecure": False, "trustedIPs": []}
            )


@pytest.mark.parametrize(
    "ports", [(80, 443), (80, 8080), (80, 8080, 9104), (1, 443, 8443, 8001), tuple(range(8000, 8018))]
)
def test_ports_inside_are_their_own(ports: tuple[int, ...]) -> None:
    made = entry_points(ports)
    inside = [point.inside for point in made]
    assert [point.port for point in made] == sorted(ports)
    assert len({*inside, 8080, 9100}) == len(inside) + len({8080, 9100} - set(inside))
    assert len(set(inside)) == len(inside)
    assert all(1024 <= port <= 65535 for port in inside)


def test_ports_that_nobody_asked_for_are_closed() -> None:
    found = values(8443)
    assert {name for name, point in found["ports"].items() if point is None} == {"web", "websecure"}


def test_without_a_vip_there_is_none() -> None:
    tree = cluster_tree(balanced())
    assert not [path for path in tree if path.startswith("35-")]


def test_real_servers_elsewhere_are_refused() -> None:
    balancer = PLAN.load_balancer
    moved = tuple(
        v.model_copy(update={"servers": v.servers[:1]}) if v.name == "ingress" else v for v in balancer.vips
    )
    wrong = PLAN.model_copy(update={"load_balancer": balancer.model_copy(update={"vips": moved})})
    with pytest.raises(ValueError, match="real servers"):
        ingress_values(wrong)


def test_tenants_let_the_controller_in() -> None:
    (policy,) = [
        p for p in objects(cluster_tree(PLAN), "NetworkPolicy") if p["metadata"]["name"] == "from-ingress"
    ]
    (rule,) = policy["spec"]["ingress"]
    assert rule["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}
    ]

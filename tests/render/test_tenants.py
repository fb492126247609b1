"""Tenants share machines, not rights: roles, limits, the fence, and where on the fabric their jobs lie."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import product
from typing import Any

import pytest
import yaml

from daiku.plan import namespaces
from daiku.plan.checks.ranges import ranges
from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.plan.view import View
from daiku.render.cluster import cluster_tree
from daiku.render.cluster_queues import levels
from daiku.render.tree import Tree
from daiku.spec.load import parse
from tests.render.plans import example, objects, plan

TENANT = {"name": "a", "gpus": 8, "admins": ["a:leads"], "users": ["a:people", "guests"], "storageGib": 500}


def tenants(*given: dict[str, Any]) -> Tree:
    return cluster_tree(plan(tenants=list(given)))


TREE = tenants(TENANT, {"name": "b", "gpus": 8, "borrow": False})


def rights(role: str) -> set[tuple[str, str, str]]:
    """Group, resource and verb of everything that a role allows."""
    (found,) = [r for r in objects(TREE, "ClusterRole") if r["metadata"]["name"] == role]
    return {
        triple
        for rule in found["rules"]
        for triple in product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def test_groups_are_bound_in_their_own_namespace_and_nowhere_else() -> None:
    bindings = {
        (b["metadata"]["namespace"], b["roleRef"]["name"]): [s["name"] for s in b["subjects"]]
        for b in objects(TREE, "RoleBinding")
        if b["metadata"]["name"].startswith("tenant-")
    }
    assert bindings == {
        ("a", "daiku-tenant-admin"): ["a:leads"],
        ("a", "daiku-tenant-user"): ["a:leads", "a:people", "guests"],
    }
    bound = [b["roleRef"]["name"] for b in objects(TREE, "ClusterRoleBinding")]
    assert not [name for name in bound if name.startswith("daiku-tenant")]


@pytest.mark.parametrize("role", ["daiku-tenant-admin", "daiku-tenant-user"])
def test_no_role_of_a_tenant_opens_the_fence(role: str) -> None:
    allowed = rights(role)
    writes = {"create", "update", "patch", "delete", "deletecollection", "*"}
    fence = {"networkpolicies", "resourcequotas", "limitranges", "namespaces", "localqueues", "nodes"}
    assert not [r for r in allowed if r[1] in fence and r[2] in writes]
    assert not [r for r in allowed if r[2] in {"bind", "escalate", "impersonate", "*"} or "*" in r[:2]]
    assert not [r for r in allowed if r[0] == "rbac.authorization.k8s.io" and r[1].startswith("cluster")]


def test_a_user_runs_jobs_and_an_admin_says_who_else_may() -> None:
    assert {("batch", "jobs", "create"), ("", "pods/exec", "create")} <= rights("daiku-tenant-user")
    assert ("rbac.authorization.k8s.io", "rolebindings", "create") in rights("daiku-tenant-admin")
    assert ("rbac.authorization.k8s.io", "rolebindings", "create") not in rights("daiku-tenant-user")


def test_quotas_and_default_requests() -> None:
    quotas = {
        q["metadata"]["namespace"]: q["spec"]["hard"]
        for q in objects(TREE, "ResourceQuota")
        if q["metadata"]["name"] == "tenant"
    }
    assert quotas["a"]["requests.storage"] == "500Gi"
    assert "requests.nvidia.com/gpu" not in quotas["a"]
    assert "requests.storage" not in quotas["b"]
    assert quotas["b"]["requests.nvidia.com/gpu"] == "8"
    (limits,) = objects(TREE, "LimitRange")[0]["spec"]["limits"]
    assert limits["type"] == "Container"
    assert "cpu" not in limits["default"], "a default limit of processors would throttle training"


@pytest.mark.parametrize(
    ("pool", "named"),
    [
        ({"sharing": "mig", "mig": [{"profile": "1g.10gb", "count": 7}]}, {"nvidia.com/mig-1g.10gb": 8 * 7}),
        ({"sharing": "time-slicing", "replicas": 4}, {"nvidia.com/gpu.shared": 8 * 4}),
    ],
)
def test_a_tenants_gpus_are_counted_in_what_pods_ask_for(pool: dict[str, Any], named: dict[str, int]) -> None:
    (gpus,) = example()["gpuPools"]
    made = plan(gpuPools=[gpus | pool], tenants=[{"name": "a", "gpus": 8, "borrow": False}])
    objects = {
        (document["kind"], document["metadata"]["name"]): document
        for path in ("61-queues/queues.yaml", "70-tenants/a.yaml")
        for document in yaml.safe_load_all(cluster_tree(made)[path].content)
    }
    hard = objects["ResourceQuota", "tenant"]["spec"]["hard"]
    assert {name: number for name, number in hard.items() if "nvidia" in name} == {
        f"requests.{name}": str(number) for name, number in named.items()
    }
    (group,) = objects["ClusterQueue", "a"]["spec"]["resourceGroups"]
    assert group["coveredResources"] == ["cpu", "memory", *named]
    (flavor,) = group["flavors"]
    quotas = {one["name"]: one["nominalQuota"] for one in flavor["resources"]}
    assert {name: quotas[name] for name in named} == {name: str(number) for name, number in named.items()}


def test_no_tenant_takes_an_external_address() -> None:
    (policy,) = objects(TREE, "ValidatingAdmissionPolicy")
    (binding,) = objects(TREE, "ValidatingAdmissionPolicyBinding")
    assert binding["spec"]["policyName"] == policy["metadata"]["name"]
    assert binding["spec"]["validationActions"] == ["Deny"]
    (expression,) = binding["spec"]["matchResources"]["namespaceSelector"]["matchExpressions"]
    labelled = {
        n["metadata"]["name"]
        for n in objects(TREE, "Namespace")
        if expression["key"] in n["metadata"]["labels"]
    }
    assert labelled == {"a", "b"}


def test_the_scheduler_evicts_nobody_for_a_tenants_pod() -> None:
    classes = {c["metadata"]["name"]: c for c in objects(TREE, "PriorityClass")}
    workloads = {
        f"tenant-{w['metadata']['name']}": w["value"] for w in objects(TREE, "WorkloadPriorityClass")
    }
    assert {name: c["value"] for name, c in classes.items()} == workloads
    assert {c["preemptionPolicy"] for c in classes.values()} == {"Never"}
    assert not [c for c in classes.values() if c.get("globalDefault")]


def test_no_tenant_has_a_pod_that_evicts_the_platforms() -> None:
    quotas = [q for q in objects(TREE, "ResourceQuota") if q["spec"].get("scopeSelector")]
    assert {q["metadata"]["namespace"] for q in quotas} == {"a", "b"}
    for quota in quotas:
        (chosen,) = quota["spec"]["scopeSelector"]["matchExpressions"]
        assert set(chosen["values"]) == {"system-node-critical", "system-cluster-critical"}
        assert quota["spec"]["hard"] == {"pods": "0"}


def test_the_way_out_leads_into_none_of_the_networks_that_the_file_names() -> None:
    """Over the list against which the ranges of a file are checked, so that a new one is not forgotten."""
    loaded = parse(yaml.safe_dump(example() | {"tenants": [TENANT]}), "cluster.yaml")
    (policy,) = [
        p for p in objects(cluster_tree(make(loaded)), "NetworkPolicy") if p["metadata"]["name"] == "way-out"
    ]
    (internet,) = [
        peer["ipBlock"] for rule in policy["spec"]["egress"] for peer in rule["to"] if "ipBlock" in peer
    ]
    closed = [IPv4Network(cidr) for cidr in internet["except"]]
    named = [one.network for one in ranges(View.of(loaded))]
    assert len(named) >= 6
    for network in (*named, IPv4Network("169.254.0.0/16")):
        assert any(network.subnet_of(one) for one in closed), network


def test_the_topology_goes_from_rail_group_to_machine() -> None:
    tree = cluster_tree(plan_with_racks("r01", "r01", "r02"))
    (topology,) = objects(tree, "Topology")
    (flavor,) = objects(tree, "ResourceFlavor")
    assert flavor["spec"]["topologyName"] == topology["metadata"]["name"]
    assert [level["nodeLabel"] for level in topology["spec"]["levels"]] == [
        "daiku.io/rail-group",
        "daiku.io/rack",
        "kubernetes.io/hostname",
    ]


def test_a_level_that_one_machine_lacks_is_left_out() -> None:
    made = plan_with_racks("r01", None)
    assert levels(made, "h100") == ("daiku.io/rail-group", "kubernetes.io/hostname")


def test_every_namespace_of_the_platform_is_kept_from_tenants() -> None:
    ours = {n["metadata"]["name"] for n in objects(TREE, "Namespace")} - {"a", "b"}
    assert ours
    assert not [name for name in ours if not namespaces.owner(name)]


@pytest.mark.parametrize(
    ("name", "whose"),
    [
        ("kube-system", "Kubernetes'"),
        ("kube-public", "Kubernetes'"),
        ("default", "everybody's"),
        ("rook-ceph", "the platform's"),
        ("monitoring", "the platform's"),
        ("anything-system", "the platform's"),
        ("cilium-secrets", "the platform's"),
        ("plamo", ""),
        ("systems", ""),
    ],
)
def test_whose_a_namespace_is(name: str, whose: str) -> None:
    assert namespaces.owner(name) == whose


def plan_with_racks(*racks: str | None) -> Plan:
    (pool,) = example()["gpuPools"]
    nodes = [
        {"index": i, "id": f"1136000000{i:02d}"} | ({"rack": rack} if rack else {})
        for i, rack in enumerate(racks, start=1)
    ]
    document = example() | {
        "gpuPools": [{**pool, "nodes": nodes}],
        "tenants": [{"name": "a", "gpus": 8}],
        "storage": {"reliable": {"replicas": 1}},
    }
    return make(parse(yaml.safe_dump(document), "cluster.yaml"))

"""Tenants of the cluster: their queues and quotas, and what fences them in."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from daiku.plan.model import Plan
from daiku.render.cluster import cluster_tree
from daiku.render.cluster_queues import capacity
from daiku.render.tree import Tree
from tests.render.plans import objects, plan, read

PLAN = plan()


def tenants(*given: dict[str, Any]) -> Tree:
    return cluster_tree(plan(tenants=list(given)))


def quotas(queue: dict[str, Any], key: str = "nominalQuota") -> dict[str, str | None]:
    (group,) = queue["spec"]["resourceGroups"]
    (flavor,) = group["flavors"]
    assert [r["name"] for r in flavor["resources"]] == group["coveredResources"]
    return {r["name"]: r.get(key) for r in flavor["resources"]}


def test_quotas_and_what_is_left_add_up_to_the_gpus() -> None:
    tree = tenants({"name": "a", "gpus": 8}, {"name": "b", "gpus": 10, "priority": "high", "borrow": False})
    (cohort,) = objects(tree, "Cohort")
    queues = {q["metadata"]["name"]: q for q in objects(tree, "ClusterQueue")}
    gpus = [int(quotas(q)["nvidia.com/gpu"] or 0) for q in (cohort, *queues.values())]
    assert gpus == [14, 8, 10]
    assert sum(gpus) == sum(capacity(PLAN).values()) == 32
    assert {q["spec"]["cohortName"] for q in queues.values()} == {cohort["metadata"]["name"]}
    assert quotas(queues["b"], "borrowingLimit")["nvidia.com/gpu"] == "0"
    assert quotas(queues["a"], "borrowingLimit")["nvidia.com/gpu"] is None
    assert [q["spec"]["fairSharing"]["weight"] for q in queues.values()] == ["1", "2"]


def test_a_machine_full_of_jobs_fits_the_machine() -> None:
    node = PLAN.by_role("gpu")[0]
    (queue,) = objects(tenants({"name": "a", "gpus": node.gpus}), "ClusterQueue")
    given = quotas(queue)
    assert int(given["cpu"] or 0) <= node.cpu
    assert int((given["memory"] or "").removesuffix("Gi")) <= node.memory_gib


def test_more_gpus_than_there_are_is_refused() -> None:
    (owner,) = PLAN.tenants
    greedy: Plan = PLAN.model_copy(update={"tenants": (owner.model_copy(update={"gpus": 33}),)})
    with pytest.raises(ValueError, match="tenant plamo lacks 1 GPUs"):
        cluster_tree(greedy)


def test_queues_reach_only_their_tenant_and_only_tenants_are_managed() -> None:
    tree = tenants({"name": "a", "gpus": 8}, {"name": "b", "gpus": 8})
    for queue in objects(tree, "ClusterQueue"):
        selector = queue["spec"]["namespaceSelector"]["matchLabels"]
        assert selector == {"kubernetes.io/metadata.name": queue["metadata"]["name"]}
    local = {(q["metadata"]["namespace"], q["spec"]["clusterQueue"]) for q in objects(tree, "LocalQueue")}
    assert local == {("a", "a"), ("b", "b")}
    config = yaml.safe_load(
        read(tree, "60-kueue/values.yaml")["managerConfig"]["controllerManagerConfigYaml"]
    )
    (expression,) = config["managedJobsNamespaceSelector"]["matchExpressions"]
    labelled = [n for n in objects(tree, "Namespace") if expression["key"] in n["metadata"]["labels"]]
    assert {n["metadata"]["name"] for n in labelled} == {"a", "b"}
    assert "daiku.io/" in config["resources"]["excludeResourcePrefixes"]


def test_a_tenant_is_fenced_in() -> None:
    tree = tenants({"name": "a", "gpus": 8, "allowFrom": ["10.64.0.0/16"]})
    policies = {p["metadata"]["name"]: p["spec"] for p in objects(tree, "NetworkPolicy")}
    assert policies["default-deny"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    sources = policies["within-tenant"]["ingress"][0]["from"]
    assert sources == [{"podSelector": {}}, {"ipBlock": {"cidr": "10.64.0.0/16"}}]
    (internet,) = [
        peer["ipBlock"] for rule in policies["way-out"]["egress"] for peer in rule["to"] if "ipBlock" in peer
    ]
    inside = {PLAN.node_network.cidr, PLAN.pods_cidr, PLAN.services_cidr, *(r.subnet for r in PLAN.rails)}
    assert PLAN.aws
    assert set(internet["except"]) >= inside | {PLAN.aws.vpc_cidr}


@pytest.mark.parametrize(("borrow", "limit"), [(True, None), (False, "8")])
def test_only_a_tenant_that_may_not_borrow_has_a_hard_limit(borrow: bool, limit: str | None) -> None:
    quota, _ = objects(tenants({"name": "a", "gpus": 8, "borrow": borrow}), "ResourceQuota")
    assert quota["spec"]["hard"].get("requests.nvidia.com/gpu") == limit
    assert quota["spec"]["hard"]["services.nodeports"] == "0"


def test_without_tenants_there_are_no_queues() -> None:
    tree = tenants()
    assert not [path for path in tree if path[0] in "67"]

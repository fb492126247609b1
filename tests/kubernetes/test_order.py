"""The order of objects and what depends on what, without a server."""

from __future__ import annotations

import random
from typing import Any

from daiku.apply.cluster.inventory import Entry, dump, parse
from daiku.apply.cluster.model import Ref, Wanted
from daiku.apply.cluster.order import duplicates, needs, order, rank
from daiku.apply.cluster.parts import wanted_charts, wanted_objects
from daiku.render.cluster import cluster_tree
from tests.render.plans import plan


def wanted(api_version: str, kind: str, name: str, namespace: str = "", **fields: Any) -> Wanted:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return Wanted({"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields})


def daemon(**spec: Any) -> Wanted:
    return wanted("apps/v1", "DaemonSet", "agent", "team", spec={"template": {"spec": spec}})


RBAC = "rbac.authorization.k8s.io/v1"


def test_definitions_namespaces_policy_quotas_settings_workloads_and_custom_objects_in_this_order() -> None:
    objects = [
        wanted(
            "apiextensions.k8s.io/v1",
            "CustomResourceDefinition",
            "x",
            spec={"group": "g.test", "names": {"kind": "X"}},
        ),
        wanted("v1", "Namespace", "team"),
        wanted("scheduling.k8s.io/v1", "PriorityClass", "high"),
        wanted("v1", "ServiceAccount", "agent", "team"),
        wanted(RBAC, "RoleBinding", "agent", "team", roleRef={"kind": "ClusterRole", "name": "x"}),
        wanted("v1", "ResourceQuota", "tenant", "team"),
        wanted("v1", "Secret", "key", "team"),
        wanted("apps/v1", "Deployment", "web", "team"),
        wanted("g.test/v1", "X", "one", "team"),
        wanted("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "judge"),
    ]
    for seed in range(5):
        shuffled = random.Random(seed).sample(objects, len(objects))
        assert [one.ref for one in order(shuffled)] == [one.ref for one in objects]


def test_every_reference_of_what_is_rendered_leads_to_an_earlier_object() -> None:
    objects = order(wanted_objects(cluster_tree(plan())))
    found = needs(objects)
    assert any(found.values())
    for ref, needed in found.items():
        assert all(rank(one) < rank(ref) for one in needed), ref


def test_a_workload_needs_what_its_pods_name() -> None:
    there = [
        wanted("v1", "Namespace", "team"),
        wanted("scheduling.k8s.io/v1", "PriorityClass", "high"),
        *(wanted("v1", "ConfigMap", name, "team") for name in ("volume", "projected", "env", "other")),
        *(wanted("v1", "Secret", name, "team") for name in ("volume", "env")),
        wanted("v1", "ServiceAccount", "agent", "team"),
        wanted("v1", "PersistentVolumeClaim", "data", "team"),
    ]
    agent = daemon(
        serviceAccountName="agent",
        priorityClassName="high",
        volumes=[
            {"configMap": {"name": "volume"}},
            {"secret": {"secretName": "volume"}},
            {"projected": {"sources": [{"configMap": {"name": "projected"}}]}},
            {"persistentVolumeClaim": {"claimName": "data"}},
            {"configMap": {"name": "made by a chart"}},
        ],
        containers=[
            {
                "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "env"}}}],
                "envFrom": [{"secretRef": {"name": "env"}}],
            }
        ],
    )
    missing = {str(one.ref) for one in there} - {str(ref) for ref in needs([*there, agent])[agent.ref]}
    assert missing == {"ConfigMap team/other"}


def test_a_binding_needs_its_role_and_a_custom_object_its_definition() -> None:
    definition = wanted(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "x",
        spec={"group": "g.test", "names": {"kind": "X"}},
    )
    role = wanted(RBAC, "ClusterRole", "reader")
    binding = wanted(RBAC, "ClusterRoleBinding", "reader", roleRef={"kind": "ClusterRole", "name": "reader"})
    custom = wanted("g.test/v1", "X", "one")
    found = needs([definition, role, binding, custom])
    assert found[binding.ref] == {role.ref}
    assert found[custom.ref] == {definition.ref}


def test_an_object_in_two_versions_is_wanted_twice() -> None:
    twice = duplicates([wanted("g.test/v1", "X", "one"), wanted("g.test/v2", "X", "one")])
    assert list(twice) == [Ref("g.test", "X", "", "one")]


def test_the_inventory_is_text_that_reads_back() -> None:
    entries = {
        Entry(Ref("", "Namespace", "", "team"), "v1"),
        Entry(Ref("apps", "DaemonSet", "team", "agent"), "apps/v1"),
    }
    text = dump(entries)
    assert text == "v1 Namespace - team\napps/v1 DaemonSet team agent\n"
    assert parse(text + "something else\n") == entries


def test_the_examples_charts_come_with_their_values() -> None:
    charts = wanted_charts(cluster_tree(plan()))
    assert charts[0].chart == "cilium"
    assert all(chart.version and chart.namespace for chart in charts)
    assert b"kubeProxyReplacement" in charts[0].values

"""What a cluster says that it was built with is refused to change as what our own record says is."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from daiku.apply.phases.built import built_with
from daiku.plan.make import make
from daiku.render.host_kubernetes import KUBEADM
from daiku.render.hosts import host_bundle
from daiku.spec.disruption import as_built, compare, refusals
from daiku.spec.load import Loaded, parse
from tests.render.plans import example, facts


def loaded(edit: dict[str, Any] | None = None) -> Loaded:
    """The example with `edit` laid over it, mapping by mapping."""

    def laid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
        return below | {
            key: laid(below.get(key) or {}, value) if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType]
            for key, value in above.items()
        }

    return parse(yaml.safe_dump(laid(example(), edit or {})), "cluster.yaml")


def configuration(made: Loaded) -> str:
    """What `kubeadm init` would put into the cluster: the document of its configuration, as it is rendered."""
    plan = make(made)
    first = plan.by_role("control-plane")[0]
    content = host_bundle(plan, facts(plan), first).file(f"{KUBEADM}/init.yaml").content.decode()
    (found,) = (part for part in content.split("\n---\n") if "kind: ClusterConfiguration" in part)
    return found


EDITS: list[dict[str, Any]] = [
    {"network": {"pods": {"cidr": "10.240.0.0/16"}}},
    {"network": {"pods": {"nodeMask": 25}}},
    {"network": {"services": {"cidr": "10.97.0.0/16"}}},
    {"network": {"services": {"domain": "gpu.internal"}}},
    {"loadBalancer": {"apiVip": "10.10.0.99"}},
    {"kubernetes": {"etcd": {"encryption": "none"}}},
    {"name": "tokachi"},
]


@pytest.mark.parametrize("edit", [*EDITS, EDITS[0] | EDITS[5]], ids=str)
def test_the_clusters_own_word_refuses_what_our_record_refuses(edit: dict[str, Any]) -> None:
    old, new = loaded(), loaded(edit)
    by_record = refusals(old.cluster, new.cluster, new.source)
    by_cluster = refusals(as_built(new.cluster, built_with(configuration(old))), new.cluster, new.source)
    assert by_record == by_cluster != ()


@pytest.mark.parametrize("edit", [{}, *EDITS], ids=str)
def test_what_was_not_changed_is_not_refused(edit: dict[str, Any]) -> None:
    same = loaded(edit)
    built = built_with(configuration(same))
    assert len(built) == 7
    assert compare(as_built(same.cluster, built), same.cluster) == ()


@pytest.mark.parametrize("text", ["", "[", "kind: Other\nclusterName: x", "- a"])
def test_a_configuration_that_is_none_tells_nothing(text: str) -> None:
    assert built_with(text) == {}


def test_what_a_cluster_does_not_tell_is_not_compared() -> None:
    made = loaded()
    built = built_with("kind: ClusterConfiguration\nclusterName: ishikari\napiServer: {extraArgs: oops}\n")
    assert built == {("name",): "ishikari", ("kubernetes", "etcd", "encryption"): "none"}
    changed = [change.path for change in compare(as_built(made.cluster, built), made.cluster)]
    assert changed == ["kubernetes.etcd.encryption"]

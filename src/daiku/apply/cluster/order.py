"""What comes before what: an order by the kinds' roles, and the references that carry a failure on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from daiku.apply.cluster.model import Object, Ref, Wanted

_RANKS: tuple[tuple[str, ...], ...] = (
    ("CustomResourceDefinition",),
    ("Namespace",),
    # Policy of the whole cluster that other things name.
    ("PriorityClass", "StorageClass", "RuntimeClass", "IngressClass", "DeviceClass", "CSIDriver"),
    ("ServiceAccount", "ClusterRole", "Role"),
    ("ClusterRoleBinding", "RoleBinding"),
    # Before anything that could exceed them.
    ("ResourceQuota", "LimitRange", "NetworkPolicy"),
    ("ConfigMap", "Secret"),
    ("PersistentVolume",),
    ("PersistentVolumeClaim",),
    ("Service",),
)
_CUSTOM, _WORKLOAD, _OTHER, _GATE = 14, 12, 13, 15
FOUNDATION = len(_RANKS)
"""Objects of a rank below this are there before charts are installed: their namespaces, rights and settings."""

_WORKLOADS = {
    *(
        "Pod",
        "ReplicationController",
        "ReplicaSet",
        "Deployment",
        "StatefulSet",
        "DaemonSet",
        "Job",
        "CronJob",
    ),
    "PodDisruptionBudget",
}
# They judge or serve what others send, so they come last.
_GATES = {
    *("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration", "APIService"),
    *("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy"),
    "MutatingAdmissionPolicyBinding",
}


def builtin(group: str) -> bool:
    """Whether a group is Kubernetes' own: always served, defined by no CustomResourceDefinition."""
    return "." not in group or group in _BUILTIN


_BUILTIN = frozenset(
    f"{name}.k8s.io"
    for name in (
        *("admissionregistration", "apiextensions", "apiregistration", "authentication", "authorization"),
        *(
            "certificates",
            "coordination",
            "discovery",
            "events",
            "flowcontrol.apiserver",
            "internal.apiserver",
        ),
        *(
            "networking",
            "node",
            "rbac.authorization",
            "resource",
            "scheduling",
            "storage",
            "storagemigration",
        ),
    )
)


def rank(ref: Ref) -> int:
    """Where an object's kind stands in the order. Every reference leads to a lower rank."""
    if not builtin(ref.group):
        return _CUSTOM
    for number, kinds in enumerate(_RANKS):
        if ref.kind in kinds:
            return number
    if ref.kind in _WORKLOADS:
        return _WORKLOAD
    return _GATE if ref.kind in _GATES else _OTHER


def order(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    """By rank, then by source, kind, namespace and name: the same for the same objects in any order."""
    return tuple(sorted(wanted, key=lambda one: (rank(one.ref), one.source, one.ref)))


def duplicates(wanted: Iterable[Wanted]) -> dict[Ref, tuple[str, ...]]:
    """Objects that are wanted more than once, with their sources: they would undo each other."""
    sources: dict[Ref, list[str]] = {}
    for one in wanted:
        sources.setdefault(one.ref, []).append(one.source)
    return {ref: tuple(found) for ref, found in sorted(sources.items()) if len(found) > 1}


def needs(wanted: Sequence[Wanted]) -> dict[Ref, frozenset[Ref]]:
    """For each object the others of `wanted` without which it cannot be: namespace, definition, and what it names."""
    there = {one.ref for one in wanted}
    definitions = {
        (one.body["spec"]["group"], one.body["spec"]["names"]["kind"]): one.ref
        for one in wanted
        if one.ref.kind == "CustomResourceDefinition"
    }
    found: dict[Ref, frozenset[Ref]] = {}
    for one in wanted:
        named = set(_named(one.body, one.ref))
        if one.ref.namespace:
            named.add(Ref("", "Namespace", "", one.ref.namespace))
        if definition := definitions.get((one.ref.group, one.ref.kind)):
            named.add(definition)
        found[one.ref] = frozenset((named & there) - {one.ref})
    return found


def _named(body: Object, ref: Ref) -> Iterator[Ref]:
    """What the object names in its own fields."""
    if role := body.get("roleRef"):
        scope = ref.namespace if role["kind"] == "Role" else ""
        yield Ref("rbac.authorization.k8s.io", str(role["kind"]), scope, str(role["name"]))
    spec = _mapping(body.get("spec"))
    if ref.kind == "PersistentVolumeClaim" and spec.get("storageClassName"):
        yield Ref("storage.k8s.io", "StorageClass", "", str(spec["storageClassName"]))
    pod = _pod_spec(ref.kind, spec)
    for field, group, kind, scope in (
        ("serviceAccountName", "", "ServiceAccount", ref.namespace),
        ("priorityClassName", "scheduling.k8s.io", "PriorityClass", ""),
        ("runtimeClassName", "node.k8s.io", "RuntimeClass", ""),
    ):
        if pod.get(field):
            yield Ref(group, kind, scope, str(pod[field]))
    for volume in _mappings(pod.get("volumes")):
        for kind, name in _volume(volume):
            yield Ref("", kind, ref.namespace, name)
    for container in (*_mappings(pod.get("initContainers")), *_mappings(pod.get("containers"))):
        for kind, name in _environment(container):
            yield Ref("", kind, ref.namespace, name)


def _pod_spec(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    if kind == "Pod":
        return spec
    if kind == "CronJob":
        spec = _mapping(_mapping(spec.get("jobTemplate")).get("spec"))
    return _mapping(_mapping(spec.get("template")).get("spec")) if kind in _WORKLOADS else {}


def _volume(volume: dict[str, Any]) -> Iterator[tuple[str, str]]:
    sources = (volume, *_mappings(_mapping(volume.get("projected")).get("sources")))
    for source in sources:
        for field, kind, key in (
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
            ("secret", "Secret", "name"),
            ("persistentVolumeClaim", "PersistentVolumeClaim", "claimName"),
        ):
            if name := _mapping(source.get(field)).get(key):
                yield kind, str(name)


def _environment(container: dict[str, Any]) -> Iterator[tuple[str, str]]:
    values = [_mapping(entry.get("valueFrom")) for entry in _mappings(container.get("env"))]
    for entry in (*values, *_mappings(container.get("envFrom"))):
        for field, kind in (
            ("configMapKeyRef", "ConfigMap"),
            ("secretKeyRef", "Secret"),
            ("configMapRef", "ConfigMap"),
            ("secretRef", "Secret"),
        ):
            if name := _mapping(entry.get(field)).get("name"):
                yield kind, str(name)


def _mapping(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _mappings(value: object) -> list[dict[str, Any]]:
    return cast("list[dict[str, Any]]", value) if isinstance(value, list) else []

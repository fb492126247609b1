"""Deleting what daiku applied once and is wanted no more: in reverse order, and nothing that takes data or other
people's things with it unless somebody was asked."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, cast

from daiku.apply.cluster.inventory import Entry
from daiku.apply.cluster.model import OWNER_LABEL, Note, Object, Prune, Ref, ref_of
from daiku.apply.cluster.order import rank
from daiku.errors import ApiError, UnreachableError
from daiku.wire.kubernetes import KubernetesApi

_DATA = {
    ("", "PersistentVolumeClaim"): "its volume and the data on it may go with it",
    ("", "PersistentVolume"): "the data on it may go with it",
    ("ceph.rook.io", "CephCluster"): "all data of the reliable tier goes with it",
    ("ceph.rook.io", "CephBlockPool"): "the volumes in the pool go with it",
    ("ceph.rook.io", "CephFilesystem"): "the files in it go with it",
    ("ceph.rook.io", "CephObjectStore"): "its buckets go with it",
    ("objectbucket.io", "ObjectBucketClaim"): "the bucket may go with it",
}
_BY_THE_CLUSTER = {("ConfigMap", "kube-root-ca.crt"), ("ServiceAccount", "default")}
"""What every namespace has by itself."""
_NOBODYS = {"Event", "Endpoints", "EndpointSlice", "Lease", "PodMetrics"}
_NAMED = 3
"""How many of the things that stand in the way are named."""


def doomed(
    api: KubernetesApi, cluster: str, listed: Iterable[Entry], wanted: Collection[Ref], prune: Prune
) -> tuple[tuple[Object, ...], tuple[Note, ...]]:
    """What of `listed` is still there, wanted no more and may go, dependents first; and what stays, with the reason.

    Nothing is deleted here. What would take something with it that is not to go itself is kept, unless `prune` says
    otherwise.
    """
    going: dict[Ref, Object] = {}
    kept: list[Note] = []
    for entry in sorted(listed, key=lambda one: (-rank(one.ref), one)):
        if entry.ref in wanted:
            continue
        live = _live(api, entry)
        if live is None or live["metadata"].get("deletionTimestamp"):
            continue
        if (live["metadata"].get("labels") or {}).get(OWNER_LABEL) != cluster:
            kept.append(Note(entry.ref, f"it no longer bears {OWNER_LABEL}={cluster}: somebody took it over"))
        elif prune is Prune.NOTHING:
            kept.append(Note(entry.ref, "nothing is deleted in this run"))
        elif prune is Prune.SAFE and (danger := _danger(api, live, going)):
            kept.append(Note(entry.ref, danger, asks=True))
        else:
            going[entry.ref] = live
    return tuple(going.values()), tuple(kept)


def _live(api: KubernetesApi, entry: Entry) -> Object | None:
    ref = entry.ref
    if api.kind(entry.api_version, ref.kind):
        return api.get(entry.api_version, ref.kind, ref.name, ref.namespace)
    # The version under which it was applied may be gone while the kind is still there.
    for how in api.all_kinds():
        if how.kind == ref.kind and how.api_version.partition("/")[0] == ref.group:
            return api.get(how.api_version, ref.kind, ref.name, ref.namespace)
    return None


def _danger(api: KubernetesApi, live: Object, going: Collection[Ref]) -> str:
    """What else would go with an object, "" where nothing would."""
    ref = ref_of(live)
    if ref.kind == "Namespace":
        return _listed("it holds", _others(api, ref.name, going))
    if ref.kind == "CustomResourceDefinition":
        return _listed("with it would go", _instances(api, live, going))
    return _DATA.get((ref.group, ref.kind), "")


def _others(api: KubernetesApi, namespace: str, going: Collection[Ref]) -> list[str]:
    """What a namespace holds that is not to go itself and that no other object brought along; and all claims."""
    found: set[str] = set()
    for how in api.all_kinds():
        if not how.namespaced or how.kind in _NOBODYS or not {"list", "delete"} <= set(how.verbs):
            continue
        try:
            items = api.list(how.api_version, how.kind, namespace=namespace)
        except UnreachableError:
            raise
        except ApiError as error:
            # What cannot be seen may be there.
            found.add(f"{how.kind} (cannot be listed: {error.message})")
            continue
        for item in items:
            metadata = cast("dict[str, Any]", item["metadata"])
            goes = ref_of(item) in going
            claim = how.kind == "PersistentVolumeClaim"
            by_itself = (how.kind, metadata["name"]) in _BY_THE_CLUSTER
            if claim or not (goes or by_itself or metadata.get("ownerReferences")):
                found.add(f"{how.kind} {metadata['name']}")
    return sorted(found)


def _instances(api: KubernetesApi, definition: Object, going: Collection[Ref]) -> list[str]:
    spec = definition["spec"]
    for version in spec["versions"]:
        refs = {
            ref_of(item) for item in api.list(f"{spec['group']}/{version['name']}", spec["names"]["kind"])
        }
        if refs:
            return sorted(str(ref) for ref in refs - set(going))
    return []


def _listed(words: str, things: list[str]) -> str:
    if not things:
        return ""
    more = len(things) - _NAMED
    return f"{words} {', '.join(things[:_NAMED])}" + (f" and {more} more" if more > 0 else "")

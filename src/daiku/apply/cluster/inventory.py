"""The list, kept in the cluster itself, of what daiku applied: the only ground on which anything is pruned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from daiku.apply.cluster.model import OWNER_LABEL, Ref
from daiku.errors import StateError
from daiku.wire.kubernetes import KubernetesApi

NAMESPACE, NAME = "kube-system", "daiku-inventory"


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """One object of the list, with the version under which it was applied last."""

    ref: Ref
    api_version: str


def read(api: KubernetesApi, cluster: str) -> frozenset[Entry] | None:
    """What was applied so far; None for a cluster to which daiku never applied anything.

    StateError: the cluster is kept by another cluster file, which would undo our work as we would its.
    """
    live = api.get("v1", "ConfigMap", NAME, NAMESPACE)
    if live is None:
        return None
    owner = str((live["metadata"].get("labels") or {}).get(OWNER_LABEL) or "")
    if owner != cluster:
        raise StateError(
            f"the cluster is kept by the cluster file of {owner or 'nobody known'}, not by that of {cluster}",
            where=f"ConfigMap {NAMESPACE}/{NAME}",
            hint="is this kubeconfig the right one? To take the cluster over, delete that object by hand",
        )
    return parse(str((live.get("data") or {}).get("objects") or ""))


def write(api: KubernetesApi, cluster: str, entries: Iterable[Entry]) -> None:
    """Replace the list."""
    api.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": NAME, "namespace": NAMESPACE, "labels": {OWNER_LABEL: cluster}},
            "data": {"objects": dump(entries)},
        }
    )


def dump(entries: Iterable[Entry]) -> str:
    """A line an object: apiVersion, kind, namespace or `-`, name. Sorted."""
    return "".join(
        f"{entry.api_version} {entry.ref.kind} {entry.ref.namespace or '-'} {entry.ref.name}\n"
        for entry in sorted(entries)
    )


def parse(text: str) -> frozenset[Entry]:
    """The entries of `dump`; lines of another form are passed over, since nothing may be deleted on their ground."""
    found: set[Entry] = set()
    for line in text.splitlines():
        parts = line.split(" ")
        if len(parts) == 4:
            api_version, kind, namespace, name = parts
            group = api_version.partition("/")[0] if "/" in api_version else ""
            found.add(Entry(Ref(group, kind, "" if namespace == "-" else namespace, name), api_version))
    return frozenset(found)

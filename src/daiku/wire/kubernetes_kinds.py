"""What an API server serves, and the paths that lead there: from its aggregated discovery document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, cast

Object = dict[str, Any]
"""A Kubernetes object as JSON: apiVersion, kind, metadata and the rest."""

DISCOVERY = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
"""The Accept header that makes `/api` and `/apis` answer with everything that is served, in one document each."""


@dataclass(frozen=True, slots=True)
class Served:
    """One kind that the server has. `resource` is its name in paths (`pods`); `verbs` are sorted."""

    api_version: str
    kind: str
    resource: str
    namespaced: bool
    verbs: tuple[str, ...]

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The path of one object, or with no name of the collection (of all namespaces when there is none)."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        parts = (self.resource, name, subresource)
        return root + inside + "".join(f"/{part}" for part in parts if part)


def served(documents: Iterable[Object]) -> dict[tuple[str, str], Served]:
    """Every kind by apiVersion and kind. A kind without a resource of its own (Scale) is left out."""
    found: dict[tuple[str, str], Served] = {}
    for document in documents:
        for group in _objects(document.get("items")):
            name = str(_object(group.get("metadata")).get("name") or "")
            for version in _objects(group.get("versions")):
                api_version = f"{name}/{version['version']}" if name else str(version["version"])
                for entry in _objects(version.get("resources")):
                    kind = str(_object(entry.get("responseKind")).get("kind") or "")
                    verbs = tuple(sorted(cast("list[str]", entry.get("verbs") or [])))
                    if kind and "get" in verbs:
                        found[api_version, kind] = Served(
                            api_version,
                            kind,
                            str(entry["resource"]),
                            entry.get("scope") == "Namespaced",
                            verbs,
                        )
    return found


def label(body: Object) -> str:
    """`Kind namespace/name`, or `Kind name` outside of namespaces: how an object is named to people."""
    metadata = _object(body.get("metadata"))
    namespace, name = metadata.get("namespace"), metadata.get("name")
    return f"{body.get('kind')} {namespace}/{name}" if namespace else f"{body.get('kind')} {name}"


def _object(value: object) -> Object:
    return cast("Object", value) if isinstance(value, dict) else {}


def _objects(value: object) -> list[Object]:
    return cast("list[Object]", value) if isinstance(value, list) else []

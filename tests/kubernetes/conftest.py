"""One control plane for all tests of a worker, and a place of its own in it for each test."""

from __future__ import annotations

import uuid
from collections.abc import Generator
from dataclasses import dataclass, field
from typing import Any

import pytest

from daiku.apply.cluster import inventory
from daiku.apply.cluster.converge import converge
from daiku.apply.cluster.model import ClusterReport, Wanted
from daiku.wire.kubernetes import KubernetesApi, Object, connect
from tests.kubernetes.control_plane import ControlPlane, control_plane


@pytest.fixture(scope="session")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Generator[ControlPlane]:
    with control_plane(tmp_path_factory.mktemp("control-plane")) as made:
        yield made


@pytest.fixture(scope="session")
def controlled(plane: ControlPlane) -> Generator[ControlPlane]:
    """The same with a controller manager and a scheduler."""
    with plane.controllers():
        yield plane


@dataclass
class Place:
    """One test's part of the API: a cluster name, a namespace's name, and what was said."""

    api: KubernetesApi
    name: str
    said: list[str] = field(default_factory=list)

    def converge(self, *objects: Object, **options: Any) -> ClusterReport:
        wanted = [Wanted(body, "test.yaml") for body in objects]
        return converge(self.api, wanted, cluster=self.name, say=self.said.append, **options)

    def get(self, body: Object) -> Object | None:
        metadata = body["metadata"]
        return self.api.get(body["apiVersion"], body["kind"], metadata["name"], metadata.get("namespace", ""))

    def namespace(self) -> Object:
        return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.name}}

    def config(self, name: str = "settings", **data: str) -> Object:
        metadata = {"name": name, "namespace": self.name}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def definition(self, kind: str = "Widget") -> Object:
        """A CustomResourceDefinition whose objects have `spec.size`, a number."""
        group, plural = f"{self.name}.test", f"{kind.lower()}s"
        sizes = {"type": "object", "properties": {"size": {"type": "integer", "maximum": 10}}}
        schema = {"type": "object", "properties": {"spec": sizes}}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{plural}.{group}"},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
                "versions": [
                    {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
                ],
            },
        }

    def custom(self, name: str = "one", kind: str = "Widget", **spec: Any) -> Object:
        metadata = {"name": name, "namespace": self.name}
        return {"apiVersion": f"{self.name}.test/v1", "kind": kind, "metadata": metadata, "spec": spec}


@pytest.fixture
def place(plane: ControlPlane) -> Generator[Place]:
    name = f"t{uuid.uuid4().hex[:8]}"
    with connect(plane.admin) as api:
        yield Place(api, name)
        api.delete(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": inventory.NAME, "namespace": inventory.NAMESPACE},
            }
        )

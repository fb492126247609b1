"""Manifests against the real schemas of their projects, from the folder that DAIKU_CRDS names, or
`shared/crds` beside the checkout."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from daiku.render.cluster import cluster_tree
from tests.render.plans import example, fabric, plan

FOLDER = Path(os.environ.get("DAIKU_CRDS") or Path(__file__).parents[3] / "shared/crds")
pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="DAIKU_CRDS names no folder of CustomResourceDefinitions"
)

PLAIN = {
    "resource.k8s.io/v1",
    "v1",
    "admissionregistration.k8s.io/v1",
    "apps/v1",
    "networking.k8s.io/v1",
    "rbac.authorization.k8s.io/v1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1",
}
"""Kubernetes' own groups, which no CustomResourceDefinition describes."""
ELSEWHERE = {"monitoring.coreos.com/v1"}
"""Groups whose definitions come with a chart only: judged where the folder has them too."""


@cache
def schemas() -> dict[tuple[str, str], dict[str, Any]]:
    """Strict schemas by apiVersion and kind."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for file in sorted(FOLDER.glob("*.yaml")):
        for crd in yaml.load_all(file.read_text(), yaml.CSafeLoader):
            if not crd or crd["kind"] != "CustomResourceDefinition":
                continue
            for version in crd["spec"]["versions"]:
                key = f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]
                found[key] = strict(version["schema"]["openAPIV3Schema"], top=True)
    return found


def strict(schema: dict[str, Any], *, top: bool = False) -> dict[str, Any]:
    """The same schema, in which an unknown field is an error, as the API server's strict validation has
    it."""
    made = dict(schema)
    if made.pop("x-kubernetes-int-or-string", False):
        made = {k: v for k, v in made.items() if k not in {"type", "pattern", "format"}}
    if "properties" in made:
        made["properties"] = {k: strict(v) for k, v in made["properties"].items()}
        if top:
            # The API server knows these of every object, whether the definition names them or not.
            made["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
        if "additionalProperties" not in made and not made.get("x-kubernetes-preserve-unknown-fields"):
            made["additionalProperties"] = False
    for key in ("items", "additionalProperties"):
        if isinstance(made.get(key), dict):
            made[key] = strict(made[key])
    return made


def judge(document: dict[str, Any]) -> None:
    """ValidationError where it does not fit its definition."""
    schema = schemas()[document["apiVersion"], document["kind"]]
    jsonschema.Draft7Validator(schema).validate(document)


def documents() -> dict[str, dict[str, Any]]:
    """The objects that a definition describes, of plans that differ in what they render."""
    storage = example()["storage"] | {"reliable": {"replicas": 3, "network": "rails"}}
    tenants = [
        {"name": "a", "gpus": 8},
        {"name": "b", "gpus": 8, "borrow": False, "allowFrom": ["10.64.0.0/16"]},
    ]
    found: dict[str, Any] = {}
    rails = (fabric(ipam="per-node"), fabric(attach="host-device"), fabric(attach="dranet"))
    for made in (plan(), plan(storage=storage, tenants=tenants), *rails):
        for path, file in cluster_tree(made).items():
            if path.endswith(("chart.yaml", "values.yaml")):
                continue
            for document in yaml.load_all(file.content, yaml.CSafeLoader):
                if document is not None and document["apiVersion"] not in PLAIN:
                    found[f"{path} {document['kind']} {document['metadata']['name']} {made.digest()[:4]}"] = (
                        document
                    )
    return found


DOCUMENTS = documents()


@pytest.mark.parametrize(
    "document",
    [pytest.param(d, id=name) for name, d in DOCUMENTS.items() if d["apiVersion"] not in ELSEWHERE],
)
def test_an_object_fits_its_definition(document: dict[str, Any]) -> None:
    if document["kind"] == "CustomResourceDefinition":
        assert document["spec"]["versions"][0]["storage"] is True
        return
    judge(document)


def test_what_charts_define_is_little_and_fits_where_the_folder_has_it() -> None:
    theirs = [document for document in DOCUMENTS.values() if document["apiVersion"] in ELSEWHERE]
    assert {document["kind"] for document in theirs} == {"PrometheusRule", "ServiceMonitor"}
    for document in theirs:
        if (document["apiVersion"], document["kind"]) in schemas():
            judge(document)


def test_an_unknown_field_is_found() -> None:
    schema = schemas()["kueue.x-k8s.io/v1beta2", "LocalQueue"]
    wrong = {
        "apiVersion": "kueue.x-k8s.io/v1beta2",
        "kind": "LocalQueue",
        "metadata": {},
        "spec": {"clusterQ": "a"},
    }
    with pytest.raises(jsonschema.ValidationError, match="clusterQ"):
        jsonschema.Draft7Validator(schema).validate(wrong)

"""The JSON Schema of a cluster file, for editors that complete and check while one types."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from daiku.spec.base import OnChange
from daiku.spec.cluster import Cluster
from daiku.spec.walk import key, settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Draft 2020-12. `x-on-change` of a setting says what changing it does to a cluster that runs."""
    document = Cluster.model_json_schema(by_alias=True)
    _mark(document, Cluster)
    models = {s.model for s in settings(Cluster) if s.model is not None}
    for model in sorted(models, key=lambda m: m.__name__):
        _mark(document["$defs"][model.__name__], model)
    return {"$schema": DIALECT, **document, "title": "daiku cluster"}


def _mark(definition: dict[str, Any], model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        own = next((m for m in field.metadata if isinstance(m, OnChange)), None)
        if own is not None:
            text = f"{own.disruption.value}: {own.note}" if own.note else own.disruption.value
            definition["properties"][key(name, field)]["x-on-change"] = text

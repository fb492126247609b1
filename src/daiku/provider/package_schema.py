"""The Pulumi package schema, generated from the tables: a description for every property, nothing written twice."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from daiku.provider.fields import Change, Field, FieldType, FunctionType, ListOf, Object, ResourceType

Json = dict[str, Any]


def package_schema(
    name: str,
    version: str,
    description: str,
    config: Iterable[Field],
    resources: Iterable[ResourceType],
    functions: Iterable[FunctionType],
) -> str:
    """The schema as JSON text, sorted, so that the same tables give the same bytes."""
    types: Json = {}
    settings = _properties(tuple(config), types, f"{name}:index")
    schema: Json = {
        "name": name,
        "version": version,
        "description": description,
        "config": {"variables": settings},
        "provider": {"description": f"Settings of the {name} provider.", "inputProperties": settings},
        "resources": {r.name: _resource(r, types) for r in resources},
        "functions": {f.name: _function(f, types) for f in functions},
        "types": types,
    }
    return json.dumps(schema, ensure_ascii=False, sort_keys=True, indent=2)


def _resource(resource: ResourceType, types: Json) -> Json:
    module = resource.name.rpartition(":")[0]
    sure = [f.name for f in resource.fields if f.output or f.required or f.default is not None]
    return {
        "description": resource.description,
        "properties": _properties(resource.fields, types, module),
        "required": sorted(sure),
        "inputProperties": _properties(resource.inputs, types, module),
        "requiredInputs": sorted(f.name for f in resource.inputs if f.required),
    }


def _function(function: FunctionType, types: Json) -> Json:
    module = function.name.rpartition(":")[0]
    return {
        "description": function.description,
        "inputs": {
            "properties": _properties(function.inputs, types, module),
            "required": sorted(f.name for f in function.inputs if f.required),
        },
        "outputs": {
            "properties": _properties(function.outputs, types, module),
            "required": sorted(f.name for f in function.outputs),
        },
    }


def _properties(fields: tuple[Field, ...], types: Json, module: str) -> Json:
    return {f.name: _property(f, types, module) for f in fields}


def _property(field: Field, types: Json, module: str) -> Json:
    described: Json = {**_type(field.type, types, module), "description": describe(field)}
    if field.secret:
        described["secret"] = True
    if field.change is Change.REPLACE:
        described["willReplaceOnChanges"] = True
    if isinstance(field.default, str | int | bool):
        described["default"] = field.default
    return described


def describe(field: Field) -> str:
    """The property in words: what it is, what it may be, and what changing it does."""
    parts = [field.description]
    if field.choices:
        parts.append(f"One of: {', '.join(field.choices)}.")
    if field.change is not None and not field.output:
        because = f": {field.reason}" if field.reason else ""
        parts.append(f"A change {field.change.meaning}{because}.")
    return " ".join(parts)


def _type(type_: FieldType, types: Json, module: str) -> Json:
    if isinstance(type_, ListOf):
        return {"type": "array", "items": _type(type_.item, types, module)}
    if isinstance(type_, Object):
        token = f"{module}:{type_.name}"
        if token not in types:
            types[token] = {}  # a place first: a type may hold itself
            types[token] = {
                "type": "object",
                "description": type_.description,
                "properties": _properties(type_.fields, types, module),
                "required": sorted(f.name for f in type_.fields if f.required or f.default is not None),
            }
        return {"$ref": f"#/types/{token}"}
    return {"type": type_.value}

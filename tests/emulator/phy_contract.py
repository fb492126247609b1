"""The PHY operations as a document, and the judge of answers against it."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from jsonschema import Draft202012Validator

ROOT = "/cloud/api/dedicated-phy/1.0"
METHODS = ("get", "post", "patch")


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document of the PHY API."""
    text = files("daiku.lab.sakura.phy").joinpath("openapi.yaml").read_text(encoding="utf-8")
    return yaml.load(text, yaml.CSafeLoader)


def resolve(value: dict[str, Any]) -> dict[str, Any]:
    """What a `$ref` leads to; anything else as it is."""
    while "$ref" in value:
        found: Any = document()
        for step in value["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        value = found
    return value


@cache
def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """`(METHOD, path template)` to the operation, its path's own parameters among its parameters."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for template, item in document()["paths"].items():
        for method in METHODS:
            if method in item:
                own, shared = item[method].get("parameters", []), item.get("parameters", [])
                parameters = [resolve(parameter) for parameter in [*shared, *own]]
                found[method.upper(), template] = item[method] | {"parameters": parameters}
    return found


def template_of(path: str) -> str | None:
    """The document's path that a request's path is one of."""
    for _, template in operations():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path):
            return template
    return None


def schema_of(operation: dict[str, Any], status: int) -> dict[str, Any] | None:
    """What the body of an answer with this status must be; None: no body."""
    responses = operation["responses"]
    answer = resolve(responses[str(status)] if str(status) in responses else responses["default"])
    content = answer.get("content")
    return None if content is None else content["application/json"]["schema"]


def faults(schema: dict[str, Any], value: Any) -> list[str]:
    """Where `value` is not what the schema says."""
    rooted = {**schema, "components": document()["components"]}
    found = Draft202012Validator(rooted).iter_errors(value)
    return [f"{'.'.join(str(step) for step in fault.absolute_path)}: {fault.message}" for fault in found]


def judge(method: str, path: str, status: int, body: Any) -> list[str]:
    """What is wrong with an answer. Paths and methods that the document does not know must be refused."""
    template = template_of(path)
    operation = operations().get((method, template or ""))
    if operation is None:
        refused = {"$ref": "#/components/schemas/problem"} if status != 401 else {}
        return faults(refused, body) if status in (401, 404, 405, 429) else [f"status {status}"]
    if 200 <= status < 300 and str(status) not in operation["responses"]:
        return [f"status {status} is not declared"]
    schema = schema_of(operation, status)
    if schema is None:
        return [] if body is None else ["a body where none is declared"]
    return faults(schema, body)

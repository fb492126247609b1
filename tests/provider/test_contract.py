"""The tables, the package schema and the hand-typed classes say the same."""

from __future__ import annotations

import inspect
import json
from collections.abc import Sequence
from typing import Any, NotRequired, get_args, get_origin, get_type_hints

import pulumi
import pytest

from daiku.provider import sdk
from daiku.provider.fields import (
    BOOLEAN,
    INTEGER,
    STRING,
    Change,
    Field,
    FieldType,
    ListOf,
    Object,
    ResourceType,
)
from daiku.provider.plugin import PLUGIN
from daiku.provider.sdk.base import Resource, camel, snake

TYPES = {handler.type.name: handler.type for handler in PLUGIN.handlers}
SCHEMA: dict[str, Any] = json.loads(PLUGIN.schema())
WANTED = {
    "Switch", "Internet", "VpcRouter", "LoadBalancer", "PacketFilter", "SshKey", "Note", "Disk", "Server",
    "Bridge", "LocalRouter", "AwsConnect", "PhyServer", "PhyNetwork",
}  # fmt: skip


def sdk_class(resource: ResourceType) -> type[Resource]:
    return getattr(sdk, resource.name.rpartition(":")[2])


def objects(type_: FieldType) -> list[Object]:
    """Every record inside a type."""
    if isinstance(type_, ListOf):
        return objects(type_.item)
    if isinstance(type_, Object):
        return [type_, *(inner for field in type_.fields for inner in objects(field.type))]
    return []


def hints_of(thing: Any) -> dict[str, Any]:
    """Annotations with their names resolved; `pulumi.Input` names `Output` as text."""
    return get_type_hints(thing, localns={"Output": pulumi.Output, "T": Any}, include_extras=True)


def same_type(hint: Any, type_: FieldType) -> bool:
    """Whether `pulumi.Input[...]` of the class is the type of the table."""
    members = get_args(hint)
    if isinstance(type_, Object):
        return any(getattr(m, "__name__", "") == f"{type_.name}Args" for m in members)
    if isinstance(type_, ListOf):
        inner = [get_args(m)[0] for m in members if get_origin(m) is Sequence]
        return any(same_type(item, type_.item) for item in inner)
    return {STRING: str, INTEGER: int, BOOLEAN: bool}[type_] in members


def assert_args(args: Any, fields: tuple[Field, ...]) -> None:
    hints = hints_of(args)
    table = {snake(field.name): field for field in fields}
    assert hints.keys() == table.keys(), args.__name__
    for name, hint in hints.items():
        optional = get_origin(hint) is NotRequired
        assert optional is not table[name].required, f"{args.__name__}.{name}"
        inner = get_args(hint)[0] if optional else hint
        assert same_type(inner, table[name].type), f"{args.__name__}.{name}"


def test_every_resource_is_served() -> None:
    assert {name.rpartition(":")[2] for name in TYPES} == WANTED
    assert SCHEMA["resources"].keys() == TYPES.keys()
    assert set(SCHEMA["functions"]) == {"sakura:cloud:getArchive"}


@pytest.mark.parametrize("resource", TYPES.values(), ids=TYPES)
def test_the_class_has_the_inputs_and_outputs_of_the_table(resource: ResourceType) -> None:
    made = sdk_class(resource)
    args = hints_of(made.__init__)["args"]
    assert_args(args, resource.inputs)
    for record in {o.name: o for field in resource.inputs for o in objects(field.type)}.values():
        assert_args(getattr(sdk, f"{record.name}Args"), record.fields)
    assert list(made.__annotations__) == [snake(field.name) for field in resource.outputs]
    assert f'"{resource.name}"' in inspect.getsource(made.__init__)


def test_the_provider_class_has_the_settings() -> None:
    hints = hints_of(sdk.ProviderArgs)
    assert hints.keys() == {snake(field.name) for field in PLUGIN.config}


@pytest.mark.parametrize("resource", TYPES.values(), ids=TYPES)
def test_names_survive_the_way_to_the_wire_and_back(resource: ResourceType) -> None:
    for field in resource.fields:
        assert camel(snake(field.name)) == field.name
        for record in objects(field.type):
            assert all(camel(snake(inner.name)) == inner.name for inner in record.fields)


def described(node: Any, path: str = "") -> list[str]:
    """Paths of properties without a description."""
    missing: list[str] = []
    if isinstance(node, dict):
        for key, value in node.items():
            table = key in ("properties", "inputProperties") or f"{path}.{key}" == ".config.variables"
            if table and isinstance(value, dict):
                missing += [f"{path}.{name}" for name, p in value.items() if not p.get("description")]
            missing += described(value, f"{path}.{key}")
    return missing


def test_every_property_is_described_and_every_reference_leads_somewhere() -> None:
    assert described(SCHEMA) == []
    text = json.dumps(SCHEMA)
    for token in SCHEMA["types"]:
        assert f"#/types/{token}" in text
    references = {part.split('"', 1)[0] for part in text.split("#/types/")[1:]}
    assert references <= SCHEMA["types"].keys()


def test_the_schema_is_the_same_bytes_every_time() -> None:
    assert PLUGIN.schema() == PLUGIN.schema()


def test_secrets_and_replacements_are_marked() -> None:
    resources = SCHEMA["resources"]
    assert resources["sakura:cloud:AwsConnect"]["inputProperties"]["secretKey"]["secret"] is True
    assert resources["sakura:cloud:LocalRouter"]["properties"]["secretKeys"]["secret"] is True
    assert resources["sakura:cloud:Server"]["inputProperties"]["userData"]["secret"] is True
    assert SCHEMA["types"]["sakura:cloud:VpcRouterL2tp"]["properties"]["preSharedSecret"]["secret"] is True
    assert resources["sakura:cloud:Disk"]["inputProperties"]["sizeGb"]["willReplaceOnChanges"] is True
    assert SCHEMA["config"]["variables"]["secret"]["secret"] is True


@pytest.mark.parametrize("resource", TYPES.values(), ids=TYPES)
def test_whatever_is_more_than_live_says_why(resource: ResourceType) -> None:
    for field in resource.inputs:
        if field.change is not None and field.change > Change.LIVE:
            assert field.reason, field.name


@pytest.mark.parametrize("resource", TYPES.values(), ids=TYPES)
def test_outputs_vary_only_with_inputs_that_exist(resource: ResourceType) -> None:
    names = {field.name for field in resource.inputs}
    for field in resource.outputs:
        assert set(field.varies_with) <= names

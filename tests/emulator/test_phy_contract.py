"""The PHY operations fuzzed against their document: well-formed and broken requests, every answer as declared.

That each answer of every other test is as declared is held by the caller itself (`Caller.raw`).
"""

from __future__ import annotations

import copy
import re
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World
from daiku.lab.sakura.phy.wire import routes

from . import phy_contract as contract
from .conftest import GPU1, INVENTORY, NETWORK, SUBNET, Caller
from .phy_calls import INSTALL
from .test_networks import KEY

LUCKY: dict[str, list[Any]] = {
    "server_id": [GPU1],
    "service_id": [GPU1, NETWORK],
    "private_network_id": [NETWORK],
    "dedicated_subnet_id": [SUBNET, None],
    "port_id": [2001, 2002],
    "port_channel_id": [1001],
    "os_image_id": ["ubuntu2404", "vmware8"],
    "ssh_public_keys": [[KEY], []],
    "password": [INSTALL["password"]],
    "private_network_ids": [[NETWORK], None],
}
"""Values that mean something in this world, offered beside whatever the schema allows."""


def values(schema: dict[str, Any], name: str = "") -> st.SearchStrategy[Any]:
    """Values that the schema allows."""
    schema = contract.resolve(schema)
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    options = [_of_kind(kind, schema) for kind in kinds]
    if "enum" in schema or "const" in schema:
        options = [st.sampled_from(schema.get("enum", [schema.get("const")]))]
    if name in LUCKY:
        options = [st.sampled_from(LUCKY[name]), st.sampled_from(LUCKY[name]), *options]
    return st.one_of(options).filter(lambda value: not contract.faults(schema, value))


def _of_kind(kind: str, schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    match kind:
        case "string" if "pattern" in schema:
            return st.from_regex(re.compile(schema["pattern"], re.ASCII), fullmatch=True)
        case "string" if schema.get("format") == "date-time":
            return st.datetimes(timezones=st.timezones()).map(lambda moment: moment.isoformat())
        case "string":
            return st.text(min_size=schema.get("minLength", 0), max_size=schema.get("maxLength", 40))
        case "integer":
            return st.integers(schema.get("minimum", -(2**40)), schema.get("maximum", 2**40))
        case "boolean":
            return st.booleans()
        case "array":
            return st.lists(values(schema["items"]), min_size=schema.get("minItems", 0), max_size=3)
        case "null":
            return st.none()
        case _:
            raise NotImplementedError(kind)


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, str, str, str, Any]:
    """A request that the document allows: method, template, path, query, body."""
    (method, template), operation = draw(
        st.sampled_from(sorted(contract.operations().items(), key=lambda o: o[0]))
    )
    path, query = template, list[tuple[str, Any]]()
    for parameter in operation["parameters"]:
        name = parameter["name"]
        if parameter["in"] == "path":
            path = path.replace(f"{{{name}}}", str(draw(values(parameter["schema"], name))))
        elif parameter["in"] == "query" and draw(st.booleans()):
            value = draw(values(parameter["schema"], name))
            query += [(name, item) for item in (value if isinstance(value, list) else [value])]
    body = None
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = {name: draw(values(inner, name)) for name, inner in schema["properties"].items()}
    try:
        encoded = urlencode(query)
    except UnicodeEncodeError:
        assume(False)
        raise
    return method, template, path, encoded, body


def call(method: str, path: str, query: str, body: Any, *, busy: bool) -> tuple[int, Any]:
    """One call in a fresh world (`busy`: its first server is being installed); its answer was judged on the way."""
    api = Caller(World(Clock(), Inventory.load(INVENTORY), seed=1))
    if busy:
        api.phy("POST", f"/servers/{GPU1}/os_install/", INSTALL)
    answer = api.phy(method, path, body, query=query)
    return answer.status, answer.json if answer.raw else None


def test_the_document_and_the_emulator_have_the_same_operations() -> None:
    def plain(entry: tuple[str, str]) -> tuple[str, str]:
        return entry[0], re.sub(r"\{[^}]*\}", "{}", entry[1])

    implemented = {plain(entry) for entry in routes.listing()}
    assert {plain(entry) for entry in contract.operations()} == implemented
    assert (len(contract.operations()), len(contract.document()["paths"])) == (21, 19)


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(), st.booleans())
def test_what_the_document_allows_is_answered_as_it_says(request: Any, busy: bool) -> None:
    method, _, path, query, body = request
    status, answer = call(method, path, query, body, busy=busy)
    assert status in (200, 204, 400, 404, 409, 503)
    if status == 400:
        # The document cannot say all: ids that must exist, fields that go together, moments of the last 31 days.
        allowed = {"does_not_exist", "inconsistent", "invalid_choice", "invalid", "required"}
        codes = {fault["code"] for faults in answer["invalid_parameters"].values() for fault in faults}
        assert codes <= allowed
        assert method == "POST" or "traffic_graph" in path, (path, query, answer)


JUNK = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=3), st.just([]), st.just({}), st.just([1])
)


@settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests(), st.data())
def test_what_the_document_forbids_is_a_400_that_names_the_field(request: Any, data: st.DataObject) -> None:
    method, template, _, _, body = request
    assume(body is not None)
    path = template
    for name, value in (
        ("server_id", GPU1),
        ("service_id", GPU1),
        ("port_id", 2001),
        ("port_channel_id", 1001),
    ):
        path = path.replace(f"{{{name}}}", str(value))
    schema = contract.operations()[method, template]["requestBody"]["content"]["application/json"]["schema"]
    spoilt = copy.deepcopy(body)
    field = data.draw(st.sampled_from(sorted(body)))
    if data.draw(st.booleans()):
        del spoilt[field]
    else:
        spoilt[field] = data.draw(JUNK)
    assume(contract.faults(schema, spoilt))
    status, answer = call(method, path, "", spoilt, busy=False)
    assert (status, answer["title"]) == (400, "invalid"), (path, spoilt)
    assert field in answer["invalid_parameters"] or len(answer["invalid_parameters"]) > 0


@pytest.mark.parametrize(("method", "template"), sorted(contract.operations()))
def test_a_wrong_query_or_a_missing_header_is_refused_as_declared(method: str, template: str) -> None:
    api = Caller(World(Clock(), Inventory.load(INVENTORY), seed=1))
    path = template
    for name, choices in LUCKY.items():
        path = path.replace(f"{{{name}}}", str(choices[0]))
    operation = contract.operations()[method, template]
    for parameter in operation["parameters"]:
        if parameter["in"] == "query" and "enum" in parameter["schema"]:
            assert api.phy(method, path, query=f"{parameter['name']}=nonsense").status == 400
    if method != "GET":
        assert api.phy(method, path, {}, ajax=False).status == 400
    wrong = api.raw(method, contract.ROOT + path, headers={"Authorization": "Basic AAAA"})
    assert wrong.status == 401

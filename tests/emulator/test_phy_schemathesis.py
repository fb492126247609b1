"""PHY's document in the hands of schemathesis: coverage, fuzzing and stateful phases, all checks, a fixed seed.

What no schema can say is allowed for by name: fields that only go together, ids that must exist, what is no SSH key,
and the 503 of a machine that is off.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import events, from_schema
from starlette.types import ASGIApp, Receive, Scope, Send

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World, create_app

from . import phy_contract as contract
from .conftest import ADMIN, INVENTORY, Caller

BEYOND_SCHEMAS = {"does_not_exist", "inconsistent", "required", "invalid_choice"}
FREE_FIELDS = {"ssh_public_keys", "port_nicknames"}
"""Whether their values are valid depends on more than the schema: what a key is, how many ports are bonded."""
PHASES = {"coverage", "fuzzing", "stateful"}


def spaced_out(world: World) -> ASGIApp:
    """The emulator, an hour between any two calls: no limit of calls is met, and every install ends."""
    app = create_app(world, admin_token=ADMIN)

    async def wrapped(scope: Scope, receive: Receive, send: Send) -> None:
        world.clock.advance(3600)
        await app(scope, receive, send)

    return wrapped


def beyond_schemas(check: str, label: str, status: int, answer: Any) -> bool:
    """Is this refusal one that the document could not have told of?"""
    if check == "not_a_server_error":
        return status == 503 and answer["title"] == "temporary_unavailable"
    if check == "positive_data_acceptance" and status == 400 and answer["title"] == "invalid":
        named = answer["invalid_parameters"]
        codes = {fault["code"] for field in named.keys() - FREE_FIELDS for fault in named[field]}
        return codes <= BEYOND_SCHEMAS and (label.startswith("POST ") or "traffic_graph" in label)
    return False


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_schemathesis_finds_nothing() -> None:
    world = World(Clock(), Inventory.load(INVENTORY), seed=1)
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": Caller.basic()},
            "generation": {"max-examples": 10, "database": "none"},
        }
    )
    schema = schemathesis.openapi.from_dict(contract.document(), config=config)
    schema.app = spaced_out(world)
    found, phases = list[str](), set[str]()
    for event in from_schema(schema).execute():
        match event:
            case events.PhaseFinished():
                phases.add(str(event.phase.name))
            case events.FatalError() | events.NonFatalError():
                found.append(str(vars(event)))
            case events.ScenarioFinished():
                found += findings(event.recorder)
            case _:
                pass
    assert found == []
    assert phases >= PHASES, phases
    assert len(world.audit) > 500
    called = {
        (entry.method, contract.template_of(entry.path.removeprefix(contract.ROOT))) for entry in world.audit
    }
    assert set(contract.operations()) <= called
    assert {entry.status for entry in world.audit} <= {200, 204, 400, 401, 404, 405, 409, 503}


def findings(recorder: Any) -> list[str]:
    """The failed checks of one scenario."""
    found = list[str]()
    for case_id, checks in recorder.checks.items():
        for check in checks:
            if check.failure_info is None:
                continue
            case, exchange = recorder.cases[case_id].value, recorder.interactions[case_id]
            content = exchange.response.content
            answer = json.loads(content) if content else None
            if not beyond_schemas(check.name, case.operation.label, exchange.response.status_code, answer):
                said = check.failure_info.failure.message
                found.append(f"{check.name}: {case.method} {exchange.request.uri}: {said}: {answer}")
    return found

"""The plan against what the providers made."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.errors import Fault
from daiku.plan.facts import Facts, NodeFacts
from daiku.plan.make import make
from daiku.plan.proof.prove import Findings, prove
from daiku.plan.proof.standing import ERRORS, WARNINGS
from daiku.spec.load import parse
from tests.proof.cases import text_of

TEXT = text_of({})
LOADED = parse(TEXT, "cluster.yaml")
PLAN = make(LOADED)


def facts(**changes: Any) -> Facts:
    nodes = tuple(
        NodeFacts(
            name=n.name,
            resource_id=n.name,
            provider_id=f"sakura://{n.name}",
            incarnation="1",
            host_key=n.name,
        )
        for n in PLAN.nodes
    )
    made = Facts(
        cluster=PLAN.cluster,
        plan_digest=PLAN.digest(),
        router_address="192.0.2.1",
        bastion_port=20022,
        nodes=nodes,
    )
    return made.model_copy(update=changes)


def changed(name: str, **changes: str) -> tuple[NodeFacts, ...]:
    return tuple(n.model_copy(update=changes) if n.name == name else n for n in facts().nodes)


def test_what_was_made_of_the_plan_raises_nothing() -> None:
    assert prove(LOADED, PLAN, facts()) == Findings((), ())


CASES: list[tuple[str, Facts, str]] = [
    ("facts-of-another-plan", facts(plan_digest="0" * 64), "apiVersion: daiku/v1"),
    ("facts-node-missing", facts(nodes=facts().nodes[:-1]), "- index: 4"),
    ("facts-node-missing", facts(nodes=facts().nodes[1:]), "count: 3"),
    (
        "facts-machine-twice",
        facts(nodes=changed("ishikari-h100-002", provider_id="sakura://ishikari-h100-001")),
        "- index: 2",
    ),
    (
        "facts-host-key-shared",
        facts(nodes=changed("ishikari-mgmt-2", host_key="ishikari-mgmt-1")),
        "count: 2",
    ),
]


@pytest.mark.parametrize(("code", "given", "line"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_what_stands_otherwise_is_one_finding(code: str, given: Facts, line: str) -> None:
    found = prove(LOADED, PLAN, given)
    faults: list[Fault] = [*found.errors, *found.warnings]
    assert [f.code for f in faults] == [code]
    assert bool(found.errors) == (code in {rule.code for rule in ERRORS})
    assert TEXT.split("\n")[faults[0].line - 1].strip() == line


def test_every_rule_has_a_case() -> None:
    assert {rule.code for rule in (*ERRORS, *WARNINGS)} == {code for code, _, _ in CASES}

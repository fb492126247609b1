"""A cluster's life under the real engine: plan, make, nothing more to do, change, remove."""

from __future__ import annotations

from collections import Counter

import pytest

from daiku.plan.make import make
from daiku.stacks.changes import Step
from tests.engine.conftest import Datacentre, example

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def test_plan_is_apply_and_a_second_up_changes_nothing(datacentre: Datacentre) -> None:
    plan = make(example())
    engine = datacentre.engine(plan)
    planned = engine.preview()
    assert {change.op for change in planned} == {"create"}
    assert datacentre.writes() == 0

    steps: list[Step] = []
    made = engine.up(steps.append)
    assert [(c.urn, c.op) for c in made.changes] == [(c.urn, c.op) for c in planned]
    assert made.counts == {"create": len(planned)}
    done = Counter(step.stage for step in steps if step.op)
    assert done["started"] == done["done"] == len(planned)
    assert [node.name for node in made.facts.nodes] == [node.name for node in plan.nodes]
    assert made.facts == engine.outputs()

    before = datacentre.writes()
    again = engine.up()
    assert (again.changes, again.counts) == ((), {})
    assert again.facts == made.facts
    assert engine.preview(refresh=True) == ()
    assert datacentre.writes() == before

    assert engine.destroy() == {"delete": len(planned)}
    assert engine.outputs() is None

"""The proof of a cluster: every rule over its specification and its plan. Pure, and quick enough for every `check`."""

from __future__ import annotations

from dataclasses import dataclass

from daiku.errors import Fault
from daiku.plan.facts import Facts
from daiku.plan.model import Plan
from daiku.plan.proof import (
    balance,
    fabric,
    kubelet,
    outside,
    pods,
    roce,
    routers,
    secrets,
    sharing,
    sizes,
    standing,
    storage,
)
from daiku.plan.proof.clashes import CLASHES, DOUBTS
from daiku.plan.proof.rule import Case, Rule
from daiku.plan.review import refusals, warnings
from daiku.plan.view import View
from daiku.spec.load import Loaded, in_order

ERRORS: tuple[Rule[Case], ...] = (
    *fabric.ERRORS,
    *pods.ERRORS,
    *roce.ERRORS,
    *kubelet.ERRORS,
    *sizes.ERRORS,
    *balance.ERRORS,
    *outside.ERRORS,
    *routers.ERRORS,
    *storage.ERRORS,
    *sharing.ERRORS,
)
WARNINGS: tuple[Rule[Case], ...] = (
    *fabric.WARNINGS,
    *pods.WARNINGS,
    *roce.WARNINGS,
    *kubelet.WARNINGS,
    *secrets.WARNINGS,
    *sizes.WARNINGS,
    *balance.WARNINGS,
    *outside.WARNINGS,
    *routers.WARNINGS,
    *storage.WARNINGS,
    *sharing.WARNINGS,
)

AnyRule = Rule[View] | Rule[Case] | Rule[standing.Standing]
REFUSING: tuple[AnyRule, ...] = (*CLASHES, *ERRORS, *standing.ERRORS)
DOUBTING: tuple[AnyRule, ...] = (*DOUBTS, *WARNINGS, *standing.WARNINGS)


@dataclass(frozen=True, slots=True)
class Findings:
    """`errors` make a cluster impossible or broken; `warnings` can be built, but are likely not meant."""

    errors: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


def prove(loaded: Loaded, plan: Plan, facts: Facts | None = None) -> Findings:
    """Everything that is wrong or doubtful, top to bottom. `plan` is the one that was made of `loaded`.

    With `facts` also what the providers made is held against the plan.
    """
    errors = [*refusals(loaded), *broken(loaded, plan)]
    view = View.of(loaded)
    case = Case(view, plan)
    doubts = [*warnings(loaded), *(fault for rule in WARNINGS for fault in rule(case))]
    if facts is not None:
        standing_case = standing.Standing(view, plan, facts)
        errors += [fault for rule in standing.ERRORS for fault in rule(standing_case)]
        doubts += [fault for rule in standing.WARNINGS for fault in rule(standing_case)]
    # A doubt about a setting that is refused anyway says nothing new.
    refused = {one.path for fault in errors for one in (fault, *fault.others)}
    return Findings(
        tuple(in_order(errors)), tuple(in_order([doubt for doubt in doubts if doubt.path not in refused]))
    )


def broken(loaded: Loaded, plan: Plan) -> list[Fault]:
    """What refuses a plan that could be made, top to bottom; empty for a sound one."""
    case = Case(View.of(loaded), plan)
    return in_order([fault for rule in ERRORS for fault in rule(case)])

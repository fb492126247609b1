"""Kubernetes Secrets whose content the operator gives: rendered with marks, filled on the way to the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from daiku.plan.given import GIVEN, taken
from daiku.plan.model import Plan
from daiku.plan.nodes import DOMAIN
from daiku.render.bundle import SECRET_MARK
from daiku.render.cluster_parts import Files
from daiku.render.engine import render

GIVEN_ANNOTATION = f"{DOMAIN}/given"
"""On a Secret: the name under which the operator gave its content."""


@dataclass(frozen=True, slots=True)
class GivenObject:
    """`data` has the mark for every value."""

    template: ClassVar[str] = "cluster/secret.yaml.j2"
    name: str
    namespace: str
    annotation: str
    given: str
    data: dict[str, str]


def given_secret(plan: Plan, path: str, given: str, name: str, namespace: str) -> Files:
    """The Secret `name` of what was given as `given`, at `path`; nothing while it was not given or nobody takes it."""
    if given not in taken(plan):
        return {}
    data = dict.fromkeys(GIVEN[given].entries, SECRET_MARK.decode())
    return {path: render(GivenObject(name, namespace, GIVEN_ANNOTATION, given, data))}

"""A rule: one way in which a cluster goes wrong, with a stable code, what would happen, and the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from daiku.errors import Fault
from daiku.plan.model import Plan
from daiku.plan.view import View

Subject = TypeVar("Subject")


@dataclass(frozen=True, slots=True)
class Rule(Generic[Subject]):
    """`code` never changes once released: people search for it and scripts know it.

    `happens` is what a cluster built like this would do, `fix` the way out where a fault has no nearer hint.
    `check` gives the faults; they leave with the code, the consequence and a hint.
    """

    code: str
    check: Callable[[Subject], Iterator[Fault]]
    happens: str
    fix: str

    def __call__(self, subject: Subject) -> Iterator[Fault]:
        for fault in self.check(subject):
            yield replace(fault, code=self.code, happens=self.happens, hint=fault.hint or self.fix)


@dataclass(frozen=True, slots=True)
class Case:
    """What the proof looks at: the specification with its file, and the Plan that was made of it."""

    view: View
    plan: Plan

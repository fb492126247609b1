"""How the engine's changes and steps are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from daiku.cli import output

if TYPE_CHECKING:
    from daiku.stacks.changes import OnStep, PlannedChange, Step

_INTERNAL = ("pulumi:pulumi:Stack", "pulumi:providers:", "daiku:cluster:")
"""The stack itself, providers and components: they hold the resources and are none."""


def of_the_world(changes: Sequence[PlannedChange]) -> tuple[PlannedChange, ...]:
    """The changes of real things."""
    return tuple(change for change in changes if not change.type.startswith(_INTERNAL))


def destructive(changes: Sequence[PlannedChange]) -> tuple[PlannedChange, ...]:
    """The changes that remove or replace something."""
    return tuple(change for change in of_the_world(changes) if change.op in ("replace", "delete"))


def show_changes(changes: Sequence[PlannedChange]) -> None:
    """One row a change with what it should take; below it, what is replaced and why, and what it disturbs."""
    from daiku.plan.durations import of_resource, words

    rows: list[list[str]] = []
    for change in of_the_world(changes):
        what = [
            f"{p.path}: {p.before} -> {p.after}" if p.before else f"{p.path} = {p.after}"
            for p in change.properties
        ]
        because = (
            [f"replaced because of {', '.join(change.replace_reasons)}"] if change.replace_reasons else []
        )
        details = [*because, *change.notes] if change.op == "create" else [*because, *change.notes, *what]
        estimate = of_resource(change.type, change.op)
        if estimate.disturbs:
            details.append(f"disturbs: {estimate.disturbs}")
        rows.append([change.op, change.type, change.name, words(estimate), "\n".join(details)])
    if rows:
        output.table(["change", "type", "name", "takes", "what"], rows)


def did(changes: Sequence[PlannedChange]) -> list[str]:
    """The changes in words, one each, for the journal."""
    return [f"{change.op} {change.type} {change.name}" for change in of_the_world(changes)]


def changes_json(changes: Sequence[PlannedChange]) -> list[dict[str, Any]]:
    """The changes for machines."""
    from daiku.plan.durations import of_resource

    return [
        {**asdict(change), "seconds": [estimate.low, estimate.high], "disturbs": estimate.disturbs}
        for change in of_the_world(changes)
        for estimate in (of_resource(change.type, change.op),)
    ]


def follow(progress: output.Progress) -> OnStep:
    """Show the engine's steps while they happen."""
    running: dict[str, str] = {}
    said: set[str] = set()

    def on_step(step: Step) -> None:
        if step.stage == "note":
            text = f"  {step.name + ': ' if step.name else ''}{step.text}"
            # The engine tells a provider's note once when it compares and once when it changes.
            if step.text and text not in said:
                said.add(text)
                progress.line(text)
            return
        if step.stage == "started":
            running[step.urn] = step.name
        else:
            running.pop(step.urn, None)
        changed = step.stage == "done" and step.op in ("create", "replace", "delete", "update")
        if changed and not step.type.startswith(_INTERNAL):
            progress.line(f"  {step.op:8} {step.type:32} {step.name}")
        if running:
            names = list(running.values())
            progress.detail(
                f"{len(names)} under way: {', '.join(names[:4])}{' ...' if len(names) > 4 else ''}"
            )

    return on_step

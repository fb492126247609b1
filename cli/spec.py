"""`daiku check`, `explain`, `schema`: the specification, before anything is touched."""

from __future__ import annotations

import json
from pathlib import Path

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option
from daiku.errors import Fault, SpecError


def fault_json(fault: Fault) -> dict[str, object]:
    """A fault for machines; `others` are the further lines of a clash."""
    return {
        "file": fault.file,
        "line": fault.line,
        "column": fault.column,
        "path": fault.path,
        "message": fault.message,
        "hint": fault.hint,
        "code": fault.code,
        "happens": fault.happens,
        "others": [fault_json(other) for other in fault.others],
    }


@click.command()
@file_option
@json_option
def check(file: Path, as_json: bool) -> None:
    """Find every fault of the cluster file, all at once. Exit code 3 when there is one.

    What can be built but is likely not meant is told as a warning.
    """
    from daiku.cli.secret import waiting
    from daiku.ledger.given import Given
    from daiku.ledger.paths import State
    from daiku.plan.given import with_given
    from daiku.plan.make import make
    from daiku.plan.proof.prove import prove
    from daiku.spec.load import load

    try:
        loaded = load(file)
        plan = make(loaded)
    except SpecError as error:
        if as_json:
            output.emit_json(
                {"ok": False, "faults": [fault_json(fault) for fault in error.faults], "warnings": []}
            )
            raise click.exceptions.Exit(error.exit_code) from error
        raise
    doubts = prove(loaded, plan).warnings
    waits = waiting(with_given(plan, Given.beside(State.unopened(file, plan.cluster).keys).times()))
    if as_json:
        output.emit_json(
            {
                "ok": True,
                "faults": [],
                "warnings": [fault_json(fault) for fault in doubts],
                "waiting": list(waits),
                "plan": plan.digest(),
                "nodes": len(plan.nodes),
            }
        )
        return
    for fault in doubts:
        output.warn(fault)
    nodes = [
        output.count(len(plan.by_role("control-plane")), "control plane"),
        output.count(len(plan.by_role("management")), "management node"),
        output.count(len(plan.by_role("gpu")), "GPU node"),
    ]
    output.say(f"{file}: ok: cluster {plan.cluster}, release {plan.release.name}, {', '.join(nodes)}")


@click.command()
@file_option
@json_option
def explain(file: Path, as_json: bool) -> None:
    """Show the file with every default filled in; what was not written is marked."""
    from daiku.spec.explain import as_yaml, resolve
    from daiku.spec.load import load

    loaded = load(file)
    if as_json:
        output.emit_json(resolve(loaded))
        return
    output.say(as_yaml(loaded))


@click.command()
def schema() -> None:
    """Print the JSON Schema of the cluster file, for editors."""
    from daiku.spec.schema import json_schema

    output.say(json.dumps(json_schema(), indent=2, ensure_ascii=False))

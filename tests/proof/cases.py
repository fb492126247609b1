"""The corpus: real misconfigurations, each a patch of a sound cluster and the one finding that must come of it."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import yaml

from daiku.errors import Fault, SpecError
from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.plan.proof.prove import prove
from daiku.spec.load import parse

CORPUS = Path(__file__).with_name("corpus")
BASE = CORPUS / "base.yaml"


def cases() -> list[dict[str, Any]]:
    """All cases of all files, each with the name of its file as `file`."""
    return [
        {"file": file.stem, **case}
        for file in sorted(CORPUS.glob("*.yaml"))
        if file != BASE
        for case in yaml.load(file.read_text(), yaml.CSafeLoader)
    ]


def text_of(case: dict[str, Any]) -> str:
    """The user's file of that case, one setting a line. `nodes`: that many GPU servers instead of four."""
    values = yaml.load(BASE.read_text(), yaml.CSafeLoader)
    if "nodes" in case:
        servers = [{"index": i, "id": f"{113600000000 + i}"} for i in range(1, case["nodes"] + 1)]
        values["gpuPools"][0]["nodes"] = servers
    for path in sorted(case.get("remove", []), reverse=True):
        target, key = _place(values, path)
        del target[key]
    for path, value in case.get("set", {}).items():
        _put(values, path, value)
    return yaml.dump(values, Dumper=yaml.CSafeDumper, sort_keys=False)


def findings(case: dict[str, Any], text: str) -> tuple[list[Fault], list[Fault]]:
    """Errors and warnings, as `daiku check` comes to them. `plan` of a case changes the plan behind the file's back."""
    loaded = parse(text, "cluster.yaml")
    try:
        plan = make(loaded)
    except SpecError as error:
        return list(error.faults), []
    if "plan" in case:
        values = plan.model_dump(mode="json")
        for path, value in case["plan"].items():
            _put(values, path, value)
        plan = Plan.model_validate(values)
    found = prove(loaded, plan)
    return list(found.errors), list(found.warnings)


def _put(values: Any, path: str, value: Any) -> None:
    target, key = _place(values, path)
    if key == "+":
        target.append(copy.deepcopy(value))
    else:
        target[key] = value


def _place(values: Any, path: str) -> tuple[Any, Any]:
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    for part in parents:
        values = values[part]
    return values, last

"""Cases as data: a change to the text of the example, and the fault that must come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from daiku.errors import Fault

EXAMPLES = Path(__file__).parents[2] / "examples" / "ishikari"


def example() -> str:
    return (EXAMPLES / "cluster.yaml").read_text()


def cases(file: Path) -> list[dict[str, Any]]:
    return yaml.load(file.read_text(), yaml.CSafeLoader)


def changed(case: dict[str, Any]) -> str:
    """The example with every `old: new` pair of the case put in; the old text must be there exactly once."""
    text = example()
    for old, new in case["change"].items():
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in the example"
        text = text.replace(old, new)
    return text


def assert_fault(case: dict[str, Any], faults: list[Fault], text: str) -> None:
    """Exactly the expected fault, at the line whose text the case gives, together with the lines under `with`."""
    assert [f.path for f in faults] == [case["path"]], faults
    (fault,) = faults
    assert case["says"] in fault.message
    assert case.get("hint", "") in fault.hint
    lines = text.split("\n")
    if not case.get("hidden"):
        assert fault.source.strip() == case["line"]
        assert lines[fault.line - 1].strip() == case["line"]
    assert [other.source.strip() for other in fault.others] == case.get("with", [])
    assert all(lines[other.line - 1].strip() == other.source.strip() for other in fault.others)

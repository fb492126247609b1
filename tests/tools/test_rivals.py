"""A rival's run counts in the benchmark only if it did what is measured."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROW = "{host:<26} : ok={ok}    changed={changed}    unreachable={lost}    failed={failed}    skipped=0    rescued=0"


@pytest.fixture
def rivals(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("rivals")


def recap(*hosts: tuple[int, int, int, int]) -> str:
    rows = [
        ROW.format(host=f"127.90.0.{n}", ok=ok, changed=changed, lost=lost, failed=failed)
        for n, (ok, changed, lost, failed) in enumerate(hosts, 1)
    ]
    return "PLAY RECAP ****\n" + "\n".join(rows) + "\n"


def total(hosts: str, success: str, error: str, same: str) -> str:
    head = "--> Results:\n    Operation      Hosts   Success   Error   No Change\n"
    return f"{head}    Grand total    {hosts}      {success}         {error}       {same}\n"


@pytest.mark.parametrize(
    ("tool", "said", "unchanged"),
    [
        ("ansible", recap((5, 0, 0, 0), (5, 0, 0, 0)), True),
        ("ansible", recap((5, 5, 0, 0), (5, 5, 0, 0)), False),
        ("pyinfra", total("10", "-", "-", "10"), True),
        ("pyinfra", total("10", "8", "-", "2"), False),
    ],
)
def test_what_was_done_as_it_should(rivals: Any, tool: str, said: str, unchanged: bool) -> None:
    rivals.check(tool, said, 2, unchanged=unchanged)


@pytest.mark.parametrize(
    ("tool", "said", "unchanged", "why"),
    [
        ("ansible", recap((5, 1, 0, 0), (5, 0, 0, 0)), True, "changed something, in 1 of 10"),
        ("ansible", recap((5, 0, 0, 0), (0, 0, 1, 0)), True, "did 5 of 10"),
        ("ansible", recap((5, 0, 0, 0), (4, 0, 0, 1)), True, "did 5 of 10"),
        ("ansible", recap((5, 0, 0, 0)), True, "did 5 of 10"),
        ("ansible", recap((5, 0, 0, 0), (5, 0, 0, 0)), False, "changed only 0 of 10"),
        ("pyinfra", total("10", "1", "-", "9"), True, "changed something, in 1 of 10"),
        ("pyinfra", total("10", "-", "1", "9"), True, "did 9 of 10"),
        ("pyinfra", total("5", "-", "-", "5"), True, "did 5 of 10"),
        ("pyinfra", "No hosts", True, "did 0 of 10"),
    ],
)
def test_what_was_not(rivals: Any, tool: str, said: str, unchanged: bool, why: str) -> None:
    with pytest.raises(rivals.RivalError, match=why):
        rivals.check(tool, said, 2, unchanged=unchanged)

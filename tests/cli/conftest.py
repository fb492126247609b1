"""The command line in this process, as its executable runs it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from daiku.cli.main import main


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Daiku = Callable[..., Done]


@pytest.fixture
def daiku(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Daiku:
    """Run `daiku ARGUMENTS` in an empty folder, without a terminal and without anybody's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("DAIKU_FILE", "DAIKU_STATE_DIR", "DAIKU_LAB_DIR"):
        monkeypatch.delenv(name, raising=False)

    def run(*arguments: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["daiku", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        code = stop.value.code
        assert isinstance(code, int)
        return Done(code, captured.out, captured.err)

    return run

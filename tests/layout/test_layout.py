"""The house as DESIGN says: three real folders at the top, one import name, everything in the wheel."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("name", ["cli", "stacks", "templates"])
def test_links_are_relative_and_point_at_the_real_folders(name: str) -> None:
    link = ROOT / "src" / "daiku" / name
    assert link.is_symlink()
    assert str(link.readlink()) == f"../../{name}"
    assert link.resolve() == ROOT / name


@pytest.fixture(scope="module")
def wheel_names(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    return set(zipfile.ZipFile(wheel).namelist())


def test_wheel_holds_one_import_name(wheel_names: set[str]) -> None:
    tops = {name.split("/")[0] for name in wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"daiku"}


def test_wheel_holds_every_template_and_verb(wheel_names: set[str]) -> None:
    for folder in ("templates", "cli", "stacks"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                assert f"daiku/{folder}/{path.relative_to(ROOT / folder).as_posix()}" in wheel_names


def test_import_rule() -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

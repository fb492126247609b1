"""`daiku audit` and `daiku history` as a user types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from daiku.cli.job import Job, open_job

DAIKU = Path(sys.executable).with_name("daiku")
EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"


def daiku(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("DAIKU_")}
    return subprocess.run(
        [DAIKU, *arguments], cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    for name in ("DAIKU_STATE_DIR", "DAIKU_LOCK", "DAIKU_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cluster.yaml").write_bytes(EXAMPLE.read_bytes())
    job = open_job(tmp_path / "cluster.yaml")
    with job.exclusively("apply") as run, run.step("infrastructure") as did:
        did += ["create Switch nodes"]
    return job


def test_the_log_is_shown_and_verified(job: Job, tmp_path: Path) -> None:
    shown = json.loads(daiku(tmp_path, "audit", "show", "--json").stdout)
    assert [(e["event"], e["verb"], e["cluster"]) for e in shown] == [
        ("begin", "apply", "ishikari"),
        ("end", "apply", "ishikari"),
    ]
    assert shown[0]["details"] == {"plan": job.plan.digest(), "release": "2026.11"}
    assert "outcome done" in daiku(tmp_path, "audit", "show").stdout
    verified = daiku(tmp_path, "audit", "verify")
    assert (verified.returncode, shown[1]["hash"] in verified.stdout) == (0, True)
    known = daiku(tmp_path, "audit", "verify", "--head", shown[0]["hash"], "--json")
    assert json.loads(known.stdout) == {"entries": 2, "head": shown[1]["hash"], "unfinished": False}
    assert daiku(tmp_path, "audit", "verify", "--head", "0" * 64).returncode == 9


def test_one_changed_byte_is_exit_code_nine(job: Job, tmp_path: Path) -> None:
    log = job.state.audit_log
    data = log.read_bytes()
    log.write_bytes(data.replace(b'"outcome":"done"', b'"outcome":"done" '))
    for verb in ("verify", "show"):
        done = daiku(tmp_path, "audit", verb)
        assert done.returncode == 9
        assert f"{log}:2" in done.stderr
        assert "next: " in done.stderr


def test_one_run_is_shown_with_its_steps(job: Job, tmp_path: Path) -> None:
    (run,) = json.loads(daiku(tmp_path, "history", "--json").stdout)
    shown = json.loads(daiku(tmp_path, "history", "show", "last", "--json").stdout)
    assert (shown["id"], shown["outcome"]) == (run["id"], "done")
    assert [(s["step"], s["outcome"], s["message"]) for s in shown["steps"]] == [
        ("infrastructure", "done", "create Switch nodes")
    ]
    text = daiku(tmp_path, "history", "show", run["id"][:-2]).stdout
    assert "create Switch nodes" in text
    none = daiku(tmp_path, "history", "show", "nothing")
    assert (none.returncode, "daiku history" in none.stderr) == (8, True)

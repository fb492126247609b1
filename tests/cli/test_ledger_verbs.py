"""`daiku audit` and `daiku history` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daiku.cli.job import Job, open_job
from tests.cli.conftest import Daiku

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    for name in ("DAIKU_STATE_DIR", "DAIKU_LOCK", "DAIKU_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cluster.yaml").write_bytes(EXAMPLE.read_bytes())
    job = open_job(tmp_path / "cluster.yaml")
    with job.exclusively("apply") as run, run.step("infrastructure") as did:
        did += ["create Switch nodes"]
    return job


def test_the_log_is_shown_and_verified(job: Job, daiku: Daiku) -> None:
    shown = json.loads(daiku("audit", "show", "--json").out)
    assert [(e["event"], e["verb"], e["cluster"]) for e in shown] == [
        ("begin", "apply", "ishikari"),
        ("end", "apply", "ishikari"),
    ]
    assert shown[0]["details"] == {"plan": job.plan.digest(), "release": "2026.11"}
    assert "outcome done" in daiku("audit", "show").out
    verified = daiku("audit", "verify")
    assert (verified.code, shown[1]["hash"] in verified.out) == (0, True)
    known = daiku("audit", "verify", "--head", shown[0]["hash"], "--json")
    assert json.loads(known.out) == {"entries": 2, "head": shown[1]["hash"], "unfinished": False}
    assert daiku("audit", "verify", "--head", "0" * 64).code == 9
    assert daiku("audit", "verify", "--head", "0" * 63).code == 2


def test_one_changed_byte_is_exit_code_nine(job: Job, daiku: Daiku) -> None:
    log = job.state.audit_log
    data = log.read_bytes()
    log.write_bytes(data.replace(b'"outcome":"done"', b'"outcome":"done" '))
    for verb in ("verify", "show"):
        done = daiku("audit", verb)
        assert done.code == 9
        assert f"{log}:2" in done.err
        assert "next: " in done.err


def test_one_run_is_shown_with_its_steps(job: Job, daiku: Daiku) -> None:
    (run,) = json.loads(daiku("history", "--json").out)
    shown = json.loads(daiku("history", "show", "last", "--json").out)
    assert (shown["id"], shown["outcome"]) == (run["id"], "done")
    assert [(s["step"], s["outcome"], s["message"]) for s in shown["steps"]] == [
        ("infrastructure", "done", "create Switch nodes")
    ]
    text = daiku("history", "show", run["id"][:-2]).out
    assert "create Switch nodes" in text
    none = daiku("history", "show", "nothing")
    assert (none.code, "daiku history" in none.err) == (8, True)


def test_a_cluster_that_nothing_was_run_on_yet(tmp_path: Path, daiku: Daiku) -> None:
    (tmp_path / "cluster.yaml").write_text(EXAMPLE.read_text().replace("name: ishikari", "name: fresh", 1))
    done = daiku("history", "-f", str(tmp_path / "cluster.yaml"))
    assert (done.code, len(done.out.splitlines())) == (0, 1)
    assert done.out.startswith("nothing was run on cluster fresh yet")
    assert json.loads(daiku("history", "--json", "-f", str(tmp_path / "cluster.yaml")).out) == []
    verified = daiku("audit", "verify", "-f", str(tmp_path / "cluster.yaml"))
    assert (verified.code, verified.out.partition(":")[0]) == (
        0,
        "no run of this cluster is written down here",
    )

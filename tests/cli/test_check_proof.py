"""`daiku check` tells the fabric proof: code, lines, consequence and fix, for people and for machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Daiku
from tests.proof.cases import cases, text_of

CASES = {case["code"]: case for case in cases()}


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [("topology-rejects-rails", 3), ("range-overlap", 3), ("vfs-under-gpus", 0), ("mtu-node-over-switch", 0)],
)
def test_a_finding_is_told_with_its_code_consequence_and_fix(
    daiku: Daiku, tmp_path: Path, code: str, exit_code: int
) -> None:
    case = CASES[code]
    text = text_of(case)
    (tmp_path / "cluster.yaml").write_text(text)
    told = daiku("check")
    assert told.code == exit_code
    assert f" [{code}]" in told.err
    assert "what would happen: " in told.err
    assert case["at"] in told.err
    done = daiku("check", "--json")
    assert done.code == exit_code
    answer = json.loads(done.out)
    (finding,) = [*answer["faults"], *answer["warnings"]]
    assert finding["code"] == code
    assert finding["happens"] in told.err
    assert finding["hint"] in told.err
    assert text.split("\n")[finding["line"] - 1].strip() == case["at"]


def test_a_sound_cluster_is_told_with_what_waits(daiku: Daiku, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(text_of({}))
    done = daiku("check")
    waits = (
        "backups of etcd wait for a key to the bucket: daiku secret set backup-credentials --from FILE\n"
        "alerts are sent to nobody until it is said to whom: daiku secret set alertmanager-config --from FILE\n"
    )
    assert (done.code, done.err) == (0, waits)
    assert done.out.startswith("cluster.yaml: ok: cluster ishikari")


def test_a_plan_that_would_not_work_is_made_by_no_verb(daiku: Daiku, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(text_of(CASES["cpu-all-reserved"]))
    for verb in (["plan"], ["up", "--yes"], ["render", "--out", "out"]):
        done = daiku(*verb)
        assert done.code == 3, verb
        assert "[cpu-all-reserved]" in done.err

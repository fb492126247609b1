"""What the journal holds of hosts at every moment of a run: it may be killed at any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daiku.apply.report import Drift, FleetReport, HostReport, TriggerRun
from daiku.cli.host_journal import HostJournal
from daiku.cli.job import Job, open_job
from daiku.errors import HostError, HostUnreachableError

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
FACT = Drift("sysctl", "net.ipv4.ip_forward", "0", "1", "sysctl")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Job:
    for name in ("DAIKU_STATE_DIR", "DAIKU_LOCK", "DAIKU_FILE"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "cluster.yaml").write_bytes(EXAMPLE.read_bytes())
    return open_job(tmp_path / "cluster.yaml")


def host(name: str, *, differs: bool = True) -> HostReport:
    drift, triggers = ((FACT,), (TriggerRun("sysctl", None),)) if differs else ((), ())
    return HostReport(name, f"bundle of {name}", (), triggers, True, 10, 1, 2.5, drift)


def test_a_host_is_told_before_it_changes_and_as_soon_as_it_is_done(job: Job) -> None:
    did = "sysctl net.ipv4.ip_forward: 0 -> 1; trigger sysctl"
    ledger = job.journal()

    def told() -> list[tuple[str, str, str, str]]:
        return [(s.host, s.step, s.outcome, s.message) for s in ledger.steps(ledger.find("last").id)]

    with job.exclusively("apply") as run:
        hosts = HostJournal(run)
        hosts.event("a", "connect", "10.10.0.1")
        hosts.begin(host("a"))
        hosts.begin(host("b"))
        assert told() == [("a", "converge", "running", did), ("b", "converge", "running", did)]
        hosts.event("a", "trigger", "sysctl")
        hosts.event("a", "done", "1 setting")
        hosts.event("b", "failed", "trigger sysctl: exit status 1")
        hosts.event("c", "failed", "no route")
        after = [("a", "converge", "done", did), ("b", "converge", "failed", "trigger sysctl: exit status 1")]
        assert told() == after
        assert [(r.host, r.bundle) for r in ledger.receipts()] == [("a", "bundle of a")]
        hosts.finish(
            FleetReport(
                (replace(host("a"), dry_run=False), host("d", differs=False)),
                (
                    HostError("trigger sysctl: exit status 1", host="b", step="sysctl"),
                    HostUnreachableError("no route", host="c", step="connect"),
                ),
                (),
                interrupted=False,
                connections=4,
                seconds=3.0,
            )
        )
        assert run.details == {"hosts changed": 1}
    assert told() == [*after, ("d", "converge", "unchanged", ""), ("c", "connect", "failed", "no route")]
    assert [r.host for r in ledger.receipts()] == ["a", "d"]
    (noted,) = (s for s in ledger.steps(run.id) if s.host == "d")
    assert noted.finished is not None
    assert noted.finished - noted.started == pytest.approx(2.5)
    assert (ledger.find("last").outcome, ledger.find("last").message) == ("failed", "hosts failed: b, c")

"""A run from begin to end: the lock, the journal and the audit log agree, however it ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.errors import EngineError, LockHeldError, StateError
from daiku.ledger.audit import AuditLog
from daiku.ledger.database import Database
from daiku.ledger.journal import Journal
from daiku.ledger.lock import acquire
from daiku.ledger.running import running


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path / "ledger.sqlite")


@pytest.fixture
def audit(tmp_path: Path, database: Database) -> AuditLog:
    return AuditLog(tmp_path / "audit.log", database, "c1")


def test_a_run_that_ends_well(database: Database, audit: AuditLog) -> None:
    with running(database, audit, "up", {"plan": "abc"}) as run:
        with pytest.raises(LockHeldError):
            acquire(database, "apply")
        with run.step("infrastructure") as did:
            did += ["create Switch nodes", "create VpcRouter router"]
        with run.step("nothing"):
            pass
        run.details["hosts changed"] = 2
    begin, end = audit.verify().entries
    assert (begin.event, begin.run, begin.verb, begin.details) == ("begin", run.id, "up", {"plan": "abc"})
    assert (end.event, end.run, end.details) == ("end", run.id, {"outcome": "done", "hosts changed": 2})
    journal = Journal(database)
    assert journal.find("last").outcome == "done"
    assert [(s.step, s.outcome, s.message) for s in journal.steps(run.id)] == [
        ("infrastructure", "done", "create Switch nodes; create VpcRouter router"),
        ("nothing", "unchanged", ""),
    ]
    acquire(database, "apply").release()


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (EngineError("quota", where="router"), "failed", "router: quota"),
        (KeyboardInterrupt(), "interrupted", ""),
        (ZeroDivisionError("a secret"), "failed", "ZeroDivisionError"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_run_that_ends_badly(
    database: Database, audit: AuditLog, error: BaseException, outcome: str, message: str
) -> None:
    with pytest.raises(type(error)), running(database, audit, "up", {}) as run, run.step("infrastructure"):
        raise error
    end = audit.verify().entries[-1]
    assert end.details == {"outcome": outcome} | ({"message": message} if message else {})
    journal = Journal(database)
    assert (journal.find(run.id).outcome, journal.find(run.id).message) == (outcome, message)
    assert journal.steps(run.id)[0].outcome == outcome
    acquire(database, "apply").release()


def test_a_run_with_hosts_that_failed_has_failed(database: Database, audit: AuditLog) -> None:
    with running(database, audit, "apply", {}) as run:
        run.outcome, run.message = "failed", "hosts failed: n1"
    assert Journal(database).find("last").outcome == "failed"
    assert audit.verify().entries[-1].details == {"outcome": "failed", "message": "hosts failed: n1"}


def test_a_step_does_not_begin_once_the_lock_is_lost(database: Database, audit: AuditLog) -> None:
    with running(database, audit, "up", {}) as run:
        with database.writing() as connection:
            connection.execute("UPDATE lock SET token = 'somebody else'")
        run.locks[0].renew()  # type: ignore[attr-defined]
        with pytest.raises(LockHeldError, match="took it over"), run.step("infrastructure"):
            raise AssertionError
        assert Journal(database).steps(run.id) == ()


def test_nothing_begins_without_an_audit_entry(database: Database, audit: AuditLog) -> None:
    audit.path.mkdir()
    with pytest.raises(StateError, match="audit log"), running(database, audit, "up", {}):
        raise AssertionError
    acquire(database, "apply").release()


def test_a_run_is_found_by_a_prefix(database: Database) -> None:
    journal = Journal(database)
    first, second = journal.start("up"), journal.start("down")
    assert journal.find(first).verb == "up"
    assert journal.find(second[:-1]).verb == "down"
    with pytest.raises(StateError, match="2 runs begin with it"):
        journal.find(first[:8])
    with pytest.raises(StateError, match="no such run"):
        journal.find("x%")


def test_a_ledger_of_the_first_format_is_brought_up_to_date(tmp_path: Path) -> None:
    database = Database(tmp_path / "old.sqlite")
    with database.writing() as connection:
        connection.execute("DROP TABLE audit_head")
        connection.execute("PRAGMA user_version = 1")
    run = Journal(database).start("up")
    database.close()
    again = Database(tmp_path / "old.sqlite")
    assert Journal(again).find(run).verb == "up"
    AuditLog(tmp_path / "audit.log", again, "c1").append("begin", run, "up")

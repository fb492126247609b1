"""The state folder, the deploy key, the pins and the journal."""

from __future__ import annotations

import stat
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from daiku.errors import StateError
from daiku.ledger.database import Database
from daiku.ledger.host_keys import PinnedHostKeys
from daiku.ledger.journal import Journal
from daiku.ledger.keys import ensure_deploy_key
from daiku.ledger.lock import Holder, acquire, this_process
from daiku.ledger.paths import State
from daiku.wire.ssh_login import load_key


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_state_folder_is_private_even_if_it_was_open(tmp_path: Path) -> None:
    (tmp_path / ".daiku" / "c1").mkdir(parents=True, mode=0o755)
    state = State.open(tmp_path, "c1")
    assert mode(state.directory) == 0o700
    Database(state.database).close()
    assert mode(state.database) == 0o600


def test_a_state_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / ".daiku").write_text("a file")
    with pytest.raises(StateError, match="state folder"):
        State.open(tmp_path, "c1")


def test_the_deploy_key_is_made_once_and_private(tmp_path: Path) -> None:
    path, public = ensure_deploy_key(tmp_path / "keys")
    assert mode(path) == 0o600
    assert public.split()[0] == "ssh-ed25519"
    assert ensure_deploy_key(tmp_path / "keys") == (path, public)
    assert load_key(path).get_base64() == public.split()[1]
    assert [p.name for p in path.parent.iterdir()] == ["deploy"]


def test_first_calls_at_once_agree_on_one_key(tmp_path: Path) -> None:
    gate = threading.Barrier(8)
    seen: list[str] = []

    def make() -> None:
        gate.wait()
        seen.append(ensure_deploy_key(tmp_path / "keys")[1])

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_a_damaged_or_foreign_deploy_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "deploy"
    path.write_text("garbage")
    with pytest.raises(StateError, match="cannot be read") as caught:
        ensure_deploy_key(tmp_path)
    assert caught.value.where == str(path)
    path.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    )
    with pytest.raises(StateError, match="not an Ed25519 key"):
        ensure_deploy_key(tmp_path)


def test_a_pin_holds_for_one_incarnation(tmp_path: Path) -> None:
    database = Database(tmp_path / "l.sqlite")
    first = PinnedHostKeys(database, {"g0": "disk-1"})
    first.pin("g0", "ssh-ed25519 AAAA")
    first.pin("vm", "ssh-ed25519 BBBB")
    assert PinnedHostKeys(database, {"g0": "disk-1"}).pinned("g0") == "ssh-ed25519 AAAA"
    reinstalled = PinnedHostKeys(database, {"g0": "disk-2"})
    assert reinstalled.pinned("g0") is None
    assert reinstalled.pinned("vm") == "ssh-ed25519 BBBB"
    reinstalled.pin("g0", "ssh-ed25519 CCCC")
    assert first.pinned("g0") is None
    assert reinstalled.forget("g0")
    assert not reinstalled.forget("g0")
    assert reinstalled.pinned("g0") is None


def test_pins_outlive_the_process_and_many_threads_can_pin(tmp_path: Path) -> None:
    database = Database(tmp_path / "l.sqlite")
    pins = PinnedHostKeys(database)
    threads = [threading.Thread(target=pins.pin, args=(f"g{i}", f"ssh-ed25519 {i}")) for i in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    again = PinnedHostKeys(Database(tmp_path / "l.sqlite"))
    assert [again.pinned(f"g{i}") for i in range(20)] == [f"ssh-ed25519 {i}" for i in range(20)]


def test_the_journal_tells_what_happened(tmp_path: Path) -> None:
    times = iter(float(n) for n in range(1000, 1100))
    journal = Journal(Database(tmp_path / "l.sqlite"), clock=lambda: next(times))
    run = journal.start("up", Holder("anna", "desk", "b", 5, 1))
    done = journal.begin_step(run, "converge", "g0")
    killed = journal.begin_step(run, "converge", "g1", "/etc/hosts (content)")
    journal.end_step(done, "done", "x" * 5000)
    journal.receive(run, [("g0", "digest-1")])
    journal.receive(run, [("g0", "digest-2")])
    steps = journal.steps(run)
    assert [(s.number, s.host, s.outcome, s.finished) for s in steps] == [
        (done, "g0", "done", 1003.0),
        (killed, "g1", "killed", None),
    ]
    assert len(steps[0].message) == 2000
    assert [(r.host, r.bundle) for r in journal.receipts()] == [("g0", "digest-2")]
    journal.finish(run, "failed", "g1: no SSH")
    later = journal.start("apply", Holder("ben", "desk", "b", 6, 1))
    assert [(r.id, r.who, r.outcome, r.finished) for r in journal.runs()] == [
        (later, "ben", "killed", None),
        (run, "anna", "failed", 1006.0),
    ]
    assert len(journal.runs(limit=1)) == 1


def test_a_run_is_running_while_its_process_holds_the_cluster_and_killed_after(tmp_path: Path) -> None:
    database = Database(tmp_path / "l.sqlite")
    journal = Journal(database)
    me = this_process()
    dead = replace(me, process_start=me.process_start - 1)  # an earlier process of our number

    def begin(holder: Holder) -> str:
        run = journal.start("up", holder)
        journal.begin_step(run, "converge", "g1", "/etc/hosts (content)")
        return run

    with acquire(database, "up", holder=me):
        run = begin(me)
        assert [(s.outcome, s.message) for s in journal.steps(run)] == [("running", "/etc/hosts (content)")]
        assert journal.find(run).outcome == "running"
    assert [(s.outcome, s.message) for s in journal.steps(run)] == [("killed", "/etc/hosts (content)")]
    assert journal.find(run).outcome == "killed"
    assert "run the same command again" in journal.find(run).message
    acquire(database, "up", holder=dead)
    lost = begin(dead)
    assert journal.find(lost).outcome == "killed"
    with acquire(database, "up", holder=me):
        assert journal.find(lost).outcome == "killed"
        again = begin(me)
        assert [r.outcome for r in journal.runs() if r.id in (run, again)] == ["running", "killed"]


@pytest.mark.parametrize(
    "damage", [b"this is not a database, though it is long enough to look like one" * 20]
)
def test_a_damaged_ledger_is_one_clear_error(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "l.sqlite"
    path.write_bytes(damage)
    with pytest.raises(StateError, match="ledger cannot be used") as caught:
        Database(path)
    assert caught.value.where == str(path)


def test_a_ledger_of_a_newer_daiku_is_left_alone(tmp_path: Path) -> None:
    database = Database(tmp_path / "l.sqlite")
    with database.writing() as connection:
        connection.execute("PRAGMA user_version = 99")
    database.close()
    with pytest.raises(StateError, match="newer daiku"):
        Database(tmp_path / "l.sqlite")


def test_a_failed_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = Database(tmp_path / "l.sqlite")
    pins = PinnedHostKeys(database)

    def fail() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO host_keys VALUES ('g0', '', 'k')")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert pins.pinned("g0") is None
    pins.pin("g0", "k2")
    assert pins.pinned("g0") == "k2"

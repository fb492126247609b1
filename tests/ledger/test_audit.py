"""The audit log: every change of it shows, a killed writer does no harm, and many can write."""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daiku.errors import AuditError, StateError
from daiku.ledger.audit import GENESIS, AuditLog
from daiku.ledger.database import Database
from daiku.ledger.lock import Holder

ANNA = Holder("anna", "desk", "boot-1", 100, 7)


def log_in(folder: Path) -> AuditLog:
    return AuditLog(
        folder / "audit.log", Database(folder / "ledger.sqlite"), "c1", clock=lambda: 1_800_000_000.5
    )


def filled(folder: Path, count: int = 3) -> AuditLog:
    log = log_in(folder)
    for number in range(count):
        log.append("begin", f"run-{number}", "up", {"plan": "d" * 64, "hosts": number}, holder=ANNA)
    return log


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return filled(tmp_path_factory.mktemp("whole")).path.read_bytes()


def test_entries_say_who_did_what_and_hold_the_hash_before(tmp_path: Path) -> None:
    log = filled(tmp_path)
    log.append("end", "run-2", "up", {"outcome": "failed", "message": "鍵\nn1: no SSH"}, holder=ANNA)
    verified = log.verify()
    first, *_, last = verified.entries
    assert (first.number, first.before, first.at) == (1, GENESIS, "2027-01-15T08:00:00.500Z")
    assert (last.who, last.machine, last.cluster, last.event) == ("anna", "desk", "c1", "end")
    assert last.details["message"] == "鍵\nn1: no SSH"
    assert [e.before for e in verified.entries[1:]] == [e.hash for e in verified.entries[:-1]]
    assert (verified.head, verified.unfinished) == (last.hash, False)
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600
    assert [json.loads(line)["number"] for line in log.path.read_text().splitlines()] == [1, 2, 3, 4]


def test_an_empty_log_is_whole(tmp_path: Path) -> None:
    assert log_in(tmp_path).verify().head == GENESIS


def test_every_single_changed_byte_is_noticed(tmp_path: Path, whole: bytes) -> None:
    log = filled(tmp_path)
    assert log.path.read_bytes() == whole
    for place in range(len(whole)):
        mask = (0x01, 0x20, 0x80)[place % 3]
        log.path.write_bytes(whole[:place] + bytes([whole[place] ^ mask]) + whole[place + 1 :])
        with pytest.raises(AuditError):
            log.verify()
    log.path.write_bytes(whole)
    log.verify()


def test_every_removed_or_added_byte_is_noticed(tmp_path: Path, whole: bytes) -> None:
    log = filled(tmp_path)
    for place in range(0, len(whole), 3):
        log.path.write_bytes(whole[:place] + whole[place + 1 :])
        with pytest.raises(AuditError):
            log.verify()
        log.path.write_bytes(whole[:place])
        with pytest.raises(AuditError):
            log.verify()
        log.path.write_bytes(whole[:place] + b" " + whole[place:])
        with pytest.raises(AuditError):
            log.verify()


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda a, b, c: [b, a, c], ":1"),
        (lambda a, b, c: [a, c], ":2"),
        (lambda a, b, c: [b, c], ":1"),
        (lambda a, b, c: [a, b], ":2"),
        (lambda a, b, c: [a, b, b, c], ":3"),
        (lambda a, b, c: [a, b, c, c], ":4"),
        (lambda a, b, c: [], "audit.log"),
    ],
    ids=["swapped", "middle gone", "first gone", "last gone", "twice", "added", "emptied"],
)
def test_lines_that_go_or_move_are_noticed(
    tmp_path: Path, whole: bytes, change: Callable[..., list[bytes]], line: str
) -> None:
    log = filled(tmp_path)
    log.path.write_bytes(b"".join(change(*whole.splitlines(keepends=True))))
    with pytest.raises(AuditError) as caught:
        log.verify()
    assert caught.value.where.endswith(line)
    assert caught.value.exit_code == 9


def test_a_log_that_is_gone_or_written_anew_is_noticed(tmp_path: Path, whole: bytes) -> None:
    log = filled(tmp_path)
    log.path.unlink()
    with pytest.raises(AuditError, match="3: entries are gone"):
        log.verify()
    # A forger who knows daiku and writes both files: only a head that was kept elsewhere tells.
    forged = tmp_path / "forged"
    forged.mkdir()
    other = log_in(forged)
    for _ in range(3):
        other.append("begin", "run-9", "down", holder=ANNA)
    head = json.loads(whole.splitlines()[-1])["hash"]
    other.verify()
    with pytest.raises(AuditError, match="written anew"):
        other.verify(head)
    log.path.write_bytes(whole)
    assert log.verify(head).head == head


def test_a_damaged_log_is_added_to_and_stays_damaged(tmp_path: Path, whole: bytes) -> None:
    log = filled(tmp_path)
    log.path.write_bytes(whole.replace(b"run-1", b"run-X"))
    log.append("end", "run-2", "up", holder=ANNA)
    with pytest.raises(AuditError) as caught:
        log.verify()
    assert caught.value.where.endswith(":2")


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_writer_killed_at_any_byte_leaves_a_whole_log(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Killed before the ledger knew: the file has some or all bytes of one entry more than the head says."""
    folder = tmp_path_factory.mktemp("log")
    log = filled(folder)
    shutil.copy(log.path, folder / "before")
    shutil.copytree(folder, folder / "next", ignore=shutil.ignore_patterns("next"))
    ahead = log_in(folder / "next")
    ahead.append("end", "run-2", "up", holder=ANNA)
    grown = ahead.path.read_bytes()
    known = len((folder / "before").read_bytes())
    cut = data.draw(st.integers(known, len(grown)), label="bytes")
    log.path.write_bytes(grown[:cut])
    seen = log.verify()
    assert len(seen.entries) == (4 if cut == len(grown) else 3)
    assert seen.unfinished == (known < cut < len(grown))
    log.append("begin", "run-3", "apply", holder=ANNA)
    after = log.verify()
    assert [e.run for e in after.entries][:3] == ["run-0", "run-1", "run-2"]
    assert (after.entries[-1].run, after.unfinished) == ("run-3", False)


def _append(folder: str, name: str) -> None:
    log = log_in(Path(folder))
    for number in range(10):
        log.append("begin", f"{name}-{number}", "up")


def test_many_processes_write_one_chain(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=_append, args=(str(tmp_path), f"w{n}")) for n in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    entries = log_in(tmp_path).verify().entries
    assert len(entries) == 40
    assert {e.run for e in entries} == {f"w{n}-{i}" for n in range(4) for i in range(10)}


def test_a_writer_that_is_really_killed(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; import daiku.ledger.audit as audit; "
        "from tests.ledger.test_audit import filled; log = filled(Path(sys.argv[1])); write = os.write; "
        "os.write = lambda fd, data: (write(fd, data[:40]), os.kill(os.getpid(), signal.SIGKILL)); "
        "log.append('end', 'run-2', 'up')"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False)
    assert done.returncode == -9
    log = log_in(tmp_path)
    assert log.verify().unfinished
    log.append("begin", "run-3", "up", holder=ANNA)
    assert [e.run for e in log.verify().entries] == ["run-0", "run-1", "run-2", "run-3"]


def test_a_log_that_cannot_be_written_stops_the_run_before_it_begins(tmp_path: Path) -> None:
    log = log_in(tmp_path)
    log.path.mkdir()
    with pytest.raises(StateError, match="cannot be written") as caught:
        log.append("begin", "run-0", "up")
    assert caught.value.where == str(log.path)
    os.rmdir(log.path)  # noqa: PTH106
    log.append("begin", "run-0", "up")
    assert log.verify().entries[0].number == 1

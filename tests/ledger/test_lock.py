"""One run a cluster: who is kept out, and when a dead run's lock is free again."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.errors import LockHeldError
from daiku.ledger.database import Database
from daiku.ledger.lock import Holder, acquire, process_start, this_process

ANNA = Holder("anna", "desk", "boot-1", 100, 7)
BEN = Holder("ben", "laptop", "boot-2", 200, 9)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    opened = Database(tmp_path / "ledger.sqlite")
    yield opened
    opened.close()


def test_the_second_run_is_told_who_holds_the_lock(database: Database) -> None:
    clock = Clock()
    with acquire(database, "up", holder=ANNA, clock=clock):
        clock.now += 10
        with pytest.raises(LockHeldError) as caught:
            acquire(database, "apply", holder=BEN, clock=clock)
    assert caught.value.exit_code == 6
    for part in ("daiku up", "anna", "desk", "process 100", "since 1970-01-12 13:46:40 UTC", "13:47:40 UTC"):
        assert part in str(caught.value)


def test_the_lock_is_free_after_the_run(database: Database) -> None:
    with acquire(database, "up", holder=ANNA):
        pass
    with acquire(database, "up", holder=BEN):
        pass


def test_a_dead_lease_ends_and_its_holder_notices(database: Database) -> None:
    clock = Clock()
    old = acquire(database, "up", holder=ANNA, seconds=60, clock=clock)
    clock.now += 59
    with pytest.raises(LockHeldError):
        acquire(database, "up", holder=BEN, clock=clock)
    clock.now += 2
    with acquire(database, "up", holder=BEN, clock=clock) as new:
        with pytest.raises(LockHeldError, match="took it over"):
            old.check()
        old.release()  # must not free the lock of the new holder
        new.check()
        with pytest.raises(LockHeldError):
            acquire(database, "up", holder=ANNA, clock=clock)


def test_a_renewed_lease_holds(database: Database) -> None:
    clock = Clock()
    lease = acquire(database, "up", holder=ANNA, seconds=60, clock=clock)
    for _ in range(5):
        clock.now += 50
        assert lease.renew()
        lease.check()
    with pytest.raises(LockHeldError):
        acquire(database, "up", holder=BEN, clock=clock)


def test_a_late_holder_without_a_rival_goes_on(database: Database) -> None:
    clock = Clock()
    lease = acquire(database, "up", holder=ANNA, seconds=60, clock=clock)
    clock.now += 600
    lease.check()
    with pytest.raises(LockHeldError):
        acquire(database, "up", holder=BEN, clock=clock)


def test_keep_renews_while_the_run_works(database: Database) -> None:
    with acquire(database, "up", holder=ANNA, seconds=0.3).keep():
        time.sleep(0.6)
        with pytest.raises(LockHeldError):
            acquire(database, "up", holder=BEN)


def test_a_process_killed_on_this_machine_frees_the_lock_at_once(tmp_path: Path, database: Database) -> None:
    program = (
        "import sys, time; from pathlib import Path; from daiku.ledger.database import Database; "
        "from daiku.ledger.lock import acquire; "
        "lease = acquire(Database(Path(sys.argv[1])), 'up'); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", program, str(database.path)], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(LockHeldError, match=f"process {child.pid}"):
        acquire(database, "up")
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, but a zombie
    assert process_start(child.pid) is None
    with acquire(database, "up"):
        pass
    child.wait()
    child.stdout.close()


def test_a_reused_process_id_does_not_keep_the_lock(database: Database) -> None:
    me = this_process()
    dead = Holder(me.who, me.machine, me.boot, me.pid, me.process_start - 1)
    acquire(database, "up", holder=dead)
    with acquire(database, "up"):
        pass


def _race(path: str, gate: object, results: object) -> None:
    gate.wait()  # type: ignore[attr-defined]
    database = Database(Path(path))
    try:
        acquire(database, "up")
        results.put("held")  # type: ignore[attr-defined]
        time.sleep(0.5)
    except LockHeldError:
        results.put("refused")  # type: ignore[attr-defined]


def test_of_many_at_once_one_gets_it(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    gate, results = context.Barrier(4), context.Queue()
    racers = [
        context.Process(target=_race, args=(str(tmp_path / "l.sqlite"), gate, results)) for _ in range(4)
    ]
    for racer in racers:
        racer.start()
    outcomes = sorted(results.get(timeout=20) for _ in racers)
    for racer in racers:
        racer.join()
    assert outcomes == ["held", "refused", "refused", "refused"]

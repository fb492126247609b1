"""While the engine works its lease is looked at, and a lost one stops it."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from daiku.errors import EngineError, LockHeldError
from daiku.stacks.command import EngineCommand
from daiku.stacks.lease import LeaseWatch

PATIENCE = 20.0


class Lease:
    """Lost at the question of that number; asked tells how often it was asked."""

    def __init__(self, lost_at: int) -> None:
        self.lost_at = lost_at
        self.asked = 0

    def check(self) -> None:
        self.asked += 1
        if self.asked >= self.lost_at:
            raise LockHeldError("another run holds the cluster")


def watch(lease: Lease, stopped: threading.Event) -> LeaseWatch:
    return LeaseWatch(lease.check, stopped.set, interval=0.01)


def test_one_that_is_lost_before_begins_nothing() -> None:
    stopped = threading.Event()
    with pytest.raises(LockHeldError), watch(Lease(1), stopped):
        pytest.fail("it began")
    assert not stopped.is_set()


@pytest.mark.parametrize("after", [None, EngineError("cancelled"), KeyboardInterrupt()], ids=str)
def test_one_that_is_lost_meanwhile_stops_the_work_and_is_what_is_told(after: BaseException | None) -> None:
    lease, stopped = Lease(3), threading.Event()

    def work() -> None:
        with watch(lease, stopped):
            assert stopped.wait(PATIENCE)
            if after is not None:
                raise after

    with pytest.raises(LockHeldError):
        work()
    assert lease.asked == 3


def test_one_that_is_kept_disturbs_nothing() -> None:
    lease, stopped = Lease(10**9), threading.Event()
    with watch(lease, stopped):
        deadline = time.monotonic() + PATIENCE
        while lease.asked < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert lease.asked >= 3
    assert not stopped.is_set()
    with pytest.raises(EngineError), watch(lease, stopped):
        raise EngineError("its own words")


def program(tmp_path: Path, body: str) -> EngineCommand:
    script = tmp_path / "engine"
    script.write_text(f'#!/bin/sh\n[ "$1" = version ] && exec echo 3.0.0\n{body}\n')
    script.chmod(0o755)
    return EngineCommand(script)


def test_what_was_interrupted_begins_no_further_command(tmp_path: Path) -> None:
    command = program(tmp_path, "touch began")
    command.interrupt()
    with pytest.raises(KeyboardInterrupt):
        command.run(["up"], str(tmp_path), {})
    assert not (tmp_path / "began").exists()
    command.interrupted = False
    command.run(["up"], str(tmp_path), {})
    assert (tmp_path / "began").exists()


def test_a_command_that_works_is_told_once(tmp_path: Path) -> None:
    command = program(
        tmp_path, "trap 'echo told >> told; exit 1' INT\ntouch began\nwhile :; do sleep 0.05; done"
    )

    def interrupt() -> None:
        deadline = time.monotonic() + PATIENCE
        while not (tmp_path / "began").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        command.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(Exception, match="code: 1"):
        command.run(["up"], str(tmp_path), {})
    thread.join()
    assert (tmp_path / "told").read_text() == "told\n"

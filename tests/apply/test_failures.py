"""Failures on a host: what they say, what they leave, and how the next run goes on."""

from __future__ import annotations

import itertools
import os
import select
import threading
import time
from pathlib import Path

import pytest

from daiku.apply.converge import StoppedError
from daiku.apply.helper import wire
from daiku.errors import HostDiskFullError, HostError, HostUnreachableError
from daiku.render.bundle import HostBundle, Trigger
from tests.apply.rehearsal import (
    Rehearsal,
    bundle_of,
    failing,
    file,
    live,
    noted,
    noting,
    order_of,
    run,
    wanted,
)


def test_a_failing_trigger_is_told_with_its_output_and_stays_due(tmp_path: Path) -> None:
    def make(command: str) -> HostBundle:
        return bundle_of(
            file("/etc/a", "1", trigger="bad"),
            noting("before", 1),
            Trigger("bad", ("sh", "-c", command), 2),
            noting("after", 3),
        )

    failing_bundle = make("echo no such unit >&2; test -e mended")
    with pytest.raises(HostError, match=r"trigger bad \(sh -c .*exit status 1\n.*no such unit") as caught:
        run(tmp_path, failing_bundle)
    assert caught.value.step == "trigger bad"
    assert live(tmp_path)["/etc/a"] == (b"1", 0o644)
    (tmp_path / "mended").touch()
    report = run(tmp_path, failing_bundle)
    assert report.changes == ()
    assert [t.name for t in report.triggers] == ["bad", "after"]
    assert order_of(tmp_path) == ["before", "after"]
    (tmp_path / "mended").unlink()
    assert not run(tmp_path, failing_bundle).changed


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (("no-such-program",), "cannot be started: No such file"),
        (("sh", "-c", "kill -9 $$"), "killed by signal 9"),
    ],
)
def test_a_trigger_that_cannot_run(tmp_path: Path, command: tuple[str, ...], message: str) -> None:
    with pytest.raises(HostError, match=message):
        run(tmp_path, bundle_of(Trigger("t", command, 1)))


def test_a_trigger_that_hangs_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("daiku.apply.converge.TRIGGER_SECONDS", 0.3)
    began = time.monotonic()
    with pytest.raises(HostError, match=r"did not end within 0\.3 s"):
        run(tmp_path, bundle_of(Trigger("t", ("sleep", "30"), 1)))
    assert time.monotonic() - began < 5


def test_a_trigger_may_leave_a_daemon_that_holds_its_output(tmp_path: Path) -> None:
    began = time.monotonic()
    run(tmp_path, bundle_of(Trigger("t", ("sh", "-c", "sleep 8 & echo started"), 1)))
    assert time.monotonic() - began < 5


def test_two_runs_at_once_take_turns(tmp_path: Path) -> None:
    slow = bundle_of(
        file("/etc/a", "1", trigger="t"), Trigger("t", ("sh", "-c", "sleep 0.4; echo >> ran"), 1)
    )
    results: list[bool] = []
    threads = [threading.Thread(target=lambda: results.append(run(tmp_path, slow).changed)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True]
    assert (tmp_path / "ran").read_text() == "\n"


def test_a_run_that_is_stopped_before_the_change_changes_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, bundle_of(file("/etc/a", "1")), stopped=lambda: True)
    assert live(tmp_path) == {}


def test_a_full_disk_changes_nothing_wherever_it_strikes(tmp_path: Path) -> None:
    old = bundle_of(file("/etc/a", "old a" * 100), file("/etc/b", "old b"), file("/etc/c", "old c"))
    new = bundle_of(file("/etc/a", "new a" * 100, trigger="t"), file("/etc/new/b", "new b"), noting("t", 1))
    told: list[HostDiskFullError] = []
    for at in range(1, 60):
        root = tmp_path / str(at)
        run(root, old)
        before = live(root)
        try:
            run(root, new, Rehearsal(failing(at)))
        except HostDiskFullError as error:
            told.append(error)
        else:
            break
        # Contents are all written before the first one goes live; only the last records come after.
        assert live(root) in (before, wanted(new))
        if live(root) == before:
            assert noted(root, "t") == []
        assert [p for p in root.rglob("*") if ".daiku-new-" in p.name] == []
        run(root, new)
        assert live(root) == wanted(new)
        assert noted(root, "t")
    assert len(told) > 5
    assert {error.exit_code for error in told} == {24}
    assert all("no space left on the file system" in str(error) for error in told)


def test_a_disk_that_stands_still_for_long_is_no_lost_host(tmp_path: Path) -> None:
    """One fsync may take longer than the silence after which a connection counts as lost: a disk that is busy."""

    def before() -> None:
        wire.BEAT_SECONDS = 0.1
        seconds = itertools.chain([1.2], itertools.repeat(0.0))
        os.fsync = lambda _descriptor: time.sleep(next(seconds))

    bundle = bundle_of(file("/a", "new"))
    assert run(tmp_path, bundle, Rehearsal(before), silence=0.8).changed
    assert live(tmp_path) == wanted(bundle)


def until_it_is_given_up(_descriptor: object) -> None:
    """Returns once the other side has closed the connection."""
    poll = select.poll()
    poll.register(0, 0)  # of standard input its end alone
    assert poll.poll(60_000)


def test_a_disk_that_answers_no_more_is_told_in_time(tmp_path: Path) -> None:
    def before() -> None:
        wire.BEAT_SECONDS, wire.STILL_SECONDS = 0.1, 0.5
        os.fsync = until_it_is_given_up

    with pytest.raises(HostUnreachableError, match="no answer within"):
        run(tmp_path, bundle_of(file("/a", "new")), Rehearsal(before), silence=0.8)

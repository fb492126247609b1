"""Triggers that can cut the host off: what is kept, what is taken back, and by whom."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import pytest

from daiku.errors import HostError, HostUnreachableError
from daiku.render.bundle import HostBundle, Trigger
from tests.apply.rehearsal import Pipes, Rehearsal, bundle_of, dying, file, live, noting, run, wanted

NET = "etc/netplan"


def network(text: str, command: str = "true") -> HostBundle:
    """A network whose running state is the file `running`: all of the netplan files, one after the other."""
    apply = Trigger("netplan", ("sh", "-c", f"cat etc/netplan/* > running; {command}"), 50, guarded=True)
    net = file("/etc/netplan/50-daiku.yaml", text, 0o600, trigger="netplan")
    last = file("/etc/last", text, trigger="last")
    return bundle_of(net, last, apply, noting("last", 90, "/etc/last"))


def running(root: Path) -> str:
    return (root / "running").read_text()


def files(root: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted((root / NET).iterdir())}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host with a network of its own."""
    (tmp_path / NET).mkdir(parents=True)
    (tmp_path / NET / "01-installer.yaml").write_text("installed ")
    (tmp_path / "running").write_text("installed ")
    return tmp_path


class Cut(Rehearsal):
    """A host whose first connection is cut when its trigger begins to run: nothing comes from it or goes to it."""

    class Line(Pipes):
        cut = False

        def read(self, limit: int = 65536, timeout: float | None = None) -> bytes:
            data = b"" if self.cut else super().read(limit, timeout)
            if b'"netplan"' in data and b'"event"' in data:
                self.cut = True
            if self.cut:
                raise HostUnreachableError("cut", host="n1")
            return data

        def close(self) -> None:
            if self.cut:  # the other side does not hear that we hang up
                self._to, self._out = os.dup(self._to), os.dup(self._out)
            super().close()

        def status(self, _timeout: float = 0) -> int:
            return 0 if self.cut else super().status()

    def open(self, command: str) -> Pipes:
        line = super().open(command)
        return line if self.opened > 1 else self.Line(line._pid, line._to, line._out)


def until(condition: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_network_through_which_we_are_heard_is_kept(root: Path) -> None:
    report = run(root, network("new"), confirm=20)
    assert [t.name for t in report.triggers] == ["netplan", "last"]
    assert (report.round_trips, running(root)) == (3, "installed new")
    assert not (root / "var/lib/daiku/guard.json").exists()
    again = run(root, network("new"))
    assert (again.changed, again.round_trips) == (False, 1)


def test_a_new_connection_confirms_what_cut_the_old_one(root: Path) -> None:
    session = Cut()
    report = run(root, network("new"), session, reconnect=lambda: session, confirm=20)
    assert [t.name for t in report.triggers] == ["netplan", "last"]
    assert (session.opened, running(root)) == (2, "installed new")
    assert not run(root, network("new")).changed


def test_a_network_that_cuts_the_host_off_is_taken_back(root: Path) -> None:
    run(root, network("good "))
    (root / NET / "90-by-hand.yaml").write_text("hand")
    before = files(root)
    session = Cut()

    def reconnect() -> Rehearsal:
        """Nobody gets through while the bad network runs."""
        until(lambda: "bad" in running(root))
        until(lambda: "bad" not in running(root))
        return session

    bad = network("bad")
    with pytest.raises(
        HostError, match=r"after trigger netplan .* could not be reached for 0\.3 s; .* restored"
    ) as e:
        run(root, bad, session, reconnect=reconnect, confirm=0.3)
    assert (e.value.exit_code, files(root), running(root)) == (22, before, "installed good hand")
    assert not (root / "log/last").read_text().endswith("bad\n==\n")
    planned = run(root, bad, dry_run=True)
    assert [c.path for c in planned.changes] == ["/etc/netplan/50-daiku.yaml"]
    assert run(root, network("better"), confirm=20).changed
    assert running(root) == "installed betterhand"


def test_a_network_that_is_refused_is_taken_back_at_once(root: Path) -> None:
    before = files(root)
    refused = network("bad", "if grep -q bad running; then echo no such device >&2; exit 1; fi")
    with pytest.raises(
        HostError, match=r"exit status 1; the network that it had before was restored\nno such device"
    ):
        run(root, refused, confirm=20)
    assert (files(root), running(root)) == (before, "installed ")


def test_what_cannot_be_restored_is_told(root: Path) -> None:
    with pytest.raises(HostError, match=r"could not be restored: .* failed: exit status 1"):
        run(root, network("bad", "exit 1"), confirm=20)
    assert files(root) == {"01-installer.yaml": "installed "}


@pytest.mark.parametrize("confirm", [0.2])
def test_a_helper_that_is_killed_leaves_a_watcher_that_takes_the_network_back(
    root: Path, confirm: float
) -> None:
    before = files(root)
    with pytest.raises(HostError):
        run(root, network("bad", "grep -q bad running && kill -9 $PPID || true"), confirm=confirm)
    until(lambda: (files(root), running(root)) == (before, "installed "))
    assert run(root, network("good"), confirm=20).changed
    assert live(root)["/etc/netplan/50-daiku.yaml"][0] == b"good"


def test_when_the_watcher_is_killed_the_helper_takes_the_network_back(root: Path) -> None:
    before = files(root)
    killing = Rehearsal(_kill_next_child)
    with pytest.raises(HostError, match="restored"):
        run(root, network("bad"), killing, confirm=20)
    assert (files(root), running(root)) == (before, "installed ")


def _kill_next_child() -> None:
    fork = os.fork

    def forked() -> int:
        pid = fork()
        if pid:
            os.kill(pid, signal.SIGKILL)
        return pid

    os.fork = forked


@pytest.mark.slow
@pytest.mark.parametrize("half", [False, True])
def test_killed_at_every_call_the_next_run_reaches_the_end(tmp_path: Path, half: bool) -> None:
    """Helper and watcher both die there, as when power is lost: the next run is heard, so the network stays."""
    new = network("new")
    for at in range(1, 100):
        root = tmp_path / str(at)
        (root / NET).mkdir(parents=True)
        try:
            run(root, new, Rehearsal(dying(at, half=half)), confirm=0.2)
        except HostError:
            pass
        else:
            break
        report = run(root, new, confirm=20)
        assert live(root) == {**wanted(new), "/running": (b"new", 0o644)}
        assert all(t.name in {"netplan", "last"} for t in report.triggers)
        assert not run(root, new).changed
        assert sorted(p.name for p in (root / "var/lib/daiku").iterdir() if p.name != "previous") == [
            "lock",
            "receipt.json",
        ]
    else:
        pytest.fail("the run did not get through")
    assert at > 15


class Silent(Rehearsal):
    """A host that asks whether we reach it and gets no answer."""

    class Line(Pipes):
        def write(self, data: bytes, _timeout: float | None = None) -> None:
            if b"reached" not in data:
                super().write(data)

    def open(self, command: str) -> Pipes:
        line = super().open(command)
        return self.Line(line._pid, line._to, line._out)

    def __enter__(self) -> Self:
        return self


def test_a_conversation_that_stays_but_is_not_heard_is_told(root: Path) -> None:
    before = files(root)
    options: dict[str, Any] = {"confirm": 0.3}
    with pytest.raises(HostError, match="could not be reached for"):
        run(root, network("bad"), Silent(), **options)
    assert files(root) == before

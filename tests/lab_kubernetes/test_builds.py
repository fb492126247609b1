"""The lab's background builds: told, stopped with the lab, and their failure known to the hosts."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from daiku.errors import MissingToolError
from daiku.lab import builds
from daiku.lab.builds import Builds
from daiku.lab.hosts import Programs


class Slow(Programs):
    """Builds until it is stopped by its caller's callback, as a long `go build` does."""

    begun = threading.Event()

    def build(self, progress: Callable[[str], None], environ: object = None) -> None:
        progress("compiling")
        self.begun.set()
        pause = threading.Event()
        while True:
            pause.wait(0.01)
            progress("compiling")


class Broken(Programs):
    def build(self, progress: Callable[[str], None], environ: object = None) -> None:
        raise MissingToolError("no network", where="kubeadm")


class Quick(Programs):
    def build(self, progress: Callable[[str], None], environ: object = None) -> None:
        progress("found")


def test_a_build_ends_with_the_lab(tmp_path: Path) -> None:
    programs = Slow(tmp_path)
    running = Builds(programs)
    running.start()
    assert programs.begun.wait(10)
    assert running.line() == "compiling"
    running.stop()
    assert not [thread for thread in threading.enumerate() if thread.name == "builds" and thread.is_alive()]


def test_a_failure_is_said_and_told_to_the_hosts(tmp_path: Path) -> None:
    running = Builds(Broken(tmp_path))
    running.start()
    running.stop()
    assert "no network" in running.line()
    assert "no network" in (tmp_path / "programs" / "failed").read_text()


def test_at_the_end_it_is_ready(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builds, "provide_all", lambda *_: {})
    running = Builds(Quick(tmp_path))
    running.start()
    for thread in threading.enumerate():
        if thread.name == "builds":
            thread.join(10)
    assert running.line() == "ready"
    assert (tmp_path / "programs" / "kubernetes").read_text().count(".") == 2

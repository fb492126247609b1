"""What runs beside kubeadm on a host: its files come and go, its silence ends it, its last words are kept."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from daiku.apply.payload import program
from daiku.apply.phases.host import kubeadm as host
from daiku.apply.phases.host import look
from daiku.apply.phases.remote import PACKAGE, START

ARGUMENTS: dict[str, Any] = {
    "arguments": ["init"],
    "files": {},
    "limit": 30.0,
    "vips": [],
    "carry": "as-is",
    "address": "127.0.0.1",
    "port": 1,
    "wipe": [],
}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host whose kubeadm is a script: `place/bin/kubeadm`."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setattr(host, "RUN", str(tmp_path / "run/kubeadm"))
    monkeypatch.setattr(host, "LOCK", str(tmp_path / "run/lock"))
    monkeypatch.setattr(look, "LOCK", str(tmp_path / "run/lock"))
    monkeypatch.setitem(host.PATH, "PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("PATH", host.PATH["PATH"])
    return tmp_path


def script(place: Path, text: str) -> None:
    path = place / "bin/kubeadm"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def run(said: list[str] | None = None, **changed: Any) -> dict[str, Any]:
    def say(**message: Any) -> None:
        if said is not None:
            said.append(message["line"])

    return host.run(say, **{**ARGUMENTS, **changed})


def test_files_are_private_and_only_there_while_it_works(place: Path) -> None:
    script(place, f"stat -c '%a %n' {place}/run/kubeadm {place}/run/kubeadm/*; cat {place}/run/kubeadm/a")
    answer = run(files={"a": "secret\n", "b": "x"})
    assert answer["status"] == 0
    assert answer["last"] == [
        f"700 {place}/run/kubeadm",
        f"600 {place}/run/kubeadm/a",
        f"600 {place}/run/kubeadm/b",
        "secret",
    ]
    assert not (place / "run/kubeadm").exists()
    assert stat.S_IMODE((place / "run").stat().st_mode) == 0o700


def test_files_of_a_killed_run_are_gone_before_the_next(place: Path) -> None:
    (place / "run/kubeadm").mkdir(parents=True)
    (place / "run/kubeadm/old").write_text("token")
    script(place, f"ls {place}/run/kubeadm; exit 1")
    assert run(files={"new": ""})["last"] == ["new"]
    assert not (place / "run/kubeadm").exists()


def test_a_failure_tells_its_last_words(place: Path) -> None:
    script(place, "echo '[preflight] Running'; echo 'error: port 6443 is in use' >&2; exit 3")
    said: list[str] = []
    answer = run(said)
    assert (answer["status"], answer["timed_out"]) == (3, False)
    assert answer["last"] == ["[preflight] Running", "error: port 6443 is in use"]
    assert said == ["[preflight] Running"]


def test_silence_ends_it_with_all_its_children(place: Path) -> None:
    script(place, f"echo '[wait] begins'; sleep 300 & echo $! > {place}/child; wait")
    answer = run(limit=0.5)
    assert answer["timed_out"]
    assert answer["last"] == ["[wait] begins"]
    child = int((place / "child").read_text())
    assert not Path(f"/proc/{child}").exists() or "State:\tZ" in Path(f"/proc/{child}/status").read_text()


@pytest.mark.parametrize("way", ["", "setsid "], ids=["of its group", "of its own session"])
def test_what_kubeadm_leaves_behind_is_not_waited_for(
    place: Path, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that keeps kubeadm's output open must not hold bring-up for ever."""
    monkeypatch.setattr(host, "END_SECONDS", 0.2)
    script(place, f"echo '[done]'; {way}sleep 60 & echo $! > {place}/child; exit 0")
    began = time.monotonic()
    answer = run()
    took = time.monotonic() - began
    child = int((place / "child").read_text())
    with contextlib.suppress(ProcessLookupError):
        os.kill(child, 9)
    assert (answer["status"], answer["timed_out"], answer["last"]) == (0, False, ["[done]"])
    assert took < 30


def test_a_kubeadm_that_closed_its_output_is_waited_for(place: Path) -> None:
    script(place, "exec >&- 2>&-; sleep 0.3; exit 4")
    assert run()["status"] == 4


def test_a_host_without_kubeadm_says_so(place: Path) -> None:
    answer = run()
    assert answer["status"] == 127
    assert "kubeadm" in answer["last"][0]


def test_one_at_a_time_and_the_next_run_sees_it(place: Path) -> None:
    assert not look.busy()
    script(place, f"echo $$ > {place}/pid; exec sleep 300")
    pid = os.fork()
    if pid == 0:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        run()
        os._exit(0)
    try:
        until(lambda: (place / "pid").exists() and (place / "pid").read_text().strip())
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        assert look.busy(), "kubeadm itself holds the lock when its supervisor is gone"
        assert run()["busy"]
    finally:
        os.kill(int((place / "pid").read_text()), 9)
    until(lambda: not look.busy())


def until(true: Any) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_success_empties_what_it_is_told_to(place: Path) -> None:
    (place / "etcd/member").mkdir(parents=True)
    script(place, "exit 1")
    run(wipe=[str(place / "etcd")])
    assert (place / "etcd/member").exists(), "a reset that failed keeps the data"
    script(place, "exit 0")
    run(wipe=[str(place / "etcd")])
    assert list((place / "etcd").iterdir()) == []


def test_the_program_is_whole_and_runs_on_a_bare_python() -> None:
    text = program(PACKAGE, START)
    compile(text, "program", "exec")
    assert sys.version_info >= (3, 8)
    assert "import daiku.apply.helper" not in text

"""The ways to the hosts: one log-in each, made anew when lost; a host that fails stops no other."""

from __future__ import annotations

import _thread
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.apply.phases.reach import Reach
from daiku.apply.targets import Target, Targets
from daiku.errors import HostError, HostUnreachableError
from daiku.wire.ssh import Session
from daiku.wire.ssh_types import Endpoint
from tests.ssh.server import Pins, Sshd, make_key, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Sshd, Reach]]:
    with serving(tmp_path) as (sshd, key):
        # One server plays bastion and host; nothing listens at port 1.
        targets = Targets(
            Target("gate", sshd.endpoint()),
            (Target("n1", sshd.endpoint()), Target("dead", Endpoint("127.0.0.1", 1, "root"))),
        )
        with Reach(targets, key_file=key, host_keys=Pins(), timeout=10) as reach:
            yield sshd, reach


def test_a_host_is_logged_in_to_once(server: tuple[Sshd, Reach]) -> None:
    sshd, reach = server
    first = reach.session("n1")
    assert reach.session("n1") is first
    assert reach.jump() is reach.session("gate")
    assert (sshd.connections, sshd.forwards) == (2, 1)


def test_a_lost_session_is_made_anew(server: tuple[Sshd, Reach]) -> None:
    sshd, reach = server
    first = reach.session("n1")
    sshd.drop()
    first.close()
    reach.jump().close()
    again = reach.session("n1")
    assert again is not first
    assert again.run("echo well").stdout == b"well\n"


def test_a_host_that_fails_stops_no_other(server: tuple[Sshd, Reach]) -> None:
    _, reach = server
    answers = reach.each(["dead", "n1"], lambda name: reach.session(name).run("echo $0").status)
    assert answers["n1"] == 0
    assert isinstance(answers["dead"], HostUnreachableError)
    with pytest.raises(HostError):
        reach.session("dead", patience=1.5)


def test_a_dead_bastion_is_dialled_once_for_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_key(tmp_path / "key")
    dialled: list[str] = []

    def connect(name: str, *_: object, **__: object) -> Session:
        dialled.append(name)
        time.sleep(0.1)
        raise HostUnreachableError("no answer", host=name)

    monkeypatch.setattr("daiku.apply.phases.reach.connect", connect)
    nowhere = Endpoint("127.0.0.1", 1, "root")
    hosts = tuple(Target(f"n{number}", nowhere) for number in range(40))
    with Reach(Targets(Target("gate", nowhere), hosts), key_file=tmp_path / "key", host_keys=Pins()) as reach:
        answers = reach.each([host.name for host in hosts], lambda name: reach.session(name).name)
        assert all(isinstance(one, HostUnreachableError) and one.host == "gate" for one in answers.values())
        assert dialled == ["gate"]
        monkeypatch.setattr("daiku.apply.phases.reach.DEAD_SECONDS", 0.0)
        with pytest.raises(HostUnreachableError):
            reach.session("n1")
        assert dialled == ["gate", "gate"], "after a moment it is tried again"


def test_an_interruption_leaves_what_runs_on_hosts(server: tuple[Sshd, Reach]) -> None:
    _, reach = server
    began = threading.Event()

    def work(name: str) -> int:
        session = reach.session(name)
        began.set()
        return session.run("sleep 1").status

    threading.Thread(target=lambda: began.wait(30) and _thread.interrupt_main(), daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        reach.each(["n1"], work)

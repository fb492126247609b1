"""The ways to the hosts: one log-in each, made anew when lost; a host that fails stops no other."""

from __future__ import annotations

import _thread
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.apply.phases.reach import Reach
from daiku.apply.targets import Target, Targets
from daiku.errors import HostError, HostUnreachableError
from daiku.wire.ssh_types import Endpoint
from tests.ssh.server import Pins, Sshd, serving


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

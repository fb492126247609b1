"""The ways through the bastion: how many there are, and what becomes of the hosts when one is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daiku.apply.bastion import Bastion
from daiku.errors import HostError, HostUnreachableError
from daiku.wire.ssh import Session, connect
from tests.apply.rehearsal import live, wanted
from tests.apply.servers import ALL, HERE, NAMES, Fleet
from tests.ssh.server import Pins, Sshd, serving

HOSTS = NAMES[1:]
ONES = {name: ALL[name] for name in HOSTS}


def together(action: Callable[[], object] | None = None) -> Callable[[object], None]:
    """An approval that waits for all hosts, does `action` once, and lets them change."""
    barrier = threading.Barrier(len(HOSTS), action)
    return lambda _report: barrier.wait(30) and None


@pytest.mark.parametrize(("hosts_a_way", "ways"), [(1, 4), (2, 2), (3, 2), (8, 1)])
def test_a_connection_to_the_bastion_carries_so_many_hosts(fleet: Fleet, hosts_a_way: int, ways: int) -> None:
    report = fleet.run(ONES, settings=replace(HERE, hosts_a_way=hosts_a_way), approve=together())
    assert (len(report.reports), report.failures, report.connections) == (4, (), 4 + ways)
    assert fleet.connections() == {"mgmt-0": ways, "g0": 1, "g1": 1, "g2": 1, "g3": 1}


def test_hosts_that_are_done_leave_their_place_to_others(fleet: Fleet) -> None:
    report = fleet.run(ALL, settings=replace(HERE, hosts_a_way=1, parallel=1))
    assert (len(report.reports), report.connections) == (5, 5)


def test_a_way_that_is_lost_takes_none_but_its_own_hosts_and_they_go_on_over_another(fleet: Fleet) -> None:
    bastion = fleet.servers["mgmt-0"]
    lose = together(lambda: bastion.drop(1))
    report = fleet.run(ONES, settings=replace(HERE, hosts_a_way=2), approve=lose)
    assert (len(report.reports), report.failures) == (4, ())
    assert sorted(fleet.connections()[name] for name in HOSTS) == [1, 1, 2, 2]
    assert all(live(fleet.folder / name) == wanted(ALL[name]) for name in HOSTS)


def test_a_way_that_was_lost_before_a_host_is_begun_is_made_anew(fleet: Fleet) -> None:
    def lose(host: str, step: str, _message: str) -> None:
        if (host, step) == ("g1", "connect"):
            fleet.servers["mgmt-0"].drop()

    report = fleet.run(ALL, settings=replace(HERE, parallel=1), on_event=lose)
    assert (len(report.reports), report.failures) == (5, ())
    assert fleet.connections()["mgmt-0"] == 2


def test_a_bastion_that_is_gone_is_given_up_once(fleet: Fleet) -> None:
    def lose(host: str, step: str, _message: str) -> None:
        fleet.events.append((host, step, ""))
        if (host, step) == ("g1", "connect"):
            fleet.servers["mgmt-0"].close()

    report = fleet.run(ONES, settings=replace(HERE, parallel=1), on_event=lose)
    assert [one.host for one in report.reports] == ["g0"]
    assert [failure.host for failure in report.failures] == ["g1", "g2", "g3"]
    assert all("because the bastion mgmt-0 cannot be used" in str(failure) for failure in report.failures)
    assert ("g2", "connect", "") not in fleet.events


@pytest.fixture
def first(tmp_path: Path) -> Iterator[tuple[Sshd, Session]]:
    with (
        serving(tmp_path) as (server, key),
        connect("b", server.endpoint(), key_file=key, host_keys=Pins()) as session,
    ):
        yield server, session


def test_a_bastion_that_lets_no_more_in_carries_all_on_what_it_has(first: tuple[Sshd, Session]) -> None:
    tried: list[int] = []

    def refuse() -> Session:
        tried.append(1)
        raise HostUnreachableError("too many log-ins", host="b", step="connect")

    bastion = Bastion(first[1], refuse, hosts_a_way=1)
    assert {bastion.place().session for _ in range(3)} == {first[1]}
    assert len(tried) == 1


def test_those_who_wait_for_a_try_that_fails_do_not_try_again(
    first: tuple[Sshd, Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    people, tried, told = 5, list[int](), list[HostError]()
    looked = threading.Semaphore(0)

    def refuse() -> Session:
        tried.append(1)
        for _ in range(people + 1):  # each has seen that there is no way, and this one twice
            assert looked.acquire(timeout=30)
        raise HostUnreachableError("no answer", host="b", step="connect")

    bastion = Bastion(first[1], refuse)
    first[1].close()
    look = bastion._on_a_way
    monkeypatch.setattr(bastion, "_on_a_way", lambda: (look(), looked.release())[0])

    def ask() -> None:
        try:
            bastion.place()
        except HostError as error:
            told.append(error)

    threads = [threading.Thread(target=ask) for _ in range(people)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (len(told), len(tried)) == (people, 1)

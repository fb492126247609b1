"""Many hosts behind a bastion: each for itself, and what an interruption leaves."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from daiku.apply.targets import Target, Targets
from daiku.errors import HostAuthError, HostKeyError, HostUnreachableError, LockHeldError, StateError
from daiku.render.bundle import HostBundle, Trigger
from daiku.wire.ssh_types import Endpoint
from tests.apply.rehearsal import live, wanted
from tests.apply.servers import ALL, HERE, NAMES, Fleet, bundle
from tests.ssh.server import Sshd, key_text


def press_ctrl_c() -> None:
    main = threading.main_thread().ident
    assert main is not None
    signal.pthread_kill(main, signal.SIGINT)


def test_every_host_gets_its_own_over_one_connection_each(fleet: Fleet) -> None:
    report = fleet.run(ALL)
    assert [r.host for r in report.reports] == list(NAMES)
    assert (report.failures, report.skipped, report.interrupted, report.connections) == ((), (), False, 5)
    for name in NAMES:
        assert live(fleet.folder / name) == wanted(ALL[name])
    assert set(fleet.connections().values()) == {1}
    assert fleet.servers["mgmt-0"].forwards == 4
    assert {(host, step) for host, step, _ in fleet.events} >= {(name, "done") for name in NAMES}

    again = fleet.run(ALL)
    assert not any(r.changed for r in again.reports)
    assert {r.round_trips for r in again.reports} == {1}
    assert set(fleet.connections().values()) == {2}


def test_only_the_hosts_that_are_asked_for_are_contacted(fleet: Fleet) -> None:
    fleet.run({"g1": ALL["g1"]})
    assert fleet.connections() == {"mgmt-0": 1, "g0": 0, "g1": 1, "g2": 0, "g3": 0}
    assert live(fleet.folder / "mgmt-0") == {}


def test_nobody_asked_for_nobody_contacted(fleet: Fleet) -> None:
    report = fleet.run({})
    assert (report.reports, report.connections, set(fleet.connections().values())) == ((), 0, {0})


def test_a_dry_run_changes_no_host(fleet: Fleet) -> None:
    report = fleet.run(ALL, dry_run=True)
    assert all(r.changed and r.dry_run for r in report.reports)
    assert all(list((fleet.folder / name).iterdir()) == [] for name in NAMES)


def test_a_failed_host_stops_no_other(fleet: Fleet) -> None:
    fleet.pins.pin("g0", key_text(fleet.servers["g1"].host_key))
    fleet.servers["g1"].close()
    fleet.servers["g2"].authorized.clear()
    report = fleet.run(ALL)
    assert [r.host for r in report.reports] == ["mgmt-0", "g3"]
    assert [(f.host, type(f)) for f in report.failures] == [
        ("g0", HostKeyError),
        ("g1", HostUnreachableError),
        ("g2", HostAuthError),
    ]
    assert "via bastion mgmt-0" in str(report.failures[1])
    assert all(failure.hint for failure in report.failures)


def test_without_the_bastion_every_host_is_told_why(fleet: Fleet) -> None:
    fleet.servers["mgmt-0"].close()
    report = fleet.run({name: ALL[name] for name in ("g0", "g1")})
    assert [f.host for f in report.failures] == ["mgmt-0", "g0", "g1"]
    assert "connection refused" in str(report.failures[0])
    assert "because the bastion mgmt-0 cannot be used" in str(report.failures[1])


def test_no_more_than_so_many_at_a_time(fleet: Fleet) -> None:
    busy, most, lock = 0, 0, threading.Lock()

    def watch(host: str, step: str, _message: str) -> None:
        nonlocal busy, most
        with lock:
            busy += {"connect": 1, "done": -1}.get(step, 0) if host != "mgmt-0" else 0
            most = max(most, busy)

    fleet.run(ALL, settings=replace(HERE, parallel=2), on_event=watch)
    assert most == 2


def test_a_fault_of_ours_on_one_host_is_that_hosts_failure(fleet: Fleet) -> None:
    class Broken(HostBundle):
        def digest(self) -> str:
            raise RuntimeError("no digest")

    report = fleet.run({**ALL, "g0": Broken("g0", (), ())})
    assert [f.host for f in report.failures] == ["g0"]
    assert "daiku failed: RuntimeError: no digest" in str(report.failures[0])
    assert len(report.reports) == 4


def test_a_host_that_boots_is_waited_for(fleet: Fleet) -> None:
    late = fleet.servers["g0"]
    port = late.port
    late.close()
    targets = Targets(fleet.targets.bastion, (Target("g0", Endpoint("127.0.0.1", port, "root")),))

    def boot() -> None:
        time.sleep(0.3)
        fleet.servers["g0"] = Sshd(late.host_key, late.authorized, env=late.env, cwd=late.cwd, port=port)

    thread = threading.Thread(target=boot)
    thread.start()
    report = fleet.run({"g0": ALL["g0"]}, targets, settings=replace(HERE, patience=10))
    thread.join()
    assert [r.host for r in report.reports] == ["g0"]
    assert ("g0", "wait") in {(host, step) for host, step, _ in fleet.events}


def test_a_key_that_cannot_be_used_is_told_before_any_host_is_contacted(fleet: Fleet) -> None:
    with pytest.raises(StateError):
        fleet.run(ALL, key_file=fleet.folder / "nowhere")
    assert set(fleet.connections().values()) == {0}


def test_ctrl_c_lets_a_host_that_changes_finish_and_begins_no_other(fleet: Fleet) -> None:
    slow = bundle("g0", Trigger("slow", ("sleep", "0.5"), 0))

    def interrupt(host: str, step: str, message: str) -> None:
        if (host, step, message) == ("g0", "trigger", "slow"):
            press_ctrl_c()

    report = fleet.run({**ALL, "g0": slow}, settings=replace(HERE, parallel=1), on_event=interrupt)
    assert report.interrupted
    assert [r.host for r in report.reports] == ["g0"]
    assert report.skipped == ("mgmt-0", "g1", "g2", "g3")
    assert live(fleet.folder / "g0") == wanted(slow)
    assert live(fleet.folder / "g1") == {}
    assert not fleet.run({**ALL, "g0": slow}).interrupted
    assert all(live(fleet.folder / name) == wanted(ALL[name]) for name in NAMES[1:] if name != "g0")


def test_a_second_ctrl_c_leaves_at_once(fleet: Fleet) -> None:
    slow = bundle("g0", Trigger("slow", ("sleep", "5"), 0))

    def interrupt(host: str, step: str, _message: str) -> None:
        if (host, step) == ("g0", "trigger") or step == "interrupt":
            threading.Timer(0.1, press_ctrl_c).start()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fleet.run({"g0": slow}, on_event=interrupt)
    assert time.monotonic() - began < 4


def test_a_process_that_is_killed_leaves_hosts_that_the_next_run_finishes(fleet: Fleet) -> None:
    slow = {name: bundle(name, Trigger("slow", ("sleep", "0.2"), 0)) for name in NAMES}
    program = (
        "import sys, pathlib\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from daiku.wire.ssh_types import Endpoint\n"
        "from tests.apply.servers import *\n"
        "targets = Targets(None, tuple(Target(n, Endpoint('127.0.0.1', int(p), 'root'))"
        " for n, p in (a.split('=') for a in sys.argv[3:])))\n"
        "slow = {t.name: bundle(t.name, Trigger('slow', ('sleep', '0.2'), 0)) for t in targets.hosts}\n"
        "run(targets, slow, key_file=pathlib.Path(sys.argv[2]), host_keys=Pins(), settings=HERE,"
        " on_event=lambda h, s, m: print(s, flush=True))\n"
    )
    ports = [f"{name}={fleet.servers[name].port}" for name in NAMES[1:]]
    root = str(Path(__file__).parents[2])
    child = subprocess.Popen(
        [sys.executable, "-c", program, root, str(fleet.folder / "key"), *ports], stdout=subprocess.PIPE
    )
    assert child.stdout
    while child.stdout.readline() != b"trigger\n":
        assert child.poll() is None
    child.kill()
    child.wait()
    child.stdout.close()
    report = fleet.run(slow)
    assert (report.failures, len(report.reports)) == ((), 5)
    assert all(live(fleet.folder / name) == wanted(slow[name]) for name in NAMES)
    assert not any(r.changed for r in fleet.run(slow).reports)


def test_after_so_many_failures_no_further_host_is_begun(fleet: Fleet) -> None:
    for name in ("g0", "g1"):
        fleet.servers[name].close()
    report = fleet.run(ALL, settings=replace(HERE, parallel=1, budget=2))
    assert [f.host for f in report.failures] == ["g0", "g1"]
    assert (report.skipped, report.over_budget, report.interrupted) == (("mgmt-0", "g2", "g3"), True, False)
    assert fleet.connections() == {"mgmt-0": 1, "g0": 0, "g1": 0, "g2": 0, "g3": 0}
    assert all(live(fleet.folder / name) == {} for name in ("mgmt-0", "g2", "g3"))
    within = fleet.run(ALL, settings=replace(HERE, parallel=1, budget=3))
    assert (len(within.reports), len(within.failures), within.over_budget) == (3, 2, False)


def test_a_connection_lost_before_anything_changed_is_made_anew(fleet: Fleet) -> None:
    fleet.servers["g1"].drop_after = 30
    report = fleet.run(ALL)
    assert (report.failures, len(report.reports)) == ((), 5)
    assert ("g1", "reconnect", "the connection was lost before anything changed") in fleet.events
    fleet.servers["g2"].drop_after = 30
    (failure,) = fleet.run(ALL, settings=replace(HERE, retries=0)).failures
    assert (failure.host, type(failure)) == ("g2", HostUnreachableError)


def test_a_connection_lost_before_the_helper_was_asked_for_is_made_anew(fleet: Fleet) -> None:
    fleet.servers["g1"].lose_sessions = 1
    report = fleet.run(ALL)
    assert (report.failures, len(report.reports)) == ((), 5)
    assert fleet.connections()["g1"] == 2


def test_a_run_whose_lease_was_taken_stops_before_its_next_change(fleet: Fleet) -> None:
    """The first host changes; while it does, another run takes the cluster."""
    taken = threading.Event()

    def check() -> None:
        if taken.is_set():
            raise LockHeldError("another run took it over")

    def on_event(host: str, step: str, _message: str) -> None:
        if step == "trigger":
            taken.set()

    with pytest.raises(LockHeldError, match="took it over"):
        fleet.run(ALL, settings=replace(HERE, parallel=1), check=check, on_event=on_event)
    assert live(fleet.folder / "g0") == wanted(ALL["g0"])
    assert all(live(fleet.folder / name) == {} for name in ("g1", "g2", "g3", "mgmt-0"))
    assert fleet.connections()["g1"] == 0
    taken.clear()
    assert len(fleet.run(ALL, check=check).reports) == 5


def test_a_lease_that_is_lost_during_the_survey_leaves_the_host_as_it_is(fleet: Fleet) -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 2:  # once before the host is begun, once before it changes
            raise LockHeldError("another run took it over")

    with pytest.raises(LockHeldError):
        fleet.run({"g0": ALL["g0"]}, check=check)
    assert fleet.connections()["g0"] == 1
    assert live(fleet.folder / "g0") == {}

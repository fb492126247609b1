"""Hosts whose connection stalls or ends in the middle: told in time, the next run goes on, and no other host waits."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from daiku.apply.converge import converge
from daiku.apply.fleet import Settings, run
from daiku.apply.targets import Target, Targets
from daiku.errors import HostError, HostUnreachableError
from daiku.render.bundle import HostBundle
from daiku.wire.ssh import connect
from tests.apply.odd_host import OddHost, is_clear, odd_host
from tests.apply.rehearsal import bundle_of, file, live, wanted
from tests.ssh.relay import Relay, relaying
from tests.ssh.server import Pins

BUNDLE = bundle_of(file("/etc/a", "ours\n"), file("/etc/b", os.urandom(50_000)))
BIG = bundle_of(file("/etc/big", os.urandom(10_000_000)))
"""More than all buffers on the way hold."""
HALF_A_FRAME = r"""printf '\n--daiku-helper-1--\nJ\000\000\000\377{"kind'; exec cat > /dev/null"""


@pytest.fixture
def host(tmp_path: Path) -> Iterator[OddHost]:
    with odd_host(tmp_path) as made:
        yield made


def told(
    host: OddHost, relay: Relay, bundle: HostBundle, silence: float = 30.0, more: int | None = None
) -> HostError:
    """The end of a run of which, once it is logged in, `more` bytes of the host pass."""
    endpoint = relay.endpoint()
    with connect("n1", endpoint, key_file=host.key, host_keys=Pins(), timeout=20) as session:
        relay.limit = None if more is None else relay.sent + more
        with pytest.raises(HostError) as caught:
            converge(session, bundle, root=str(host.root), silence=silence)
    assert is_clear(caught.value)
    return caught.value


@pytest.mark.parametrize("more", [0, 30, 60, 100, 140])
def test_a_connection_that_ends_before_the_answer(host: OddHost, more: int) -> None:
    host.run(BUNDLE)
    with relaying(host.sshd.port, closes=True) as relay:
        error = told(host, relay, BUNDLE, more=more)
    assert isinstance(error, HostUnreachableError)
    assert "lost" in error.message
    assert not host.run(BUNDLE).changed


@pytest.mark.parametrize("more", [150, 400, 600])
def test_a_connection_that_ends_while_the_host_changes(host: OddHost, more: int) -> None:
    with relaying(host.sshd.port, closes=True) as relay:
        told(host, relay, BUNDLE, more=more)
    host.run(BUNDLE)
    assert live(host.root) == wanted(BUNDLE)
    assert not host.run(BUNDLE).changed
    assert [p.name for p in host.root.rglob(".daiku-*")] == []


def test_a_host_that_falls_silent_in_the_middle_of_a_frame(tmp_path: Path) -> None:
    with odd_host(tmp_path, python3=HALF_A_FRAME) as host:
        with pytest.raises(HostUnreachableError, match=r"no answer within 0\.2 s while waiting") as caught:
            host.run(BUNDLE, silence=0.2)
        assert is_clear(caught.value)


def test_a_server_that_takes_no_more_in_the_middle_of_a_transfer(host: OddHost) -> None:
    with relaying(host.sshd.port, takes=1_000_000) as relay:
        error = told(host, relay, BIG, silence=0.4)
        assert "no answer within" in error.message
    assert live(host.root) == {}
    assert host.run(BIG).changed
    assert live(host.root) == wanted(BIG)


def test_hosts_of_every_bad_kind_beside_good_ones(tmp_path: Path) -> None:
    """The stalled one is let go once all others are done: it would hold them up for half a minute else."""
    kinds: dict[str, dict[str, str]] = {
        "good-0": {},
        "stalls": {"python3": HALF_A_FRAME},
        "no-shell": {"shell": "/usr/sbin/nologin"},
        "banner": {"shell": "exec yes Welcome"},
        "old-python": {"python3": "echo 'SyntaxError: invalid syntax: python' >&2; exit 1"},
        "killed": {"python3": "kill -9 $$"},
        "rubbish": {"python3": r"printf '\n--daiku-helper-1--\nJ\377\377\377\377'; exec cat >/dev/null"},
        "full-up": {},
        "good-1": {},
    }
    done: set[str] = set()
    with ExitStack() as stack:
        hosts = {
            name: stack.enter_context(odd_host(_folder(tmp_path, name), **kinds[name])) for name in kinds
        }
        relay = stack.enter_context(relaying(hosts["stalls"].sshd.port))
        hosts["full-up"].sshd.farewell = "Too many users logged in"
        targets = [Target(name, host.sshd.endpoint()) for name, host in hosts.items()]
        targets[1] = Target("stalls", relay.endpoint())
        for host in hosts.values():
            host.sshd.authorized = hosts["good-0"].sshd.authorized

        def on_event(host: str, step: str, _message: str) -> None:
            if step in {"done", "failed"}:
                done.add(host)
            if len(done) == len(kinds) - 1:
                relay.close()

        report = run(
            Targets(None, tuple(targets)),
            {name: replace(BUNDLE, host=name) for name in kinds},
            key_file=hosts["good-0"].key,
            host_keys=Pins(),
            settings=Settings(parallel=2, timeout=20, retries=0, root="./root"),
            on_event=on_event,
        )
        for name in ("good-0", "good-1"):
            assert live(hosts[name].root) == wanted(BUNDLE)
    assert [r.host for r in report.reports] == ["good-0", "good-1"]
    failures = {f.host: f for f in report.failures}
    assert {name: f.exit_code for name, f in failures.items()} == {
        "stalls": 20,
        "no-shell": 22,
        "banner": 22,
        "old-python": 22,
        "killed": 22,
        "rubbish": 22,
        "full-up": 20,
    }
    assert all(is_clear(f) for f in failures.values())
    assert "lost" in failures["stalls"].message
    assert "Too many users logged in" in failures["full-up"].message


def _folder(above: Path, name: str) -> Path:
    (above / name).mkdir()
    return above / name

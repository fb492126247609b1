"""Connections that break in a bad order: no traceback of a thread reaches the user."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import MethodType

import pytest

from daiku.errors import HostUnreachableError
from daiku.wire.ssh import Session, connect
from tests.ssh.server import Pins, serving


def break_close(session: Session) -> None:
    """As when a connection leads through one that has ended already: closing its channel fails."""

    def close(_sock: object) -> None:
        raise EOFError("the connection below is gone")

    sock = session._transport.sock  # pyright: ignore[reportPrivateUsage]
    sock.close = MethodType(close, sock)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_thread_whose_way_out_is_gone_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    with serving(tmp_path) as (server, key):
        pins = Pins()
        gate = connect("gate", server.endpoint(), key_file=key, host_keys=pins)
        host = connect("n1", server.endpoint(), key_file=key, jump=gate, host_keys=pins)
        thread = host._transport  # pyright: ignore[reportPrivateUsage]
        break_close(host)
        server.drop()
        until(lambda: not thread.is_alive())
        with pytest.raises(HostUnreachableError):
            host.run("echo well")
        gate.close()
    assert told == []


def test_leaving_a_connection_whose_way_out_is_gone_is_no_error(tmp_path: Path) -> None:
    with serving(tmp_path) as (server, key):
        pins = Pins()
        with connect("gate", server.endpoint(), key_file=key, host_keys=pins) as gate:
            with connect("n1", server.endpoint(), key_file=key, jump=gate, host_keys=pins) as host:
                assert host.run("echo well").status == 0
                break_close(host)
            assert not host.alive

"""Servers that stall or close at each stage of a log-in, or say why they let nobody in."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.errors import HostUnreachableError
from daiku.wire.ssh import connect
from daiku.wire.ssh_types import Endpoint
from tests.apply.odd_host import is_clear
from tests.ssh.relay import relaying
from tests.ssh.server import Pins, Sshd, serving
from tests.ssh.test_broken_order import until


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Sshd, Path]]:
    with serving(tmp_path) as pair:
        yield pair


def refused(endpoint: Endpoint, key: Path, timeout: float = 0.3) -> str:
    """What is told of a log-in that fails, in time, and leaves nothing behind."""
    pins = Pins()
    began = time.monotonic()
    with pytest.raises(HostUnreachableError) as caught:
        connect("n1", endpoint, key_file=key, host_keys=pins, timeout=timeout)
    assert time.monotonic() - began < 10
    assert is_clear(caught.value)
    assert f"127.0.0.1:{endpoint.port}" in caught.value.message
    assert pins.keys == {}
    return caught.value.message


def size_of_a_login(server: tuple[Sshd, Path]) -> int:
    """Bytes that the server sends until it has let us in."""
    with relaying(server[0].port) as relay:
        connect("n1", relay.endpoint(), key_file=server[1], host_keys=Pins(), timeout=10).close()
        return relay.sent


STAGES = [
    (0, "no SSH server answers"),
    (5, "no SSH server answers"),
    (60, "the key exchange"),
    (800, "the key exchange"),
    (1300, "the key exchange"),
]


@pytest.mark.parametrize(("passes", "message"), STAGES)
@pytest.mark.parametrize("closes", [False, True])
def test_a_server_that_stalls_or_closes_before_the_log_in(
    server: tuple[Sshd, Path], passes: int, message: str, closes: bool
) -> None:
    with relaying(server[0].port, passes, closes=closes) as relay:
        told = refused(relay.endpoint(), server[1], 10 if closes else 0.3)
    assert message in told or (not closes and "within 0.3 s" in told)
    assert ("within" in told) is not closes


@pytest.mark.parametrize("closes", [False, True])
def test_a_server_that_stalls_or_closes_in_the_log_in(server: tuple[Sshd, Path], closes: bool) -> None:
    with relaying(server[0].port, size_of_a_login(server) - 8, closes=closes) as relay:
        told = refused(relay.endpoint(), server[1], 10 if closes else 0.4)
    assert ("closed the connection during the log-in" if closes else "within 0.4 s") in told


def test_a_log_in_that_fails_leaves_no_thread(server: tuple[Sshd, Path]) -> None:
    before = threading.active_count()
    for passes in (0, 60, 800):
        with relaying(server[0].port, passes) as relay:
            refused(relay.endpoint(), server[1], 0.1)
        server[0].drop()
    until(lambda: threading.active_count() <= before)


def test_a_server_that_disconnects_tells_why(server: tuple[Sshd, Path]) -> None:
    server[0].farewell = "Too many authentication failures\r\n\033[2Jtwo"
    told = refused(server[0].endpoint(), server[1], 10)
    assert told.endswith("closed the connection during the log-in; it said: Too many authentication failures")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"Exceeded MaxStartups\r\n", "it said: Exceeded MaxStartups"),
        (b"Not allowed at this time\r\n", "it said: Not allowed at this time"),
        (b"HTTP/1.1 400 Bad Request\r\n", "it said: HTTP/1.1 400 Bad Request"),
        (b"\033[2J\007\r\n", "it said: ?[2J?"),
        (b"\xff\xfe\r\n", "no SSH server answers"),
        (b"SSH-1.5-old\r\n", "no algorithm in common with us: Incompatible version"),
        (b"SSH-2.0-odd\r\n" + b"\xff" * 64, "the SSH server ended the key exchange"),
        (b"x" * 100_000, "no SSH server answers"),
    ],
)
def test_a_server_that_says_something_else_and_closes(
    server: tuple[Sshd, Path], line: bytes, words: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def say() -> None:
            sock, _ = listener.accept()
            with sock:
                sock.sendall(line)
                sock.shutdown(socket.SHUT_WR)
                while sock.recv(65536):
                    pass

        threading.Thread(target=say, daemon=True).start()
        told = refused(Endpoint("127.0.0.1", listener.getsockname()[1], "root"), server[1], 5)
    assert words in told

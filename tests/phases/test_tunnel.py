"""The tunnel: a loopback port that leads through an SSH session, to the first address that answers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from daiku.wire.ssh import Session, connect
from daiku.wire.tunnel import Tunnel
from tests.ssh.server import Sshd, key_text, make_key


class _Anyone:
    def pinned(self, host: str) -> str | None:
        return None

    def pin(self, host: str, key: str) -> None:
        pass


@contextmanager
def echo(word: bytes) -> Generator[int]:
    """The port of a server that answers each line with `word` and the line, and ends when the client does."""

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rwb") as stream:
            for line in stream:
                stream.write(word + line)
                stream.flush()

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[Sshd, Callable[[], Session]]]:
    """A server, and how to log in to it."""
    key = make_key(tmp_path / "key")
    with closing(Sshd(make_key(tmp_path / "host"), {key_text(key)})) as server:
        yield (
            server,
            lambda: connect("gate", server.endpoint(), key_file=tmp_path / "key", host_keys=_Anyone()),
        )


def ask(port: int, line: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), 10) as near:
        near.settimeout(10)
        near.sendall(line)
        answer = b""
        while not answer.endswith(b"\n") and (data := near.recv(65536)):
            answer += data
        return answer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def test_the_first_address_that_answers_is_used(sshd: tuple[Sshd, Callable[[], Session]]) -> None:
    _, login = sshd
    with echo(b"first ") as first, echo(b"second ") as second, login() as session:
        dead = ("127.0.0.1", free_port())
        with Tunnel(lambda: session, [("127.0.0.1", first), ("127.0.0.1", second)]) as tunnel:
            assert ask(tunnel.port, b"x\n") == b"first x\n"
        with Tunnel(lambda: session, [dead, ("127.0.0.1", second)]) as tunnel:
            assert ask(tunnel.port, b"x\n") == b"second x\n"
        with Tunnel(lambda: session, [dead]) as tunnel:
            assert ask(tunnel.port, b"") == b"", "as from a server that is down"


def test_much_goes_through_at_once(sshd: tuple[Sshd, Callable[[], Session]]) -> None:
    _, login = sshd
    line = b"z" * 200_000 + b"\n"
    with echo(b"") as port, login() as session, Tunnel(lambda: session, [("127.0.0.1", port)]) as tunnel:
        answers: list[bytes] = []
        threads = [threading.Thread(target=lambda: answers.append(ask(tunnel.port, line))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert answers == [line] * 8


def test_a_lost_session_is_made_anew(sshd: tuple[Sshd, Callable[[], Session]]) -> None:
    server, login = sshd
    sessions: list[Session] = []

    def standing() -> Session:
        if not sessions or not sessions[-1].alive:
            sessions.append(login())
        return sessions[-1]

    with echo(b"") as port, Tunnel(standing, [("127.0.0.1", port)]) as tunnel:
        assert ask(tunnel.port, b"1\n") == b"1\n"
        server.drop()
        sessions[0].close()
        assert ask(tunnel.port, b"2\n") == b"2\n"
    assert len(sessions) == 2
    sessions[-1].close()


def test_it_listens_on_loopback_alone_and_no_more_once_closed(
    sshd: tuple[Sshd, Callable[[], Session]],
) -> None:
    _, login = sshd
    with echo(b"") as port, login() as session:
        tunnel = Tunnel(lambda: session, [("127.0.0.1", port)])
        near = socket.create_connection(("127.0.0.1", tunnel.port), 10)
        with near:
            near.settimeout(10)
            near.sendall(b"x\n")
            assert near.recv(10) == b"x\n"
            number = tunnel.port
            tunnel.close()
            assert near.recv(10) == b"", "connections end with it"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", number), 5)

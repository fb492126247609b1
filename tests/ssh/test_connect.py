"""Logging in: keys, timeouts, bastions, and what each failure says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.errors import HostAuthError, HostError, HostKeyError, HostUnreachableError, StateError
from daiku.wire.ssh import Session, connect
from daiku.wire.ssh_types import Endpoint, Result, fingerprint
from tests.ssh.server import Pins, Sshd, key_text, make_key, serving


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[Sshd, Path]]:
    with serving(tmp_path) as pair:
        yield pair


@pytest.fixture(scope="module")
def any_key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key"
    make_key(path)
    return path


def login(server: tuple[Sshd, Path], pins: Pins | None = None, **options: object) -> Session:
    sshd, key = server
    return connect("n1", sshd.endpoint(), key_file=key, host_keys=pins or Pins(), timeout=5, **options)  # type: ignore[arg-type]


def test_run_returns_status_and_both_outputs(server: tuple[Sshd, Path]) -> None:
    with login(server) as session:
        result = session.run("cat; echo oops >&2; exit 7", stdin=b"in")
    assert (result.status, result.stdout, result.stderr) == (7, b"in", b"oops\n")


def test_a_command_killed_by_a_signal_is_minus_one(server: tuple[Sshd, Path]) -> None:
    with login(server) as session:
        assert session.run("kill -9 $$").status == -1
        assert session.run("true").status == 0


def test_big_input_and_both_outputs_at_once_do_not_stand_still(server: tuple[Sshd, Path]) -> None:
    size = 3 * 2**20  # more than the channel's window in each direction
    with login(server) as session:
        result = session.run(f"head -c {size} /dev/zero >&2; cat", stdin=b"x" * size, timeout=60)
    assert (len(result.stdout), len(result.stderr)) == (size, size)


def test_a_command_that_does_not_read_its_input_is_no_lost_connection(server: tuple[Sshd, Path]) -> None:
    with login(server) as session:
        assert session.run("exit 3", stdin=b"x" * 5_000_000, timeout=30).status == 3
        with session.open("exit 4") as stream:
            for _ in range(50):
                stream.write(b"x" * 100_000, 5)
            assert stream.read() == b""
            assert stream.status() == 4


def test_the_socket_has_no_nagle_and_notices_a_dead_peer(server: tuple[Sshd, Path]) -> None:
    with login(server) as session:
        sock = session._transport.sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
        assert 0 < sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 60_000


def test_first_use_pins_the_key_and_the_next_one_compares(server: tuple[Sshd, Path]) -> None:
    pins = Pins()
    with login(server, pins) as session:
        assert session.host_key == key_text(server[0].host_key) == pins.keys["n1"]
    with login(server, pins):
        pass


def test_a_changed_host_key_is_refused_and_the_pin_stays(server: tuple[Sshd, Path], tmp_path: Path) -> None:
    pins = Pins()
    old = key_text(make_key(tmp_path / "old"))
    pins.pin("n1", old)
    with pytest.raises(HostKeyError) as caught:
        login(server, pins)
    assert caught.value.exit_code == 21
    assert fingerprint(old) in str(caught.value)
    assert fingerprint(key_text(server[0].host_key)) in str(caught.value)
    assert "daiku node trust n1" in caught.value.hint
    assert pins.keys["n1"] == old


def test_a_refused_key_pins_nothing(server: tuple[Sshd, Path], tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    pins = Pins()
    with pytest.raises(HostAuthError) as caught:
        connect("n1", server[0].endpoint("ubuntu"), key_file=tmp_path / "other", host_keys=pins, timeout=5)
    assert "'ubuntu'" in str(caught.value)
    assert caught.value.exit_code == 23
    assert pins.keys == {}


def test_a_refused_port_names_the_address(any_key: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(HostUnreachableError, match=rf"127\.0\.0\.1:{port}: connection refused") as caught:
        connect("n1", Endpoint("127.0.0.1", port, "root"), key_file=any_key, host_keys=Pins(), timeout=1)
    assert caught.value.exit_code == 20


@pytest.mark.parametrize("greeting", [b"", b"SSH-2.0-silent\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n" * 99])
def test_a_stalled_or_foreign_server_ends_in_time(greeting: bytes, any_key: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_greet, args=(listener, greeting), daemon=True).start()
        began = time.monotonic()
        endpoint = Endpoint("127.0.0.1", listener.getsockname()[1], "root")
        with pytest.raises(HostUnreachableError, match="SSH server"):
            connect("n1", endpoint, key_file=any_key, host_keys=Pins(), timeout=0.4)
        assert time.monotonic() - began < 5


def test_a_server_that_never_answers_a_command_ends_in_time(tmp_path: Path) -> None:
    with (
        serving(tmp_path, stall_exec=True) as server,
        login(server) as session,
        pytest.raises(HostUnreachableError, match="no answer within"),
    ):
        session.open("true", timeout=0.3)


def test_a_silent_command_ends_in_time(server: tuple[Sshd, Path]) -> None:
    with login(server) as session, pytest.raises(HostUnreachableError, match="no answer within"):
        session.run("sleep 5", timeout=0.2)


def test_a_connection_cut_in_the_middle_is_an_error_not_an_end(server: tuple[Sshd, Path]) -> None:
    with login(server) as session:
        stream = session.open("echo one; sleep 5")
        assert stream.read() == b"one\n"
        server[0].drop()
        with pytest.raises(HostUnreachableError, match="connection lost"):
            stream.read(timeout=5)
        assert not session.alive
        with pytest.raises(HostUnreachableError, match="lost"):
            session.run("true")


def test_a_server_without_room_for_sessions_is_named(tmp_path: Path) -> None:
    with serving(tmp_path, refuse_sessions=True) as server, login(server) as session:
        with pytest.raises(HostError, match="no more sessions") as caught:
            session.run("true")
        assert "MaxSessions" in caught.value.hint


def test_a_short_command_whose_end_is_told_before_its_beginning(tmp_path: Path) -> None:
    with serving(tmp_path, late_answer=True) as server, login(server) as session:
        assert session.run("echo out; echo err >&2; exit 4") == Result(4, b"out\n", b"err\n")


def test_a_server_that_runs_no_commands_is_no_lost_connection(tmp_path: Path) -> None:
    with serving(tmp_path, refuse_commands=True) as server, login(server) as session:
        with pytest.raises(HostError, match="runs no commands") as caught:
            session.run("true")
        assert type(caught.value) is HostError
        assert session.alive


def test_through_a_bastion(server: tuple[Sshd, Path], tmp_path: Path) -> None:
    inner = Sshd(make_key(tmp_path / "inner"), server[0].authorized)
    opened: list[str] = []

    def count(name: str, _: Endpoint) -> None:
        opened.append(name)

    with login(server, on_connect=count) as bastion:
        with connect(
            "g0", inner.endpoint(), key_file=server[1], jump=bastion, host_keys=Pins(), on_connect=count
        ) as session:
            assert session.run("echo hello").stdout == b"hello\n"
            assert session.channels == 1
        assert (server[0].forwards, inner.connections, bastion.channels) == (1, 1, 1)
        assert opened == ["n1", "g0"]
        inner.close()
        with pytest.raises(HostUnreachableError, match=r"via bastion n1 \(127\.0\.0\.1:\d+\)"):
            connect("g0", inner.endpoint(), key_file=server[1], jump=bastion, host_keys=Pins(), timeout=2)


def test_a_lost_bastion_is_named(server: tuple[Sshd, Path]) -> None:
    bastion = login(server)
    server[0].drop()
    deadline = time.monotonic() + 5
    while bastion.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(HostUnreachableError, match="connection to the bastion is lost"):
        connect("g0", server[0].endpoint(), key_file=server[1], jump=bastion, host_keys=Pins(), timeout=2)


@pytest.mark.parametrize("text", [None, "not a key\n"])
def test_a_key_file_that_cannot_be_used(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "key"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StateError, match="private key") as caught:
        connect("n1", Endpoint("127.0.0.1", 1, "root"), key_file=path, host_keys=Pins())
    assert caught.value.where == str(path)


def _greet(listener: socket.socket, greeting: bytes) -> None:
    try:
        sock, _ = listener.accept()
        sock.sendall(greeting)
        threading.Event().wait(3)
        sock.close()
    except OSError:
        return

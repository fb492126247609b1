"""A small SSH server on loopback that really runs the commands it is asked for. paramiko on the server's side.

Only for tests that need a server with faults of its own, or one where there is no sshd: the lab's hosts run OpenSSH.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import paramiko
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daiku.wire.ssh_types import Endpoint

MSG_DISCONNECT, MSG_CHANNEL_SUCCESS = b"\x01", b"\x63"


def make_key(path: Path) -> paramiko.Ed25519Key:
    """A new Ed25519 private key in `path`."""
    private = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    path.write_bytes(private)
    path.chmod(0o600)
    return paramiko.Ed25519Key(filename=str(path))


def key_text(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"


@dataclass
class Sshd:
    """`exec_prefix` is printed before the output of every command, as a chatty .bashrc does. `shell` is the account's.

    `late_answer` tells the end of a command before its beginning. `drop_after` closes the connection once a command's
    output has passed so many bytes. `farewell`: at the log-in it disconnects with these words.
    `lose_sessions`: it cuts the connection at the first so many sessions.
    `connections`, `sessions` and `forwards` count what clients opened.
    """

    host_key: paramiko.Ed25519Key
    authorized: set[str]
    env: dict[str, str] = field(default_factory=dict[str, str])
    cwd: Path | None = None
    shell: str = "/bin/sh"
    port: int = 0
    exec_prefix: bytes = b""
    drop_after: int | None = None
    refuse_sessions: bool = False
    refuse_commands: bool = False
    late_answer: bool = False
    stall_exec: bool = False
    farewell: str = ""
    lose_sessions: int = 0
    connections: int = 0
    sessions: int = 0
    forwards: int = 0

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def endpoint(self, user: str = "root") -> Endpoint:
        return Endpoint("127.0.0.1", self.port, user)

    def drop(self, number: int | None = None) -> None:
        """Cut every connection, as a machine that loses power does, or only that `number`."""
        with self._lock:
            transports, self._transports = self._transports, []
            if number is not None:
                transports, self._transports = [transports.pop(number)], transports
        for transport in transports:
            transport.close()

    def close(self) -> None:
        with suppress(OSError):  # closed before
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            # OpenSSH's server does this, too.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            transport = _Transport(sock)
            transport.add_server_key(self.host_key)
            with self._lock:
                self.connections += 1
                self._transports.append(transport)
            try:
                transport.start_server(threading.Event(), _Rules(self, transport))
            except (paramiko.SSHException, OSError):
                continue


class _Transport(paramiko.Transport):
    """Knows which channels were told that their command is begun, so that its end is not told first."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._begun: dict[int, threading.Event] = {}

    def begun(self, channel: int) -> threading.Event:
        """Set once the other side's `channel` got the answer to its request."""
        return self._begun.setdefault(channel, threading.Event())

    def disconnect(self, words: str) -> None:
        message = paramiko.Message()
        message.add_byte(MSG_DISCONNECT)
        message.add_int(2)
        message.add_string(words)
        message.add_string("")
        self._send_message(message)  # type: ignore[attr-defined]

    def _send_user_message(self, data: paramiko.Message) -> None:
        super()._send_user_message(data)  # type: ignore[misc]
        sent = paramiko.Message(data.asbytes())
        if sent.get_byte() == MSG_CHANNEL_SUCCESS:
            self.begun(sent.get_int()).set()


class _Rules(paramiko.ServerInterface):
    def __init__(self, sshd: Sshd, transport: _Transport) -> None:
        self._sshd = sshd
        self._transport = transport
        self._peers: dict[int, socket.socket] = {}
        self._forwarding = False

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        if self._sshd.farewell:
            self._transport.disconnect(self._sshd.farewell)
        known = key_text(key) in self._sshd.authorized
        return paramiko.AUTH_SUCCESSFUL if known else paramiko.AUTH_FAILED

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        self._sshd.sessions += 1
        if self._sshd.sessions <= self._sshd.lose_sessions:
            self._transport.close()
        if self._sshd.refuse_sessions:
            return paramiko.OPEN_FAILED_RESOURCE_SHORTAGE
        return paramiko.OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if self._sshd.stall_exec:
            threading.Event().wait(5)
        if self._sshd.refuse_commands:
            return False
        if self._sshd.late_answer:  # this answer goes out when we return
            self._execute(channel, command.decode())
            return True
        threading.Thread(target=self._execute, args=(channel, command.decode()), daemon=True).start()
        return True

    def check_channel_direct_tcpip_request(
        self, chanid: int, origin: tuple[str, int], destination: tuple[str, int]
    ) -> int:
        self._sshd.forwards += 1
        try:
            peer = socket.create_connection(destination, 5)
        except OSError:
            return paramiko.OPEN_FAILED_CONNECT_FAILED
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._peers[chanid] = peer
        if not self._forwarding:  # requests come one at a time
            self._forwarding = True
            threading.Thread(target=self._forward_all, daemon=True).start()
        return paramiko.OPEN_SUCCEEDED

    def _forward_all(self) -> None:
        while self._transport.is_active():
            channel = self._transport.accept(0.5)
            peer = self._peers.pop(channel.get_id(), None) if channel else None
            if channel and peer:
                threading.Thread(target=self._forward, args=(channel, peer), daemon=True).start()

    def _forward(self, channel: paramiko.Channel, peer: socket.socket) -> None:
        def upward() -> None:
            with suppress(OSError, EOFError):
                while data := peer.recv(65536):
                    channel.sendall(data)
            with suppress(OSError, EOFError):  # the connection may have gone first
                channel.close()

        threading.Thread(target=upward, daemon=True).start()
        try:
            while data := channel.recv(65536):
                peer.sendall(data)
        except OSError:
            pass
        # A close alone would wait for `upward`, which waits for the other side: that shall hear of it now.
        with suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)
        peer.close()

    def _execute(self, channel: paramiko.Channel, command: str) -> None:
        process = subprocess.Popen(
            [self._sshd.shell, "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **self._sshd.env},
            cwd=self._sshd.cwd,
            start_new_session=True,
        )
        complain = threading.Thread(target=_complain, args=(process, channel), daemon=True)
        complain.start()
        threading.Thread(target=_feed, args=(process, channel), daemon=True).start()
        try:
            if self._sshd.exec_prefix:
                channel.sendall(self._sshd.exec_prefix)
            if not self._answer(process, channel):
                return
            complain.join(5)
            status = process.wait()
            if not self._sshd.late_answer:
                self._transport.begun(channel.remote_chanid).wait(30)  # type: ignore[attr-defined]
            if status >= 0:
                channel.send_exit_status(status)
            channel.close()
        except (OSError, EOFError, paramiko.SSHException):
            return

    def _answer(self, process: subprocess.Popen[bytes], channel: paramiko.Channel) -> bool:
        """Send the output; False when the connection was cut on purpose."""
        assert process.stdout
        sent = 0
        while data := os.read(process.stdout.fileno(), 65536):
            sent += len(data)
            limit = self._sshd.drop_after
            if limit is not None and sent > limit:
                self._sshd.drop_after = None
                channel.sendall(data[: max(0, len(data) - (sent - limit))])
                self._transport.close()
                return False
            channel.sendall(data)
        return True


def _feed(process: subprocess.Popen[bytes], channel: paramiko.Channel) -> None:
    assert process.stdin
    with suppress(OSError, ValueError, EOFError):
        while data := channel.recv(65536):
            process.stdin.write(data)
            process.stdin.flush()
        process.stdin.close()


def _complain(process: subprocess.Popen[bytes], channel: paramiko.Channel) -> None:
    assert process.stderr
    with suppress(OSError, EOFError):
        while data := os.read(process.stderr.fileno(), 65536):
            channel.sendall_stderr(data)


@contextmanager
def serving(directory: Path, **options: object) -> Generator[tuple[Sshd, Path], None, None]:
    """A server and the file of a private key that it lets in."""
    client = make_key(directory / "client")
    server = Sshd(make_key(directory / "host"), {key_text(client)}, **options)  # type: ignore[arg-type]
    try:
        yield server, directory / "client"
    finally:
        server.close()


class Pins:
    """Pinned host keys in memory."""

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}

    def pinned(self, host: str) -> str | None:
        return self.keys.get(host)

    def pin(self, host: str, key: str) -> None:
        self.keys[host] = key

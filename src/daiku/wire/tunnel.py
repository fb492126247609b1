"""A port of this machine's loopback whose connections are made by a host at the other end of an SSH session."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

import paramiko

from daiku.wire.ssh import Session
from daiku.wire.ssh_transport import Pipe

CHUNK = 65_536
CONNECT_SECONDS = 5.0
AT_MOST = 64
"""Connections at a time; further ones wait in the listener's queue."""

Address = tuple[str, int]


class Tunnel:
    """Listens on loopback until it is closed. Each connection goes to the first of `addresses` that answers.

    `session` gives the SSH session to go through, made anew when the last one is lost.
    """

    def __init__(self, session: Callable[[], Session], addresses: Sequence[Address]) -> None:
        self._session = session
        self._addresses = tuple(addresses)
        self._slots = threading.BoundedSemaphore(AT_MOST)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=AT_MOST)
        threading.Thread(target=self._listen, name="tunnel", daemon=True).start()

    @property
    def port(self) -> int:
        """The port on 127.0.0.1."""
        return int(self._listener.getsockname()[1])

    def close(self) -> None:
        """End the listener and every connection."""
        self._closed.set()
        # A thread that waits in accept() wakes up only when the socket is shut down.
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            for connection in self._open:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _listen(self) -> None:
        while not self._closed.is_set():
            self._slots.acquire()
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self._open.add(connection)
            threading.Thread(
                target=self._serve, args=(connection,), name="tunnel connection", daemon=True
            ).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            channel = self._far_end()
            if channel is not None:
                _relay(connection, channel)
                # Saying so fails when the session has ended meanwhile; then nothing is left to give back.
                with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                    channel.close()
        finally:
            with self._lock:
                self._open.discard(connection)
            connection.close()
            self._slots.release()

    def _far_end(self) -> Pipe | None:
        """None when no address answers: the client sees its connection end, as from a server that is down."""
        for host, port in self._addresses:
            # Whatever keeps this way shut, another address may be open; the client's own error tells if none is.
            with contextlib.suppress(Exception):
                return self._session().forward(host, port, CONNECT_SECONDS)
        return None


def _relay(near: socket.socket, far: Pipe) -> None:
    """Both directions until both have ended."""

    def up() -> None:
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            while data := near.recv(CHUNK):
                far.sendall(data)
            far.shutdown_write()

    sender = threading.Thread(target=up, name="tunnel upwards", daemon=True)
    sender.start()
    with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
        while data := far.recv(CHUNK):
            near.sendall(data)
    with contextlib.suppress(OSError):
        near.shutdown(socket.SHUT_RDWR)
    sender.join()

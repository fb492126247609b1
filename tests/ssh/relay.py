"""A wire to a server that breaks: so many bytes pass, then it is silent, or ends."""

from __future__ import annotations

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from daiku.wire.ssh_types import Endpoint


@dataclass
class Relay:
    """`limit`: bytes that pass from the server to the client of each connection. `sent`: those of the last one.
    It may be set while a connection stands.
    `closes`: then the connection ends, instead of being silent. `takes`: about so many bytes pass from the client.
    """

    server: int
    limit: int | None = None
    closes: bool = False
    takes: int | None = None
    sent: int = 0
    _sockets: list[socket.socket] = field(default_factory=list[socket.socket])

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets.append(self._listener)
        threading.Thread(target=self._accept, daemon=True).start()

    def endpoint(self, user: str = "root") -> Endpoint:
        return Endpoint("127.0.0.1", self._listener.getsockname()[1], user)

    def close(self) -> None:
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self.server))
                self._sockets += [client, server]
                self.sent = 0
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            taken = 0
            while self.takes is None or taken < self.takes:
                data = client.recv(65536)
                if not data:
                    server.shutdown(socket.SHUT_WR)
                    return
                taken += len(data)
                server.sendall(data)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while self.limit is None or self.sent < self.limit:
                data = server.recv(65536)
                if not data:
                    break
                data = data if self.limit is None else data[: self.limit - self.sent]
                self.sent += len(data)
                client.sendall(data)
            else:
                if not self.closes:
                    return
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def relaying(
    server: int, limit: int | None = None, *, closes: bool = False, takes: int | None = None
) -> Generator[Relay]:
    made = Relay(server, limit, closes, takes)
    try:
        yield made
    finally:
        made.close()

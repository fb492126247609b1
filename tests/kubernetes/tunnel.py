"""A way to the API server over another address, as through a bastion, that can be cut and mended."""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import replace
from typing import Self
from urllib.parse import urlsplit

from daiku.wire.kubernetes import Credentials
from tests.kubernetes.certificates import SERVER_NAME


class Tunnel:
    """`credentials` lead through it; the server's certificate is asked for by its name."""

    def __init__(self, credentials: Credentials) -> None:
        address = urlsplit(credentials.server)
        self._target = (str(address.hostname), int(address.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        self.credentials = replace(
            credentials, server=f"https://localhost:{port}", tls_server_name=SERVER_NAME
        )
        self._open = threading.Event()
        self._open.set()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.cut()
        self._listener.close()

    def cut(self) -> None:
        """Every connection breaks, new ones are closed at once."""
        self._open.clear()
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()
            self._sockets.clear()

    def mend_after(self, seconds: float) -> None:
        threading.Timer(seconds, self._open.set).start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._open.is_set():
                near.close()
                continue
            far = socket.create_connection(self._target)
            with self._lock:
                self._sockets += [near, far]
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for one in (source, sink):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)

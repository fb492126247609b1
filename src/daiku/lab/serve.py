"""Serves an ASGI application on a free loopback port, in a thread."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any

import uvicorn

from daiku.errors import LabError


class Served:
    """One uvicorn server. `url` is known from the start: the socket is bound here, before the thread runs."""

    def __init__(self, app: Any, *, host: str = "127.0.0.1", port: int = 0) -> None:
        # asyncio sets TCP_NODELAY only where the protocol is named; without it every answer waits 40 ms.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            raise LabError(
                f"cannot listen on {host}:{port}: {error.strerror}", hint="is another lab running?"
            ) from error
        self.url = f"http://{host}:{self._socket.getsockname()[1]}"
        # httptools accepts the raw JSON query strings that the real API's clients send; h11 may not.
        config = uvicorn.Config(
            app, log_level="warning", access_log=False, lifespan="off", timeout_keep_alive=30
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="lab-http", daemon=True
        )

    def start(self) -> None:
        """Answer from now on; returns when it does."""
        self._thread.start()
        deadline = time.monotonic() + 15
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise LabError("the emulator's HTTP server did not start", where=self.url)
            time.sleep(0.01)

    def stop(self) -> None:
        """Stop answering."""
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(timeout=10)
        self._socket.close()

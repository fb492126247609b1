"""paramiko's connection and channel, with what they lack to be shared by many threads.

OpenSSH ends a whole connection when data arrives for a channel that is closed. paramiko looks whether a channel is
closed, and sends afterwards without a lock: a close by another thread, or by the other side, may get between. On a
connection to a bastion that would cut off every host behind it because one of them was done.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import cast

import paramiko

from daiku.wire.plain import plain


class Transport(paramiko.Transport):
    """Ends without a traceback on standard error, in whatever order connections break: one that leads through another
    closes a channel of it, which may be gone already. Whoever uses the connection is told of its loss.

    `said`: why the other side ends it, in its own words, where it said so: before its banner, as a server does that
    has no room for us, or when it disconnects.
    """

    said = ""

    def __init__(self, sock: socket.socket | Pipe) -> None:
        # A Pipe has all that paramiko uses of a socket.
        super().__init__(cast("socket.socket", sock))
        self._sender = threading.local()

    def run(self) -> None:
        try:
            super().run()
        except Exception:  # noqa: BLE001 - of a thread that is no call of ours: there is nobody to raise it to
            self.close()

    def close(self) -> None:
        """End the connection; saying so to the other side fails when the way there has ended already."""
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            super().close()

    def _check_banner(self) -> None:
        readline = self.packetizer.readline

        def heard(timeout: float) -> str:
            line = readline(timeout)
            if not line.startswith("SSH-"):
                self.said = words_of(line)
            return line

        self.packetizer.readline = heard
        super()._check_banner()  # type: ignore[misc]
        self.said = ""

    def _parse_disconnect(self, message: paramiko.Message) -> None:
        message.get_int()
        self.said = words_of(message.get_binary().decode("utf-8", "replace"))

    @contextmanager
    def sending_on(self, channel: paramiko.Channel) -> Generator[None]:
        """What this thread sends meanwhile is for `channel`, and is dropped if that is closed before it goes out."""
        self._sender.channel = channel
        try:
            yield
        finally:
            self._sender.channel = None

    def _send_message(self, data: paramiko.Message) -> None:
        # Called by one thread at a time. A channel is marked as closed before its last message is sent.
        channel: paramiko.Channel | None = getattr(self._sender, "channel", None)
        if channel is None or not channel.closed:
            super()._send_message(data)  # type: ignore[misc]


def words_of(text: str) -> str:
    """The first line, without what would steer a terminal."""
    return next(iter(plain(text).strip().splitlines()), "")[:200]


class Pipe:
    """A channel as a byte stream that one thread may close while another one uses it. Methods as those of a socket."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel
        self._transport = cast("Transport", channel.get_transport())

    @property
    def closed(self) -> bool:
        """Whether either side has closed it."""
        return self._channel.closed

    _closed = closed
    """By this name paramiko asks what it takes for a socket."""

    def settimeout(self, seconds: float | None) -> None:
        """For each step forward."""
        self._channel.settimeout(seconds)

    def send(self, data: bytes) -> int:
        """Send a part of `data`; its length."""
        with self._transport.sending_on(self._channel):
            return self._channel.send(data)

    def sendall(self, data: bytes) -> None:
        """Send all of `data`."""
        with self._transport.sending_on(self._channel):
            self._channel.sendall(data)

    def recv(self, limit: int) -> bytes:
        """1 to `limit` bytes, b"" at the end."""
        with self._transport.sending_on(self._channel):  # room for more is told to the other side
            return self._channel.recv(limit)

    def shutdown_write(self) -> None:
        """Tell the other side that no more comes."""
        with self._transport.sending_on(self._channel):
            self._channel.shutdown_write()

    def close(self) -> None:
        """End it on both sides."""
        self._channel.close()

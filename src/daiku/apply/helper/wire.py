"""Frames over the SSH channel, and the errors that travel in them."""

from __future__ import annotations

import _thread
import json
import os
import signal
import struct
import time

from daiku.apply.helper.quick import MARK

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

HEADER = struct.Struct("!cI")
"""One byte of kind (J: JSON, B: bytes) and four of length; the content follows."""
BEAT_SECONDS = 5.0
STILL_SECONDS = 300.0
"""A disk may take so long for one call; one that takes longer counts as broken, and the other side is told no more."""
DEAF_SECONDS = 180
"""The other side answers at once; one that sends nothing for so long is gone, even if its connection seems to stand."""


class HelperError(Exception):
    """An end that the other side is told about: `code` for programs, the message for people."""

    def __init__(self, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.answer = {"kind": "error", "code": code, "message": message, **details}


class Wire:
    """The conversation with the operator's side."""

    def __init__(self, source: Any, sink: int) -> None:
        self._source = source
        self._sink = sink
        self._last = 0.0
        self._stirred = time.monotonic()
        self._turn = _thread.allocate_lock()  # threading costs a host 2 ms to import
        self.committed = False
        """From here on a lost connection is no reason to stop."""
        self.listening = True
        """False once the other side is known to be gone."""
        self._put(MARK)

    def send(self, value: dict[str, Any]) -> None:
        self._stirred = time.monotonic()
        data = json.dumps(value).encode()
        self._put(HEADER.pack(b"J", len(data)) + data)

    def beat(self) -> None:
        """Tell the other side that we are alive, if it has heard nothing for a while."""
        self._stirred = time.monotonic()
        self._beat()

    def _beat(self) -> None:
        if time.monotonic() - self._last > BEAT_SECONDS:
            data = b'{"kind":"alive"}'
            self._put(HEADER.pack(b"J", len(data)) + data)

    def receive(self) -> Any:
        """The next JSON value or bytes; EOFError when the other side is gone.

        A side that is silently gone ends this process, and with it its hold of the machine's lock.
        """
        kind, length = HEADER.unpack(self._read(HEADER.size))
        data = self._read(length)
        return json.loads(data) if kind == b"J" else data

    def keep_beating(self) -> None:
        """From now on the other side hears of us also while this thread waits for a busy disk."""
        _thread.start_new_thread(self._beat_on, ())

    def _beat_on(self) -> None:
        try:
            while self.listening:
                time.sleep(BEAT_SECONDS)
                if time.monotonic() - self._stirred < STILL_SECONDS:
                    self._beat()
        except EOFError:  # the main thread finds out by itself
            return

    def hang_up(self) -> None:
        """This process, a fork, has no part in the conversation any more."""
        self._turn = _thread.allocate_lock()  # the other thread, which is not here, may have held it
        os.close(self._sink)
        self._sink = -1

    def _read(self, length: int) -> bytes:
        data = bytearray()
        while len(data) < length:
            signal.alarm(DEAF_SECONDS)
            part = self._source.read1(min(length - len(data), 1 << 16))
            signal.alarm(0)
            if not part:
                raise EOFError
            data += part
        return bytes(data)

    def _put(self, data: bytes) -> None:
        self._last = time.monotonic()
        try:
            with self._turn:
                while data:
                    data = data[os.write(self._sink, data) :]
        except OSError:
            if not self.committed:
                raise EOFError from None

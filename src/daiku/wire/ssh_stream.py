"""The streams of one remote command, with an end to every wait."""

from __future__ import annotations

import contextlib
import threading
import time
from types import TracebackType
from typing import Self

import paramiko

from daiku.errors import HostUnreachableError
from daiku.wire.ssh_transport import Pipe
from daiku.wire.ssh_types import Result

CHUNK = 65_536
STDERR_KEPT = 65_536
STATUS_SECONDS = 10.0
BREAK_SECONDS = 0.2


class Stream:
    """Standard input and output of a running command. Used by one thread.

    Standard error is read all the time by a thread of its own, because both outputs share one window: a command that
    fills one while we wait for the other would stand still for ever. Its first and last parts are kept.
    """

    def __init__(self, channel: paramiko.Channel, name: str, route: str) -> None:
        self._channel = channel
        self._pipe = Pipe(channel)
        self._name = name
        self._route = route
        self._stderr = bytearray()
        self._stderr_limit: int | None = STDERR_KEPT
        self._reader = threading.Thread(target=self._read_stderr, name=f"stderr {name}", daemon=True)
        self._reader.start()

    def write(self, data: bytes, timeout: float | None = None) -> None:
        """Send all of `data`; `timeout` (seconds) is for each step forward. Raises HostUnreachableError.

        A command that has ended takes no more input: the rest is dropped, and its exit status tells why it ended.
        """
        self._channel.settimeout(timeout)
        view = memoryview(data)
        try:
            while view:
                view = view[self._pipe.send(bytes(view[:CHUNK])) :]
        except (OSError, EOFError, paramiko.SSHException) as error:
            if isinstance(error, TimeoutError) or self._broken():
                raise self._lost("while sending", timeout, error) from error

    def read(self, limit: int = CHUNK, timeout: float | None = None) -> bytes:
        """1 to `limit` bytes, or b"" at the end of the output. HostUnreachableError: lost, or silent for `timeout`."""
        self._channel.settimeout(timeout)
        try:
            data = self._pipe.recv(limit)
        except (OSError, EOFError, paramiko.SSHException) as error:
            raise self._lost("while waiting for the answer", timeout, error) from error
        if not data and self._broken():
            raise self._lost("while waiting for the answer", None, None)
        return data

    def close_input(self) -> None:
        """Tell the command that no more input comes."""
        try:
            self._pipe.shutdown_write()
        except (OSError, EOFError, paramiko.SSHException) as error:
            if self._broken():
                raise self._lost("while sending", None, error) from error

    def status(self, timeout: float = STATUS_SECONDS) -> int:
        """Exit status, waiting for it up to `timeout` seconds; -1 when the command was killed by a signal."""
        if not self._channel.status_event.wait(timeout):
            raise self._lost("while waiting for the exit status", timeout, None)
        if self._broken():
            raise self._lost("while waiting for the exit status", None, None)
        return int(self._channel.exit_status)

    def stderr(self) -> bytes:
        """What the command wrote to standard error: all once it has ended, what came so far before."""
        if self._channel.status_event.is_set():
            self._reader.join(STATUS_SECONDS)
        return bytes(self._stderr)

    def communicate(self, stdin: bytes, timeout: float | None) -> Result:
        """Feed `stdin`, read to the end, and return the Result. `timeout` (seconds) is for the whole."""
        self._stderr_limit = None
        deadline = None if timeout is None else time.monotonic() + timeout
        feeder = threading.Thread(target=self._feed, args=(stdin,), name=f"stdin {self._name}", daemon=True)
        if stdin:
            feeder.start()
        else:
            self.close_input()
        output = bytearray()
        while data := self.read(timeout=_left(deadline)):
            output += data
        status = self.status(STATUS_SECONDS if deadline is None else _left(deadline) or 0.0)
        return Result(status, bytes(output), self.stderr())

    def close(self) -> None:
        """Give the channel back; a command that still runs is not waited for."""
        # Saying so fails when the connection has ended meanwhile; then nothing is left to give back.
        with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _feed(self, data: bytes) -> None:
        # A lost connection is told by the thread that reads.
        with contextlib.suppress(HostUnreachableError):
            self.write(data)
            self.close_input()

    def _read_stderr(self) -> None:
        try:
            while data := self._channel.recv_stderr(CHUNK):
                self._stderr += data
                limit = self._stderr_limit
                if limit is not None and len(self._stderr) > limit:
                    del self._stderr[limit // 2 : len(self._stderr) - limit // 2]
        except (OSError, EOFError, paramiko.SSHException):
            return

    def _broken(self) -> bool:
        """Whether an output that has ended did so because the connection broke.

        paramiko ends the channels of a broken connection first and marks the connection a moment later, so that one
        which ends without an exit status (as a command killed by a signal does, too) is looked at twice.
        """
        transport = self._channel.get_transport()
        if self._channel.exit_status >= 0:
            return False
        if self._channel.closed and transport.is_active():
            transport.join(BREAK_SECONDS)
        return not transport.is_active()

    def _lost(self, when: str, timeout: float | None, error: BaseException | None) -> HostUnreachableError:
        silent = isinstance(error, TimeoutError) or (error is None and timeout is not None)
        what = f"no answer within {timeout:g} s" if silent and timeout is not None else "connection lost"
        return HostUnreachableError(
            f"{self._route}: {what} {when}",
            host=self._name,
            step="command",
            hint="run the same command again: it goes on where it was",
        )


def _left(deadline: float | None) -> float | None:
    return None if deadline is None else max(0.001, deadline - time.monotonic())

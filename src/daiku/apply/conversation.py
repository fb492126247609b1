"""Our end of the conversation with the helper: frames, and what to make of a helper that does not speak."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Any, cast

from daiku.apply.helper.quick import MARK
from daiku.apply.helper.wire import HEADER
from daiku.apply.no_helper import last_line, why_not_begun, why_not_by_python
from daiku.apply.payload import packed_helper
from daiku.errors import HostDiskFullError, HostError
from daiku.wire.plain import plain
from daiku.wire.ssh import Session
from daiku.wire.ssh_python import packed_part, python_command

SILENCE_SECONDS = 30.0
"""The helper says something every ten seconds at most; one that is silent for so long is lost."""
START_FACTOR = 4
"""A host that is short of memory or of disk reads python3 for longer than that before it can say anything."""
NOISE_LIMIT = 1 << 18
FRAME_LIMIT = 1 << 28

Json = dict[str, Any]
_UNCHANGED: Json = {"kind": "survey", "changes": [], "drift": [], "needed": [], "due": [], "receipt": {}}


class Conversation:
    """One run of the helper. Used by one thread, to be closed. `sent` counts bytes, `round_trips` answers."""

    def __init__(
        self, session: Session, on_event: Callable[[str, str], None], silence: float = SILENCE_SECONDS
    ) -> None:
        self._session = session
        self._on_event = on_event
        self._silence = silence
        self._buffer = bytearray()
        self.sent = 0
        self.round_trips = 0
        self._stream = session.open(python_command(session.endpoint.user))

    def close(self) -> None:
        self._stream.close()

    def start(self, manifest: Json) -> Json:
        """Send the helper and the manifest in one go, and return its answer."""
        first, rest = packed_helper()
        self._write(first + packed_part(_json(manifest), 1) + rest)
        self._find_mark()
        found = self._answer()
        return _UNCHANGED if found.get("kind") == "unchanged" else self._with(_UNCHANGED, found)

    def go(self, blobs: dict[str, bytes]) -> Json:
        """Send the contents that are needed, have the change made, and return the report."""
        parts = [_frame({"kind": "go", "blobs": sorted(blobs)})]
        for _, content in sorted(blobs.items()):
            packed = zlib.compress(content)
            parts.append(HEADER.pack(b"B", len(packed)) + packed)
        self._write(b"".join(parts))
        return self._with(("ran",), self._answer())

    def _write(self, data: bytes) -> None:
        self.sent += len(data)
        self._stream.write(data, self._silence)

    def _answer(self) -> Json:
        """The next answer; signs of life and events on the way are dealt with. Raises the helper's errors."""
        while True:
            message = self._receive()
            match message.get("kind"):
                case "alive":
                    continue
                case "event":
                    self._on_event(str(message.get("step")), str(message.get("message")))
                case "reachable?":
                    self.round_trips += 1
                    self._write(_frame({"kind": "reached"}))
                case "error":
                    raise _error(self._session.name, message)
                case _:
                    self.round_trips += 1
                    return message

    def _receive(self) -> Json:
        while len(self._buffer) < HEADER.size:
            self._more()
        kind, length = HEADER.unpack_from(self._buffer)
        if kind != b"J" or length > FRAME_LIMIT:
            raise self._rubbish()
        end = HEADER.size + length
        while len(self._buffer) < end:
            self._more()
        content = bytes(self._buffer[HEADER.size : end])
        del self._buffer[:end]
        try:
            message = json.loads(content)
        except (ValueError, RecursionError):
            raise self._rubbish() from None
        if not isinstance(message, dict):
            raise self._rubbish()
        return cast("Json", message)

    def _with(self, keys: Iterable[str], message: Json) -> Json:
        """`message`, which has all `keys`."""
        if not set(keys) <= message.keys():
            raise self._rubbish()
        return message

    def _more(self) -> None:
        data = self._stream.read(timeout=self._silence)
        if not data:
            raise self._broken("ended in the middle")
        self._buffer += data

    def _find_mark(self) -> None:
        """Skip what the login's shell may print before the helper begins."""
        patience = START_FACTOR * self._silence
        end = time.monotonic() + patience
        while (place := self._buffer.find(MARK)) < 0:
            data = self._stream.read(timeout=patience)
            if not data:
                status, stderr = self._stream.status(), self._stream.stderr()
                raise self._error(*why_not_begun(status, stderr, bytes(self._buffer), self._user))
            self._buffer += data
            if len(self._buffer) > NOISE_LIMIT or time.monotonic() > end:
                raise self._error(
                    f"the host printed {len(self._buffer)} bytes, and the helper has not begun",
                    f"see that the start-up files of the shell of the account {self._user!r} print nothing",
                )
        del self._buffer[: place + len(MARK)]

    @property
    def _user(self) -> str:
        return self._session.endpoint.user

    def _broken(self, how: str) -> HostError:
        stderr = self._stream.stderr()
        words = last_line(stderr)
        message = f"the helper {how}" + (f": {words}" if words else "")
        if b"Traceback" in stderr:
            fault = "this is a fault of daiku, or a record in /var/lib/daiku was edited by hand: report it"
            return self._error(*why_not_by_python(stderr) or (message, fault))
        hint = "run the same command again: it goes on where it was; if it ends so again, the host kills it (is it "
        return self._error(message, hint + "out of memory?)")

    def _rubbish(self) -> HostError:
        return self._error(
            "the helper's answer is none that daiku knows",
            f"see what else the host prints when the account {self._user!r} runs a command",
        )

    def _error(self, message: str, hint: str) -> HostError:
        return HostError(message, host=self._session.name, step="converge", hint=hint)


def _frame(value: Json) -> bytes:
    data = _json(value)
    return HEADER.pack(b"J", len(data)) + data


def _json(value: Json) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _error(host: str, message: Json) -> HostError:
    """The helper's error as one of ours."""
    text, output = plain(str(message.get("message"))), plain(str(message.get("output", "")))
    again = "then run the same command again: it goes on where it was"
    match message.get("code"):
        case "disk full":
            return HostDiskFullError(
                text, host=host, step="files", hint=f"nothing was changed; make room on the host, {again}"
            )
        case "validate":
            return HostError(
                text, host=host, step="validate", hint="nothing was changed; put it right on the host"
            )
        case "trigger":
            return HostError(
                _with_output(text, output),
                host=host,
                step=f"trigger {message.get('trigger', '')}",
                hint=f"the files are in place and this trigger is still to run; mend the cause, {again}",
            )
        case "network":
            return HostError(
                _with_output(text, output),
                host=host,
                step=f"trigger {message.get('trigger', 'network')}",
                hint="put the bundle's network for this host right, then run the same command again",
            )
        case "packages":
            return HostError(
                text,
                host=host,
                step="packages",
                hint="give the host an apt source (or a mirror) that has these versions, " + again,
            )
        case "verify":
            return HostError(text, host=host, step="verify", hint=f"find out on the host why, {again}")
        case "busy":
            return HostError(text, host=host, step="lock", hint="wait until it has ended")
        case _:
            return HostError(text, host=host, step="files", hint=f"mend the cause, {again}")


def _with_output(text: str, output: str) -> str:
    last = "\n".join(output.splitlines()[-10:])
    return f"{text}\n{last}" if last else text

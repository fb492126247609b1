"""One request in, lines of JSON out. The last one holds `done`."""

from __future__ import annotations

import json
import sys
import threading

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

MARK = b"\n--daiku-phase-1--\n"
ALIVE_SECONDS = 5.0


class Speech:
    """Says lines of JSON, and a sign of life while nothing else is said. A listener that has gone is not missed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._write(MARK)
        threading.Thread(target=self._live, daemon=True).start()

    def say(self, **message: Any) -> None:
        self._write(json.dumps(message).encode() + b"\n")

    def done(self, answer: dict[str, Any]) -> None:
        self._ended.set()
        self.say(done=answer)

    def _live(self) -> None:
        while not self._ended.wait(ALIVE_SECONDS):
            self.say(alive=1)

    def _write(self, data: bytes) -> None:
        with self._lock:
            try:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            except OSError:  # what has begun here is carried to its end all the same
                pass


def begin() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    speech = Speech()
    operation = request.pop("operation")
    if operation == "look":
        from daiku.apply.phases.host.look import look

        speech.done(look(**request))
    elif operation == "kubeadm":
        from daiku.apply.phases.host.kubeadm import run

        speech.done(run(speech.say, **request))
    elif operation == "forget-member":
        from daiku.apply.phases.host.etcd import remove

        speech.done(remove(**request))
    elif operation == "read":
        from daiku.apply.phases.host.look import text

        speech.done({"text": text(request["path"])})
    else:
        from daiku.apply.phases.host.kubeadm import restart_kubelet

        speech.done(restart_kubelet())

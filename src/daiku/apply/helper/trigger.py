"""Running one trigger to its end, whatever it prints and however long it is silent."""

from __future__ import annotations

import os
import signal
import subprocess
import time

from daiku.apply.helper.host import Host
from daiku.apply.helper.wire import BEAT_SECONDS, HelperError

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

OUTPUT_LIMIT = 1 << 18
SHOWN_LIMIT = 4096
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LC_ALL": "C.UTF-8",
    "DEBIAN_FRONTEND": "noninteractive",
}


def run_trigger(host: Host, trigger: dict[str, Any], limit: float) -> float:
    """Seconds that the command took; HelperError when it fails or takes longer than `limit` seconds."""
    began = time.monotonic()
    output_of(host, trigger, limit)
    return time.monotonic() - began


def output_of(host: Host, trigger: dict[str, Any], limit: float) -> str:
    """The last part of what the command printed; HelperError when it fails or takes longer than `limit` seconds.

    It has a session of its own, so that it outlives a connection that it cuts. Its output goes to memory: a full disk
    cannot stop it, and a daemon that it starts cannot keep us waiting by holding a pipe.
    """
    began = time.monotonic()
    output = os.memfd_create("daiku-trigger", os.MFD_CLOEXEC)
    try:
        try:
            process = subprocess.Popen(
                trigger["command"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=host.root or "/",
                env=ENVIRONMENT,
                start_new_session=True,
            )
        except OSError as error:
            raise _failed(trigger, f"cannot be started: {error.strerror}", output) from None
        while True:
            left = began + limit - time.monotonic()
            try:
                status = process.wait(max(0.0, min(BEAT_SECONDS, left)))
                break
            except subprocess.TimeoutExpired:
                host.wire.beat()
                if left <= 0:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
                    raise _failed(trigger, f"did not end within {limit:g} s", output) from None
        if status:
            ending = f"exit status {status}" if status > 0 else f"killed by signal {-status}"
            raise _failed(trigger, f"failed: {ending}", output)
        return _text(output)
    finally:
        os.close(output)


def _failed(trigger: dict[str, Any], what: str, output: int) -> HelperError:
    command = " ".join(trigger["command"])
    text = _text(output)[-SHOWN_LIMIT:]
    return HelperError(
        "trigger", f"trigger {trigger['name']} ({command}) {what}", trigger=trigger["name"], output=text
    )


def _text(output: int) -> str:
    size = os.fstat(output).st_size
    return os.pread(output, OUTPUT_LIMIT, max(0, size - OUTPUT_LIMIT)).decode("utf-8", "replace").strip()

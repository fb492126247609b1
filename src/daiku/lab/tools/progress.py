"""Running a long command while telling what it is at."""

from __future__ import annotations

import queue
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

Progress = Callable[[str], None]
"""Gets one line of text; the caller shows it, usually in place of the one before."""

EVERY: Final = 2.0
"""Seconds between two lines."""


@dataclass(frozen=True, slots=True)
class Result:
    code: int
    tail: tuple[str, ...]

    @property
    def last_line(self) -> str:
        """The last line that says something: where build tools put their reason."""
        return next((line for line in reversed(self.tail) if line.strip()), f"exit status {self.code}")


def run_with_progress(
    command: Sequence[str],
    what: str,
    progress: Progress,
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    counted: str = "",
) -> Result:
    """Run to the end; every two seconds one line `what: 412 packages, 0:42` (`counted` names its output lines).

    Interrupted (Ctrl-C), the command is stopped before the exception goes on.
    """
    progress(what)
    process = subprocess.Popen(
        list(command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        errors="replace",
        cwd=cwd,
        env=None if environ is None else dict(environ),
    )
    assert process.stdout
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_pump, args=(process.stdout, lines), daemon=True).start()
    tail: deque[str] = deque(maxlen=40)
    count, begun, told = 0, time.monotonic(), time.monotonic()
    try:
        while True:
            try:
                line = lines.get(timeout=EVERY)
            except queue.Empty:
                line = ""
            if line is None:
                return Result(process.wait(), tuple(tail))
            if line:
                count += 1
                tail.append(line)
            if time.monotonic() - told >= EVERY:
                told = time.monotonic()
                progress(f"{what}: {f'{count} {counted}, ' if counted else ''}{_clock(told - begun)}")
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


def _pump(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    for line in stream:
        lines.put(line.rstrip() or " ")
    lines.put(None)


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

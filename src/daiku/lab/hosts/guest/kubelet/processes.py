"""Processes that outlive who started them: known by PID and start time, written down under /run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

RECORDS = Path("/run/daiku-kubelet")


@dataclass(frozen=True, slots=True)
class Process:
    """`born` is the kernel's start time, so that a PID used again is not taken for ours. `since` is RFC 3339."""

    pid: int
    born: str
    since: str
    digest: str


def start(
    record: Path, digest: str, words: Sequence[str], environment: Mapping[str, str], folder: str, log: Path
) -> Process:
    """Start `words` in a session of its own and write it down; a SIGTERM meanwhile waits until both are done, or nobody
    would know of the process. To be called in the main thread. Raises OSError."""
    with _unended():
        return _start(record, digest, words, environment, folder, log)


def _start(
    record: Path, digest: str, words: Sequence[str], environment: Mapping[str, str], folder: str, log: Path
) -> Process:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            list(words),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
        )
    child.returncode = 0  # `reap` waits for it, not this object
    process = Process(child.pid, _born(child.pid) or "", now(), digest)
    record.parent.mkdir(parents=True, exist_ok=True)
    fresh = record.with_suffix(".tmp")
    fresh.write_text(json.dumps(asdict(process)))
    fresh.replace(record)
    return process


@contextmanager
def _unended() -> Generator[None]:
    # A handler and no mask: a mask would be the child's, too, which then could not be ended.
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
        if came:
            signal.raise_signal(signal.SIGTERM)


def find(record: Path) -> Process | None:
    """The process of a record if it lives, whoever started it."""
    try:
        process = Process(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        return None
    return process if process.born and _born(process.pid) == process.born else None


def send(process: Process, number: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process.pid, number)


def reap() -> None:
    """Note the end of every child that has ended."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def end_all(records: Path = RECORDS) -> int:
    """Kill every process that is written down, and forget it: what `kubeadm reset` asks a container runtime to do."""
    ended = 0
    for record in sorted(records.glob("*.json")):
        process = find(record)
        if process is not None:
            send(process, signal.SIGKILL)
            ended += 1
        deadline = time.monotonic() + 5
        while find(record) is not None and time.monotonic() < deadline:
            time.sleep(0.02)
        record.unlink(missing_ok=True)
    return ended


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _born(pid: int) -> str | None:
    """Start time of a process that lives and is no zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]

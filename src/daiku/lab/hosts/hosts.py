"""`Hosts`: the face of the fabric in the lab's own process."""

from __future__ import annotations

import contextlib
import os
import queue
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from daiku.errors import LabError
from daiku.lab.hosts.fabric import FOLDER
from daiku.lab.hosts.programs import Programs
from daiku.lab.hosts.status import HostStatus, RealServerStatus
from daiku.lab.hosts.support import require_programs, supports_namespaces
from daiku.lab.tools.cache import cache_root
from daiku.lab.tools.openssh import fetch_missing_programs
from daiku.lab.topology import Topology

_CLOSE_SECONDS = 20.0
_ENVIRONMENT = ("PATH", "LANG", "HOME", "PYTHONPATH", "VIRTUAL_ENV")
"""All that the fabric gets of the operator's environment: no credentials."""
_START = "from daiku.lab.hosts.fabric import main; main()"


class Hosts:
    """Makes this machine's namespaces equal to a `Topology`.

    Everything runs under one process that ends, with all it started, when this object is closed or its process dies;
    disks live as long. `state_dir` is made if it is missing and holds a log file, a mount point that nobody else sees
    and `programs`, the links to Kubernetes' programs that the hosts see. `log` gets one line for every boot, power-off
    and reboot, and `left` the id and the boots of each machine that powered itself off, both from some thread of this
    process.

    Raises LabError where namespaces are forbidden, MissingToolError where a program is missing. Methods may be called
    from any thread; they take turns.
    """

    def __init__(
        self,
        state_dir: Path,
        *,
        log: Callable[[str], None],
        left: Callable[[str, int], None] = lambda _machine, _boots: None,
    ) -> None:
        require_programs()
        reason = supports_namespaces()
        if reason is not None:
            raise LabError(f"the lab's hosts cannot run: {reason}", where="lab hosts")
        programs = fetch_missing_programs(log)
        self._log = log
        self._left = left
        self._state = state_dir.resolve()
        self._state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._turn = threading.Lock()
        self.programs = Programs(self._state)
        tools = cache_root()
        tools.mkdir(parents=True, exist_ok=True)
        near, far = socket.socketpair()
        command = [sys.executable, "-c", _START, str(far.fileno()), str(self._state), str(tools)]
        with far, (self._state / "fabric.log").open("ab") as output:
            self._process = subprocess.Popen(
                [*command, str(programs or "")],
                pass_fds=[far.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )
        connection = Connection(near.detach())
        self._connection: Connection | None = connection
        self._answers: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        threading.Thread(target=self._listen, args=(connection,), name="lab hosts", daemon=True).start()
        try:
            self._answer()
        except LabError:
            self.close()
            raise

    def apply(self, topology: Topology) -> None:
        """Make everything equal to `topology`; returns when every booted host answers on port 22.

        Idempotent: what is as wanted is not touched. Raises LabError that names all that failed; the rest is done.
        """
        self._ask("apply", topology)

    def status(self) -> tuple[HostStatus, ...]:
        """Every machine of the topology last applied, in its order."""
        rows: list[HostStatus] = self._ask("status")
        known = _real_pids(self._process.pid) if any(row.pid for row in rows) else {}
        return tuple(replace(row, pid=known.get(row.pid)) if row.pid else row for row in rows)

    def lb_status(self) -> tuple[RealServerStatus, ...]:
        """Every real server of every balancer that is on, sorted by balancer, VIP and server."""
        return tuple(self._ask("lb_status"))

    def close(self) -> None:
        """End everything that was started and remove the mount point. Disks are gone. May be called twice."""
        with self._turn:
            if self._connection is None:
                return
            with contextlib.suppress(OSError):
                self._connection.send(("close", ()))
            try:
                self._process.wait(_CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()  # its child, the fabric, dies with it
                self._process.wait()
            self._connection.close()
            self._connection = None
            self.programs.remove()
            with contextlib.suppress(OSError):
                (self._state / FOLDER).rmdir()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, verb: str, *arguments: object) -> Any:
        with self._turn:
            if self._connection is None:
                raise LabError("the lab's hosts are closed")
            with contextlib.suppress(OSError):  # a dead fabric is told by the missing answer
                self._connection.send((verb, arguments))
            return self._answer()

    def _answer(self) -> Any:
        kind, value = self._answers.get()
        if kind == "done":
            return value
        if kind == "error":
            message, where, hint = value
            raise LabError(message, where=where, hint=hint)
        self._answers.put((kind, value))  # for whoever asks next
        raise LabError(
            "the process that holds the lab's hosts ended",
            hint=f"see {self._state / 'fabric.log'}, then start the lab again",
        )

    def _listen(self, connection: Connection) -> None:
        """Pass on log lines, and who left, as they come, answers to the one who waits for them."""
        while True:
            try:
                kind, value = connection.recv()
            except (EOFError, OSError):
                self._answers.put(("ended", None))
                return
            if kind == "log":
                self._log(value)
            elif kind == "left":
                self._left(*value)
            else:
                self._answers.put((kind, value))


def _real_pids(launcher: int) -> dict[int | None, int]:
    """PIDs as the fabric numbers them -> as this machine numbers them."""
    found: dict[int | None, int] = {}
    waiting = [launcher]
    while waiting:
        pid = waiting.pop()
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                waiting += [int(word) for word in (thread / "children").read_text().split()]
            status = Path(f"/proc/{pid}/status").read_text()
            numbers = next(
                (line.split()[1:] for line in status.splitlines() if line.startswith("NSpid:")), []
            )
            if len(numbers) > 1:
                found[int(numbers[1])] = pid
    return found

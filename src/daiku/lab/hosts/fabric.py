"""The process that holds the lab's namespaces. Started by `Hosts`, it lives as long as its connection to it.

It is PID 1 of its own PID namespace, with private mount and network namespaces: whatever it starts ends with it, and
whatever it mounts or plugs in is never visible outside. It answers one request at a time over a socket pair.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from daiku.errors import DaikuError
from daiku.lab.hosts import layer
from daiku.lab.hosts import programs as programs_folder
from daiku.lab.hosts.guest import syscalls as sc
from daiku.lab.hosts.world import World

FOLDER = "fabric"
"""Name of the folder under the state folder on which the fabric mounts its private tmpfs."""


def main() -> None:
    """`fabric DESCRIPTOR STATE_DIR TOOLS PROGRAMS`: TOOLS is the cache of built tools, PROGRAMS the folder with sshd,
    "" when this machine has it."""
    descriptor, state, tools, programs = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
    # Ctrl-C of the terminal is for the one who holds the other end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    base = state / FOLDER
    base.mkdir(parents=True, exist_ok=True)
    sc.unshare(sc.CLONE_NEWNS | sc.CLONE_NEWPID)
    pid = os.fork()
    if pid:
        os.close(descriptor)
        status = os.waitpid(pid, 0)[1]
        sys.exit(os.waitstatus_to_exitcode(status))
    sc.die_with_parent(signal.SIGKILL)
    os.setsid()
    sc.mount("none", "/", flags=sc.MS_REC | sc.MS_PRIVATE)
    sc.mount("proc", "/proc", "proc")
    sc.mount("lab", base, "tmpfs", data="mode=700")
    (base / "layer").mkdir()
    layer.sysctl_template(base / "sysctl")
    sc.unshare(sc.CLONE_NEWNET | sc.CLONE_NEWIPC | sc.CLONE_NEWUTS)
    connection = Connection(descriptor)
    world: World | None = None
    try:
        fetched = Path(programs) if programs else None
        interpreter = layer.build(base / "layer", fetched)
        sending = threading.Lock()

        def log(line: str) -> None:
            with sending:
                connection.send(("log", line))

        def left(machine: str, boots: int) -> None:
            with sending:
                connection.send(("left", (machine, boots)))

        folders = (state / programs_folder.FOLDER, tools)
        world = World(base, outside, interpreter, fetched, folders, log, left)
        connection.send(("done", None))
        _serve(connection, world, sending)
    except DaikuError as error:
        connection.send(("error", (error.message, error.where, error.hint)))
    except (EOFError, BrokenPipeError, ConnectionError):
        pass  # whoever held the other end is gone: so are we
    if world is not None:
        world.close()
    # This is PID 1 of the lab: leaving ends every process of it, and threads need not be asked.
    os._exit(0)


def _serve(connection: Connection, world: World, sending: threading.Lock) -> None:
    verbs: dict[str, Callable[..., Any]] = {
        "apply": world.apply,
        "status": world.status,
        "lb_status": world.lb_status,
    }
    while True:
        verb, arguments = connection.recv()
        if verb == "close":
            return
        try:
            answer = ("done", verbs[verb](*arguments))
        except DaikuError as error:
            answer = ("error", (error.message, error.where, error.hint))
        except OSError as error:
            answer = ("error", (str(error), "", ""))
        with sending:
            connection.send(answer)

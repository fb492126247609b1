"""PID 1 of a lab host: brings up the network, starts the enabled units, answers `systemctl`, reaps what is left.

`systemctl` and its relatives are clients: they send their words over a Unix socket and print what comes back.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from daiku.lab.hosts.guest import units
from daiku.lab.hosts.guest.services import Services
from daiku.lab.hosts.guest.verbs import Verbs

SOCKET = "/run/daiku-init.sock"
REBOOT_STATUS = 75
"""Exit status of PID 1 that asks for another boot from the same disk; 0 means powered off."""
_BOOT_LOG = Path("/var/log/boot.log")
_HOST_KEY = Path("/etc/ssh/ssh_host_ed25519_key")


class Init:
    def __init__(self, *, ready: Callable[[], None]) -> None:
        self._ready = ready
        self._services = Services()
        self._ending: int | None = None
        self._wake = -1
        self._verbs = Verbs(self._services, self._end)

    def run(self) -> int:
        """Boot, then reap until somebody reboots or powers off; the exit status of the host."""
        os.environ.clear()
        os.environ.update({"PATH": units.DEFAULT_PATH, "LANG": "C.UTF-8", "HOME": "/root"})
        os.umask(0o022)
        server = socket.socket(socket.AF_UNIX)
        server.bind(SOCKET)
        Path(SOCKET).chmod(0o666)
        server.listen(64)
        self._prepare()
        # Every SIGCHLD puts a byte into this pipe, and so does whoever ends the host.
        waking, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        signal.signal(signal.SIGCHLD, _noted)
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        threading.Thread(target=self._serve, args=(server,), daemon=True).start()
        threading.Thread(target=self._start_units, daemon=True).start()
        while self._ending is None:
            os.read(waking, 4096)
            self._services.reap()
        self._services.stop_all()
        return self._ending

    def _prepare(self) -> None:
        """The steps before any unit, all at once; the reaper does not run yet, so plain waiting is safe."""
        Path("/run/sshd").mkdir(exist_ok=True)
        steps = [["sysctl", "-q", "--system"], ["sh", "-c", "ip link set lo up && exec netplan apply"]]
        if not _HOST_KEY.exists():
            steps.append(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(_HOST_KEY)])
        _BOOT_LOG.parent.mkdir(parents=True, exist_ok=True)
        with _BOOT_LOG.open("ab") as log:
            started = [
                subprocess.Popen(step, stdin=subprocess.DEVNULL, stdout=log, stderr=log) for step in steps
            ]
            for step, child in zip(steps, started, strict=True):
                if child.wait():
                    log.write(f"{' '.join(step)}: exit status {child.returncode}\n".encode())

    def _start_units(self) -> None:
        for name in enabled_units():
            unit = units.find(name)
            problem = self._services.start(unit) if unit else f"{name} is enabled and has no file"
            if problem:
                with _BOOT_LOG.open("a") as log:
                    log.write(problem + "\n")
            if unit is not None and unit.name == "ssh.service" and _listens(22):
                self._ready()

    def _end(self, status: int) -> None:
        def later() -> None:
            time.sleep(0.1)  # let the answer to `reboot` leave first
            self._ending = status
            os.write(self._wake, b".")

        threading.Thread(target=later, daemon=True).start()

    def _serve(self, server: socket.socket) -> None:
        while True:
            peer, _ = server.accept()
            threading.Thread(target=self._answer, args=(peer,), daemon=True).start()

    def _answer(self, peer: socket.socket) -> None:
        with peer, contextlib.suppress(OSError, ValueError):
            _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            words = json.loads(peer.makefile().readline())
            code, out, err = self._verbs.run(words, privileged=uid == 0)
            peer.sendall(json.dumps([code, out, err]).encode())


def _noted(_signal: int, _frame: object) -> None:
    """Without a handler of Python's the signal would not reach the pipe."""


def enabled_units(folder: Path = units.UNIT_FOLDERS[0]) -> list[str]:
    """Names of the units that some target wants: sshd first, then by name."""
    names = {path.name for path in folder.glob("*.target.wants/*")}
    return sorted(names, key=lambda name: (name != "ssh.service", name))


def _listens(port: int, patience: float = 10.0) -> bool:
    """Wait until something listens on the TCP port, without connecting to it (sshd would log that)."""
    wanted = f":{port:04X} "
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        for table in ("/proc/net/tcp", "/proc/net/tcp6"):
            with contextlib.suppress(OSError):
                rows = (line.split() for line in Path(table).read_text().splitlines()[1:])
                if any(f"{row[1]} ".endswith(wanted) and row[3] == "0A" for row in rows):
                    return True
        time.sleep(0.01)
    return False

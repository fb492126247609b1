"""One running machine: its disk, its holder process, its ports."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from daiku.errors import LabError
from daiku.lab.hosts.decide import Known, port_changes
from daiku.lab.hosts.disk import FirstFile, first_files
from daiku.lab.hosts.guest.init import REBOOT_STATUS
from daiku.lab.hosts.guest.units import DEFAULT_PATH
from daiku.lab.hosts.layer import CODE
from daiku.lab.hosts.wiring import Wiring
from daiku.lab.topology import Machine

_BOOT_SECONDS = 30.0


class Disks:
    """The roots of all machines, by `Machine.root`, kept until they are wiped. Folders `upper`, `work`, `root`."""

    def __init__(self, base: Path) -> None:
        self._base = base
        self._folders: dict[str, Path] = {}
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def open(self, machine: Machine) -> Path:
        """The disk's folder; a root seen for the first time is written first."""
        with self._lock:
            known = self._folders.get(machine.root)
            if known is not None:
                return known
            disk = self._base / "disks" / str(next(self._numbers))
            self._folders[machine.root] = disk
        for name in ("upper", "work", "root"):
            (disk / name).mkdir(parents=True)
        (disk / "upper").chmod(0o755)
        files = first_files(
            machine, passwd=Path("/etc/passwd").read_text(), group=Path("/etc/group").read_text()
        )
        for name, file in sorted(files.items()):
            _write(disk / "upper", name, file)
        return disk

    def wipe(self, root: str) -> None:
        with self._lock:
            disk = self._folders.pop(root, None)
        if disk is not None:
            shutil.rmtree(disk, ignore_errors=True)


def _write(upper: Path, name: str, file: FirstFile) -> None:
    """Write a file of the first boot. Folders that it needs get their usual modes, homes their owner's."""
    path = upper / name
    for folder in reversed(path.relative_to(upper).parents[:-1]):
        made = upper / folder
        if not made.exists():
            private = folder.name == ".ssh" or str(folder) == "root"
            made.mkdir(mode=0o755)
            made.chmod(0o700 if private else 0o755)
            if file.owner and folder.parts[:1] == ("home",) and len(folder.parts) > 1:
                os.chown(made, file.owner, file.owner)
    path.touch(mode=0o600)
    path.write_text(file.text)
    path.chmod(file.mode)
    os.chown(path, file.owner, file.owner)


class Guest:
    """A machine that was booted. `exited` is called once, from a thread of its own, when it ends by itself."""

    def __init__(self, machine: Machine, wiring: Wiring, exited: Callable[[Guest, int], None]) -> None:
        self.machine = machine
        self.pid = 0
        self.left = False
        self._wiring = wiring
        self._exited = exited
        self._cables: dict[str, str] = {}
        self._holder: subprocess.Popen[str] | None = None
        self._ended = threading.Event()
        self._halting = False

    @property
    def alive(self) -> bool:
        return self._holder is not None and not self._ended.is_set()

    def known(self) -> Known:
        return Known(self.machine, alive=self.alive, left=self.left)

    def boot(
        self, base: Path, disk: Path, interpreter: str, prefix: str, programs: Path, tools: Path
    ) -> None:
        """Start it and return when its sshd listens. Raises LabError, after which nothing of it is left running."""
        layer = base / "layer"
        holder = subprocess.Popen(
            [interpreter, "-IS", layer / CODE / "boot", layer / CODE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": DEFAULT_PATH, "LANG": "C.UTF-8"},  # nothing of the operator's, keys least of all
        )
        self._holder = holder
        assert holder.stdin
        assert holder.stdout
        stuck = threading.Timer(_BOOT_SECONDS, self.halt)
        stuck.start()
        order = {
            "base": str(base),
            "disk": str(disk.relative_to(base)),
            "layer": "layer",
            "sysctl": "sysctl",
            "interpreter": prefix,
            "programs": str(programs),
            "tools": str(tools),
        }
        try:
            holder.stdin.write(json.dumps(order) + "\n")
            holder.stdin.flush()
            self._expect("holder")
            self._cables = self._wiring.connect(
                str(holder.pid), [(nic.name, nic.mac, nic.segment) for nic in self.machine.nics]
            )
            self.pid = int(self._expect("pid").split()[1])
            holder.stdin.write("plugged\n")
            holder.stdin.close()
            self._expect("ready")
        except (LabError, OSError):
            self.halt()
            raise
        finally:
            stuck.cancel()
        threading.Thread(target=self._watch, name=f"watch {self.machine.id}", daemon=True).start()

    def rewire(self, machine: Machine) -> None:
        """Make the ports equal to the machine's NICs while it runs."""
        changes = port_changes(self.machine.nics, machine.nics)
        self._wiring.remove(self._cables.pop(name) for name in changes.remove)
        assert self._holder
        added = [(nic.name, nic.mac, nic.segment) for nic in changes.add]
        self._cables |= self._wiring.connect(str(self._holder.pid), added)
        self._wiring.move((self._cables[nic.name], nic.segment) for nic in changes.move)
        self.machine = machine

    def halt(self) -> None:
        """Cut the power: every process ends at once, the disk stays."""
        self._halting = True
        if self._holder is not None and self._holder.returncode is None:
            # PID 1's end ends its namespace and takes everything with it; the holder follows.
            _kill(self.pid or self._holder.pid)
            self._holder.wait()
        self._ended.set()
        self._wiring.forget_cables(self._cables.values())

    def _expect(self, word: str) -> str:
        assert self._holder
        assert self._holder.stdout
        line = self._holder.stdout.readline()
        if not line.startswith(word):
            raise LabError(
                f"the machine did not boot: it ended before saying `{word}`", where=self.machine.hostname
            )
        return line

    def _watch(self) -> None:
        assert self._holder
        status = self._holder.wait()
        self._ended.set()
        if not self._halting:
            self.left = status == 0
            self._wiring.forget_cables(self._cables.values())
            self._exited(self, status)


def wants_reboot(status: int) -> bool:
    """Whether PID 1's exit status asks for another boot from the same disk."""
    return status == REBOOT_STATUS


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return

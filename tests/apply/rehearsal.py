"""The helper in a process of its own on this machine, over pipes instead of SSH, with a folder as the host's root.

Everything but the SSH connection is real: the frames, the process, the files, the triggers, and the death. Only
fsync does nothing: power cannot be cut here, and hundreds of runs would wait for the disk.
"""

from __future__ import annotations

import errno
import grp
import io
import os
import pwd
import select
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn, Self

import daiku.apply.helper.change  # noqa: F401 - loaded once here, not in each of hundreds of processes
from daiku.apply.converge import converge
from daiku.apply.helper.quick import begin
from daiku.apply.report import HostReport
from daiku.errors import HostUnreachableError
from daiku.render.bundle import HostBundle, HostFile, Trigger
from daiku.wire.ssh_types import Endpoint

OWNER = pwd.getpwuid(os.getuid()).pw_name
GROUP = grp.getgrgid(os.getgid()).gr_name

CHANGING = ("write", "replace", "unlink", "link", "symlink", "mkdir", "chmod", "fchmod", "fchown", "fsync")
"""Every call of os with which the helper changes the machine."""


class Pipes:
    """As wire.ssh_stream.Stream, but to a process of this machine."""

    def __init__(self, pid: int, to: int, out: int) -> None:
        self._pid, self._to, self._out = pid, to, out
        self._status: int | None = None

    def write(self, data: bytes, _timeout: float | None = None) -> None:
        try:
            while data:
                data = data[os.write(self._to, data) :]
        except BrokenPipeError as error:
            raise HostUnreachableError("gone", host="n1") from error

    def read(self, limit: int = 65536, timeout: float | None = None) -> bytes:
        if timeout is not None and not select.select([self._out], [], [], timeout)[0]:
            raise HostUnreachableError(f"no answer within {timeout:g} s", host="n1")
        data = os.read(self._out, limit)
        if not data and self.status() < 0:
            raise HostUnreachableError("the machine died", host="n1")
        return data

    def status(self, _timeout: float = 0) -> int:
        if self._status is None:
            self._status = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        return self._status

    def stderr(self) -> bytes:
        return b""

    def close(self) -> None:
        for descriptor in (self._to, self._out):
            os.close(descriptor)
        self.status()


class Rehearsal:
    """As wire.ssh.Session. `before` runs in the helper's process before it begins. `opened` counts helpers."""

    name = "n1"
    endpoint = Endpoint("127.0.0.1", 22, "root")

    def __init__(self, before: Callable[[], None] = lambda: None) -> None:
        self._before = before
        self.opened = 0

    def open(self, command: str) -> Pipes:
        self.opened += 1
        theirs_in, ours_out = os.pipe()
        ours_in, theirs_out = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(ours_in)
            os.close(ours_out)
            self._live(theirs_in, theirs_out)
        os.close(theirs_in)
        os.close(theirs_out)
        return Pipes(pid, ours_out, ours_in)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def _live(self, source: int, sink: int) -> NoReturn:
        try:
            os.dup2(source, 0)
            os.dup2(sink, 1)
            os.close(source)
            os.close(sink)
            sys.stdin = io.TextIOWrapper(io.BufferedReader(io.FileIO(0)))
            os.fsync = lambda _descriptor: None
            self._before()
            # What python_command starts on a host, less the interpreter's start.
            stdin = sys.stdin.buffer
            stdin.read(int(stdin.readline()))
            begin()
            os._exit(0)
        except SystemExit as error:
            os._exit(int(str(error.code or 0)))
        finally:
            os._exit(70)


def run(root: Path, bundle: HostBundle, session: Rehearsal | None = None, **options: Any) -> HostReport:
    return converge(session or Rehearsal(), bundle, root=str(root), **options)  # type: ignore[arg-type]


def file(path: str, content: bytes | str = b"", mode: int = 0o644, trigger: str | None = None) -> HostFile:
    data = content.encode() if isinstance(content, str) else content
    return HostFile(path, data, mode, OWNER, GROUP, trigger)


def bundle_of(*parts: HostFile | Trigger) -> HostBundle:
    return HostBundle(
        "n1",
        tuple(p for p in parts if isinstance(p, HostFile)),
        tuple(p for p in parts if isinstance(p, Trigger)),
    )


def noting(name: str, order: int, *paths: str) -> Trigger:
    """A trigger that notes, in log/NAME below the root, what its files held when it ran."""
    reads = " ".join(f"'.{path}'" for path in paths)
    script = f"test -d log || mkdir log; {{ cat {reads} /dev/null; printf '\\n==\\n'; }} >> log/{name}"
    return Trigger(name, ("sh", "-c", f"{script}; echo {name} >> log/order"), order)


def noted(root: Path, name: str) -> list[bytes]:
    """What the trigger's files held, one entry for each time that it ran."""
    log = root / "log" / name
    return log.read_bytes().split(b"\n==\n")[:-1] if log.exists() else []


def order_of(root: Path) -> list[str]:
    """The triggers in the order in which they ran."""
    return (root / "log/order").read_text().split()


def live(root: Path) -> dict[str, tuple[bytes, int]]:
    """Content and mode of every file below `root`, without our records and the triggers' notes."""
    found: dict[str, tuple[bytes, int]] = {}
    for path in sorted(root.rglob("*")):
        name = "/" + str(path.relative_to(root))
        if path.is_symlink() or path.is_dir() or name.startswith(("/var/lib/daiku/", "/log/")):
            continue
        found[name] = (path.read_bytes(), stat.S_IMODE(path.stat().st_mode))
    return found


def wanted(bundle: HostBundle) -> dict[str, tuple[bytes, int]]:
    return {f.path: (f.content, f.mode) for f in bundle.files}


def noting_calls(note: Path) -> Callable[[], None]:
    """Note in a file which changing calls the helper makes, one a line: the name and the file's last name."""

    def before() -> None:
        write = os.write
        descriptor = os.open(note, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def add(name: str, args: tuple[Any, ...]) -> None:
            path = (
                str(args[0]) if isinstance(args[0], str) else str(Path(f"/proc/self/fd/{args[0]}").readlink())
            )
            write(descriptor, f"{name} {path.rpartition('/')[2]}\n".encode())

        _watch(add, write)

    return before


def dying(at: int, *, half: bool) -> Callable[[], None]:
    """SIGKILL at the changing call number `at`: before it, or for a write after half of it."""

    def before() -> None:
        calls = 0
        write = os.write

        def count(name: str, args: tuple[Any, ...]) -> None:
            nonlocal calls
            calls += 1
            if calls == at:
                if half and name == "write":
                    write(args[0], bytes(args[1])[: len(args[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)

        _watch(count, write)

    return before


def failing(at: int, number: int = errno.ENOSPC) -> Callable[[], None]:
    """Every call that needs room fails from the one with number `at` on, until all has been told."""

    def before() -> None:
        calls = 0

        def count(name: str, args: tuple[Any, ...]) -> None:
            nonlocal calls
            if name in {"write", "link", "mkdir"}:
                calls += 1
                if calls >= at:
                    raise OSError(number, os.strerror(number))

        _watch(count, os.write)

    return before


def _watch(called: Callable[[str, tuple[Any, ...]], None], write: Callable[..., int]) -> None:
    """Tell `called` of each changing call before it is made. Frames to the other side do not count."""
    for name in CHANGING:
        original = getattr(os, name)

        def watched(*args: Any, _name: str = name, _original: Any = original, **rest: Any) -> Any:
            if _name == "write" and not stat.S_ISREG(os.fstat(args[0]).st_mode):
                return write(*args)
            called(_name, args)
            return None if _name == "fsync" else _original(*args, **rest)

        setattr(os, name, watched)

"""From a disk to a running host: namespaces, root, /proc, /dev; then PID 1 takes over.

Started by the fabric with the boot order as one JSON line on standard input. It tells its progress on standard
output: `holder` once the namespaces exist (ports can be plugged in), `pid N`, and `ready` when sshd listens.
A second line on standard input says that the ports are plugged in.

The process that the fabric starts stays outside as the holder: it waits for PID 1 and ends with its exit status.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path

from daiku.lab.hosts.guest import syscalls as sc
from daiku.lab.hosts.guest.init import Init

# Hosts share the machine's kernel. What reaches beyond their namespaces is taken from them: the clock, the modules,
# rebooting, raw hardware, device nodes, the kernel log (numbers of linux/capability.h).
_DROPPED = {
    "CAP_SYS_MODULE": 16,
    "CAP_SYS_RAWIO": 17,
    "CAP_SYS_PACCT": 20,
    "CAP_SYS_BOOT": 22,
    "CAP_SYS_TIME": 25,
    "CAP_MKNOD": 27,
    "CAP_AUDIT_CONTROL": 30,
    "CAP_MAC_OVERRIDE": 32,
    "CAP_MAC_ADMIN": 33,
    "CAP_SYSLOG": 34,
    "CAP_WAKE_ALARM": 35,
    "CAP_BLOCK_SUSPEND": 36,
}
_MASKED = ("sysrq-trigger", "kcore", "kmsg", "keys", "timer_list", "sched_debug", "latency_stats", "mtrr")
_READ_ONLY = ("irq", "bus", "fs", "acpi", "asound", "scsi")
_SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
_DEVICES = {
    "null": (1, 3),
    "zero": (1, 5),
    "full": (1, 7),
    "random": (1, 8),
    "urandom": (1, 9),
    "tty": (5, 0),
}


_NAMESPACES = (
    sc.CLONE_NEWNS
    | sc.CLONE_NEWUTS
    | sc.CLONE_NEWIPC
    | sc.CLONE_NEWPID
    | sc.CLONE_NEWNET
    | sc.CLONE_NEWCGROUP
)


PROGRAMS_SHOWN = "usr/lib/daiku-lab/programs"
TOOLS_SHOWN = "usr/lib/daiku-lab/tools"


@dataclass(frozen=True, slots=True)
class Order:
    """What the fabric asks for. Paths are as the fabric sees them; `base` holds `disk`, `layer` and `sysctl`.

    `disk` and `layer` are relative to `base`, so that no character of its path can upset the overlay's options.
    `interpreter` is the Python prefix that the stand-ins need, empty when it lies in /usr. `programs` and `tools`
    are the folders of Kubernetes' programs: links by name and version, and the cache that they lead to.
    """

    base: str
    disk: str
    layer: str
    sysctl: str
    interpreter: str
    programs: str
    tools: str


def main() -> int:
    order = Order(**json.loads(sys.stdin.readline()))
    sc.unshare(_NAMESPACES)
    _say("holder")
    pid = os.fork()
    if pid:
        _say(f"pid {pid}")
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    sc.die_with_parent(signal.SIGKILL)
    os.setsid()
    root = _assemble(order)
    sys.stdin.readline()
    _enter(root)
    socket.sethostname(Path("/etc/hostname").read_text().strip() or "localhost")
    for number in _DROPPED.values():
        sc.drop_from_bounding_set(number)
    sc.name_process("daiku-init")
    return Init(ready=lambda: _say("ready")).run()


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _assemble(order: Order) -> Path:
    """Mount everything of the host under `<disk>/root` and return that folder."""
    sc.mount("none", "/", flags=sc.MS_REC | sc.MS_PRIVATE)
    os.chdir(order.base)
    root = Path(order.base, order.disk, "root")
    sc.mount(
        "overlay",
        root,
        "overlay",
        data=f"lowerdir={order.layer}:/,upperdir={order.disk}/upper,workdir={order.disk}/work",
    )
    for name, mode in (("run", "755"), ("tmp", "1777")):
        _folder(root / name)
        sc.mount("tmpfs", root / name, "tmpfs", sc.MS_NODEV | sc.MS_NOSUID, f"mode={mode}")
    _processes(root, Path(order.base, order.sysctl), Path(order.base, order.disk))
    sc.mount(
        "sysfs", _folder(root / "sys"), "sysfs", sc.MS_RDONLY | sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC
    )
    _devices(_folder(root / "dev"))
    if order.interpreter:
        sc.bind(order.interpreter, _folder(root / order.interpreter.lstrip("/")), read_only=True)
    sc.bind(order.programs, root / PROGRAMS_SHOWN, read_only=True)
    sc.bind(order.tools, root / TOOLS_SHOWN, read_only=True)
    return root


def _processes(root: Path, template: Path, disk: Path) -> None:
    """/proc of the host's own PID namespace, with a private copy of every sysctl that is not per namespace."""
    proc = _folder(root / "proc")
    sc.mount("proc", proc, "proc", sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC)
    scratch = root / "run/sysctl"
    scratch.mkdir()
    # These few are per namespace although their folder is not: keep the kernel's own files.
    kept = [f"kernel/{name}" for name in ("hostname", "domainname", "random/uuid")]
    # Of net/core only what may be written is; the rest belongs to the whole machine and gets a copy too.
    core = sorted((proc / "sys/net/core").iterdir())
    kept += [f"net/core/{path.name}" for path in core if path.stat().st_mode & 0o200]
    for name in kept:
        saved = scratch / name.replace("/", ".")
        saved.touch()
        sc.bind(proc / "sys" / name, saved)
    copies = disk / "sysctl"
    shutil.rmtree(copies, ignore_errors=True)  # values last until the next boot, as on any machine
    for folder in sorted([*(p for p in template.iterdir() if p.name != "net"), template / "net/core"]):
        name = folder.relative_to(template)
        if not (proc / "sys" / name).is_dir():
            continue
        upper, work = copies / "upper" / name, copies / "work" / name.name
        upper.mkdir(parents=True)
        work.mkdir(parents=True)
        where = Path(os.path.relpath(copies))
        lower = os.path.relpath(folder)
        data = f"lowerdir={lower},upperdir={where}/upper/{name},workdir={where}/work/{name.name}"
        sc.mount("overlay", proc / "sys" / name, "overlay", sc.MS_NOSUID | sc.MS_NODEV | sc.MS_NOEXEC, data)
    for name in kept:
        sc.mount(str(scratch / name.replace("/", ".")), proc / "sys" / name, flags=sc.MS_MOVE)
    shutil.rmtree(scratch)
    (proc / "sys/kernel/random/boot_id").write_text(f"{uuid.uuid4()}\n")
    swaps = root / "run/swaps"  # `swapoff -a` reads this list and would act on the whole machine
    swaps.write_text(_SWAPS)
    sc.bind(swaps, proc / "swaps", read_only=True)
    for name in _MASKED:
        if (proc / name).exists():
            sc.bind("/dev/null", proc / name)
    for name in _READ_ONLY:
        if (proc / name).exists():
            sc.bind(proc / name, proc / name, read_only=True)


def _devices(dev: Path) -> None:
    sc.mount("tmpfs", dev, "tmpfs", sc.MS_NOSUID, "mode=755,size=1m")
    for name, (major, minor) in _DEVICES.items():
        os.mknod(dev / name, 0o020666, os.makedev(major, minor))
        (dev / name).chmod(0o666)
    for name, target in (("fd", "/proc/self/fd"), ("ptmx", "pts/ptmx"), ("core", "/proc/kcore")):
        (dev / name).symlink_to(target)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (dev / name).symlink_to(f"/proc/self/fd/{number}")
    (dev / "pts").mkdir()
    sc.mount(
        "devpts",
        dev / "pts",
        "devpts",
        sc.MS_NOSUID | sc.MS_NOEXEC,
        "newinstance,ptmxmode=0666,mode=620,gid=5",
    )
    (dev / "shm").mkdir()
    sc.mount("tmpfs", dev / "shm", "tmpfs", sc.MS_NOSUID | sc.MS_NODEV, "mode=1777")


def _enter(root: Path) -> None:
    """Make `root` the root and let go of everything outside it."""
    os.chdir(root)
    sc.pivot_root(".", ".")
    sc.umount(".", sc.MNT_DETACH)
    os.chdir("/")


def _folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path

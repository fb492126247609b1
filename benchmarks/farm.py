"""Many SSH servers on this machine, each a host of its own as far as files go: OpenSSH in a mount namespace in which
/etc/bench, /var/lib/daiku and root's home are its own. They share network, kernel and processors. Needs root.

The environment is sshd's own, and the home is empty but for a .bashrc, if that is wanted: what the shell of this
machine's root reads on each command (a version manager, say, in front of every python3) would be measured along.
"""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

PORT = 2222
_LOOP, _TURNS = "for ((i = 0; i < {}; i++)); do :; done", 100_000

_CONFIG = """\
ListenAddress {address}:{port}
HostKey {folder}/key
PidFile none
AuthorizedKeysFile {folder}/../authorized
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
UseDNS no
PrintMotd no
MaxStartups 1000
LogLevel ERROR
Subsystem sftp internal-sftp
"""

_ENTER = """\
mount --make-rprivate / &&
mount -t tmpfs -o mode=755 tmpfs /etc/bench && mount -t tmpfs -o mode=755 tmpfs /var/lib/daiku &&
mount --bind "$1/passwd" /etc/passwd &&
exec "$2" -D -f "$1/config"
"""


def address_of(number: int) -> str:
    """The loopback address of host `number`."""
    return f"127.90.{number // 250}.{number % 250 + 1}"


def busy_for(milliseconds: int) -> str:
    """A start-up file with which bash works for so long on this machine's processor, and nothing else happens."""
    if not milliseconds:
        return ""
    spent = min(_processor_of(_LOOP.format(_TURNS)) - _processor_of(":") for _ in range(5))
    return _LOOP.format(round(_TURNS * milliseconds / 1000 / spent)) + "\n"


def _processor_of(script: str) -> float:
    """Seconds of processor that bash takes for it."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(["bash", "-c", script], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


class Farm:
    """`count` hosts while the context lasts; `key` is the private key that all let in as root.

    `busy`: milliseconds of processor that the shell takes on each host before it begins with a command, as with conda,
    environment modules or a version manager in its start-up file.
    """

    def __init__(self, folder: Path, sshd: Path, count: int, public_key: str, busy: int = 0) -> None:
        self._folder, self._sshd, self._count = folder, sshd, count
        self._start_up = busy_for(busy)
        self._servers: list[subprocess.Popen[bytes]] = []
        (folder / "authorized").write_text(public_key + "\n")
        lines = Path("/etc/passwd").read_text().splitlines(keepends=True)
        self._people = "".join(line for line in lines if not line.startswith(("root:", "sshd:")))
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / "host_key"], check=True)

    def __enter__(self) -> Self:
        made = [Path(p) for p in ("/etc/bench", "/var/lib/daiku", "/run/sshd")]
        self._made = [path for path in made if not path.exists()]
        for path in self._made:
            path.mkdir(parents=True)
        for number in range(self._count):
            folder = self._folder / f"host{number}"
            (folder / "home").mkdir(parents=True)
            (folder / "home/.bashrc").write_text(self._start_up)
            (folder / "passwd").write_text(
                f"root:x:0:0:root:{folder}/home:/bin/bash\n"
                f"sshd:x:150:65534::/run/sshd:/usr/sbin/nologin\n{self._people}"
            )
            (folder / "key").write_bytes((self._folder / "host_key").read_bytes())
            (folder / "key").chmod(0o600)
            (folder / "config").write_text(
                _CONFIG.format(address=address_of(number), port=PORT, folder=folder)
            )
            command = [
                "setpriv",
                "--pdeathsig",
                "KILL",
                "unshare",
                "-m",
                "sh",
                "-c",
                _ENTER,
                "sh",
                str(folder),
                str(self._sshd),
            ]
            self._servers.append(subprocess.Popen(command, start_new_session=True, env=self._environ()))
        for number in range(self._count):
            self._await(number)
        return self

    def served(self, number: int) -> float:
        """Seconds of processor that the processes of host `number` took which served a connection and have ended."""
        time.sleep(0.3)  # the last ones end a moment after their connections
        fields = Path(f"/proc/{self._servers[number].pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")

    def _environ(self) -> dict[str, str]:
        """An sshd that was unpacked rather than installed has its libraries beside it."""
        root = self._sshd.parents[2]
        folders = sorted({str(path.parent) for path in root.glob("*/**/*.so*")}) if root != Path("/") else []
        return {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": ":".join(folders)}

    def _await(self, number: int) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                socket.create_connection((address_of(number), PORT), 1).close()
            except OSError:
                if time.monotonic() > end or self._servers[number].poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self._servers:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()
        for path in self._made:
            with suppress(OSError):
                path.rmdir()

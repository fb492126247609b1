"""A host whose login shell, sudo or python3 is a script of the test's: all else is the real thing."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daiku.apply.converge import converge
from daiku.apply.report import HostReport
from daiku.errors import HostError
from daiku.render.bundle import HostBundle
from daiku.wire.ssh import connect
from tests.ssh.server import Pins, Sshd, serving

REAL = f'exec {sys.executable} "$@"'
"""The script of a python3 that is this interpreter: the one that PATH gives may be anything."""


@dataclass
class OddHost:
    """`folder/root` is its root. `user` logs in."""

    sshd: Sshd
    key: Path
    folder: Path
    user: str = "root"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    def run(self, bundle: HostBundle, silence: float = 30.0) -> HostReport:
        endpoint = self.sshd.endpoint(self.user)
        with connect("n1", endpoint, key_file=self.key, host_keys=Pins(), timeout=10) as session:
            return converge(session, bundle, root=str(self.root), silence=silence)


@contextmanager
def odd_host(
    folder: Path, *, python3: str = REAL, sudo: str = "", shell: str = "", user: str = "root"
) -> Generator[OddHost]:
    """`python3`, `sudo` and `shell` are scripts of sh; a shell that begins with / is a program of this machine."""
    (folder / "bin").mkdir()
    program(folder / "bin/python3", python3)
    if sudo:
        program(folder / "bin/sudo", sudo)
    if shell and not shell.startswith("/"):
        shell = str(program(folder / "shell", shell))
    env = {"PATH": f"{folder}/bin:/usr/bin:/bin"}
    with serving(folder, env=env, cwd=folder, shell=shell or "/bin/sh") as (sshd, key):
        yield OddHost(sshd, key, folder, user)


def program(path: Path, script: str) -> Path:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def is_clear(error: HostError) -> bool:
    """One line that says what and where, and a hint that says what next, both fit for a terminal."""
    texts = (error.message, error.hint)
    return bool(error.host) and all(text and text.isprintable() for text in texts)

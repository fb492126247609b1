"""Whether this machine lets us build hosts out of namespaces."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from daiku.errors import MissingToolError

_PROGRAMS = {"ip": "iproute2", "unshare": "util-linux", "sysctl": "procps", "openssl": "openssl"}


def supports_namespaces() -> str | None:
    """Why the lab's hosts cannot run on this machine, in words for its user; None when they can."""
    if os.geteuid() != 0:
        return "hosts need root, for namespaces and overlay mounts: run it with sudo, or in a virtual machine"
    if "overlay" not in Path("/proc/filesystems").read_text():
        return "the kernel has no overlay file system loaded: sudo modprobe overlay"
    if os.path.ismount("/usr"):
        return "/usr is a file system of its own; a host's copy-on-write root would miss it"
    attempt = subprocess.run(
        [
            "unshare",
            "--mount",
            "--net",
            "--pid",
            "--ipc",
            "--uts",
            "--fork",
            "mount",
            "-t",
            "tmpfs",
            "none",
            "/mnt",
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    if attempt.returncode:
        return f"this machine forbids namespaces or mounts ({attempt.stderr.strip()}): a container without privileges?"
    return None


def require_programs() -> None:
    """Raises MissingToolError for the first program of the operating system that is missing."""
    for program, package in _PROGRAMS.items():
        if shutil.which(program) is None:
            raise MissingToolError(f"`{program}` is not on PATH", hint=f"sudo apt-get install {package}")

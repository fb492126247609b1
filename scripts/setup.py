"""Make .venv from requirements.lock. Standard library only: this runs before anything is installed.

Prints a line a step; does nothing when .venv already matches the lock. Ends with one clear line on failure.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "daiku-setup"
LEAST = (3, 11)


def fail(message: str, next_step: str) -> None:
    """Say what is missing and the command that mends it, then stop."""
    sys.stderr.write(f"error: {message}\nnext: {next_step}\n")
    sys.exit(7)


def wanted() -> str:
    """What .venv must hold: a digest of the lock, of the project file and of the interpreter."""
    digest = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml"):
        digest.update((ROOT / name).read_bytes())
    digest.update(f"{ROOT} {sys.version}".encode())
    return digest.hexdigest()


def run(title: str, command: list[str], next_step: str) -> None:
    """Run one step; its output is shown only when it fails."""
    start = time.monotonic()
    sys.stdout.write(f"setup: {title} ...\n")
    sys.stdout.flush()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write((done.stdout + done.stderr)[-3000:])
        fail(f"{title} failed", next_step)
    sys.stdout.write(f"setup: {title}: {time.monotonic() - start:.0f} s\n")


def main() -> None:
    """Bring .venv to what the lock says."""
    if sys.version_info < LEAST:
        fail(
            f"daiku needs Python 3.11 or newer; this is {sys.version.split()[0]}",
            "install a newer python3, or: make PYTHON=python3.11 ...",
        )
    if STAMP.exists() and STAMP.read_text() == wanted():
        return
    if not PYTHON.exists():
        run("make .venv", [sys.executable, "-m", "venv", str(VENV)], "apt-get install -y python3-venv")
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", "-q"]
    run(
        "install the pinned packages (first time: about three minutes)",
        [*pip, "--require-hashes", "-r", "requirements.lock"],
        "check that the package registry is reachable, then run the same command again",
    )
    run("install daiku itself", [*pip, "--no-deps", "--no-build-isolation", "-e", "."], "see the lines above")
    STAMP.write_text(wanted())


if __name__ == "__main__":
    os.umask(0o022)
    main()

"""sshd, ssh-keygen and sudo for the lab's hosts, nft for its routers.

The machine's own programs are used where they are. What is missing comes from the distribution's packages, unpacked
into the cache: nothing is installed, no service starts, no file outside the cache changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from daiku.errors import MissingToolError

PROGRAMS = {
    "openssh-server": "/usr/sbin/sshd",
    "openssh-client": "/usr/bin/ssh-keygen",
    "sudo": "/usr/bin/sudo",
    "nftables": "/usr/sbin/nft",
}
"""Package (as Debian and Ubuntu call it) and the program that the lab needs from it."""

_KEPT = ("usr/sbin", "usr/bin", "usr/lib", "usr/libexec", "lib", "etc/pam.d")
_DROPPED = ("usr/lib/systemd", "usr/lib/tmpfiles.d", "usr/lib/sysusers.d", "lib/systemd")


def find_or_fetch_sshd(progress: Callable[[str], None]) -> Path:
    """Path of an sshd that runs on this machine. Raises MissingToolError where there is none and no apt."""
    tree = fetch_missing_programs(progress)
    fetched = tree / "usr/sbin/sshd" if tree else None
    return fetched if fetched and fetched.exists() else Path(PROGRAMS["openssh-server"])


def fetch_missing_programs(progress: Callable[[str], None]) -> Path | None:
    """A folder, laid out like a root, with those of `PROGRAMS` (and their libraries) that this machine lacks.

    None when it lacks none. `progress` gets a line when something is downloaded. Raises MissingToolError.
    """
    missing = sorted(package for package, program in PROGRAMS.items() if not Path(program).exists())
    if not missing:
        return None
    tree = cache_folder() / "openssh" / "-".join(missing)
    if all((tree / PROGRAMS[package].lstrip("/")).exists() for package in missing):
        return tree
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise MissingToolError(
            f"the lab's hosts need {', '.join(missing)}, and there is no apt to fetch them",
            hint="install them, for example: sudo dnf install openssh-server openssh-clients sudo nftables",
        )
    progress(
        f"fetching {', '.join(missing)} for the lab's hosts (unpacked into {tree.parent}, nothing is installed)"
    )
    tree.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tree.parent) as scratch:
        fresh = _download(missing, Path(scratch))
        shutil.rmtree(tree, ignore_errors=True)
        fresh.rename(tree)
    return tree


def cache_folder() -> Path:
    """Where fetched and built tools are kept: $DAIKU_CACHE, else the user's cache folder."""
    return Path(os.environ.get("DAIKU_CACHE") or Path.home() / ".cache" / "daiku")


def _download(packages: Sequence[str], scratch: Path) -> Path:
    """Download the packages with the libraries they need and that are not installed; the merged tree."""
    options = ["-o", "APT::Sandbox::User=root"]
    if not _known(packages, options):
        # The machine has no package lists: read them into a place of our own.
        lists = scratch / "lists"
        (lists / "partial").mkdir(parents=True)
        options += ["-o", f"Dir::State::Lists={lists}", "-o", f"Dir::Cache={scratch / 'cache'}"]
        _run(["apt-get", "-q", *options, "update"], packages)
    wanted = [*packages, *_missing_libraries(packages, options)]
    debs = scratch / "debs"
    debs.mkdir()
    _run(["apt-get", "-q", *options, "download", *wanted], packages, cwd=debs)
    unpacked, tree = scratch / "unpacked", scratch / "tree"
    for deb in sorted(debs.glob("*.deb")):
        _run(["dpkg-deb", "-x", str(deb), str(unpacked)], packages)
    for name in _DROPPED:
        shutil.rmtree(unpacked / name, ignore_errors=True)
    for name in _KEPT:
        if (unpacked / name).is_dir():
            # /lib is a link to /usr/lib on every machine of today; a real folder here would hide it.
            target = "usr/lib" if name == "lib" and Path("/lib").is_symlink() else name
            shutil.copytree(unpacked / name, tree / target, symlinks=True, dirs_exist_ok=True)
    return tree


def _known(packages: Sequence[str], options: Sequence[str]) -> bool:
    done = subprocess.run(["apt-cache", *options, "show", *packages], capture_output=True, check=False)
    return done.returncode == 0


def _missing_libraries(packages: Sequence[str], options: Sequence[str]) -> list[str]:
    """Library packages that these need, directly or through each other, and that are not installed."""
    installed = subprocess.run(
        ["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}\n"],
        capture_output=True,
        text=True,
        check=False,
    )
    have = {line[3:].strip() for line in installed.stdout.splitlines() if line.startswith("ii")}
    found: set[str] = set()
    latest = set(packages)
    while latest:
        listed = _run(["apt-cache", *options, "depends", "--important", *sorted(latest)], packages)
        # An alternative is listed as `|Depends:`; the last of its group is without the bar.
        needs = [
            line.split() for line in listed.splitlines() if line.startswith(("  Depends:", "  PreDepends:"))
        ]
        latest = {words[1] for words in needs if words[1].startswith("lib")} - have - found
        found |= latest
    return sorted(found)


def _run(command: Sequence[str], packages: Sequence[str], cwd: Path | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        complaint = (done.stderr or done.stdout).strip().splitlines()
        raise MissingToolError(
            f"cannot fetch {', '.join(packages)}: {complaint[-1] if complaint else command[0] + ' failed'}",
            hint=f"install them yourself: sudo apt-get install {' '.join(packages)}",
        )
    return done.stdout

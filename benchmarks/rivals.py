"""pyinfra and Ansible for the benchmark of fleets: where they are installed, how they are called, what they said.

They live in a virtual environment of their own in daiku's cache, made on first use from rivals.txt, and are no part of
what daiku needs. `make lock` does not touch that file; to renew it, in this folder:

    uv pip compile --generate-hashes --python-version 3.11 --universal rivals.in -o rivals.txt
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from farm import PORT, address_of

TOOLS = ("pyinfra", "ansible")
PINNED = Path(__file__).resolve().parent / "rivals.txt"
INSTALL_SECONDS = 600.0
OPERATIONS = 5
"""Of each tool on each host: a directory, three files and a line."""

_TOTAL = re.compile(r"Grand total\s+(\d+|-)\s+(\d+|-)\s+(\d+|-)\s+(\d+|-)")
_RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class RivalError(Exception):
    """There is no figure of a rival, and why."""


def installed() -> Path:
    """The virtual environment, made if there is none yet. RivalError: the packages cannot be had."""
    from daiku.lab.tools.openssh import cache_folder

    wanted = hashlib.sha256(PINNED.read_bytes() + sys.version.encode()).hexdigest()[:12]
    venv = cache_folder() / "rivals" / wanted
    if (venv / "complete").exists():
        return venv
    sys.stderr.write(f"installing pyinfra and ansible-core into {venv}, for this benchmark alone\n")
    shutil.rmtree(venv, ignore_errors=True)
    pip = [str(venv / "bin/python"), "-m", "pip", "install", "-q", "--require-hashes", "-r", str(PINNED)]
    for command in ([sys.executable, "-m", "venv", str(venv)], pip):
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.CalledProcessError as error:
            lines = (error.stderr or error.stdout).strip().splitlines()
            raise RivalError(f"cannot be installed (no network?): {lines[-1] if lines else error}") from error
        except (OSError, subprocess.TimeoutExpired) as error:
            raise RivalError(f"cannot be installed (no network?): {error}") from error
    (venv / "complete").touch()
    return venv


def version(tool: str, venv: Path) -> str:
    """As the tool itself says."""
    program = venv / "bin" / {"ansible": "ansible-playbook"}.get(tool, tool)
    done = subprocess.run([program, "--version"], capture_output=True, text=True, timeout=120, check=True)
    return re.sub(r"^(\S+?):? \[?(?:core )?v?([\d.]+)\]?.*", r"\1 \2", done.stdout.partition("\n")[0])


def call(
    tool: str, venv: Path, folder: Path, key: Path, count: int, files: Mapping[str, bytes]
) -> tuple[list[str], dict[str, str]]:
    """Command line and environment of a tool that brings the first `count` hosts to `files`, tuned as its manual says.

    Files that are one line are a line to it, the others are put. `folder` gets what it reads.
    """
    for path, content in files.items():
        (folder / Path(path).name).write_bytes(content)
    return (_pyinfra if tool == "pyinfra" else _ansible)(venv, folder, key, count, files)


def check(tool: str, said: str, count: int, *, unchanged: bool) -> None:
    """RivalError unless the tool did everything on every host, and with `unchanged` had nothing to change."""
    done, changed = (_pyinfra_did if tool == "pyinfra" else _ansible_did)(said)
    if done != count * OPERATIONS:
        raise RivalError(f"did {done} of {count * OPERATIONS} operations")
    if unchanged and changed:
        raise RivalError(f"changed something, in {changed} of {done} operations")
    if not unchanged and changed < count:
        raise RivalError(f"changed only {changed} of {done} operations, on fresh hosts")


def _pyinfra_did(said: str) -> tuple[int, int]:
    """Operations that succeeded, and those of them that changed something."""
    total = _TOTAL.search(said)
    if total is None:
        return 0, 0
    _, changed, _, same = (0 if word == "-" else int(word) for word in total.groups())
    return changed + same, changed


def _ansible_did(said: str) -> tuple[int, int]:
    """As _pyinfra_did; hosts that were unreachable or failed do not count."""
    hosts = [tuple(map(int, row[1:])) for row in _RECAP.findall(said)]
    fine = [(ok, changed) for ok, changed, unreachable, failed in hosts if not unreachable and not failed]
    return sum(ok for ok, _ in fine), sum(changed for _, changed in fine)


def _pyinfra(
    venv: Path, folder: Path, key: Path, count: int, files: Mapping[str, bytes]
) -> tuple[list[str], dict[str, str]]:
    data = {
        "ssh_user": "root",
        "ssh_port": PORT,
        "ssh_key": str(key),
        "ssh_strict_host_key_checking": "off",
        "ssh_known_hosts_file": str(folder / "known_pyinfra"),
    }
    hosts = [(address_of(number), data) for number in range(count)]
    (folder / "inventory.py").write_text(f"hosts = {hosts!r}\n")
    lines = ["from pyinfra.operations import files", "files.directory(path='/etc/bench/app')"]
    for path, content in files.items():
        if content.count(b"\n") == 1:
            lines.append(f"files.line(path={path!r}, line={content.decode().strip()!r})")
        else:
            lines.append(f"files.put(src={Path(path).name!r}, dest={path!r})")
    (folder / "deploy.py").write_text("\n".join(lines) + "\n")
    return [str(venv / "bin/pyinfra"), "-y", "--parallel", "64", "inventory.py", "deploy.py"], {}


def _ansible(
    venv: Path, folder: Path, key: Path, count: int, files: Mapping[str, bytes]
) -> tuple[list[str], dict[str, str]]:
    (folder / "inventory.ini").write_text("\n".join(address_of(number) for number in range(count)) + "\n")
    tasks: list[dict[str, object]] = [{"file": {"path": "/etc/bench/app", "state": "directory"}}]
    for path, content in files.items():
        if content.count(b"\n") == 1:
            line = content.decode().strip()
            tasks.append({"lineinfile": {"path": path, "line": line, "create": True}})
        else:
            tasks.append({"copy": {"src": str(folder / Path(path).name), "dest": path}})
    play = [{"hosts": "all", "gather_facts": False, "strategy": "free", "tasks": tasks}]
    (folder / "play.json").write_text(json.dumps(play))
    environ = {
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_FORKS": "32",
        "ANSIBLE_HOST_KEY_CHECKING": "False",
        "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=/dev/null",
        "ANSIBLE_HOME": str(folder / "ansible"),
        # Not in the home: a connection that an earlier run left open there would be taken for one to this run's host.
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        "ANSIBLE_NOCOLOR": "True",
        "LC_ALL": "C.UTF-8",
    }
    options = ["-u", "root", "--private-key", str(key), "-e", f"ansible_port={PORT}"]
    options += ["-e", "ansible_python_interpreter=/usr/bin/python3"]
    return [str(venv / "bin/ansible-playbook"), "-i", "inventory.ini", *options, "play.json"], environ

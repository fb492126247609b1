"""The programs of Kubernetes on a lab host: built outside, shown here read-only as soon as they are there.

The folder holds NAME/VERSION/NAME for each program, `kubernetes` (the version that packages have on a fresh disk),
`progress` (what is being built) and `failed` (why the building ended).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from daiku.lab.hosts.guest import packages
from daiku.lab.hosts.guest.kubelet import processes
from daiku.lab.hosts.guest.packages import FOLDER

_PATIENCE = 20 * 60.0
_LINE_EVERY = 5.0
_NO_CONTAINERS = "--ignore-preflight-errors=CRI,ContainerRuntimeVersion,ImagePull,SystemVerification"
"""What kubeadm asks of a container runtime and of cgroups; every other check stays on."""

_IMAGES = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler")


def find(name: str, version: str) -> Path | None:
    """The program of an image, None while it is not built."""
    path = FOLDER / name / version / name
    return path if path.exists() else None


def kubeadm(arguments: list[str]) -> int:
    """The real kubeadm, told that there are no containers here.

    Where it would pull images, it waits for the programs that stand for them: its own patience is for starting them.
    """
    program = str(_wait("kubeadm"))
    words = ["kubeadm", *arguments]
    if has_preflight(arguments):
        words.append(_NO_CONTAINERS)
        for name in _IMAGES:
            _wait(name, "kubeadm")
    if arguments[:1] != ["reset"]:
        os.execv(program, words)  # noqa: S606
    status = subprocess.run(words, executable=program, check=False).returncode
    if status == 0 and not {"-h", "--help", "--dry-run"} & set(arguments):
        # Here kubeadm asks the container runtime to remove what the stopped kubelet left running.
        processes.end_all()
    return status


def has_preflight(arguments: list[str]) -> bool:
    """Whether this kubeadm command runs preflight checks, and so takes the flag that leaves some out."""
    plain: list[str] = []
    for word in arguments:
        if word.startswith("-"):
            break
        plain.append(word)
    if plain[:1] in (["init"], ["join"]):
        return plain[1:2] != ["phase"] or plain[2:3] == ["preflight"]
    return plain[:2] in (["upgrade", "apply"], ["upgrade", "plan"]) or (
        plain[:2] == ["upgrade", "node"] and (plain[2:3] != ["phase"] or plain[3:4] == ["preflight"])
    )


def kubectl(arguments: list[str]) -> int:
    return _run("kubectl", arguments)


def etcdctl(arguments: list[str]) -> int:
    return _run("etcdctl", arguments)


def etcdutl(arguments: list[str]) -> int:
    return _run("etcdutl", arguments)


def kwok(arguments: list[str]) -> int:
    return _run("kwok", arguments)


def _run(name: str, arguments: list[str]) -> int:
    os.execv(_wait(name), [name, *arguments])  # noqa: S606


def _wait(name: str, who: str = "") -> Path:
    """The program, waiting while it is being built; ends this process when it will not come. `who` waits for it."""
    deadline, told = time.monotonic() + _PATIENCE, 0.0
    while True:
        version = _version(name)
        path = next(iter(sorted((FOLDER / name).glob(f"{version}/{name}"), reverse=True)), None)
        if path is not None:
            return path
        failed = _line("failed")
        progress = _line("progress")
        if failed or not progress or time.monotonic() > deadline:
            reason = failed or ("it was not built in time" if progress else "this lab builds no Kubernetes")
            sys.stderr.write(f"{name}: not on this host: {reason}\n")
            sys.exit(127)
        if time.monotonic() - told >= _LINE_EVERY:
            told = time.monotonic()
            sys.stderr.write(f"{who or name} waits until {name} is built: {progress}\n")
            sys.stderr.flush()
        time.sleep(0.2)


def _version(name: str) -> str:
    """The one that this host is to run; a pattern for what has no package of its own. Images are kubeadm's."""
    if name in packages.NAMES:
        return packages.version(name)
    return packages.version("kubeadm") if name.startswith("kube-") else "*"


def _line(name: str) -> str:
    try:
        return (FOLDER / name).read_text().strip()
    except OSError:
        return ""

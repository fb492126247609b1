"""Kubernetes' packages of a lab host: which version of kubeadm, kubelet and kubectl its disk has.

`lab-packages kubeadm=1.36.3 kubelet=1.36.3` is what `apt-get install` does on a real machine: from then on these names
are that version. A kubelet that runs goes on as it is until it is restarted. Without arguments it lists them.
"""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path("/usr/lib/daiku-lab/programs")
INSTALLED = Path("/var/lib/daiku-lab/packages")
"""On the host's own disk: a reinstalled machine starts with the lab's version again."""

NAMES = ("kubeadm", "kubelet", "kubectl")


def version(name: str, folder: Path = FOLDER, installed: Path = INSTALLED) -> str:
    """The version of one of this host's packages, as `1.36.3`."""
    for path in (installed / name, folder / "kubernetes"):
        try:
            return path.read_text().strip()
        except OSError:
            continue
    return "0.0.0"


def offered(name: str, folder: Path = FOLDER) -> list[str]:
    """The versions that can be installed, in order. The kubelet's stand-in can be every version that kubeadm can."""
    program = "kubeadm" if name == "kubelet" else name
    found = [path.parent.name for path in (folder / program).glob(f"*/{program}")]
    return sorted(found, key=lambda text: [int(part) for part in text.split(".")])


def lab_packages(arguments: list[str], folder: Path = FOLDER, installed: Path = INSTALLED) -> int:
    """Install NAME=VERSION, all of them or none; a revision as of a Debian package (1.36.3-1.1) is left out."""
    wanted: dict[str, str] = {}
    for word in arguments:
        name, _, text = word.partition("=")
        number = text.partition("-")[0]
        if name not in NAMES:
            sys.stderr.write(f"lab-packages: {name} is none of {', '.join(NAMES)}\n")
            return 2
        if number not in offered(name, folder):
            there = ", ".join(offered(name, folder)) or "none"
            sys.stderr.write(f"lab-packages: version '{number}' of {name} is not here; there is: {there}\n")
            return 100
        wanted[name] = number
    try:
        for name, number in wanted.items():
            installed.mkdir(parents=True, exist_ok=True)
            fresh = installed / f".{name}"
            fresh.write_text(f"{number}\n")
            fresh.replace(installed / name)
    except OSError as error:
        sys.stderr.write(f"lab-packages: {error}\n")
        return 100
    for name in NAMES:
        sys.stdout.write(f"{name} {version(name, folder, installed)}\n")
    return 0

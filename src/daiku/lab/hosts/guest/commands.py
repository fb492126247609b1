"""The small programs of a lab host: systemctl, reboot, hostnamectl, netplan and their like, and the doors to
Kubernetes' own programs."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

from daiku.lab.hosts.guest import packages, programs

_SOCKET = "/run/daiku-init.sock"


def systemctl(arguments: list[str]) -> int:
    """Ask PID 1 and print its answer."""
    try:
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(_SOCKET)
            peer.sendall((json.dumps(arguments) + "\n").encode())
            code, out, err = json.loads(peer.makefile().read())
    except (OSError, ValueError):
        sys.stderr.write("System has not been booted, or PID 1 does not answer.\n")
        return 1
    sys.stdout.write(out)
    sys.stderr.write(err)
    return int(code)


def reboot(_arguments: list[str]) -> int:
    return systemctl(["reboot"])


def poweroff(_arguments: list[str]) -> int:
    return systemctl(["poweroff"])


def shutdown(arguments: list[str]) -> int:
    """`shutdown -r` reboots, anything else powers off; both at once, whatever time was asked for."""
    return systemctl(["reboot" if {"-r", "--reboot"} & set(arguments) else "poweroff"])


def hostnamectl(arguments: list[str]) -> int:
    """`set-hostname NAME` (or `hostname NAME`) writes /etc/hostname and names the running host; else show it."""
    plain = [word for word in arguments if not word.startswith("-")]
    if plain[:1] in (["set-hostname"], ["hostname"]) and len(plain) > 1:
        try:
            socket.sethostname(plain[1])
            # In place: the file may be somebody's mount point or link.
            Path("/etc/hostname").write_text(plain[1] + "\n")
        except OSError as error:
            sys.stderr.write(f"Could not set hostname: {error.strerror}\n")
            return 1
        return 0
    name = socket.gethostname()
    sys.stdout.write(f"{name}\n" if plain[:1] == ["hostname"] else f" Static hostname: {name}\n")
    return 0


def modprobe(arguments: list[str]) -> int:
    """Record which modules were asked for; the machine's kernel is shared and loads nothing for a host."""
    names = [word for word in arguments if not word.startswith("-")]
    if os.geteuid() != 0:
        sys.stderr.write("modprobe: ERROR: could not insert module: Operation not permitted\n")
        return 1
    with Path("/run/modules").open("a") as record:
        record.writelines(f"{name}\n" for name in names)
    return 0


def netplan(arguments: list[str]) -> int:
    from daiku.lab.hosts.guest.netplan import main

    return main(arguments)


def kubelet(arguments: list[str]) -> int:
    # Before a host has joined this fails every ten seconds, on every host: without importing anything then.
    config = next((word.partition("=")[2] for word in arguments if word.startswith("--config=")), "/")
    if not Path(config).exists():
        sys.stderr.write(f"failed to load kubelet config file, path: {config}: no such file\n")
        return 1
    from daiku.lab.hosts.guest.kubelet.main import main

    return main(arguments)


def lab_nodes(arguments: list[str]) -> int:
    from daiku.lab.hosts.guest.kwok import lab_nodes

    return lab_nodes(arguments)


PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "/usr/bin/systemctl": systemctl,
    "/usr/bin/hostnamectl": hostnamectl,
    "/usr/sbin/reboot": reboot,
    "/usr/sbin/poweroff": poweroff,
    "/usr/sbin/shutdown": shutdown,
    "/usr/sbin/modprobe": modprobe,
    "/usr/sbin/netplan": netplan,
    "/usr/bin/kubelet": kubelet,
    "/usr/bin/kubeadm": programs.kubeadm,
    "/usr/bin/kubectl": programs.kubectl,
    "/usr/bin/etcdctl": programs.etcdctl,
    "/usr/bin/etcdutl": programs.etcdutl,
    "/usr/bin/kwok": programs.kwok,
    "/usr/sbin/lab-nodes": lab_nodes,
    "/usr/sbin/lab-packages": packages.lab_packages,
}
"""Where each program stands in a host."""


def main() -> int:
    """Run the program whose name this process was called by."""
    name = Path(sys.argv[0]).name
    known = {Path(path).name: program for path, program in PROGRAMS.items()}
    with contextlib.suppress(BrokenPipeError):
        return known[name](sys.argv[1:])
    return 0

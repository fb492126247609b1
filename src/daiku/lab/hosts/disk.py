"""What the first boot of a fresh disk writes: accounts, keys, host name, network. Pure.

Everything else of a host's root comes from the common layer and, below that, from this machine's own root.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from daiku.lab.topology import Machine, Nic

UBUNTU_UID = 1000


@dataclass(frozen=True, slots=True)
class FirstFile:
    """One file of a fresh root: text, permission bits, owner (uid, also the gid)."""

    text: str
    mode: int = 0o644
    owner: int = 0


def first_files(machine: Machine, *, passwd: str, group: str) -> dict[str, FirstFile]:
    """Path (without the leading slash) to file. `passwd` and `group` are this machine's, for the system accounts."""
    keys = "".join(f"{key.strip()}\n" for key in machine.authorized_keys)
    files = {
        "etc/hostname": FirstFile(machine.hostname + "\n"),
        "etc/hosts": FirstFile(f"127.0.0.1 localhost\n127.0.1.1 {machine.hostname}\n"),
        "etc/netplan/50-cloud-init.yaml": FirstFile(netplan(machine.nics), 0o600),
        **accounts(passwd, group, with_ubuntu=machine.login == "ubuntu"),
    }
    if machine.login == "ubuntu":
        files["home/ubuntu/.ssh/authorized_keys"] = FirstFile(keys, 0o600, UBUNTU_UID)
        files["etc/sudoers.d/90-cloud-init-users"] = FirstFile("ubuntu ALL=(ALL) NOPASSWD:ALL\n", 0o440)
    else:
        files["root/.ssh/authorized_keys"] = FirstFile(keys, 0o600)
    return files


def netplan(nics: Sequence[Nic]) -> str:
    """The netplan file that cloud-init (a VM) or the installer (a bare-metal server) leaves behind."""
    ethernets: dict[str, object] = {}
    for nic in nics:
        if not nic.addresses:
            continue
        device: dict[str, object] = {
            "match": {"macaddress": nic.mac.lower()},
            "set-name": nic.name,
            "addresses": list(nic.addresses),
        }
        if nic.gateway:
            device["routes"] = [{"to": "default", "via": nic.gateway}]
        ethernets[nic.name] = device
    return _yaml({"network": {"version": 2, "ethernets": ethernets}})


def accounts(passwd: str, group: str, *, with_ubuntu: bool) -> dict[str, FirstFile]:
    """The account files: this machine's system accounts without any password, sshd's own, and `ubuntu` if asked.

    People's accounts and every password hash of this machine stay out of the hosts.
    """
    people = [f"ubuntu:x:{UBUNTU_UID}:{UBUNTU_UID}:Ubuntu:/home/ubuntu:/bin/bash"] if with_ubuntu else []
    users = [line for line in passwd.splitlines() if _is_system(line) and line.split(":")[0] != "sshd"]
    root = "root:x:0:0:root:/root:/bin/bash"
    users = [root if line.startswith("root:") else line for line in users]
    users += ["sshd:x:150:65534::/run/sshd:/usr/sbin/nologin", *people]
    groups = [":".join([*line.split(":")[:3], ""]) for line in group.splitlines() if _is_system(line)]
    names = [line.split(":")[0] for line in users]
    if with_ubuntu:
        groups.append(f"ubuntu:x:{UBUNTU_UID}:")
    # `*` means no password and, unlike `!`, not locked: a key still opens the account.
    shadow = "".join(f"{name}:*:20000:0:99999:7:::\n" for name in names)
    gshadow = "".join(f"{line.split(':')[0]}:*::\n" for line in groups)
    return {
        "etc/passwd": FirstFile("".join(line + "\n" for line in users)),
        "etc/group": FirstFile("".join(line + "\n" for line in groups)),
        "etc/shadow": FirstFile(shadow, 0o640),
        "etc/gshadow": FirstFile(gshadow, 0o640),
    }


def _is_system(line: str) -> bool:
    fields = line.split(":")
    return len(fields) > 2 and fields[2].isdigit() and (int(fields[2]) < UBUNTU_UID or fields[2] == "65534")


def _yaml(value: Mapping[str, object], indent: int = 0) -> str:
    """Block YAML for nested mappings; leaves are written as JSON, which YAML reads too."""
    text = ""
    for key, item in value.items():
        if isinstance(item, dict) and item:
            text += f"{' ' * indent}{key}:\n" + _yaml(item, indent + 2)  # pyright: ignore[reportUnknownArgumentType]
        else:
            text += f"{' ' * indent}{key}: {json.dumps(item)}\n"
    return text

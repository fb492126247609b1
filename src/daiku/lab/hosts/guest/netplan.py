"""The `netplan` of a lab host: generate, apply, try. It calls `ip` itself where real netplan tells systemd-networkd.

What it has applied is remembered in /run/netplan/applied.json: only that is taken away again when the files no
longer ask for it, so addresses that other programs added (a CNI plugin, a VIP) stay.
"""

from __future__ import annotations

import itertools
import json
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from daiku.lab.hosts.guest.netplan_files import Device, NetplanError, devices, merge

FOLDERS = (Path("/lib/netplan"), Path("/etc/netplan"), Path("/run/netplan"))
_APPLIED = Path("/run/netplan/applied.json")


@dataclass(frozen=True, slots=True)
class Link:
    """What one interface carries by our doing. `routes` and `rules` are words for `ip`."""

    name: str
    mtu: int = 0
    addresses: tuple[str, ...] = ()
    routes: tuple[tuple[str, ...], ...] = ()
    rules: tuple[tuple[str, ...], ...] = ()


def read(folders: Sequence[Path] = FOLDERS) -> tuple[Device, ...]:
    """All files in the order of their names (a later folder's file hides one of the same name), merged."""
    import yaml

    files: dict[str, Path] = {}
    for folder in folders:
        files.update({path.name: path for path in folder.glob("*.yaml")})
    documents: list[Mapping[str, Any]] = []
    for name in sorted(files):
        path = files[name]
        if path.stat().st_mode & 0o077:
            sys.stderr.write(f"\n** (netplan): WARNING: Permissions for {path} are too open.\n")
        try:
            document = yaml.safe_load(path.read_text())
        except yaml.YAMLError as error:
            raise NetplanError(f"{path}: {error}") from error
        if document is not None and not isinstance(document, dict):
            raise NetplanError(f"{path}: expected a mapping")
        documents.append(document or {})
    return devices(merge(documents))


def links(wanted: Sequence[Device], present: Mapping[str, str]) -> tuple[tuple[Link, ...], dict[str, str]]:
    """Match devices with the interfaces there are (name -> MAC): the links to make, and renames (old -> new name).

    A device that no interface matches is left out, as networkd does.
    """
    result: dict[str, Link] = {}
    renames: dict[str, str] = {}
    for device in wanted:
        for interface in sorted(present):
            if interface in renames or not device.matches(interface, present[interface]):
                continue
            name = device.set_name or interface
            if name != interface:
                renames[interface] = name
            before = result.get(name, Link(name))
            result[name] = Link(
                name,
                device.mtu or before.mtu,
                tuple(dict.fromkeys(before.addresses + device.addresses)),
                tuple(dict.fromkeys(before.routes + device.routes)),
                tuple(dict.fromkeys(before.rules + device.rules)),
            )
    return tuple(result[name] for name in sorted(result)), renames


def rename_commands(renames: Mapping[str, str], present: Mapping[str, str]) -> list[str]:
    """`ip -batch` lines. Through temporary names when a new name is still taken, so that two ports can swap theirs."""
    taken = {new for new in renames.values() if new in present}
    lines: list[str] = []
    step: dict[str, str] = {}
    for index, (old, new) in enumerate(sorted(renames.items())):
        step[old] = f"daiku-tmp{index}" if taken else new
        lines += [f"link set dev {old} down", f"link set dev {old} name {step[old]}"]
    if taken:
        lines += [f"link set dev {step[old]} name {new}" for old, new in sorted(renames.items())]
    return lines


def commands(before: Sequence[Link], after: Sequence[Link]) -> list[str]:
    """`ip -batch` lines that take away what is no longer asked for, then make everything that is (`replace` is
    idempotent, so what the kernel dropped while a port was down comes back)."""
    lines: list[str] = []
    now = {link.name: link for link in after}
    for old in before:
        new = now.get(old.name, Link(old.name))
        lines += [
            f"route del {_route(r, old.name)}"
            for r in old.routes
            if _target(r) not in map(_target, new.routes)
        ]
        lines += [f"rule del {' '.join(rule)}" for rule in old.rules if rule not in new.rules]
        lines += [f"address del {a} dev {old.name}" for a in old.addresses if a not in new.addresses]
        if old.mtu and not new.mtu and old.name != "lo":
            lines.append(f"link set dev {old.name} mtu 1500")
    for new in after:
        if new.mtu:
            lines.append(f"link set dev {new.name} mtu {new.mtu}")
        lines.append(f"link set dev {new.name} up")
        lines += [f"address replace {address} dev {new.name}" for address in new.addresses]
    for new in after:
        lines += [f"route replace {_route(route, new.name)}" for route in new.routes]
        known = {rule for old in before if old.name == new.name for rule in old.rules}
        lines += [f"rule add {' '.join(rule)}" for rule in new.rules if rule not in known]
    return lines


def apply(wanted: Sequence[Device]) -> list[str]:
    """Make the interfaces carry what is wanted; returns what `ip` complained about."""
    present = interfaces()
    after, renames = links(wanted, present)
    before = [replace(link, name=renames.get(link.name, link.name)) for link in applied()]
    problems = _ip(rename_commands(renames, present))
    names = set(interfaces())
    problems += _ip(commands([link for link in before if link.name in names], after))
    remember(after)
    servers = [server for device in wanted for server in device.nameservers]
    if servers:
        resolv = Path("/etc/resolv.conf")
        resolv.unlink(missing_ok=True)
        resolv.write_text("".join(f"nameserver {server}\n" for server in dict.fromkeys(servers)))
    return problems


def applied() -> tuple[Link, ...]:
    try:
        rows: list[dict[str, Any]] = json.loads(_APPLIED.read_text())
    except FileNotFoundError:
        return ()
    return tuple(
        Link(
            row["name"],
            row["mtu"],
            tuple(row["addresses"]),
            tuple(tuple(words) for words in row["routes"]),
            tuple(tuple(words) for words in row["rules"]),
        )
        for row in rows
    )


def remember(carried: Sequence[Link]) -> None:
    _APPLIED.parent.mkdir(parents=True, exist_ok=True)
    fresh = _APPLIED.with_suffix(".new")
    fresh.write_text(json.dumps([asdict(link) for link in carried]))
    fresh.rename(_APPLIED)


def interfaces() -> dict[str, str]:
    """Name and MAC of every interface of this host."""
    found: dict[str, str] = {}
    for path in Path("/sys/class/net").iterdir():
        if (path / "address").exists():
            found[path.name] = (path / "address").read_text().strip()
    return found


def main(arguments: list[str]) -> int:
    """The command line; exit status 0, 1 for a refused file, 78 when `try` was not confirmed."""
    plain = [word for word in arguments if not word.startswith("-") and not word.isdigit()]
    verb = plain[0] if plain else ""
    if verb not in {"generate", "apply", "try"}:
        sys.stderr.write("usage: netplan generate | apply | try [--timeout SECONDS]  (the lab's netplan)\n")
        return 2
    try:
        wanted = read()
    except NetplanError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if verb == "generate":
        return 0
    before = applied()
    problems = apply(wanted)
    sys.stderr.writelines(problem + "\n" for problem in problems)
    if verb == "try" and not _confirmed(_timeout(arguments)):
        sys.stderr.write("\nReverting.\n")
        _ip(commands(applied(), before))
        remember(before)
        return 78
    return 0


def _timeout(arguments: Sequence[str]) -> float:
    for index, word in enumerate(arguments):
        if word == "--timeout" and index + 1 < len(arguments):
            return float(arguments[index + 1])
        if word.startswith("--timeout="):
            return float(word.partition("=")[2])
    return 120.0


def _confirmed(patience: float) -> bool:
    sys.stdout.write(
        f"Press ENTER before the timeout to accept the new configuration ({patience:g} seconds)\n"
    )
    sys.stdout.flush()
    deadline = time.monotonic() + patience
    while (left := deadline - time.monotonic()) > 0:
        if select.select([sys.stdin], [], [], left)[0]:
            if sys.stdin.readline():
                return True
            time.sleep(max(0.0, deadline - time.monotonic()))  # no terminal: nobody can confirm
    return False


def _ip(lines: Sequence[str]) -> list[str]:
    """Run `ip -batch`; its complaints, one a line."""
    if not lines:
        return []
    text = "".join(line + "\n" for line in lines)
    done = subprocess.run(
        ["ip", "-force", "-batch", "-"], input=text, capture_output=True, text=True, check=False
    )
    return [line for line in done.stderr.splitlines() if line and not line.startswith("Command failed")]


def _route(words: Sequence[str], device: str) -> str:
    return f"{' '.join(words)} dev {device}"


def _target(words: Sequence[str]) -> tuple[str, ...]:
    """What identifies a route to the kernel: its target, metric and table (`replace` changes the rest)."""
    pairs = list(itertools.pairwise(words))
    return (words[0], *(value for key, value in pairs if key in {"metric", "table"}))

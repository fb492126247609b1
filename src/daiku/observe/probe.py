# ruff: noqa: PTH110, PTH123
"""Runs on a host, on its own python3 (3.8 or newer) and with its standard library only: prints its state as JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


def text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return ""


def receipt(base: str) -> dict[str, Any]:
    try:
        value = json.loads(text(base + "/receipt.json"))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def os_name(root: str) -> str:
    for line in (text(root + "/etc/os-release") or text(root + "/usr/lib/os-release")).splitlines():
        if line.startswith("PRETTY_NAME="):
            return line.partition("=")[2].strip("\"'")
    return ""


def addresses() -> list[tuple[str, str]]:
    """Pairs of interface and address/prefix, less the loopback's own and link-local ones."""
    path = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    try:
        answer = subprocess.run(["ip", "-json", "address"], env=path, stdout=subprocess.PIPE, check=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [
        (link["ifname"], f"{address['local']}/{address['prefixlen']}")
        for link in json.loads(answer.stdout)
        for address in link.get("addr_info", [])
        if address.get("scope") == "global"
    ]


def main() -> None:
    question = json.loads(sys.stdin.buffer.readline())
    root = question["root"].rstrip("/")
    left = receipt(root + "/var/lib/daiku")
    state = {
        "hostname": os.uname().nodename,
        "boot_id": text("/proc/sys/kernel/random/boot_id"),
        "uptime": float((text("/proc/uptime") or "0").split()[0]),
        "load": os.getloadavg(),
        "os": os_name(root),
        "kernel": os.uname().release,
        "addresses": addresses(),
        "bundle": left.get("bundle") or "",
        "finished": left.get("finished") or "",
        "unfinished": os.path.exists(root + "/var/lib/daiku/intent.json"),
    }
    sys.stdout.write(question["mark"] + json.dumps(state))


if __name__ == "__main__":
    main()

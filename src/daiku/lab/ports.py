"""Whether the port on which a lab publishes its bastion is free: two labs share one machine's loopback."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from daiku.errors import LabError
from daiku.lab.sakura.iaas.addresses import BLOCKS

_LISTENING = "0A"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")


def need_free(port: int) -> None:
    """LabError when somebody listens on `port` where the lab's routers have their addresses."""
    for table in _TABLES:
        try:
            rows = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:  # a kernel without this protocol
            continue
        for row in rows:
            local, state = row.split()[1], row.split()[3]
            address, _, number = local.partition(":")
            if state == _LISTENING and int(number, 16) == port and _meets(address):
                raise LabError(
                    f"port {port} is taken on this machine's loopback, likely by another lab",
                    where="access.bastionPort",
                    hint="end that lab with `daiku lab down` in its folder, or choose another port in the file",
                )


def _meets(written: str) -> bool:
    """Whether a listener at this address, as the kernel writes it, keeps a router's address from being used."""
    words = [int.from_bytes(bytes.fromhex(written[i : i + 8]), "little") for i in range(0, len(written), 8)]
    last = ipaddress.IPv4Address(
        words[-1]
    )  # the kernel's words are in this machine's order; all we run on is little
    return last in BLOCKS or not any(words)

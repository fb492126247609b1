"""The kernel's own lists of devices, addresses and routes, over rtnetlink (rtnetlink(7)).

Without `ip`: a process more costs a host more than the three questions. On _socket: `socket` costs 5 ms to import.
"""

from __future__ import annotations

import _socket
import struct

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterator

LINKS, ADDRESSES, ROUTES = 18, 22, 26
"""RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE."""
_HEADERS = {LINKS: 16, ADDRESSES: 8, ROUTES: 12}
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_ERROR, _DONE = 2, 3
_MAIN_TABLE = 254
_UNICAST = 1
_UP = 1


class Network:
    """What this machine's network is now. Words are those of an Expectation's name and value."""

    def __init__(self) -> None:
        self.flags: dict[str, int] = {}
        self.mtus: dict[str, int] = {}
        self.carriers: dict[str, bool] = {}
        self.addresses: set[str] = set()
        self.routes: set[str] = set()
        names: dict[int, str] = {}
        for head, attributes in _dump(LINKS):
            _, _, index, flags, _ = struct.unpack("=BxHiII", head)
            name = attributes[3].rstrip(b"\0").decode()
            names[index] = name
            self.flags[name] = flags
            self.mtus[name] = _number(attributes[4])
            self.carriers[name] = bool(attributes.get(33, b"\1")[0])
        for head, attributes in _dump(ADDRESSES):
            family, length, _, _, index = struct.unpack("=BBBBI", head)
            address = attributes.get(2) or attributes.get(1)
            if address and index in names:
                self.addresses.add(f"{names[index]} {_text(family, address)}/{length}")
        for head, attributes in _dump(ROUTES):
            family, length, _, _, table, _, _, kind, _ = struct.unpack("=BBBBBBBBI", head)
            if table != _MAIN_TABLE or kind != _UNICAST or 4 not in attributes:
                continue
            target = f"{_text(family, attributes[1])}/{length}" if 1 in attributes else "default"
            way = [_text(family, attributes[5])] if 5 in attributes else []
            self.routes.add(" ".join([names.get(_number(attributes[4]), "?"), target, *way]))

    def is_up(self, device: str) -> bool:
        return bool(self.flags[device] & _UP)

    def can_carry(self, device: str) -> bool:
        """Whether the machine has the device, and a cable is in it or nobody can tell because it is switched off."""
        return device in self.flags and (not self.is_up(device) or self.carriers[device])


def _dump(kind: int) -> Iterator[tuple[bytes, dict[int, bytes]]]:
    """The fixed head and the attributes of every entry."""
    size = _HEADERS[kind]
    sock = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
    try:
        sock.send(struct.pack("=IHHII", 32, kind, _DUMP, 1, 0) + bytes(16))
        while True:
            data = sock.recv(1 << 17)
            while data:
                length, got = struct.unpack_from("=IH", data)
                if got == _DONE:
                    return
                if got == _ERROR:
                    number = -struct.unpack_from("=i", data, 16)[0]
                    raise OSError(number, "the kernel does not list its network")
                yield data[16 : 16 + size], _attributes(data[16 + size : length])
                data = data[(length + 3) & ~3 :]
    finally:
        sock.close()


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while len(data) >= 4:
        length, kind = struct.unpack_from("=HH", data)
        found[kind & 0x3FFF] = data[4:length]
        data = data[(length + 3) & ~3 :]
    return found


def _text(family: int, address: bytes) -> str:
    return _socket.inet_ntop(family, address)


def _number(data: bytes) -> int:
    return struct.unpack("=I", data)[0]

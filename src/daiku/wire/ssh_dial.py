"""The byte stream under an SSH connection: a TCP socket of our own, or a channel through a bastion."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import paramiko

from daiku.errors import HostUnreachableError
from daiku.wire.ssh_transport import Pipe
from daiku.wire.ssh_types import Endpoint

if TYPE_CHECKING:
    from daiku.wire.ssh import Session

LOST_AFTER_MS = 30_000
"""A peer that acknowledges nothing for so long is gone; the kernel's own default is about a quarter of an hour."""

_REFUSALS = {1: "the bastion forbids forwarding", 4: "the bastion has no room for another connection"}


def route_text(endpoint: Endpoint, jump: Session | None) -> str:
    """`10.10.0.11:22`, with the way there when it leads through a bastion."""
    address = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    target = f"{address}:{endpoint.port}"
    return f"{target} via bastion {jump.name} ({jump.route})" if jump else target


def dial(name: str, endpoint: Endpoint, jump: Session | None, timeout: float) -> socket.socket | Pipe:
    """An open byte stream to `endpoint`. Raises HostUnreachableError, which names the address and the way."""
    return _direct(name, endpoint, timeout) if jump is None else _through(name, endpoint, jump, timeout)


def _direct(name: str, endpoint: Endpoint, timeout: float) -> socket.socket:
    try:
        sock = socket.create_connection((endpoint.host, endpoint.port), timeout)
    except OSError as error:
        raise _unreachable(name, route_text(endpoint, None), reason(error, timeout)) from error
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LOST_AFTER_MS)
    return sock


def _through(name: str, endpoint: Endpoint, jump: Session, timeout: float) -> Pipe:
    route = route_text(endpoint, jump)
    try:
        return jump.forward(endpoint.host, endpoint.port, timeout)
    except paramiko.ChannelException as error:
        text = _REFUSALS.get(error.code) or f"the bastion cannot reach it: {error.text or 'connect failed'}"
        raise _unreachable(name, route, text) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        if not jump.alive:
            raise _unreachable(name, route, "the connection to the bastion is lost") from error
        raise _unreachable(name, route, f"no answer within {timeout:g} s") from error


def reason(error: OSError, timeout: float) -> str:
    """Why a TCP connection was not made, in plain words."""
    if isinstance(error, TimeoutError):
        return f"no answer within {timeout:g} s"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused: nothing listens there"
    if isinstance(error, socket.gaierror):
        return f"the name does not resolve: {error.strerror}"
    return error.strerror or str(error)


def _unreachable(name: str, route: str, why: str) -> HostUnreachableError:
    return HostUnreachableError(
        f"cannot reach {route}: {why}",
        host=name,
        step="connect",
        hint="see that the machine is on and booted, and that its address, the router's port forwarding and the "
        "bastion are right; then run the same command again",
    )

"""Load balancers in user space: health checks, and connections to the healthy real server with the fewest of them.

The real product is a layer-4 balancer with direct server return: the real server owns the VIP on its loopback and
answers the client itself. Here the balancer relays both directions and connects to the real server's own address;
what a wrong ARP setting does to the VIP on the segment is real all the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
import struct
from dataclasses import dataclass

from daiku.lab.hosts.guest.syscalls import network_namespace
from daiku.lab.hosts.relay import Relays, Target, open_connection
from daiku.lab.hosts.status import RealServerStatus
from daiku.lab.topology import Balancer, RealServer, VirtualIp

CHECK_EVERY = 1.0
"""Seconds between two health checks of a real server."""
_CHECK_SECONDS = 2.0


@dataclass(slots=True)
class _Server:
    spec: RealServer
    target: Target
    up: bool = False
    task: asyncio.Task[None] | None = None


class BalancerService:
    """The doors and health checks of one balancer whose namespace exists."""

    def __init__(self, relays: Relays, balancer: str, namespace: int) -> None:
        self._relays = relays
        self._id = balancer
        self._namespace = namespace
        self._servers: dict[tuple[str, int], dict[tuple[str, int], _Server]] = {}

    def become(self, balancer: Balancer) -> None:
        """Serve the balancer's VIPs; a real server that stays keeps its state and its connections."""
        source = balancer.nic.addresses[0].partition("/")[0] if balancer.nic.addresses else ""
        wanted = {(vip.address, vip.port): vip for vip in balancer.vips}
        for key in sorted(set(self._servers) - set(wanted)):
            self._relays.close(self._door(key))
            for server in self._servers.pop(key).values():
                self._stop(server)
        for key, vip in sorted(wanted.items()):
            self._sync(self._servers.setdefault(key, {}), vip, source)
            self._relays.open(self._door(key), self._namespace, lambda key=key: self._pick(key))

    def close(self) -> None:
        for key, servers in self._servers.items():
            if self._door(key) in self._relays.doors():
                self._relays.close(self._door(key))
            for server in servers.values():
                self._stop(server)
        self._servers = {}

    def status(self) -> list[RealServerStatus]:
        return [
            RealServerStatus(
                self._id,
                vip,
                port,
                server.spec.address,
                server.spec.port,
                server.spec.enabled,
                server.up and server.spec.enabled,
                server.target.connections,
            )
            for (vip, port), servers in sorted(self._servers.items())
            for _, server in sorted(servers.items())
        ]

    def _door(self, key: tuple[str, int]) -> tuple[str, str, int]:
        return (f"balancer:{self._id}", *key)

    def _sync(self, servers: dict[tuple[str, int], _Server], vip: VirtualIp, source: str) -> None:
        wanted = {(server.address, server.port): server for server in vip.servers}
        for key in sorted(set(servers) - set(wanted)):
            self._stop(servers.pop(key))
        for key, spec in wanted.items():
            server = servers.get(key)
            if server is None:
                server = _Server(spec, Target(self._namespace, spec.address, spec.port, source))
                server.task = self._relays.task(lambda server=server: _watch(server))
                servers[key] = server
            server.spec = spec

    def _stop(self, server: _Server) -> None:
        if server.task is not None:
            self._relays.cancel(server.task)

    def _pick(self, key: tuple[str, int]) -> Target | None:
        healthy = [
            server for server in self._servers.get(key, {}).values() if server.up and server.spec.enabled
        ]
        return min(healthy, key=lambda server: server.target.connections).target if healthy else None


async def _watch(server: _Server) -> None:
    while True:
        try:
            server.up = await asyncio.wait_for(_healthy(server), _CHECK_SECONDS)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
            server.up = False
        await asyncio.sleep(CHECK_EVERY)


async def _healthy(server: _Server) -> bool:
    spec = server.spec
    if spec.check == "ping":
        return await _ping(server.target)
    reader, writer = await open_connection(server.target, _CHECK_SECONDS)
    try:
        if spec.check == "tcp":
            return True
        if spec.check == "https":
            await writer.start_tls(_any_certificate(), server_hostname=spec.address)
        writer.write(
            f"GET {spec.path or '/'} HTTP/1.0\r\nHost: {spec.address}:{spec.port}\r\nConnection: close\r\n\r\n".encode()
        )
        words = (await reader.readline()).split()
        return len(words) > 1 and words[1] == str(spec.status).encode()
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await asyncio.wait_for(writer.wait_closed(), 0.2)


def _any_certificate() -> ssl.SSLContext:
    """Health checks of the real product do not verify certificates either."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


async def _ping(target: Target) -> bool:
    """One ICMP echo from the balancer's namespace."""
    with network_namespace(target.namespace):
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    with raw:
        raw.setblocking(False)
        loop = asyncio.get_running_loop()
        identity, number = os.getpid() & 0xFFFF, id(target) & 0xFFFF
        head = struct.pack("!BBHHH", 8, 0, 0, identity, number)
        await loop.sock_sendto(
            raw, struct.pack("!BBHHH", 8, 0, _checksum(head), identity, number), (target.address, 0)
        )
        while True:
            answer, sender = await loop.sock_recvfrom(raw, 1500)
            body = answer[(answer[0] & 15) * 4 :]
            if sender[0] == target.address and body[0] == 0 and body[4:8] == head[4:8]:
                return True


def _checksum(data: bytes) -> int:
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF

"""What the hosts' side reports about itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HostStatus:
    """One machine of the topology as it is now.

    `running` is true while its PID 1 lives; `pid` is that process as this machine numbers it, None when it is off.
    `addresses` are CIDRs read from its interfaces (loopback's own 127.0.0.1/8 and link-local ones left out), sorted.
    """

    id: str
    name: str
    running: bool
    pid: int | None
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RealServerStatus:
    """What a balancer thinks of one real server: `up` is the last health check's answer and the server is enabled.

    `connections` counts those that are open through the balancer now.
    """

    balancer: str
    vip: str
    vip_port: int
    address: str
    port: int
    enabled: bool
    up: bool
    connections: int

"""What the emulated APIs say should exist physically: the contract between the API emulators and the lab's hosts.

The emulators compute a `Topology` from their state (a pure view, no history); the host side makes the machine's
namespaces equal to it. So the two never call each other's innards, and a test can drive the hosts without an API.
Addresses are strings; a CIDR carries the host's own address (`10.10.0.11/20`).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """One L2 broadcast domain: a cloud switch, a PHY private network, both joined by a hybrid connection, or a rail."""

    id: str
    mtu: int = 1500


@dataclass(frozen=True, slots=True)
class Nic:
    """A port of a machine. `segment` is None when nothing is plugged in or the port is disabled.

    `addresses` and `gateway` are what the disk configuration (VM) or the datacentre (PHY's public port) writes into
    a *fresh* root; later the host's own files decide.
    """

    name: str
    mac: str
    segment: str | None
    addresses: tuple[str, ...] = ()
    gateway: str | None = None


@dataclass(frozen=True, slots=True)
class Machine:
    """A VM or a bare-metal server.

    `root` names the content of its disk: another value means another, freshly installed root and a new SSH host key.
    An empty `root` means that no disk is attached: the machine powers on and never answers.
    `boots` counts power-ons and resets: a change while `power` is true means a reboot.
    """

    id: str
    kind: str  # "vm" | "phy"
    power: bool
    boots: int
    root: str
    hostname: str
    login: str  # the account that `authorized_keys` open: "root" or "ubuntu"
    authorized_keys: tuple[str, ...]
    nics: tuple[Nic, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """One port forwarding of a router: `public:port` to `private:port`, TCP."""

    public_port: int
    private_address: str
    private_port: int


@dataclass(frozen=True, slots=True)
class Router:
    """A VPC router's *live* state (what `config` last applied), switched on or off.

    `public_address` is a loopback address (127.77.0.0/16) on which the lab publishes `forwards` to the operator's
    machine. `nics` are its legs on private segments and its leg on the lab's internet segment.
    """

    id: str
    power: bool
    public_address: str
    nics: tuple[Nic, ...]
    forwards: tuple[Forward, ...]
    nat: bool


@dataclass(frozen=True, slots=True)
class RealServer:
    address: str
    port: int
    enabled: bool
    check: str = "tcp"  # tcp | http | https | ping
    path: str = ""
    status: int = 200


@dataclass(frozen=True, slots=True)
class VirtualIp:
    address: str
    port: int
    servers: tuple[RealServer, ...]


@dataclass(frozen=True, slots=True)
class Balancer:
    """A load balancer's live state. It forwards at L4 with direct server return: real servers own the VIP on `lo`."""

    id: str
    power: bool
    nic: Nic
    vips: tuple[VirtualIp, ...]


@dataclass(frozen=True, slots=True)
class Topology:
    segments: tuple[Segment, ...] = ()
    machines: tuple[Machine, ...] = ()
    routers: tuple[Router, ...] = ()
    balancers: tuple[Balancer, ...] = ()


INTERNET = "internet"
"""The segment that stands for the internet inside the lab (198.51.100.0/24): PHY's common subnet and the routers'
outer legs are on it. Nothing on it leaves the lab's namespaces."""

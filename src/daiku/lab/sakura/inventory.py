"""What the customer ordered on paper or in the control panel: no API call makes it, every API call may meet it.

Bare-metal servers, private networks, dedicated subnets, hybrid connections and the AWS connect option cannot be ordered
by API; the lab declares them here, as a file or a dict.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

ServiceId = Annotated[str, Field(pattern=r"^\d{12}$")]
Mac = Annotated[str, Field(pattern=r"^([0-9a-f]{2}:){5}[0-9a-f]{2}$")]

COMMON_SUBNET = IPv4Network("198.51.100.0/24")
COMMON_GATEWAY = IPv4Address("198.51.100.1")


class _Item(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Account(_Item):
    """The API key; both APIs accept it. `name` stands in the audit log, the key never does."""

    token: str
    secret: str = Field(repr=False)
    name: str = "lab"


class Tag(_Item):
    tag_id: int
    label: str
    color: str | None = None


class Storage(_Item):
    """`device_count` equal devices of `size` GB."""

    size: int
    bus_type: Literal["sata", "sas", "nvme"]
    media_type: Literal["hdd", "ssd", "flash_memory"]
    device_count: int


class Spec(_Item):
    """`memory_size` in GB, `cpu_clock_speed` in GHz."""

    cpu_model_name: str = "Xeon Platinum 8480+"
    cpu_count: int = 2
    cpu_core_count: int = 112
    cpu_clock_speed: float = 2.0
    memory_size: int = 2048
    storages: tuple[Storage, ...] = (
        Storage(size=960, bus_type="sata", media_type="ssd", device_count=2),
        Storage(size=7680, bus_type="nvme", media_type="flash_memory", device_count=4),
    )


class PortItem(_Item):
    """A network port and the NIC behind it. Ports that share `channel` can be bonded; None gives a channel of its own.

    `internet` and `private_networks` are the assignment at delivery.
    """

    nic: str
    mac: Mac
    nickname: str = ""
    channel: int | None = None
    link_speed_type: Literal["1gbe", "10gbe"] = "10gbe"
    internet: Literal["common_subnet"] | None = None
    private_networks: tuple[ServiceId, ...] = ()

    def mode(self) -> str | None:
        count = len(self.private_networks) + (self.internet is not None)
        return None if count == 0 else "access" if count == 1 else "trunk"


class RailItem(_Item):
    """An interconnect NIC on its own segment. Physical: the PHY API does not know of it."""

    nic: str
    mac: Mac
    segment: str
    mtu: int = 9000


class PhyServerItem(_Item):
    """One bare-metal server. `installed` is the OS image at delivery; None: empty disks. `power` is its state then."""

    service_id: ServiceId
    nickname: str
    description: str | None = None
    zone_id: int = 302
    region: str = "is"
    tags: tuple[Tag, ...] = ()
    plan_id: str = "gpu-h100-8"
    plan_name: str = "高火力 PHY H100"
    spec: Spec = Spec()
    ipv4: IPv4Address | None = None
    ports: tuple[PortItem, ...]
    rails: tuple[RailItem, ...] = ()
    installed: str | None = None
    power: bool = False

    @model_validator(mode="after")
    def _check(self) -> PhyServerItem:
        if self.ipv4 is not None and self.ipv4 not in COMMON_SUBNET:
            raise ValueError(f"{self.nickname}: ipv4 {self.ipv4} is outside {COMMON_SUBNET}")
        names = [p.nic for p in self.ports] + [r.nic for r in self.rails]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.nickname}: a NIC name is used twice")
        if self.power and self.installed is None:
            raise ValueError(f"{self.nickname}: powered on without an installed OS")
        return self


class PrivateNetworkItem(_Item):
    """An L2 network of PHY."""

    service_id: ServiceId
    nickname: str
    vlan_id: int = Field(ge=1, le=4094)
    zone_id: int = 302
    region: str = "is"
    mtu: int = 1500
    tags: tuple[Tag, ...] = ()


class DedicatedSubnetItem(_Item):
    """A global subnet of the customer's own."""

    service_id: ServiceId
    nickname: str
    network: IPv4Network
    zone_id: int = 302
    region: str = "is"
    tags: tuple[Tag, ...] = ()


class HybridItem(_Item):
    """A hybrid connection in waiting: a cloud switch whose tag or name is `switch_tag` joins `private_network`."""

    private_network: ServiceId
    switch_tag: str
    service_id: ServiceId | None = None


class AwsConnectItem(_Item):
    """The AWS connect option: what a LocalRouter needs to peer with it, and the prefixes it announces."""

    resource_id: ServiceId
    secret_key: str = Field(repr=False)
    prefixes: tuple[IPv4Network, ...] = ()


class Inventory(_Item):
    """Everything that exists before the first API call."""

    account: Account
    phy_servers: tuple[PhyServerItem, ...] = ()
    private_networks: tuple[PrivateNetworkItem, ...] = ()
    dedicated_subnets: tuple[DedicatedSubnetItem, ...] = ()
    hybrid: tuple[HybridItem, ...] = ()
    aws_connect: tuple[AwsConnectItem, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> Inventory:
        ids = [x.service_id for x in (*self.phy_servers, *self.private_networks, *self.dedicated_subnets)]
        if len(ids) != len(set(ids)):
            raise ValueError("a service id is used twice")
        addresses = [s.ipv4 for s in self.phy_servers if s.ipv4 is not None]
        if len(addresses) != len(set(addresses)):
            raise ValueError("an ipv4 address is used twice")
        macs = [n.mac for s in self.phy_servers for n in (*s.ports, *s.rails)]
        if len(macs) != len(set(macs)):
            raise ValueError("a MAC address is used twice")
        networks = {n.service_id for n in self.private_networks}
        named = [
            (f"{s.nickname}/{p.nic}", n)
            for s in self.phy_servers
            for p in s.ports
            for n in p.private_networks
        ]
        named += [("hybrid", h.private_network) for h in self.hybrid]
        for place, network in named:
            if network not in networks:
                raise ValueError(f"{place}: there is no private network {network}")
        return self

    @classmethod
    def load(cls, source: str | dict[str, Any]) -> Inventory:
        """From a dict, or from YAML text. A wrong inventory is a pydantic `ValidationError` naming each fault."""
        return cls.model_validate(yaml.safe_load(source) if isinstance(source, str) else source)

"""The rows of the PHY API. What never changes (spec, NICs, addresses) is read from the inventory."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from daiku.lab.sakura.records import Record

PowerStatus = Literal["on", "off"]
Lock = Literal["os_install", "configure_raid", "administrative_lock"]


class PhyService(Record):
    """A contract: a server, a private network or a dedicated subnet. `name` is its nickname; `note` its description."""

    service_id: str
    category: Literal["server", "dedicated_subnet", "private_network"]
    note: str | None = None


class PhyPort(BaseModel):
    """A port as the API numbers it; `nics` are the physical NICs behind it (two when bonded)."""

    port_id: int
    nickname: str
    channel: int
    nics: list[str]
    mode: Literal["access", "trunk"] | None = None
    enabled: bool = True
    internet: Literal["common_subnet", "dedicated_subnet"] | None = None
    dedicated_subnet: str | None = None
    private_networks: list[str] = []


class PhyChannel(BaseModel):
    channel_id: int
    bonding: Literal["lacp", "static", "single"] = "single"
    nics: list[str]
    speed: Literal["1gbe", "10gbe"]


class PhyInstalled(BaseModel):
    """The OS on the disks; `generation` counts installs: another one is another root and another host key."""

    image: str
    login: str
    generation: int
    authorized_keys: list[str] = []
    password_login: bool = True


class PhyServer(Record):
    """`name` is unused: the nickname lives in the service. `network_calls`: the moments that the rate limit counts.

    held: the vendor works on it. silent: since its last boot it answers nobody.
    """

    service_id: str
    channels: list[PhyChannel]
    ports: list[PhyPort]
    power: PowerStatus = "off"
    boots: int = 0
    stamp: int = 0
    cached: PowerStatus = "off"
    cached_at: float = 0.0
    lock: Lock | None = None
    installing: PhyInstalled | None = None
    installed: PhyInstalled | None = None
    generation: int = 0
    held: bool = False
    hold_stamp: int = 0
    silent: bool = False
    network_calls: list[float] = Field(default_factory=list[float])

    def shown_lock(self) -> Lock | None:
        """`lock_status`."""
        return "administrative_lock" if self.held else self.lock


class PhyAccount(Record):
    """The account's call budget: moments of the calls of the last hour."""

    calls: list[float] = Field(default_factory=list[float])

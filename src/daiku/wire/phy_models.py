"""What the PHY API answers, as types. Fields and enum values that are not known here pass through.

The published schema (v1.1.0, 2022) knows neither GPUs nor ports faster than 10 Gbps: those come from the
cluster file, so nothing here is refused for being new.
"""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from daiku.errors import ApiError


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)

    @classmethod
    def of(cls, item: object) -> Self:
        """The typed view of an answer; ApiError when it is missing or has a shape that daiku cannot read."""
        try:
            return cls.model_validate(item)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            raise ApiError(
                f"the answer's {path} cannot be read: {first['msg']}", where=f"PHY {cls.__name__}", status=200
            ) from None  # the cause would show the value, which may be a secret


class Service(_Answer):
    """The contract behind a thing. `service_id` is 12 digits."""

    service_id: str = ""
    nickname: str = ""
    description: str | None = None
    activated: str | None = None
    product_category: str = ""
    tags: tuple[Any, ...] = ()


class Zone(_Answer):
    zone_id: int | str = ""
    region: str = ""


class CachedPower(_Answer):
    """The power state as the API last saw it; `stored` is when (ISO 8601)."""

    status: str = ""
    stored: str | None = None


class Ipv4(_Answer):
    """The server's own public address. `type` is common_ip_address or dedicated_ip_address."""

    type: str = ""
    ip_address: str = ""
    network_address: str = ""
    prefix_length: int = 0
    gateway_address: str | None = None
    name_servers: tuple[str, ...] = ()


class AttachedNetwork(_Answer):
    private_network_id: str = ""
    nickname: str = ""


class PortInternet(_Answer):
    """`subnet_type` is common_subnet or dedicated_subnet."""

    subnet_type: str = ""
    dedicated_subnet: dict[str, Any] | None = None
    network_address: str = ""
    prefix_length: int = 0


class Port(_Answer):
    """`mode` is None (no network), access or trunk; bandwidths are in Mbit/s."""

    port_id: int
    nickname: str = ""
    port_channel_id: int | None = None
    mode: str | None = None
    enabled: bool = False
    global_bandwidth_mbps: int | None = None
    local_bandwidth_mbps: int | None = None
    internet: PortInternet | None = None
    private_networks: tuple[AttachedNetwork, ...] | None = ()

    @property
    def private_network_ids(self) -> tuple[str, ...]:
        """IDs of the private networks on this port, sorted."""
        return tuple(sorted(network.private_network_id for network in self.private_networks or ()))


class PortChannel(_Answer):
    """`bonding_type` is lacp, static or single; `locked` while a change of it is under way."""

    port_channel_id: int
    bonding_type: str = ""
    link_speed_type: str = ""
    locked: bool = False
    ports: tuple[int, ...] = ()


class PhyServer(_Answer):
    """A dedicated server. `lock_status` is None, os_install, configure_raid or administrative_lock."""

    server_id: str
    service: Service = Service()
    zone: Zone = Zone()
    spec: dict[str, Any] = Field(default_factory=dict)
    cached_power_status: CachedPower | None = None
    ipv4: Ipv4 | None = None
    port_channels: tuple[PortChannel, ...] = ()
    ports: tuple[Port, ...] = ()
    lock_status: str | None = None


class OsImage(_Answer):
    os_image_id: str
    name: str = ""
    require_password: bool = True
    manual_partition: bool = False
    superuser_name: str = ""
    public_key_authentication: bool = False


class PrivateNetwork(_Answer):
    """An L2 network; `hybrid` tells which other Sakura services it is joined with."""

    private_network_id: str
    service: Service = Service()
    zone: Zone = Zone()
    vlan_id: int | None = None
    server_count: int = 0
    hybrid: dict[str, Any] | None = None


class DedicatedSubnet(_Answer):
    """`config_status` is operational when nothing is being changed."""

    dedicated_subnet_id: str
    service: Service = Service()
    zone: Zone = Zone()
    ipv4: dict[str, Any] | None = None
    ipv6: dict[str, Any] | None = None
    config_status: str | None = None


class RaidStatus(_Answer):
    """`overall_status` is ok, rebuilding, degraded, failed or None (not known)."""

    overall_status: str | None = None
    logical_volumes: tuple[dict[str, Any], ...] = ()
    physical_devices: tuple[dict[str, Any], ...] = ()

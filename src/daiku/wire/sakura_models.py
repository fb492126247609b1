"""What the Sakura Cloud API answers, as types: the fields that daiku reads.

`Server.of(item)` reads a dictionary of `SakuraCalls`. Unknown fields pass through (`model_extra`); null and PHP's []
for an empty object read as "not there"; numbers that the API writes as text read as numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from daiku.errors import ApiError


class _Model(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True, coerce_numbers_to_str=True)

    @model_validator(mode="before")
    @classmethod
    def _without_empties(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        items = cast("dict[str, Any]", value).items()
        known = {field.alias or name for name, field in cls.model_fields.items()}
        return {k: v for k, v in items if k not in known or (v is not None and v != [] and v != "")}

    @classmethod
    def of(cls, item: Mapping[str, Any]) -> Self:
        """The typed view of an answer; ApiError when a field has a shape that daiku cannot read."""
        try:
            return cls.model_validate(item)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            path = ".".join(str(part) for part in first["loc"])
            raise ApiError(
                f"the answer's {path} cannot be read: {first['msg']}",
                where=f"{cls.__name__} {item.get('ID', '')}".strip(),
                status=200,
            ) from None  # the cause would show the value, which may be a secret


class Reference(_Model):
    """Another object, by ID."""

    id: str = Field(default="", alias="ID")
    name: str = Field(default="", alias="Name")


class Resource(_Model):
    """What every named object has. `availability` is "" while it is being made."""

    id: str = Field(alias="ID")
    name: str = Field(default="", alias="Name")
    description: str = Field(default="", alias="Description")
    tags: tuple[str, ...] = Field(default=(), alias="Tags")
    availability: str = Field(default="", alias="Availability")
    created_at: str = Field(default="", alias="CreatedAt")


class Instance(_Model):
    """`status` is up, down, cleaning (on its way down) or ""."""

    status: str = Field(default="", alias="Status")
    before_status: str = Field(default="", alias="BeforeStatus")
    status_changed_at: str = Field(default="", alias="StatusChangedAt")


class UserSubnet(_Model):
    default_route: str = Field(default="", alias="DefaultRoute")
    network_mask_len: int = Field(default=0, alias="NetworkMaskLen")


class AddressRange(_Model):
    """First and last address that may be used."""

    min: str = Field(default="", alias="Min")
    max: str = Field(default="", alias="Max")


class Subnet(_Model):
    """A range of global addresses of a router."""

    id: str = Field(default="", alias="ID")
    network_address: str = Field(default="", alias="NetworkAddress")
    network_mask_len: int = Field(default=0, alias="NetworkMaskLen")
    default_route: str = Field(default="", alias="DefaultRoute")
    next_hop: str = Field(default="", alias="NextHop")
    ip_addresses: AddressRange = Field(default=AddressRange(), alias="IPAddresses")


class AttachedSwitch(Reference):
    """`scope` is "shared" for the shared segment; `subnet` is there only where a router stands behind it."""

    scope: str = Field(default="", alias="Scope")
    subnet: Subnet | None = Field(default=None, alias="Subnet")
    user_subnet: UserSubnet | None = Field(default=None, alias="UserSubnet")


class Interface(_Model):
    """A NIC. `ip_address` is what a shared segment or router gives, `user_ip_address` only what is shown."""

    id: str = Field(default="", alias="ID")
    mac_address: str = Field(default="", alias="MACAddress")
    ip_address: str = Field(default="", alias="IPAddress")
    user_ip_address: str = Field(default="", alias="UserIPAddress")
    switch: AttachedSwitch | None = Field(default=None, alias="Switch")
    packet_filter: Reference | None = Field(default=None, alias="PacketFilter")


class ServerPlan(_Model):
    id: str = Field(default="", alias="ID")
    cpu: int = Field(default=0, alias="CPU")
    memory_mb: int = Field(default=0, alias="MemoryMB")
    gpu: int = Field(default=0, alias="GPU")
    gpu_model: str = Field(default="", alias="GPUModel")
    cpu_model: str = Field(default="", alias="CPUModel")
    commitment: str = Field(default="standard", alias="Commitment")
    generation: int = Field(default=0, alias="Generation")


class Server(Resource):
    host_name: str = Field(default="", alias="HostName")
    interface_driver: str = Field(default="", alias="InterfaceDriver")
    plan: ServerPlan = Field(default=ServerPlan(), alias="ServerPlan")
    zone: Reference = Field(default=Reference(), alias="Zone")
    instance: Instance = Field(default=Instance(), alias="Instance")
    disks: tuple[Reference, ...] = Field(default=(), alias="Disks")
    interfaces: tuple[Interface, ...] = Field(default=(), alias="Interfaces")


class Disk(Resource):
    """Sizes in MB; `migrated_mb` grows up to `size_mb` while a copy runs."""

    plan: Reference = Field(default=Reference(), alias="Plan")
    connection: str = Field(default="", alias="Connection")
    connection_order: int = Field(default=0, alias="ConnectionOrder")
    size_mb: int = Field(default=0, alias="SizeMB")
    migrated_mb: int = Field(default=0, alias="MigratedMB")
    server: Reference | None = Field(default=None, alias="Server")
    source_archive: Reference | None = Field(default=None, alias="SourceArchive")
    source_disk: Reference | None = Field(default=None, alias="SourceDisk")
    encryption_algorithm: str = Field(default="none", alias="EncryptionAlgorithm")


class Archive(Resource):
    scope: str = Field(default="", alias="Scope")
    size_mb: int = Field(default=0, alias="SizeMB")


class Switch(Resource):
    """`internet` is set when a router made it; `hybrid_connection` tells which other services it is joined with."""

    scope: str = Field(default="", alias="Scope")
    user_subnet: UserSubnet | None = Field(default=None, alias="UserSubnet")
    subnets: tuple[Subnet, ...] = Field(default=(), alias="Subnets")
    internet: Reference | None = Field(default=None, alias="Internet")
    bridge: Reference | None = Field(default=None, alias="Bridge")
    server_count: int = Field(default=0, alias="ServerCount")
    hybrid_connection: dict[str, Any] | None = Field(default=None, alias="HybridConnection")


class InternetSwitch(Reference):
    subnets: tuple[Subnet, ...] = Field(default=(), alias="Subnets")


class Internet(Resource):
    """A router with its switch. Bandwidth in Mbit/s."""

    bandwidth_mbps: int = Field(default=0, alias="BandWidthMbps")
    network_mask_len: int = Field(default=0, alias="NetworkMaskLen")
    switch: InternetSwitch = Field(default=InternetSwitch(), alias="Switch")


class Appliance(Resource):
    """A VPC router or a load balancer. `interfaces` is by NIC number, None where nothing is connected.

    `settings` is what is saved; what is live is that of the last `config`.
    """

    class_: str = Field(default="", alias="Class")
    plan: Reference = Field(default=Reference(), alias="Plan")
    instance: Instance = Field(default=Instance(), alias="Instance")
    interfaces: tuple[Interface | None, ...] = Field(default=(), alias="Interfaces")
    remark: dict[str, Any] = Field(default_factory=dict, alias="Remark")
    settings: dict[str, Any] = Field(default_factory=dict, alias="Settings", repr=False)
    settings_hash: str = Field(default="", alias="SettingsHash")


class PacketFilterRule(_Model):
    protocol: str = Field(default="", alias="Protocol")
    source_network: str = Field(default="", alias="SourceNetwork")
    source_port: str = Field(default="", alias="SourcePort")
    destination_port: str = Field(default="", alias="DestinationPort")
    action: str = Field(default="", alias="Action")
    description: str = Field(default="", alias="Description")


class PacketFilter(Resource):
    expression: tuple[PacketFilterRule, ...] = Field(default=(), alias="Expression")
    expression_hash: str = Field(default="", alias="ExpressionHash")


class Note(Resource):
    """A start-up script; `class_` is shell or yaml_cloud_config."""

    class_: str = Field(default="", alias="Class")
    content: str = Field(default="", alias="Content")


class SshKey(Resource):
    public_key: str = Field(default="", alias="PublicKey")
    fingerprint: str = Field(default="", alias="Fingerprint")


class LocalRouter(Resource):
    """`secret_keys` are what a peer needs to connect: secrets."""

    settings: dict[str, Any] = Field(default_factory=dict, alias="Settings", repr=False)
    settings_hash: str = Field(default="", alias="SettingsHash")
    status: dict[str, Any] = Field(default_factory=dict, alias="Status", repr=False)

    @property
    def secret_keys(self) -> tuple[str, ...]:
        return tuple(str(key) for key in self.status.get("SecretKeys") or ())

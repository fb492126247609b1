"""The rows of the IaaS API. What one row says of another is an id; views look the other up."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from daiku.lab.sakura.records import Power, Record


class UserSubnet(BaseModel):
    default_route: str
    mask: int


class Switch(Record):
    """`internet` is set on the switch that a router+switch made; `hybrid` is the joined PHY private network."""

    user_subnet: UserSubnet | None = None
    bridge: int | None = None
    internet: int | None = None
    hybrid: str | None = None
    hybrid_id: int | None = None


class Subnet(BaseModel):
    """A block of a router+switch. `next_hop` is set on the routed ones, that were added later."""

    id: int
    network: str
    mask: int
    next_hop: str | None = None


class Ipv6Net(BaseModel):
    id: int
    prefix: str


class Internet(Record):
    switch: int
    bandwidth: int
    mask: int
    subnets: list[Subnet] = Field(default_factory=list[Subnet])
    ipv6: Ipv6Net | None = None


class Bridge(Record):
    region: int


class Note(Record):
    class_: Literal["shell", "yaml_cloud_config"] = "shell"
    content: str = ""


class SshKey(Record):
    public_key: str = ""


class Installed(BaseModel):
    """The operating system on a disk: the account its image opens, and what disk edits wrote into it so far."""

    login: str
    editable: bool = True
    cloud_init: bool = False
    hostname: str = "localhost"
    authorized_keys: list[str] = []
    address: str = ""
    mask: int = 0
    default_route: str = ""
    dhcp: bool = False
    password: bool = False
    password_login: bool = True
    notes: list[int] = []


class Copying(BaseModel):
    """A running copy: it began at `start` and takes `seconds`."""

    start: float
    seconds: float


class Archive(Record):
    """`ftp` counts how often an upload was opened; `source_zone` is set when `source_archive` lies in another zone."""

    scope: Literal["shared", "user"] = "user"
    size_mb: int = 20_480
    installed: Installed | None = None
    source_disk: int | None = None
    source_archive: int | None = None
    availability: Literal["migrating", "uploading", "transfering", "available", "failed"] = "available"
    copying: Copying | None = None
    ftp_open: bool = False
    ftp: int = 0
    source_zone: str = ""


class Cdrom(Record):
    """An ISO image. `ftp` as on archives."""

    scope: Literal["shared", "user"] = "user"
    size_mb: int = 5120
    availability: Literal["uploading", "available"] = "available"
    ftp: int = 0


class Icon(Record):
    scope: Literal["shared", "user"] = "user"


class PrivateHost(Record):
    plan: int


class ReverseName(Record):
    """The host name that an address of the account resolves to; `name` is that name."""

    address: str


class Disk(Record):
    """`boot`: the copy's end powers the server on. `installed` is known from the start; a copy's end makes it real."""

    plan: int
    size_mb: int
    connection: Literal["virtio", "ide"] = "virtio"
    encryption: Literal["none", "aes256_xts"] = "none"
    kms_key: int | None = None
    distant_from: list[int] = Field(default_factory=list[int])
    server: int | None = None
    order: int = 0
    source_archive: int | None = None
    source_disk: int | None = None
    availability: Literal["migrating", "available", "failed"] = "available"
    copying: Copying | None = None
    installed: Installed | None = None
    boot: bool = False


class Interface(Record):
    """A server's NIC. `switch` and `shared` exclude each other; both unset: not connected. `user_address` and
    `user_subnet` are shown and configure nothing.
    """

    server: int
    order: int
    mac: str
    switch: int | None = None
    shared: bool = False
    address: str | None = None
    user_address: str = ""
    user_subnet: UserSubnet | None = None
    packet_filter: int | None = None


class Rule(BaseModel):
    Protocol: str
    SourceNetwork: str = ""
    SourcePort: str = ""
    DestinationPort: str = ""
    Action: str
    Description: str = ""


class PacketFilter(Record):
    rules: list[Rule] = Field(default_factory=list[Rule])


class Server(Record):
    """`uid` is the first id: it stays when a plan change gives the server a new one.

    silent: since its last boot it answers nobody.
    """

    uid: int
    plan: int
    driver: Literal["virtio", "e1000"] = "virtio"
    private_host: int | None = None
    cdrom: int | None = None
    silent: bool = False
    power: Power = Power()
    user_data: str = ""


class ApplianceNic(BaseModel):
    id: int
    index: int
    mac: str
    switch: int | None = None
    shared: bool = False


class Appliance(Record):
    """A VPC router or a load balancer.

    `settings` is what was saved last; `applied` is what `config` made live; None: nothing ever was.
    public: the loopback address of a VPC router's public side; outer: its leg on the lab's internet segment.
    """

    class_: Literal["vpcrouter", "loadbalancer"]
    plan: int
    remark: dict[str, Any]
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    applied: dict[str, Any] | None = None
    availability: Literal["migrating", "available", "failed"] = "migrating"
    power: Power = Power()
    nics: list[ApplianceNic] = Field(default_factory=list[ApplianceNic])
    public: str = ""
    outer: str = ""


class LocalRouter(Record):
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    secret: str

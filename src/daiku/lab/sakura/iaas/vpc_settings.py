"""Every settings block of a VPC router as the wire spells it: numbers and flags as strings, interfaces by position."""

from __future__ import annotations

from ipaddress import IPv4Interface, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from daiku.lab.sakura.iaas.bodies import Address, Body, Digits, Flag, Mask

MAX_INTERFACES = 8


def _network(value: str) -> str:
    if value:
        IPv4Network(value, strict=False)
    return value


def _interface_address(value: str) -> str:
    if value:
        IPv4Interface(value)
    return value


def _port(value: str) -> str:
    if not value or not 1 <= int(value) <= 65_535:
        raise ValueError("must be a port, 1 to 65535")
    return value


Port = Annotated[Digits, AfterValidator(_port)]
Network = Annotated[str, AfterValidator(_network)]
PrivateNic = Annotated[str, Field(pattern=r"^eth[1-7]$")]
TransportProtocol = Literal["tcp", "udp"]
Secret = Annotated[str, Field(max_length=128)]


class InternetConnectionBlock(Body):
    Enabled: Flag = "True"


class InterfaceSetting(Body):
    IPAddress: list[Address] | None = None
    VirtualIPAddress: Address | None = None
    IPAliases: list[Address] | None = None
    NetworkMaskLen: Mask | None = None


class StaticNatRule(Body):
    GlobalAddress: Address
    PrivateAddress: Address
    Description: str | None = None


class StaticNat(Body):
    Config: list[StaticNatRule] | None = None
    Enabled: Flag = "False"


class ForwardRule(Body):
    Protocol: TransportProtocol
    GlobalPort: Port
    PrivateAddress: Address
    PrivatePort: Port
    Description: str | None = None


class PortForwardingBlock(Body):
    Config: list[ForwardRule] | None = None
    Enabled: Flag = "False"


class FirewallRule(Body):
    Protocol: Literal["tcp", "udp", "icmp", "ip"]
    SourceNetwork: Network = ""
    SourcePort: str = ""
    DestinationNetwork: Network = ""
    DestinationPort: str = ""
    Action: Literal["allow", "deny"]
    Logging: Flag = "False"
    Description: str | None = None


class FirewallNic(Body):
    Receive: list[FirewallRule] | None = None
    Send: list[FirewallRule] | None = None


class FirewallBlock(Body):
    Config: Annotated[list[FirewallNic | None], Field(max_length=MAX_INTERFACES)] | None = None
    Enabled: Flag = "False"


class DhcpRange(Body):
    Interface: PrivateNic
    RangeStart: Address
    RangeStop: Address
    DNSServers: list[Address] | None = None


class DhcpServer(Body):
    Config: list[DhcpRange] | None = None
    Enabled: Flag = "False"


class DhcpMapping(Body):
    MACAddress: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$")]
    IPAddress: Address


class DhcpStaticMapping(Body):
    Config: list[DhcpMapping] | None = None
    Enabled: Flag = "False"


class DnsForwarding(Body):
    Interface: PrivateNic | None = None
    DNSServers: list[Address] | None = None
    Enabled: Flag = "False"


class VpnRange(Body):
    RangeStart: Address = ""
    RangeStop: Address = ""
    PreSharedSecret: Secret | None = None


class VpnServer(Body):
    Config: VpnRange | None = None
    Enabled: Flag = "False"


class WireGuardPeer(Body):
    Name: str
    IPAddress: Address
    PublicKey: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{43}=$")]


class WireGuardConfig(Body):
    IPAddress: Annotated[str, AfterValidator(_interface_address)] = ""
    Peers: list[WireGuardPeer] | None = None


class WireGuardBlock(Body):
    Config: WireGuardConfig | None = None
    Enabled: Flag = "False"


class RemoteUser(Body):
    UserName: str
    Password: Secret


class RemoteAccessUsersBlock(Body):
    Config: list[RemoteUser] | None = None
    Enabled: Flag = "False"


class VpnPeer(Body):
    Peer: str
    PreSharedSecret: Secret
    RemoteID: str
    Routes: list[Network] | None = None
    LocalPrefix: list[Network] | None = None


class SiteToSite(Body):
    Config: list[VpnPeer] | None = None
    IKE: dict[str, Any] | None = None
    ESP: dict[str, Any] | None = None
    EncryptionAlgo: Literal["aes128", "aes256"] | None = None
    HashAlgo: Literal["sha1", "sha256"] | None = None
    DHGroup: Annotated[str, Field(pattern=r"^modp(1024|1536|2048|3072|4096)$")] | None = None
    Enabled: Flag = "False"


class StaticRoute(Body):
    Prefix: Network
    NextHop: Address


class StaticRoutesBlock(Body):
    Config: list[StaticRoute] | None = None
    Enabled: Flag = "False"


class Maintenance(Body):
    DayOfWeek: Annotated[int, Field(ge=0, le=6)] | None = None
    Hour: Annotated[int, Field(ge=0, le=23)] | None = None


class RouterSettings(Body):
    """`Settings.Router`."""

    InternetConnection: InternetConnectionBlock | None = None
    Interfaces: Annotated[list[InterfaceSetting | None], Field(max_length=MAX_INTERFACES)] | None = None
    VRID: Annotated[int, Field(ge=1, le=255)] | None = None
    StaticNAT: StaticNat | None = None
    PortForwarding: PortForwardingBlock | None = None
    Firewall: FirewallBlock | None = None
    DHCPServer: DhcpServer | None = None
    DHCPStaticMapping: DhcpStaticMapping | None = None
    DNSForwarding: DnsForwarding | None = None
    PPTPServer: VpnServer | None = None
    L2TPIPsecServer: VpnServer | None = None
    WireGuardServer: WireGuardBlock | None = None
    RemoteAccessUsers: RemoteAccessUsersBlock | None = None
    SiteToSiteIPsecVPN: SiteToSite | None = None
    StaticRoutes: StaticRoutesBlock | None = None
    SyslogHost: str | None = None
    ScheduledMaintenance: Maintenance | None = None
    MonitoringSuite: dict[str, Any] | None = None


class RouterEnvelope(Body):
    Router: RouterSettings | None = None

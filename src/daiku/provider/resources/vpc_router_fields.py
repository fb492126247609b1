"""The settings blocks of a VPC router, as data. All of them change while the router runs."""

from __future__ import annotations

from daiku.provider.fields import BOOLEAN, INTEGER, STRING, Change, Field, ListOf, Object
from daiku.provider.resources.common import address, between, cidr_problem, ident, mask, port, prefix_problem

_PUBLIC = "the API fixes the public side when the router is made"
_PRIVATE = "the API connects NICs only while the router is down"


def _text(name: str, description: str, *, required: bool = False) -> Field:
    """Free text; optional text is empty when it is not given, as the API shows it."""
    return Field(
        name=name, type=STRING, description=description, required=required, default=None if required else ""
    )


PUBLIC_INTERFACE = Object(
    "VpcRouterPublicInterface",
    "The public side of a redundant router (plan premium and above).",
    (
        ident("switchId", "Switch of the router+switch.", required=True),
        address("virtualIpAddress", "Shared address of the pair.", required=True),
        Field(
            name="ipAddresses",
            type=ListOf(STRING),
            description="The pair's own two addresses.",
            required=True,
        ),
        Field(
            name="vrid",
            type=INTEGER,
            description="VRRP ID, 1 to 255.",
            required=True,
            problem=between(1, 255),
        ),
        Field(
            name="aliases",
            type=ListOf(STRING),
            description="More global addresses, for static NAT.",
            default=[],
        ),
    ),
)

PRIVATE_INTERFACE = Object(
    "VpcRouterPrivateInterface",
    "A private NIC, eth1 to eth7.",
    (
        Field(
            name="index",
            type=INTEGER,
            description="NIC number, 1 to 7.",
            required=True,
            problem=between(1, 7),
        ),
        ident("switchId", "Switch of this NIC.", required=True),
        address("virtualIpAddress", "Shared address of a redundant router.", change=Change.LIVE),
        Field(
            name="ipAddresses",
            type=ListOf(STRING),
            description="One address (standard), or the pair's two.",
            required=True,
            change=Change.LIVE,
        ),
        mask("networkMaskLen", "Prefix length.", required=True, change=Change.LIVE),
    ),
)

STATIC_NAT = Object(
    "VpcRouterStaticNat",
    "One global address that stands for one private address.",
    (
        address("globalAddress", "Global address: one of the aliases.", required=True),
        address("privateAddress", "Private address.", required=True),
        _text("description", "Free text."),
    ),
)

PORT_FORWARDING = Object(
    "VpcRouterPortForwarding",
    "One port of the public address that leads to a private host.",
    (
        Field(name="protocol", type=STRING, description="Protocol.", default="tcp", choices=("tcp", "udp")),
        port("globalPort", "Port outside.", required=True),
        address("privateAddress", "Host inside.", required=True),
        port("privatePort", "Port inside.", required=True),
        _text("description", "Free text."),
    ),
)

FIREWALL_RULE = Object(
    "VpcRouterFirewallRule",
    "One rule; the first that matches decides.",
    (
        Field(
            name="protocol",
            type=STRING,
            description="Protocol.",
            required=True,
            choices=("tcp", "udp", "icmp", "ip"),
        ),
        _text("sourceNetwork", "Source address or prefix; empty: any."),
        _text("sourcePort", "Source port or range; empty: any."),
        _text("destinationNetwork", "Destination address or prefix; empty: any."),
        _text("destinationPort", "Destination port or range; empty: any."),
        Field(
            name="action", type=STRING, description="What to do.", default="allow", choices=("allow", "deny")
        ),
        Field(name="logging", type=BOOLEAN, description="Write matches to the log.", default=False),
        _text("description", "Free text."),
    ),
)

FIREWALL = Object(
    "VpcRouterFirewall",
    "The rules of one NIC.",
    (
        Field(
            name="index",
            type=INTEGER,
            description="NIC number, 0 (public) to 7.",
            default=0,
            problem=between(0, 7),
        ),
        Field(name="receive", type=ListOf(FIREWALL_RULE), description="Rules for what comes in.", default=[]),
        Field(name="send", type=ListOf(FIREWALL_RULE), description="Rules for what goes out.", default=[]),
    ),
)

DHCP_SERVER = Object(
    "VpcRouterDhcpServer",
    "A DHCP range on one private NIC.",
    (
        Field(
            name="index",
            type=INTEGER,
            description="NIC number, 1 to 7.",
            required=True,
            problem=between(1, 7),
        ),
        address("rangeStart", "First address.", required=True),
        address("rangeStop", "Last address.", required=True),
        Field(name="dnsServers", type=ListOf(STRING), description="DNS servers told to clients.", default=[]),
    ),
)

DHCP_STATIC_MAPPING = Object(
    "VpcRouterDhcpStaticMapping",
    "A fixed address for one MAC address.",
    (_text("macAddress", "MAC address.", required=True), address("ipAddress", "Address.", required=True)),
)

DNS_FORWARDING = Object(
    "VpcRouterDnsForwarding",
    "DNS forwarding for a private NIC.",
    (
        Field(
            name="index",
            type=INTEGER,
            description="NIC number, 1 to 7.",
            required=True,
            problem=between(1, 7),
        ),
        Field(name="dnsServers", type=ListOf(STRING), description="DNS servers asked.", required=True),
    ),
)

STATIC_ROUTE = Object(
    "VpcRouterStaticRoute",
    "One route.",
    (
        Field(name="prefix", type=STRING, description="Destination.", required=True, problem=prefix_problem),
        address("nextHop", "Next hop.", required=True),
    ),
)

L2TP = Object(
    "VpcRouterL2tp",
    "Remote access by L2TP/IPsec.",
    (
        address("rangeStart", "First address for clients.", required=True),
        address("rangeStop", "Last address for clients.", required=True),
        Field(name="preSharedSecret", type=STRING, description="Pre-shared key.", required=True, secret=True),
    ),
)

PPTP = Object(
    "VpcRouterPptp",
    "Remote access by PPTP.",
    (
        address("rangeStart", "First address for clients.", required=True),
        address("rangeStop", "Last address for clients.", required=True),
    ),
)

USER = Object(
    "VpcRouterUser",
    "A remote access account.",
    (
        _text("name", "Account name.", required=True),
        Field(name="password", type=STRING, description="Its password.", required=True, secret=True),
    ),
)

WIREGUARD_PEER = Object(
    "VpcRouterWireGuardPeer",
    "A WireGuard peer.",
    (
        _text("name", "Name.", required=True),
        address("ipAddress", "Address in the tunnel.", required=True),
        _text("publicKey", "Its public key.", required=True),
    ),
)

WIREGUARD = Object(
    "VpcRouterWireGuard",
    "The WireGuard server.",
    (
        Field(
            name="ipAddress",
            type=STRING,
            description="Address with prefix length in the tunnel.",
            required=True,
            problem=cidr_problem,
        ),
        Field(name="peers", type=ListOf(WIREGUARD_PEER), description="Peers.", default=[]),
    ),
)

SITE_TO_SITE = Object(
    "VpcRouterSiteToSite",
    "A site-to-site IPsec tunnel.",
    (
        _text("peer", "Address of the peer.", required=True),
        _text("remoteId", "ID of the peer.", required=True),
        Field(name="preSharedSecret", type=STRING, description="Pre-shared key.", required=True, secret=True),
        Field(name="routes", type=ListOf(STRING), description="Prefixes behind the peer.", required=True),
        Field(name="localPrefixes", type=ListOf(STRING), description="Prefixes on this side.", required=True),
    ),
)

IPSEC = Object(
    "VpcRouterIpsec",
    "How all IPsec tunnels are negotiated.",
    (
        Field(name="ikeLifetime", type=INTEGER, description="Seconds of an IKE key.", default=28800),
        Field(
            name="dpdInterval", type=INTEGER, description="Seconds between two looks at the peer.", default=15
        ),
        Field(
            name="dpdTimeout", type=INTEGER, description="Seconds until a silent peer is dead.", default=30
        ),
        Field(name="espLifetime", type=INTEGER, description="Seconds of an ESP key.", default=1800),
        Field(
            name="encryption",
            type=STRING,
            description="Cipher.",
            default="aes128",
            choices=("aes128", "aes256"),
        ),
        Field(name="hash", type=STRING, description="Hash.", default="sha1", choices=("sha1", "sha256")),
        Field(
            name="dhGroup",
            type=STRING,
            description="Diffie-Hellman group.",
            default="modp1024",
            choices=("modp1024", "modp1536", "modp2048", "modp3072", "modp4096"),
        ),
    ),
)

MAINTENANCE = Object(
    "VpcRouterMaintenance",
    "The hour in which Sakura may restart the router.",
    (
        Field(
            name="dayOfWeek", type=INTEGER, description="0 is Sunday.", required=True, problem=between(0, 6)
        ),
        Field(name="hour", type=INTEGER, description="0 to 23.", required=True, problem=between(0, 23)),
    ),
)

NETWORK_FIELDS = (
    Field(
        name="publicInterface",
        type=PUBLIC_INTERFACE,
        description=PUBLIC_INTERFACE.description,
        change=Change.REPLACE,
        reason=_PUBLIC,
    ),
    Field(
        name="privateInterfaces",
        type=ListOf(PRIVATE_INTERFACE),
        description="Private NICs.",
        default=[],
        change=Change.RESTART,
        reason=_PRIVATE,
    ),
)

SETTINGS_FIELDS = (
    Field(
        name="internetConnection",
        type=BOOLEAN,
        description="Whether hosts behind it reach the internet (source NAT).",
        default=True,
    ),
    Field(
        name="staticNat",
        type=ListOf(STATIC_NAT),
        description="Static NAT (not for plan standard).",
        default=[],
    ),
    Field(name="portForwardings", type=ListOf(PORT_FORWARDING), description="Forwarded ports.", default=[]),
    Field(name="firewalls", type=ListOf(FIREWALL), description="Firewall rules by NIC.", default=[]),
    Field(name="dhcpServers", type=ListOf(DHCP_SERVER), description="DHCP ranges.", default=[]),
    Field(
        name="dhcpStaticMappings",
        type=ListOf(DHCP_STATIC_MAPPING),
        description="Fixed addresses.",
        default=[],
    ),
    Field(name="dnsForwarding", type=DNS_FORWARDING, description=DNS_FORWARDING.description),
    Field(name="staticRoutes", type=ListOf(STATIC_ROUTE), description="Static routes.", default=[]),
    Field(name="siteToSite", type=ListOf(SITE_TO_SITE), description="IPsec tunnels.", default=[]),
    Field(
        name="ipsec",
        type=IPSEC,
        description="How all IPsec tunnels are negotiated. Default: the API's choice.",
    ),
    Field(name="pptp", type=PPTP, description=PPTP.description),
    Field(name="l2tp", type=L2TP, description=L2TP.description),
    Field(name="wireGuard", type=WIREGUARD, description=WIREGUARD.description),
    Field(name="users", type=ListOf(USER), description="Remote access accounts.", default=[]),
    _text("syslogHost", "Host that gets the log."),
    Field(name="maintenance", type=MAINTENANCE, description=MAINTENANCE.description),
)

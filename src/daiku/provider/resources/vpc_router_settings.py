"""VPC router settings between our properties and the API's words. Pure.

On this wire flags are "True" and "False", numbers are text, every block has an `Enabled`, and interfaces are a list
by NIC number with null holes. Blocks that daiku does not know are carried over as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from daiku.provider.fields import Props
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list

NICS = 8

# Blocks that are lists of records: our property, the API's block, and (our name, its name) of each part. A name with
# "#" before it is a number here and text there.
_LISTS: tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...] = (
    (
        "staticNat",
        "StaticNAT",
        (
            ("globalAddress", "GlobalAddress"),
            ("privateAddress", "PrivateAddress"),
            ("description", "Description"),
        ),
    ),
    (
        "portForwardings",
        "PortForwarding",
        (
            ("protocol", "Protocol"),
            ("#globalPort", "GlobalPort"),
            ("privateAddress", "PrivateAddress"),
            ("#privatePort", "PrivatePort"),
            ("description", "Description"),
        ),
    ),
    (
        "dhcpStaticMappings",
        "DHCPStaticMapping",
        (("macAddress", "MACAddress"), ("ipAddress", "IPAddress")),
    ),
    ("staticRoutes", "StaticRoutes", (("prefix", "Prefix"), ("nextHop", "NextHop"))),
    ("users", "RemoteAccessUsers", (("name", "UserName"), ("password", "Password"))),
)
_FIREWALL = (
    ("protocol", "Protocol"),
    ("sourceNetwork", "SourceNetwork"),
    ("sourcePort", "SourcePort"),
    ("destinationNetwork", "DestinationNetwork"),
    ("destinationPort", "DestinationPort"),
    ("action", "Action"),
    ("description", "Description"),
)
_SITE = (
    ("peer", "Peer"),
    ("remoteId", "RemoteID"),
    ("preSharedSecret", "PreSharedSecret"),
    ("routes", "Routes"),
    ("localPrefixes", "LocalPrefix"),
)
_CIPHERS = {"encryption": "EncryptionAlgo", "hash": "HashAlgo", "dhGroup": "DHGroup"}
_PEER = (("name", "Name"), ("ipAddress", "IPAddress"), ("publicKey", "PublicKey"))


def encode(inputs: Props, live: Mapping[str, Any]) -> Json:
    """Settings.Router for `inputs`, on top of what `live` has besides."""
    router: Json = dict(live)
    router["InternetConnection"] = {"Enabled": _flag(inputs["internetConnection"])}
    router["Interfaces"] = _interfaces(inputs)
    for name, block, parts in _LISTS:
        router[block] = _block([_record(item, parts) for item in inputs[name]])
    router["Firewall"] = _firewall(inputs["firewalls"])
    router["DHCPServer"] = _block([_dhcp(server) for server in inputs["dhcpServers"]])
    router["DNSForwarding"] = _dns(inputs.get("dnsForwarding"))
    site = _block([_record(item, _SITE) for item in inputs["siteToSite"]])
    known = as_dict(live.get("SiteToSiteIPsecVPN"))
    router["SiteToSiteIPsecVPN"] = {**known, **_ipsec(inputs.get("ipsec")), **site}
    router["PPTPServer"] = _pptp(inputs.get("pptp"))
    router["L2TPIPsecServer"] = _l2tp(inputs.get("l2tp"))
    router["WireGuardServer"] = _wireguard(inputs.get("wireGuard"))
    router["SyslogHost"] = inputs["syslogHost"]
    router.pop("ScheduledMaintenance", None)  # the one block without a switch of its own
    if hour := inputs.get("maintenance"):
        router["ScheduledMaintenance"] = _maintenance(hour)
    if public := inputs.get("publicInterface"):
        router["VRID"] = public["vrid"]
    return router


def decode(router: Mapping[str, Any]) -> Props:
    """The properties that Settings.Router shows; private NICs without their switch, which is not a setting."""
    state: Props = {
        # A router without the block has it on: that is the API's own default.
        "internetConnection": _is_on(router.get("InternetConnection", {"Enabled": "True"})),
        "firewalls": _firewall_state(router),
        "dhcpServers": [_dhcp_state(item) for item in _configs(router, "DHCPServer")],
        "siteToSite": [_parts(item, _SITE) for item in _configs(router, "SiteToSiteIPsecVPN")],
        "syslogHost": str(router.get("SyslogHost") or ""),
    }
    for name, block, parts in _LISTS:
        state[name] = [_parts(item, parts) for item in _configs(router, block)]
    optional = {
        "dnsForwarding": _dns_state(router),
        "ipsec": _ipsec_state(router),
        "pptp": _pptp_state(router),
        "l2tp": _l2tp_state(router),
        "wireGuard": _wireguard_state(router),
        "maintenance": _maintenance_state(router),
    }
    return state | {name: value for name, value in optional.items() if value is not None}


def addresses_of(router: Mapping[str, Any], nic: int) -> Props:
    """Addresses of a NIC: ipAddresses, networkMaskLen, and virtualIpAddress where there is one."""
    interfaces = as_list(router.get("Interfaces"))
    interface = as_dict(interfaces[nic]) if nic < len(interfaces) else {}
    found: Props = {
        "ipAddresses": [str(address) for address in as_list(interface.get("IPAddress"))],
        "networkMaskLen": int(interface.get("NetworkMaskLen") or 0),
    }
    if interface.get("VirtualIPAddress"):
        found["virtualIpAddress"] = str(interface["VirtualIPAddress"])
    return found


def public_of(router: Mapping[str, Any]) -> Props:
    """The public side of a redundant router, without its switch."""
    interface = as_dict(next(iter(as_list(router.get("Interfaces"))), {}))
    return {
        "virtualIpAddress": str(interface.get("VirtualIPAddress") or ""),
        "ipAddresses": [str(address) for address in as_list(interface.get("IPAddress"))],
        "vrid": int(router.get("VRID") or 0),
        "aliases": [str(address) for address in as_list(interface.get("IPAliases"))],
    }


def _interfaces(inputs: Props) -> list[Json | None]:
    nics: list[Json | None] = [None] * NICS
    if public := inputs.get("publicInterface"):
        nics[0] = {
            "IPAddress": public["ipAddresses"],
            "VirtualIPAddress": public["virtualIpAddress"],
            "IPAliases": public["aliases"],
        }
    for private in inputs["privateInterfaces"]:
        nic: Json = {"IPAddress": private["ipAddresses"], "NetworkMaskLen": private["networkMaskLen"]}
        if "virtualIpAddress" in private:
            nic["VirtualIPAddress"] = private["virtualIpAddress"]
        nics[private["index"]] = nic
    return nics


def _firewall(firewalls: list[Props]) -> Json:
    rows: list[Json] = [{"Receive": [], "Send": []} for _ in range(NICS)]
    for firewall in firewalls:
        rows[firewall["index"]] = {
            "Receive": [_rule(rule) for rule in firewall["receive"]],
            "Send": [_rule(rule) for rule in firewall["send"]],
        }
    return {"Config": rows, "Enabled": _flag(bool(firewalls))}


def _rule(rule: Props) -> Json:
    return {**_record(rule, _FIREWALL), "Logging": _flag(rule["logging"])}


def _firewall_state(router: Mapping[str, Any]) -> list[Props]:
    found: list[Props] = []
    for index, row in enumerate(_configs(router, "Firewall")):
        receive, send = (
            [_rule_state(as_dict(rule)) for rule in as_list(row.get(way))] for way in ("Receive", "Send")
        )
        if receive or send:
            found.append({"index": index, "receive": receive, "send": send})
    return found


def _rule_state(rule: Json) -> Props:
    return {**_parts(rule, _FIREWALL), "logging": str(rule.get("Logging")) == "True"}


def _dhcp(server: Props) -> Json:
    return {
        "Interface": f"eth{server['index']}",
        "RangeStart": server["rangeStart"],
        "RangeStop": server["rangeStop"],
        "DNSServers": server["dnsServers"],
    }


def _dhcp_state(item: Json) -> Props:
    return {
        "index": int(str(item.get("Interface") or "eth0").removeprefix("eth")),
        "rangeStart": str(item.get("RangeStart") or ""),
        "rangeStop": str(item.get("RangeStop") or ""),
        "dnsServers": [str(server) for server in as_list(item.get("DNSServers"))],
    }


def _dns(forwarding: Props | None) -> Json:
    if forwarding is None:
        return {"Enabled": "False"}
    return {
        "Enabled": "True",
        "Interface": f"eth{forwarding['index']}",
        "DNSServers": forwarding["dnsServers"],
    }


def _dns_state(router: Mapping[str, Any]) -> Props | None:
    block = _on(router, "DNSForwarding")
    if block is None:
        return None
    return {
        "index": int(str(block.get("Interface") or "eth0").removeprefix("eth")),
        "dnsServers": [str(server) for server in as_list(block.get("DNSServers"))],
    }


def _ipsec(settings: Props | None) -> Json:
    """What stands beside the tunnels: numbers are numbers here."""
    if settings is None:
        return {}
    return {
        "IKE": {
            "Lifetime": settings["ikeLifetime"],
            "DPD": {"Interval": settings["dpdInterval"], "Timeout": settings["dpdTimeout"]},
        },
        "ESP": {"Lifetime": settings["espLifetime"]},
        **{key: settings[name] for name, key in _CIPHERS.items()},
    }


def _ipsec_state(router: Mapping[str, Any]) -> Props | None:
    block = as_dict(router.get("SiteToSiteIPsecVPN"))
    ike, esp = as_dict(block.get("IKE")), as_dict(block.get("ESP"))
    if not ike and not esp and not any(block.get(key) for key in _CIPHERS.values()):
        return None
    dpd = as_dict(ike.get("DPD"))
    numbers = {
        "ikeLifetime": ike.get("Lifetime"),
        "dpdInterval": dpd.get("Interval"),
        "dpdTimeout": dpd.get("Timeout"),
        "espLifetime": esp.get("Lifetime"),
    }
    return {
        **{name: int(value or 0) for name, value in numbers.items()},
        **{name: str(block.get(key) or "") for name, key in _CIPHERS.items()},
    }


def _pptp(server: Props | None) -> Json:
    if server is None:
        return {"Enabled": "False"}
    config = {"RangeStart": server["rangeStart"], "RangeStop": server["rangeStop"]}
    return {"Enabled": "True", "Config": config}


def _pptp_state(router: Mapping[str, Any]) -> Props | None:
    block = _on(router, "PPTPServer")
    if block is None:
        return None
    config = as_dict(block.get("Config"))
    return {
        "rangeStart": str(config.get("RangeStart") or ""),
        "rangeStop": str(config.get("RangeStop") or ""),
    }


def _l2tp(server: Props | None) -> Json:
    if server is None:
        return {"Enabled": "False"}
    config = {
        "RangeStart": server["rangeStart"],
        "RangeStop": server["rangeStop"],
        "PreSharedSecret": server["preSharedSecret"],
    }
    return {"Enabled": "True", "Config": config}


def _l2tp_state(router: Mapping[str, Any]) -> Props | None:
    block = _on(router, "L2TPIPsecServer")
    if block is None:
        return None
    config = as_dict(block.get("Config"))
    return {
        "rangeStart": str(config.get("RangeStart") or ""),
        "rangeStop": str(config.get("RangeStop") or ""),
        "preSharedSecret": str(config.get("PreSharedSecret") or ""),
    }


def _wireguard(server: Props | None) -> Json:
    if server is None:
        return {"Enabled": "False"}
    peers = [_record(peer, _PEER) for peer in server["peers"]]
    return {"Enabled": "True", "Config": {"IPAddress": server["ipAddress"], "Peers": peers}}


def _wireguard_state(router: Mapping[str, Any]) -> Props | None:
    block = _on(router, "WireGuardServer")
    if block is None:
        return None
    config = as_dict(block.get("Config"))
    peers = [_parts(as_dict(peer), _PEER) for peer in as_list(config.get("Peers"))]
    return {"ipAddress": str(config.get("IPAddress") or ""), "peers": peers}


def _maintenance(hour: Props) -> Json:
    return {"DayOfWeek": hour["dayOfWeek"], "Hour": hour["hour"]}


def _maintenance_state(router: Mapping[str, Any]) -> Props | None:
    block = as_dict(router.get("ScheduledMaintenance"))
    if "DayOfWeek" not in block:
        return None
    return {"dayOfWeek": int(block["DayOfWeek"] or 0), "hour": int(block.get("Hour") or 0)}


# The wire's own ways


def _flag(value: bool) -> str:
    return "True" if value else "False"


def _is_on(block: Any) -> bool:
    return str(as_dict(block).get("Enabled")) == "True"


def _on(router: Mapping[str, Any], block: str) -> Json | None:
    found = as_dict(router.get(block))
    return found if _is_on(found) else None


def _block(items: list[Json]) -> Json:
    return {"Config": items, "Enabled": _flag(bool(items))}


def _configs(router: Mapping[str, Any], block: str) -> list[Json]:
    """The records of a list block that is on."""
    found = _on(router, block)
    return [] if found is None else [as_dict(item) for item in as_list(found.get("Config"))]


def _record(item: Props, parts: tuple[tuple[str, str], ...]) -> Json:
    return {theirs: str(item[ours[1:]]) if ours[0] == "#" else item[ours] for ours, theirs in parts}


def _parts(item: Json, parts: tuple[tuple[str, str], ...]) -> Props:
    found: Props = {}
    for ours, theirs in parts:
        value = item.get(theirs)
        if ours[0] == "#":
            found[ours[1:]] = int(value or 0)
        elif isinstance(value, list):
            found[ours] = [str(entry) for entry in as_list(value)]
        else:
            found[ours] = str(value if value is not None else "")
    return found

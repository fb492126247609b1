"""What the netplan files of a host ask for. Pure: text in, typed wish out, errors that name the key.

Understood: version 2 with `ethernets`: match (macaddress, name), set-name, addresses, mtu, gateway4, gateway6,
nameservers, routes (to, via, metric, table, on-link, scope, mtu), routing-policy (from, to, table, priority).
DHCP is accepted and does nothing (the lab has no DHCP server), as are `optional`, `renderer`, `accept-ra` and
`link-local`. Everything else is refused, so that a file that the lab cannot follow never looks applied.
"""

from __future__ import annotations

import fnmatch
import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_IGNORED = {
    "accept-ra",
    "critical",
    "dhcp-identifier",
    "dhcp4",
    "dhcp4-overrides",
    "dhcp6",
    "dhcp6-overrides",
    "ignore-carrier",
    "link-local",
    "optional",
    "renderer",
    "wakeonlan",
}
_KNOWN = {
    "match",
    "set-name",
    "addresses",
    "mtu",
    "gateway4",
    "gateway6",
    "nameservers",
    "routes",
    "routing-policy",
}
_ROUTE_KEYS = {"to", "via", "metric", "table", "on-link", "scope", "mtu", "from"}
_POLICY_KEYS = {"from", "to", "table", "priority"}


class NetplanError(Exception):
    """A file that netplan would refuse, or that asks for something the lab does not have."""


@dataclass(frozen=True, slots=True)
class Device:
    """One entry under `ethernets`: which interface it means (by MAC, by name) and what it should carry.

    `routes` and `rules` are the words of `ip route` and `ip rule`, without the device.
    """

    key: str
    mac: str
    name: str
    set_name: str
    mtu: int
    addresses: tuple[str, ...]
    routes: tuple[tuple[str, ...], ...]
    rules: tuple[tuple[str, ...], ...]
    nameservers: tuple[str, ...]

    def matches(self, interface: str, mac: str) -> bool:
        if self.mac:
            return self.mac == mac.lower()
        return fnmatch.fnmatchcase(interface, self.name)


def merge(documents: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Later files win: mappings are merged, lists joined, scalars replaced."""
    result: dict[str, Any] = {}
    for document in documents:
        for key, value in document.items():
            before = result.get(key)
            if isinstance(before, dict) and isinstance(value, dict):
                result[key] = merge([before, value])
            elif isinstance(before, list) and isinstance(value, list):
                result[key] = before + [item for item in value if item not in before]
            else:
                result[key] = value
    return result


def devices(document: Mapping[str, Any]) -> tuple[Device, ...]:
    """The devices of a merged document, in the order of their keys. Raises NetplanError."""
    network = document.get("network", {})
    _mapping(network, "network")
    if network.get("version", 2) != 2:
        raise NetplanError(f"network.version: only 2 is known, not {network['version']!r}")
    for key in network:
        if key not in {"version", "renderer", "ethernets"}:
            raise NetplanError(f"network.{key}: the lab's netplan knows only `ethernets`")
    ethernets = _mapping(network.get("ethernets") or {}, "network.ethernets")
    return tuple(_device(str(key), ethernets[key] or {}) for key in sorted(ethernets))


def _device(key: str, body: Any) -> Device:
    where = f"network.ethernets.{key}"
    _mapping(body, where)
    for name in body:
        if name not in _KNOWN | _IGNORED:
            raise NetplanError(f"{where}.{name}: unknown key, or one that the lab's netplan does not follow")
    match = _mapping(body.get("match") or {}, f"{where}.match")
    for name in match:
        if name not in {"macaddress", "name"}:
            raise NetplanError(f"{where}.match.{name}: the lab's netplan matches by macaddress or name")
    if body.get("set-name") and not match:
        raise NetplanError(f"{where}.set-name: needs a `match`")
    routes = [
        _route(route, f"{where}.routes.{index}") for index, route in enumerate(body.get("routes") or [])
    ]
    for name, version in (("gateway4", 4), ("gateway6", 6)):
        if name in body:
            routes.append(("default", "via", str(_address(body[name], f"{where}.{name}", version))))
    policies = body.get("routing-policy") or []
    mtu = body.get("mtu", 0)
    if not isinstance(mtu, int) or (mtu and not 68 <= mtu <= 65535):
        raise NetplanError(f"{where}.mtu: {mtu!r} is not an MTU")
    return Device(
        key=key,
        mac=str(match.get("macaddress", "")).lower(),
        name=str(match.get("name", "" if "macaddress" in match else key)),
        set_name=str(body.get("set-name", "")),
        mtu=mtu,
        addresses=tuple(
            _interface(a, f"{where}.addresses.{i}") for i, a in enumerate(body.get("addresses") or [])
        ),
        routes=tuple(dict.fromkeys(routes)),
        rules=tuple(_rule(rule, f"{where}.routing-policy.{index}") for index, rule in enumerate(policies)),
        nameservers=tuple(str(a) for a in (body.get("nameservers") or {}).get("addresses") or []),
    )


def _route(route: Any, where: str) -> tuple[str, ...]:
    _keys(route, where, _ROUTE_KEYS)
    if "to" not in route:
        raise NetplanError(f"{where}.to: is missing")
    target = str(route["to"])
    if target not in {"default", "0.0.0.0/0", "::/0"}:
        target = str(_network(target, f"{where}.to"))
    words = [target if target != "0.0.0.0/0" else "default"]
    if "via" in route:
        words += ["via", str(_address(route["via"], f"{where}.via"))]
    elif route.get("scope", "global") == "global":
        raise NetplanError(f"{where}.via: is missing (or give `scope: link`)")
    for key, word in (
        ("from", "src"),
        ("metric", "metric"),
        ("table", "table"),
        ("mtu", "mtu"),
        ("scope", "scope"),
    ):
        if key in route:
            words += [word, str(route[key])]
    if route.get("on-link"):
        words.append("onlink")
    return tuple(words)


def _rule(rule: Any, where: str) -> tuple[str, ...]:
    _keys(rule, where, _POLICY_KEYS)
    if "table" not in rule or not {"from", "to"} & set(rule):
        raise NetplanError(f"{where}: needs `table` and `from` or `to`")
    words: list[str] = []
    for key in ("from", "to"):
        if key in rule:
            words += [key, str(_network(str(rule[key]), f"{where}.{key}"))]
    words += ["table", str(rule["table"])]
    return (*words, "priority", str(rule["priority"])) if "priority" in rule else tuple(words)


def _keys(value: Any, where: str, known: set[str]) -> None:
    for key in _mapping(value, where):
        if key not in known:
            raise NetplanError(f"{where}.{key}: unknown key, or one that the lab's netplan does not follow")


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise NetplanError(f"{where}: expected a mapping")
    return value


def _interface(value: Any, where: str) -> str:
    text = str(next(iter(value)) if isinstance(value, Mapping) else value)
    if "/" not in text:
        raise NetplanError(f"{where}: address {text!r} is missing /prefixlength")
    try:
        return str(ipaddress.ip_interface(text))
    except ValueError as error:
        raise NetplanError(f"{where}: {error}") from error


def _network(value: str, where: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise NetplanError(f"{where}: {error}") from error


def _address(value: Any, where: str, version: int = 0) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(str(value))
    except ValueError as error:
        raise NetplanError(f"{where}: {error}") from error
    if version and address.version != version:
        raise NetplanError(f"{where}: {value} is not an IPv{version} address")
    return address

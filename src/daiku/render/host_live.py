"""What a machine's triggers bring about, as expectations of the running machine: so that what was changed by hand is
seen, and mended by the trigger that owns it."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from daiku.plan.model import NodePlan, Route
from daiku.render.bundle import Expectation, HostFile
from daiku.render.host_network import NETPLAN_VIPS, netplan, vips_after
from daiku.render.triggers import ACTIVE_UNITS, MODULES, SYSCTL_BRIDGE_FILE, SYSCTL_FILE, UNITS


def expectations(node: NodePlan, files: Iterable[HostFile]) -> tuple[Expectation, ...]:
    """Those that hold once all triggers of `files`, the node's own, have run."""
    by_path = {file.path: file for file in files}
    return (
        *_settings(by_path[SYSCTL_FILE]),
        *_settings(by_path[SYSCTL_BRIDGE_FILE]),
        *(Expectation("module", module, "loaded", "modules") for module in MODULES),
        *(Expectation("unit-file-state", unit, "enabled", "units") for unit in UNITS),
        *(Expectation("unit-state", unit, "active", trigger) for unit, trigger in ACTIVE_UNITS),
        *_network(node, with_vips=NETPLAN_VIPS in by_path),
    )


def _settings(file: HostFile) -> Iterator[Expectation]:
    """The kernel settings of a file of sysctl.d. Its template is their only source."""
    assert file.trigger is not None
    for line in file.content.decode().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            yield Expectation("sysctl", key.strip(), " ".join(value.split()), file.trigger)


def _network(node: NodePlan, *, with_vips: bool) -> Iterator[Expectation]:
    for port in netplan(node).ports:
        if not port.addresses:
            continue
        yield Expectation("link", port.name, "up", "netplan")
        if port.mtu:
            yield Expectation("mtu", port.name, str(port.mtu), "netplan")
        for address in port.addresses:
            name = f"{port.name} {ipaddress.ip_interface(address)}"
            yield Expectation("address", name, "present", "netplan")
        for route in port.routes:
            yield Expectation("route", f"{port.name} {_target(route)}", "present", "netplan")
    for vip in node.vips if with_vips else ():
        yield Expectation("address", f"lo {vip}/32", "present", "netplan", vips_after(node))


def _target(route: Route) -> str:
    """Target and way as the kernel's list has them."""
    network = None if route.to == "default" else ipaddress.ip_network(route.to)
    target = str(network) if network is not None and network.prefixlen else "default"
    return f"{target} {ipaddress.ip_address(route.via)}" if route.via else target

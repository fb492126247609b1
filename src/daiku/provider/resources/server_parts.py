"""The parts of a server that the API changes one by one: NICs, disks, plan, first-boot settings."""

from __future__ import annotations

from typing import Any

from daiku.provider.context import Context
from daiku.provider.fields import Props
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import DISK, INTERFACE

PLAN_PROPERTIES = ("cpu", "memoryGb", "gpu", "gpuModel", "commitment")


def plan_body(inputs: Props) -> Json:
    """ServerPlan of a creation; also the body of a plan change."""
    body: Json = {
        "CPU": inputs["cpu"],
        "MemoryMB": inputs["memoryGb"] * 1024,
        "Commitment": inputs["commitment"],
    }
    if inputs["gpu"]:
        body["GPU"] = inputs["gpu"]
        if "gpuModel" in inputs:
            body["GPUModel"] = inputs["gpuModel"]
    return body


def plan_state(live: Json) -> Props:
    plan = as_dict(live.get("ServerPlan"))
    state: Props = {
        "cpu": int(plan.get("CPU") or 0),
        "memoryGb": int(plan.get("MemoryMB") or 0) // 1024,
        "gpu": int(plan.get("GPU") or 0),
        "commitment": str(plan.get("Commitment") or "standard"),
    }
    if plan.get("GPUModel"):
        state["gpuModel"] = str(plan["GPUModel"])
    return state


def upstream(interface: Json) -> str:
    """Where a NIC leads: shared, disconnect, or the ID of a switch."""
    switch = as_dict(interface.get("Switch"))
    if not switch:
        return "disconnect"
    return "shared" if switch.get("Scope") == "shared" else id_of(switch)


def connected_switch(where: str) -> Json | None:
    """One element of ConnectedSwitches."""
    if where == "disconnect":
        return None
    return {"Scope": "shared"} if where == "shared" else {"ID": where}


def nics_state(live: Json) -> list[Props]:
    nics: list[Props] = []
    for interface in as_list(live.get("Interfaces")):
        nic: Props = {"upstream": upstream(interface)}
        if interface.get("UserIPAddress"):
            nic["userIpAddress"] = str(interface["UserIPAddress"])
        if packet_filter := id_of(as_dict(interface.get("PacketFilter"))):
            nic["packetFilterId"] = packet_filter
        nics.append(nic)
    return nics


def wiring(nics: list[Props]) -> list[str]:
    """The upstreams in order: what needs the server down to change."""
    return [nic["upstream"] for nic in nics]


def rewire(ctx: Context, live: Json, wanted: list[str], zone: str | None) -> None:
    """Add, connect, disconnect and remove NICs until the upstreams are `wanted`. The server is down."""
    interfaces = as_list(live.get("Interfaces"))
    for interface in interfaces[len(wanted) :]:
        if upstream(interface) != "disconnect":
            ctx.cloud.disconnect_interface(id_of(interface), zone=zone)
        ctx.cloud.delete(INTERFACE, id_of(interface), zone=zone)
    for index, where in enumerate(wanted):
        if index < len(interfaces):
            ident, now = id_of(interfaces[index]), upstream(interfaces[index])
        else:
            made = ctx.cloud.create(INTERFACE, {"Server": {"ID": id_of(live)}}, zone=zone)
            ident, now = id_of(made), "disconnect"
        if now == where:
            continue
        if now != "disconnect":
            ctx.cloud.disconnect_interface(ident, zone=zone)
        if where != "disconnect":
            ctx.cloud.connect_interface(ident, where, zone=zone)


def dress(ctx: Context, live: Json, wanted: list[Props], zone: str | None) -> None:
    """Packet filters and shown addresses of the NICs: changed while the server runs."""
    for interface, nic in zip(as_list(live.get("Interfaces")), wanted, strict=True):
        ident = id_of(interface)
        if str(interface.get("UserIPAddress") or "") != nic.get("userIpAddress", ""):
            body = {"UserIPAddress": nic.get("userIpAddress", "")}
            ctx.cloud.update(INTERFACE, ident, body, zone=zone)
        now, then = id_of(as_dict(interface.get("PacketFilter"))), nic.get("packetFilterId")
        if now != (then or ""):
            if now:
                ctx.cloud.set_packet_filter(ident, None, zone=zone)
            if then:
                ctx.cloud.set_packet_filter(ident, then, zone=zone)


def disks_state(live: Json) -> list[str]:
    """IDs of the disks in the order in which they are connected."""
    return [id_of(disk) for disk in as_list(live.get("Disks"))]


def reconnect_disks(ctx: Context, live: Json, wanted: list[str], zone: str | None) -> None:
    """Connect `wanted` in this order; the server is down. Disks before the first difference stay as they are."""
    now = disks_state(live)
    kept = 0
    while kept < min(len(now), len(wanted)) and now[kept] == wanted[kept]:
        kept += 1
    for disk in now[kept:]:
        ctx.cloud.act("DELETE", DISK, disk, "to/server", zone=zone)
    for disk in wanted[kept:]:
        ctx.cloud.act("PUT", DISK, disk, f"to/server/{id_of(live)}", zone=zone)


def edit_body(edit: Props) -> Json:
    """The body of a disk's `config`."""
    body: Json = {"DisablePWAuth": edit["disablePasswordAuth"], "EnableDHCP": edit["enableDhcp"]}
    keys: list[Any] = [{"PublicKey": key} for key in edit["sshKeys"]]
    keys += [{"ID": ident} for ident in edit["sshKeyIds"]]
    if keys:
        body["SSHKeys"] = keys
    if edit["noteIds"]:
        body["Notes"] = [{"ID": ident} for ident in edit["noteIds"]]
    for name, key in (("hostname", "HostName"), ("password", "Password"), ("ipAddress", "UserIPAddress")):
        if name in edit:
            body[key] = edit[name]
    if "gateway" in edit:
        body["UserSubnet"] = {"DefaultRoute": edit["gateway"], "NetworkMaskLen": edit["networkMaskLen"]}
    return body

"""The parts of a server that the API changes one by one: NICs, disks, plan, first-boot settings."""

from __future__ import annotations

from typing import Any

from daiku.provider.context import Context
from daiku.provider.fields import Props
from daiku.provider.resources.common import told
from daiku.provider.resources.once import make_once
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import DISK, INTERFACE, SERVER

PLAN_SIZE = ("cpu", "memoryGb", "gpu", "commitment")
PLAN_CHOICE = {"gpuModel": "GPUModel", "cpuModel": "CPUModel", "generation": "Generation"}
"""Parts of a plan that are the API's choice where they are not asked for."""


def plan_body(inputs: Props) -> Json:
    """ServerPlan of a creation; also the body of a plan change."""
    body: Json = {
        "CPU": inputs["cpu"],
        "MemoryMB": inputs["memoryGb"] * 1024,
        "Commitment": inputs["commitment"],
    }
    if inputs["gpu"]:
        body["GPU"] = inputs["gpu"]
    if inputs["confidentialVm"]:
        body["ConfidentialVM"] = True
    return body | {key: inputs[name] for name, key in PLAN_CHOICE.items() if name in inputs}


def plan_state(live: Json, prior: Props) -> Props:
    """The plan as the API shows it; of its own choices those that `prior` names."""
    plan = as_dict(live.get("ServerPlan"))
    state: Props = {
        "cpu": int(plan.get("CPU") or 0),
        "memoryGb": int(plan.get("MemoryMB") or 0) // 1024,
        "gpu": int(plan.get("GPU") or 0),
        "commitment": str(plan.get("Commitment") or "standard"),
        "confidentialVm": bool(plan.get("ConfidentialVM")),
    }
    for name, key in PLAN_CHOICE.items():
        if plan.get(key) not in (None, "", 0, "uncategorized") and told(prior, name):
            state[name] = int(plan[key]) if name == "generation" else str(plan[key])
    return state


def plan_differs(live: Json, inputs: Props) -> bool:
    now = plan_state(live, {})
    return any(now[name] != inputs[name] for name in PLAN_SIZE) or any(
        now.get(name) != inputs[name] for name in PLAN_CHOICE if name in inputs
    )


def cdrom_of(live: Json) -> Json:
    """The ISO image in the drive, {} for none."""
    return as_dict(as_dict(live.get("Instance")).get("CDROM"))


def insert_cdrom(ctx: Context, live: Json, wanted: str, zone: str | None) -> None:
    """Change the ISO image in the drive, running or not."""
    now = id_of(cdrom_of(live))
    if now == wanted:
        return
    if now:
        body = {"CDROM": {"ID": now}}
        ctx.cloud.act("DELETE", SERVER, id_of(live), "cdrom", body, zone=zone)
    if wanted:
        body = {"CDROM": {"ID": wanted}}
        ctx.cloud.act("PUT", SERVER, id_of(live), "cdrom", body, zone=zone)


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


def written_address(inputs: Props) -> str:
    """The address of the disk edit: the API shows it on the first NIC though nobody asked there."""
    return str(as_dict(inputs.get("diskEdit")).get("ipAddress") or "")


def nics_state(live: Json, prior: Props) -> list[Props]:
    """The NICs as the API shows them; the first one without the disk edit's address where `prior` names no other."""
    nics: list[Props] = []
    asked = any("userIpAddress" in nic for nic in as_list(prior.get("networkInterfaces"))[:1])
    for index, interface in enumerate(as_list(live.get("Interfaces"))):
        nic: Props = {"upstream": upstream(interface)}
        shown = str(interface.get("UserIPAddress") or "")
        by_edit = index == 0 and not asked and shown == written_address(prior)
        if shown and not by_edit:
            nic["userIpAddress"] = shown
        if packet_filter := id_of(as_dict(interface.get("PacketFilter"))):
            nic["packetFilterId"] = packet_filter
        nics.append(nic)
    return nics


def wiring(nics: list[Props]) -> list[str]:
    """The upstreams in order: what needs the server down to change."""
    return [nic["upstream"] for nic in nics]


def wiring_of(live: Json) -> list[str]:
    """The upstreams as they are."""
    return [upstream(interface) for interface in as_list(live.get("Interfaces"))]


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
            ident, now = id_of(_add_nic(ctx, id_of(live), index, zone)), "disconnect"
        if now == where:
            continue
        if now != "disconnect":
            ctx.cloud.disconnect_interface(ident, zone=zone)
        if where != "disconnect":
            ctx.cloud.connect_interface(ident, where, zone=zone)


def _add_nic(ctx: Context, server: str, index: int, zone: str | None) -> Json:
    """The NIC eth`index` of a server that has as many; it leads nowhere."""

    def make() -> Json:
        return ctx.cloud.create(INTERFACE, {"Server": {"ID": server}}, zone=zone, once=True)

    def look() -> Json | None:
        nics = as_list(ctx.cloud.read(SERVER, server, zone=zone).get("Interfaces"))
        return as_dict(nics[index]) if index < len(nics) else None

    return make_once(ctx, make, look)


def dress(ctx: Context, live: Json, inputs: Props, zone: str | None) -> None:
    """Packet filters and shown addresses of the NICs: changed while the server runs."""
    shown = nics_state(live, inputs)
    wanted = inputs["networkInterfaces"]
    for interface, is_shown, nic in zip(as_list(live.get("Interfaces")), shown, wanted, strict=True):
        ident, address = id_of(interface), nic.get("userIpAddress", "")
        if is_shown.get("userIpAddress", "") != address:
            body = {"UserIPAddress": address}
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
    if edit["changePartitionUuid"]:
        body["ChangePartitionUUID"] = True
    if edit["notes"]:
        body["Notes"] = [_note_body(note) for note in edit["notes"]]
    for name, key in (("hostname", "HostName"), ("password", "Password"), ("ipAddress", "UserIPAddress")):
        if name in edit:
            body[key] = edit[name]
    if "gateway" in edit:
        body["UserSubnet"] = {"DefaultRoute": edit["gateway"], "NetworkMaskLen": edit["networkMaskLen"]}
    return body


def _note_body(note: Props) -> Json:
    body: Json = {"ID": note["id"]}
    if note["variables"]:
        body["Variables"] = {variable["name"]: variable["value"] for variable in note["variables"]}
    if "apiKeyId" in note:
        body["APIKey"] = {"ID": note["apiKeyId"]}
    return body

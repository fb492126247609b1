"""Servers: create with their NICs, power, plan change with a new id, delete with or without disks."""

from __future__ import annotations

from typing import Literal

from daiku.lab.sakura.iaas import addresses, cloud_init, power
from daiku.lab.sakura.iaas.bodies import Body, Common, Ref, RefId, parse, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.catalog import ServerPlan, server_plans
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.interface import add_nic, interface_view
from daiku.lab.sakura.iaas.models import PrivateHost, Server, Switch
from daiku.lab.sakura.iaas.server_view import disks_of, nics_of, server_view
from daiku.lab.sakura.iaas.wire import (
    Call,
    Reply,
    bad_request,
    conflict,
    created,
    done,
    routes,
    single,
    still_creating,
)

MAX_NICS = 10


class PlanBody(Body):
    ID: RefId = None
    CPU: int = 0
    MemoryMB: int = 0
    GPU: int = 0
    GPUModel: str = ""
    CPUModel: str = ""
    Commitment: Literal["standard", "dedicatedcpu", ""] = ""
    Generation: int = 0
    ConfidentialVM: bool = False


class ConnectedSwitch(Body):
    ID: RefId = None
    Scope: Literal["shared", "user", ""] = ""


class ServerBody(Common):
    InterfaceDriver: Literal["virtio", "e1000", ""] = ""
    ServerPlan: PlanBody | None = None
    ConnectedSwitches: list[ConnectedSwitch | None] | None = None
    WaitDiskMigration: bool = False
    PrivateHost: Ref | None = None


class CloudInitBody(Body):
    UserData: str = ""


class VariablesBody(Body):
    CloudInit: CloudInitBody | None = None


class BootBody(Body):
    UserBootVariables: VariablesBody | None = None


class ForceBody(Body):
    Force: bool = False


class DeleteBody(Body):
    WithDisk: list[RefId] | None = None
    Force: bool = False


def choose_plan(zone: str, wanted: PlanBody) -> ServerPlan:
    """The newest plan of the zone that has what is asked for."""
    plans = [plan for plan in server_plans(zone) if _suits(plan, wanted)]
    if not plans:
        raise bad_request(f"No server plan found: CPU {wanted.CPU}, MemoryMB {wanted.MemoryMB}")
    return max(plans, key=lambda plan: plan.generation)


def _suits(plan: ServerPlan, wanted: PlanBody) -> bool:
    if wanted.ID is not None:
        return plan.id == wanted.ID
    shape = (wanted.CPU, wanted.MemoryMB, wanted.GPU, wanted.Commitment or "standard")
    return (
        (plan.cpu, plan.memory_gb * 1024, plan.gpu, plan.commitment) == shape
        and wanted.GPUModel in ("", plan.gpu_model)
        and wanted.CPUModel in ("", "uncategorized", plan.cpu_model)
        and wanted.Generation in (0, plan.generation)
        and not wanted.ConfidentialVM
    )


def _set(call: Call, row: Server, body: ServerBody) -> None:
    if body.PrivateHost is not None and body.PrivateHost.ID is not None:
        call.get(PrivateHost, body.PrivateHost.ID)
    if body.InterfaceDriver:
        row.driver = body.InterfaceDriver
    if body.given("PrivateHost"):
        row.private_host = body.PrivateHost.ID if body.PrivateHost is not None else None
    set_common(row, body, call.now)


@routes.on("GET", "/server")
def find(call: Call) -> Reply:
    return listing(call, "Servers", [server_view(call.world, row) for row in call.all(Server)])


@routes.on("POST", "/server")
def create(call: Call) -> Reply:
    body = parse_in(call, "Server", ServerBody)
    require_name(body)
    if body.ServerPlan is None:
        raise bad_request("The property ServerPlan is required")
    plan = choose_plan(call.zone, body.ServerPlan)
    wanted = body.ConnectedSwitches or []
    if len(wanted) > MAX_NICS:
        raise bad_request(f"ConnectedSwitches: at most {MAX_NICS} interfaces")
    for switch in wanted:
        if switch is not None and switch.ID is not None:
            call.get(Switch, switch.ID)
    if shared_nics := sum(switch is not None and switch.Scope == "shared" for switch in wanted):
        addresses.common(call.world, shared_nics)
    row = Server(id=0, uid=0, zone=call.zone, plan=plan.id)
    _set(call, row, body)
    row.uid = call.world.add(row).id
    for switch in wanted:
        shared = switch is not None and switch.Scope == "shared"
        add_nic(call.world, row, None if switch is None else switch.ID, shared=shared)
    return created("Server", server_view(call.world, row))


@routes.on("GET", "/server/{id}")
def read(call: Call) -> Reply:
    return single("Server", server_view(call.world, call.get(Server)))


@routes.on("PUT", "/server/{id}")
def update(call: Call) -> Reply:
    row = call.get(Server)
    body = parse_in(call, "Server", ServerBody)
    if body.InterfaceDriver and body.InterfaceDriver != row.driver:
        power.require_down(row)
    _set(call, row, body)
    return single("Server", server_view(call.world, row))


@routes.on("DELETE", "/server/{id}")
def delete(call: Call) -> Reply:
    row = call.get(Server)
    body = parse(call, DeleteBody, call.body)
    power.require_down(row)
    attached = disks_of(call.world, row.id)
    doomed = [disk for disk in attached if disk.id in (body.WithDisk or [])]
    unknown = {disk for disk in body.WithDisk or [] if disk is not None} - {disk.id for disk in doomed}
    if unknown:
        raise bad_request(f"WithDisk: {min(unknown)} is not a disk of this server")
    if any(disk.availability == "migrating" for disk in doomed):
        raise still_creating()
    view = server_view(call.world, row)
    for disk in attached:
        disk.server = None
    for gone in (*doomed, *nics_of(call.world, row.id), row):
        call.world.remove(gone)
    return single("Server", view)


@routes.on("PUT", "/server/{id}/power")
def power_on(call: Call) -> Reply:
    row = call.get(Server)
    body = parse(call, BootBody, call.body)
    disks = disks_of(call.world, row.id)
    if any(disk.availability == "migrating" for disk in disks):
        raise still_creating()
    if any(disk.availability == "failed" for disk in disks):
        raise conflict("A disk of the server is broken.")
    power.boot(call.world, row)
    given = body.UserBootVariables.CloudInit if body.UserBootVariables is not None else None
    row.user_data = given.UserData if given is not None else ""
    if disks and disks[0].installed is not None and disks[0].installed.cloud_init:
        disks[0].installed = cloud_init.apply(disks[0].installed, row.user_data)
    return done()


@routes.on("DELETE", "/server/{id}/power")
def power_off(call: Call) -> Reply:
    row = call.get(Server)
    power.shut_down(call.world, row, force=parse(call, ForceBody, call.body).Force)
    return done()


@routes.on("PUT", "/server/{id}/reset")
def reset(call: Call) -> Reply:
    power.reset(call.world, call.get(Server))
    return done()


@routes.on("PUT", "/server/{id}/plan")
def change_plan(call: Call) -> Reply:
    """The server moves to another plan under another id; its disks and NICs follow."""
    row = call.get(Server)
    plan = choose_plan(call.zone, parse(call, PlanBody, call.body))
    power.require_down(row)
    old, new = row.id, call.world.new_id()
    for disk in disks_of(call.world, old):
        disk.server = new
    for nic in nics_of(call.world, old):
        nic.server = new
    row.plan, row.modified = plan.id, call.now
    call.world.rename(row, new)
    return single("Server", server_view(call.world, row))


@routes.on("GET", "/server/{id}/interface")
def interfaces(call: Call) -> Reply:
    return listing(
        call,
        "Interfaces",
        [interface_view(call.world, nic) for nic in nics_of(call.world, call.get(Server).id)],
    )

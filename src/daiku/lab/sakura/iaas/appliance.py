"""Appliances: what VPC routers and load balancers share: creation, saved and live settings, power, legs on switches."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas import addresses, load_balancer, power, vpc_router
from daiku.lab.sakura.iaas.appliance_view import appliance_view
from daiku.lab.sakura.iaas.bodies import Body, Common, parse, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Appliance, ApplianceNic, Switch
from daiku.lab.sakura.iaas.wire import (
    Call,
    IaasError,
    Reply,
    bad_request,
    conflict,
    created,
    done,
    fingerprint,
    not_found,
    routes,
    single,
    still_creating,
)
from daiku.lab.sakura.world import World, transition

HIDDEN_SECONDS = 4.0
"""How long a fresh appliance answers 404."""
CREATE_SECONDS = 60.0
PUBLIC_NIC, LAST_NIC = 0, 7


class ApplianceBody(Common):
    Class: str | None = None
    Plan: Any = None
    Switch: Any = None
    Remark: Any = None
    Settings: Any = None
    SettingsHash: str | None = None


class ForceBody(Body):
    Force: bool = False


@transition("appliance.made")
def _made(world: World, target: int, _: int) -> None:
    """The copy is done. A load balancer boots by itself, with the settings it was made with; a router waits."""
    row = world.find(Appliance, target)
    if row is not None and row.availability == "migrating":
        row.availability = "available"
        if row.class_ == "loadbalancer":
            row.applied = dict(row.settings)
            power.boot(world, row)


@routes.on("GET", "/appliance")
def find(call: Call) -> Reply:
    return listing(call, "Appliances", [appliance_view(call.world, row) for row in call.all(Appliance)])


@routes.on("POST", "/appliance")
def create(call: Call) -> Reply:
    body = parse_in(call, "Appliance", ApplianceBody)
    require_name(body)
    given = call.body["Appliance"]
    match body.Class:
        case "vpcrouter":
            draft = vpc_router.draft(call, given)
        case "loadbalancer":
            draft = load_balancer.draft(call, given)
        case _:
            raise bad_request("Appliance.Class: only vpcrouter and loadbalancer are offered here")
    row = Appliance(
        id=call.world.new_id(), zone=call.zone, class_=body.Class, plan=draft.plan, remark=draft.remark
    )
    row.settings, row.public, row.outer = draft.settings, draft.public, draft.outer
    row.visible_at = call.now + HIDDEN_SECONDS
    nic_id = call.world.new_id()
    shared = draft.switch is None
    row.nics = [
        ApplianceNic(id=nic_id, index=0, mac=addresses.mac(nic_id), switch=draft.switch, shared=shared)
    ]
    set_common(row, body, call.now)
    call.world.add(row)
    call.world.schedule(CREATE_SECONDS, "appliance.made", row.id)
    return created("Appliance", appliance_view(call.world, row), accepted=True)


@routes.on("GET", "/appliance/{id}")
def read(call: Call) -> Reply:
    return single("Appliance", appliance_view(call.world, call.get(Appliance)))


@routes.on("PUT", "/appliance/{id}")
def update(call: Call) -> Reply:
    """Saves; nothing is live before `config`."""
    row = call.get(Appliance)
    body = parse_in(call, "Appliance", ApplianceBody)
    if body.SettingsHash and body.SettingsHash != fingerprint(row.settings):
        raise conflict("SettingsHash: the settings were changed by somebody else.")
    if body.Settings is not None:
        settings = vpc_router.settings if row.class_ == "vpcrouter" else load_balancer.settings
        row.settings = settings(call, body.Settings, row)
    set_common(row, body, call.now)
    return single("Appliance", appliance_view(call.world, row))


@routes.on("DELETE", "/appliance/{id}")
def delete(call: Call) -> Reply:
    row = _ready(call)
    power.require_down(row)
    view = appliance_view(call.world, row)
    call.world.remove(row)
    return single("Appliance", view)


def _ready(call: Call) -> Appliance:
    row = call.get(Appliance)
    if row.availability == "migrating":
        raise still_creating()
    return row


@routes.on("PUT", "/appliance/{id}/config")
def config(call: Call) -> Reply:
    """Makes the saved settings live."""
    row = _ready(call)
    half = call.world.faults.strikes("half_applied", f"appliance {row.id} {row.name}") is not None
    row.applied = _half(call.world, row) if half else dict(row.settings)
    return done()


def _half(world: World, row: Appliance) -> dict[str, Any]:
    """The live settings with every second one of the changed blocks (of a load balancer's addresses) made live."""
    live, wanted = dict(row.applied or {}), row.settings
    if row.class_ == "loadbalancer":
        vips = wanted.get("LoadBalancer") or []
        return {"LoadBalancer": vips[: len(vips) // 2]}
    changed = sorted(key for key in {*live, *wanted} if live.get(key) != wanted.get(key))
    lucky = world.random_for(f"half/{row.id}/{world.clock.now()}").sample(changed, len(changed) // 2)
    for key in lucky:
        live[key] = wanted.get(key)
    return {key: value for key, value in live.items() if value is not None}


@routes.on("PUT", "/appliance/{id}/power")
def power_on(call: Call) -> Reply:
    power.boot(call.world, _ready(call))
    return done()


@routes.on("DELETE", "/appliance/{id}/power")
def power_off(call: Call) -> Reply:
    row = _ready(call)
    power.shut_down(call.world, row, force=parse(call, ForceBody, call.body).Force)
    return done()


@routes.on("PUT", "/appliance/{id}/reset")
def reset(call: Call) -> Reply:
    power.reset(call.world, _ready(call))
    return done()


def _private_leg(call: Call) -> tuple[Appliance, int]:
    row, index = _ready(call), int(call.holes["nic"])
    if row.class_ != "vpcrouter" or not PUBLIC_NIC < index <= LAST_NIC:
        raise not_found()
    power.require_down(row)
    return row, index


@routes.on("PUT", "/appliance/{id}/interface/{nic}/to/switch/{switch}")
def connect(call: Call) -> Reply:
    row, index = _private_leg(call)
    switch = call.get(Switch, call.holes["switch"])
    if any(nic.index == index for nic in row.nics):
        raise conflict("The interface is connected already.")
    nic_id = call.world.new_id()
    nic = ApplianceNic(id=nic_id, index=index, mac=addresses.mac(nic_id), switch=switch.id)
    row.nics = sorted([*row.nics, nic], key=lambda leg: leg.index)
    return done()


@routes.on("DELETE", "/appliance/{id}/interface/{nic}/to/switch")
def disconnect(call: Call) -> Reply:
    row, index = _private_leg(call)
    if all(nic.index != index for nic in row.nics):
        raise conflict("The interface is not connected.")
    row.nics = [nic for nic in row.nics if nic.index != index]
    return done()


def _running_router(call: Call) -> Appliance:
    row = _ready(call)
    if row.class_ != "vpcrouter":
        raise not_found()
    if row.power.status != "up":
        raise IaasError(503, "The appliance is not running.")
    return row


@routes.on("POST", "/appliance/{id}/vpcrouter/ping/{address:address}")
def ping(call: Call) -> Reply:
    """The router pings by its own legs; what it says comes line by line."""
    row = _running_router(call)
    return single("VPCRouter", {"Result": vpc_router.ping(call.world, row, call.holes["address"])})


@routes.on("GET", "/appliance/{id}/download/log/VPNLogs")
def vpn_logs(call: Call) -> Reply:
    """Without a tunnel there is nothing to log."""
    _running_router(call)
    return single("VPCRouter", {"Log": ""})


@routes.on("GET", "/appliance/{id}/status")
def status(call: Call) -> Reply:
    row = _ready(call)
    if row.power.status != "up":
        raise IaasError(503, "The appliance is not running.")
    if row.class_ == "vpcrouter":
        return single("Router", vpc_router.status_view(call.world, row))
    return Reply(
        200, {"LoadBalancer": load_balancer.status_view(call.world, row), "Success": True, "is_ok": True}
    )

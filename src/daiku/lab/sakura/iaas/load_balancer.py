"""Load balancers (L4, direct server return): their network at creation, their virtual addresses, their status."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from daiku.lab.sakura.iaas.bodies import Address, Body, Common, Digits, Flag, Mask, Ref, parse
from daiku.lab.sakura.iaas.draft import Draft
from daiku.lab.sakura.iaas.models import Appliance, Server, Switch
from daiku.lab.sakura.iaas.server_view import disks_of
from daiku.lab.sakura.iaas.vpc_settings import Port
from daiku.lab.sakura.iaas.wire import Call, bad_request
from daiku.lab.sakura.world import World

PLANS = (1, 2)
MAX_REDUNDANT = 2
MIN_DELAY_SECONDS = 10


def _required(value: str) -> str:
    if not value:
        raise ValueError("is required")
    return value


def _delay(value: str) -> str:
    if value and int(value) < MIN_DELAY_SECONDS:
        raise ValueError(f"must be at least {MIN_DELAY_SECONDS}")
    return value


class VrrpBody(Body):
    VRID: Annotated[int, Field(ge=1, le=255)]


class NetworkBody(Body):
    DefaultRoute: Address = ""
    NetworkMaskLen: Mask


class ServerBody(Body):
    IPAddress: Annotated[Address, AfterValidator(_required)]


class RemarkBody(Body):
    Switch: Ref
    VRRP: VrrpBody
    Network: NetworkBody
    Servers: Annotated[list[ServerBody], Field(min_length=1, max_length=MAX_REDUNDANT)]
    Plan: Ref | None = None
    Zone: Ref | None = None


class CheckBody(Body):
    Protocol: Literal["tcp", "http", "https", "ping"]
    Host: str | None = None
    Path: str | None = None
    Status: Digits | None = None
    Port: Digits | None = None
    Retry: Digits | None = None
    ConnectTimeout: Digits | None = None


class RealServerBody(Body):
    IPAddress: Annotated[Address, AfterValidator(_required)]
    Port: Port
    Enabled: Flag = "True"
    HealthCheck: CheckBody | None = None


class VipBody(Body):
    VirtualIPAddress: Annotated[Address, AfterValidator(_required)]
    Port: Port
    DelayLoop: Annotated[Digits, AfterValidator(_delay)] = "10"
    SorryServer: Address | None = None
    Description: str | None = None
    Servers: Annotated[list[RealServerBody], Field(max_length=40)] | None = None


class SettingsBody(Body):
    LoadBalancer: Annotated[list[VipBody], Field(max_length=20)] | None = None


class CreateBody(Common):
    Class: str | None = None
    Plan: Ref | None = None
    Remark: RemarkBody
    Settings: SettingsBody | None = None


def draft(call: Call, given: Any) -> Draft:
    """A new load balancer out of the request."""
    body = parse(call, CreateBody, given)
    plan = body.Plan.ID if body.Plan is not None else None
    if plan not in PLANS or (body.Remark.Plan is not None and plan != body.Remark.Plan.ID):
        raise bad_request("Appliance.Plan and Remark.Plan: the same plan, 1 or 2, is wanted")
    if body.Remark.Switch.ID is None:
        raise bad_request("Remark.Switch: the property ID is required")
    switch = call.get(Switch, body.Remark.Switch.ID)
    network = body.Remark.Network
    own = [server.IPAddress for server in body.Remark.Servers]
    block = IPv4Network(f"{own[0]}/{network.NetworkMaskLen}", strict=False)
    others = [*own[1:], *([network.DefaultRoute] if network.DefaultRoute else [])]
    if len({own[0], *others}) != len(others) + 1 or any(
        IPv4Address(address) not in block for address in others
    ):
        raise bad_request("Remark: the addresses and the default route must be different ones of one network")
    remark = {
        "Switch": {"ID": switch.id},
        "VRRP": {"VRID": body.Remark.VRRP.VRID},
        "Network": {"DefaultRoute": network.DefaultRoute, "NetworkMaskLen": network.NetworkMaskLen},
        "Servers": [{"IPAddress": address} for address in own],
        "Plan": {"ID": plan},
    }
    return Draft(plan, remark, _settings(body.Settings or SettingsBody(), own), switch.id)


def settings(call: Call, given: Any, row: Appliance) -> dict[str, Any]:
    """The settings that a PUT brings."""
    own = [server["IPAddress"] for server in row.remark["Servers"]]
    return _settings(parse(call, SettingsBody, given), own)


def _settings(body: SettingsBody, own: list[str]) -> dict[str, Any]:
    vips = body.LoadBalancer or []
    ends = [(vip.VirtualIPAddress, vip.Port) for vip in vips]
    if len(ends) != len(set(ends)):
        raise bad_request("LoadBalancer: an address and port is balanced twice")
    for vip in vips:
        if vip.VirtualIPAddress in own:
            raise bad_request("LoadBalancer.VirtualIPAddress: the load balancer's own address")
        servers = [(server.IPAddress, server.Port) for server in vip.Servers or []]
        if len(servers) != len(set(servers)):
            raise bad_request("LoadBalancer.Servers: a server is listed twice")
        for server in vip.Servers or []:
            check = server.HealthCheck
            if check is not None and check.Protocol in ("http", "https") and not check.Path:
                raise bad_request("LoadBalancer.Servers.HealthCheck: the property Path is required")
    return {"LoadBalancer": [vip.model_dump(exclude_none=True) for vip in vips]}


def status_view(world: World, row: Appliance) -> list[dict[str, Any]]:
    """`GET status`: what the health checks of the live settings see."""
    return [
        {
            "VirtualIPAddress": vip["VirtualIPAddress"],
            "Port": vip["Port"],
            "CPS": "0",
            "Servers": [
                {
                    "IPAddress": server["IPAddress"],
                    "Port": server["Port"],
                    "Status": "up" if _answers(world, server) else "down",
                    "ActiveConn": "0",
                    "CPS": "0",
                }
                for server in vip.get("Servers") or ()
            ],
        }
        for vip in (row.applied or {}).get("LoadBalancer") or ()
    ]


def _answers(world: World, server: dict[str, Any]) -> bool:
    """By the world's probe; without one, a running VM whose disk was given this address counts as answering."""
    if server.get("Enabled") != "True":
        return False
    if world.probe is not None:
        return world.probe(server["IPAddress"], int(server["Port"]))
    for vm in world.rows(Server):
        disks = disks_of(world, vm.id)
        installed = disks[0].installed if disks else None
        if vm.power.status == "up" and installed is not None and installed.address == server["IPAddress"]:
            return True
    return False

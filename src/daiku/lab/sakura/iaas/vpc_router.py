"""VPC routers: what a create must say for each plan, their settings, and their status."""

from __future__ import annotations

import base64
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

from pydantic import Field

from daiku.lab.sakura.iaas import addresses
from daiku.lab.sakura.iaas.bodies import Address, Body, Common, Ref, RefId, parse
from daiku.lab.sakura.iaas.draft import Draft
from daiku.lab.sakura.iaas.models import Appliance, Internet, Server, Switch
from daiku.lab.sakura.iaas.server_view import disks_of, nics_of
from daiku.lab.sakura.iaas.subnets import usable
from daiku.lab.sakura.iaas.vpc_settings import RouterEnvelope, RouterSettings
from daiku.lab.sakura.iaas.wire import Call, bad_request
from daiku.lab.sakura.world import World

STANDARD = 1
PLANS = (1, 2, 3, 4)
REAL_ADDRESSES = 2


class SwitchBody(Body):
    ID: RefId = None
    Scope: Literal["shared", "user", ""] = ""


class ServerBody(Body):
    IPAddress: Address = ""


class VersionBody(Body):
    VPCRouterVersion: Annotated[int, Field(ge=1, le=2)] = 2


class RemarkBody(Body):
    Switch: SwitchBody | None = None
    Servers: list[ServerBody] | None = None
    Router: VersionBody | None = None
    Zone: Ref | None = None


class CreateBody(Common):
    Class: str | None = None
    Plan: Ref | None = None
    Remark: RemarkBody | None = None
    Settings: RouterEnvelope | None = None


def draft(call: Call, given: Any) -> Draft:
    """A new router out of the request. 400 when the plan wants more than was said."""
    body = parse(call, CreateBody, given)
    plan = body.Plan.ID if body.Plan is not None else None
    if plan not in PLANS:
        raise bad_request("Appliance.Plan: no such plan")
    remark = body.Remark or RemarkBody()
    switch = remark.Switch or SwitchBody()
    router = body.Settings.Router if body.Settings is not None else None
    settings_ = _dump(router)
    version = remark.Router.VPCRouterVersion if remark.Router is not None else 2
    shown: dict[str, Any] = {"Router": {"VPCRouterVersion": version}, "Plan": {"ID": plan}}
    outer = addresses.common(call.world)
    if plan == STANDARD:
        if switch.Scope != "shared":
            raise bad_request("Remark.Switch: the standard plan connects to the shared segment only")
        shown |= {"Switch": {"Scope": "shared"}, "Servers": [{}]}
        _check(settings_, plan)
        return Draft(plan, shown, settings_, None, addresses.shared_public(call.world), outer)
    if switch.ID is None:
        raise bad_request("Remark.Switch: the property ID is required")
    real, virtual = _premium(call, switch.ID, remark, router)
    shown |= {"Switch": {"ID": switch.ID}, "Servers": [{"IPAddress": address} for address in real]}
    _check(settings_, plan)
    return Draft(plan, shown, settings_, switch.ID, virtual, outer)


def _premium(
    call: Call, switch_id: int, remark: RemarkBody, router: RouterSettings | None
) -> tuple[list[str], str]:
    """Two real addresses and the virtual one, out of the router+switch's block."""
    internet = call.world.find(Internet, call.get(Switch, switch_id).internet)
    if internet is None:
        raise bad_request("Remark.Switch: the switch is not connected to a router")
    real = [server.IPAddress for server in remark.Servers or [] if server.IPAddress]
    if len(real) != REAL_ADDRESSES:
        raise bad_request("The property IPAddress is required: two addresses in Remark.Servers")
    public = (router.Interfaces or [None])[0] if router is not None else None
    virtual = (public.VirtualIPAddress or "") if public is not None else ""
    if not virtual or router is None or router.VRID is None:
        raise bad_request("Settings.Router: VirtualIPAddress of the first interface and VRID are required")
    low, high = (IPv4Address(end) for end in usable(internet.subnets[0]))
    taken = [*real, virtual]
    if len(set(taken)) != len(taken) or any(not low <= IPv4Address(address) <= high for address in taken):
        raise bad_request(f"IPAddress: three different addresses from {low} to {high} are wanted")
    return real, virtual


def _dump(router: RouterSettings | None) -> dict[str, Any]:
    return {} if router is None else router.model_dump(exclude_none=True)


def _check(settings_: dict[str, Any], plan: int) -> None:
    if plan == STANDARD and (settings_.get("StaticNAT") or {}).get("Config"):
        raise bad_request("StaticNAT: not offered by the standard plan")
    ports = [
        (r["Protocol"], r["GlobalPort"]) for r in (settings_.get("PortForwarding") or {}).get("Config") or ()
    ]
    if len(ports) != len(set(ports)):
        raise bad_request("PortForwarding: a port is forwarded twice")


def settings(call: Call, given: Any, row: Appliance) -> dict[str, Any]:
    """The settings that a PUT brings; without a `Router` in it they stay."""
    body = parse(call, RouterEnvelope, given)
    if body.Router is None:
        return row.settings
    dumped = _dump(body.Router)
    _check(dumped, row.plan)
    public = (dumped.get("Interfaces") or [None])[0]
    if row.plan != STANDARD and (public or {}).get("VirtualIPAddress") != row.public:
        raise bad_request("Settings.Router.Interfaces: the public interface cannot be changed")
    return dumped


def ping(world: World, row: Appliance, address: str) -> list[str]:
    """What `ping` prints. An address answers when it is the router's own or a running host's on one of its legs."""
    try:
        target = str(IPv4Address(address))
    except ValueError:
        raise bad_request("destination: not an IPv4 address") from None
    own = {row.public, row.outer}
    for leg in (row.applied or {}).get("Interfaces") or ():
        own |= {*((leg or {}).get("IPAddress") or ()), (leg or {}).get("VirtualIPAddress")}
    legs = {nic.switch for nic in row.nics if nic.switch is not None}
    answers = target in own or any(
        server.power.status == "up" and target in addresses_on(world, server.id, legs)
        for server in world.rows(Server)
    )
    head = f"PING {target} ({target}) 56(84) bytes of data."
    if not answers:
        return [
            head,
            "",
            f"--- {target} ping statistics ---",
            "3 packets transmitted, 0 received, 100% packet loss",
        ]
    lines = [f"64 bytes from {target}: icmp_seq={n} ttl=64 time=0.3 ms" for n in (1, 2, 3)]
    return [
        head,
        *lines,
        "",
        f"--- {target} ping statistics ---",
        "3 packets transmitted, 3 received, 0% packet loss",
    ]


def addresses_on(world: World, server_id: int, switches: set[int]) -> set[str]:
    """The addresses of a server's NICs on these switches, as far as the API knows them."""
    disks = disks_of(world, server_id)
    found = set[str]()
    for index, nic in enumerate(nics_of(world, server_id)):
        if nic.switch in switches:
            found.add(nic.user_address)
            installed = disks[0].installed if index == 0 and disks else None
            found.add(installed.address if installed is not None else "")
    return found - {""}


def status_view(world: World, row: Appliance) -> dict[str, Any]:
    """`GET status` of a running router. The WireGuard key appears with live WireGuard settings only."""
    live = (row.applied or {}).get("WireGuardServer") or {}
    key = base64.b64encode(world.random_for(f"wireguard/{row.id}").randbytes(32)).decode()
    return {
        "FirewallReceiveLogs": [],
        "FirewallSendLogs": [],
        "VPNLogs": [],
        "SessionCount": 0,
        "PercentageOfMemoryFree": ["90"],
        "DHCPServerLeases": [],
        "L2TPIPsecServerSessions": [],
        "PPTPServerSessions": [],
        "SiteToSiteIPsecVPNPeers": [],
        "WireGuard": {"PublicKey": key} if live.get("Enabled") == "True" else None,
        "SessionAnalysis": None,
    }

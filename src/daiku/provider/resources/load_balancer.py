"""The L4 DSR load balancer."""

from __future__ import annotations

from daiku.provider.context import Context
from daiku.provider.fields import (
    BOOLEAN,
    INTEGER,
    STRING,
    Change,
    Failure,
    Field,
    ListOf,
    Object,
    Props,
    ResourceType,
)
from daiku.provider.resources.appliance import APPLIED, Appliance, is_applied
from daiku.provider.resources.cloud_object import Goal
from daiku.provider.resources.common import (
    DESCRIPTION,
    ICON,
    NAME,
    RESOURCE_ID,
    TAGS,
    ZONE,
    address,
    between,
    ident,
    mask,
    port,
)
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import LOAD_BALANCER

PLANS = {"standard": "1", "highspec": "2"}
_FIXED = "the API fixes the network side and the plan when the load balancer is made"

REAL_SERVER = Object(
    "LoadBalancerServer",
    "A real server. It must listen on the VIP's port and carry the VIP on its loopback (DSR).",
    (
        address("ipAddress", "Address on the same switch.", required=True),
        Field(name="enabled", type=BOOLEAN, description="Whether it gets traffic.", default=True),
        Field(
            name="protocol",
            type=STRING,
            description="Health check.",
            default="tcp",
            choices=("tcp", "http", "https", "ping"),
        ),
        Field(name="path", type=STRING, description="Path of an http or https check.", default=""),
        Field(name="status", type=INTEGER, description="HTTP status that is healthy.", default=200),
        Field(name="retry", type=INTEGER, description="Failed checks until it is down.", default=2),
        Field(name="connectTimeout", type=INTEGER, description="Seconds until a check fails.", default=6),
    ),
)

VIP = Object(
    "LoadBalancerVip",
    "A virtual IP address and port.",
    (
        address("virtualIpAddress", "The VIP.", required=True),
        port("port", "Port of the VIP and of the real servers.", required=True),
        Field(
            name="delayLoop",
            type=INTEGER,
            description="Seconds between health checks.",
            default=10,
            problem=between(10, 2147483647),
        ),
        Field(
            name="sorryServer", type=STRING, description="Server used when all others are down.", default=""
        ),
        Field(name="description", type=STRING, description="Free text.", default=""),
        Field(name="servers", type=ListOf(REAL_SERVER), description="Real servers.", default=[]),
    ),
)

TYPE = ResourceType(
    name="sakura:cloud:LoadBalancer",
    description="An L4 DSR load balancer. VIPs and real servers change while it runs.",
    fields=(
        NAME,
        DESCRIPTION,
        TAGS,
        ICON,
        ZONE,
        Field(
            name="plan",
            type=STRING,
            description="Plan.",
            default="standard",
            choices=tuple(PLANS),
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        ident(
            "switchId",
            "Switch that it and its real servers are on.",
            required=True,
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="vrid",
            type=INTEGER,
            description="VRRP ID, unique on the switch.",
            default=1,
            problem=between(1, 255),
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        Field(
            name="ipAddresses",
            type=ListOf(STRING),
            description="Its own addresses: one, or two for a redundant pair.",
            required=True,
            problem=lambda value: "" if len(value) in (1, 2) else "one address, or two",
            change=Change.REPLACE,
            reason=_FIXED,
        ),
        mask("networkMaskLen", "Prefix length.", required=True, change=Change.REPLACE, reason=_FIXED),
        address("defaultRoute", "Default gateway.", change=Change.REPLACE, reason=_FIXED),
        Field(
            name="vips",
            type=ListOf(VIP),
            description="Virtual addresses, at most 20.",
            default=[],
            problem=lambda value: "at most 20 VIPs" if len(value) > 20 else "",
        ),
        RESOURCE_ID,
        APPLIED,
    ),
)


class LoadBalancerHandler(Appliance):
    type = TYPE
    kind = LOAD_BALANCER

    def check(self, inputs: Props) -> list[Failure]:
        """A path or a status means nothing to other checks than HTTP's, and the API would forget it."""
        failures: list[Failure] = []
        for i, vip in enumerate(inputs["vips"] if isinstance(inputs["vips"], list) else []):
            for j, server in enumerate(vip["servers"] if isinstance(vip, dict) else []):
                if server["protocol"] in ("tcp", "ping") and (server["path"], server["status"]) != ("", 200):
                    path = f"vips[{i}].servers[{j}].protocol"
                    failures.append(Failure(path, "must be http or https for a path or a status"))
        return failures

    def make(self, ctx: Context, goal: Goal) -> Json:
        inputs = goal.inputs
        plan = {"ID": int(PLANS[inputs["plan"]])}
        network: Json = {"NetworkMaskLen": inputs["networkMaskLen"]}
        if "defaultRoute" in inputs:
            network["DefaultRoute"] = inputs["defaultRoute"]
        body: Json = {
            **self.named(goal),
            "Plan": plan,
            "Remark": {
                "Plan": plan,
                "Switch": {"ID": inputs["switchId"]},
                "VRRP": {"VRID": inputs["vrid"]},
                "Network": network,
                "Servers": [{"IPAddress": address} for address in inputs["ipAddresses"]],
            },
            "Settings": {"LoadBalancer": [_vip_body(vip) for vip in inputs["vips"]]},
        }
        return ctx.cloud.create(LOAD_BALANCER, body, zone=goal.zone, once=True)

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        ident = id_of(live)
        live = ctx.cloud.wait_available(LOAD_BALANCER, ident, zone=goal.zone)
        ctx.cloud.power_on(LOAD_BALANCER, ident, zone=goal.zone)
        if not goal.olds or _vips(live) != goal.inputs["vips"] or not is_applied(live):
            settings: Json = {"LoadBalancer": [_vip_body(vip) for vip in goal.inputs["vips"]]}
            live = self.apply_settings(ctx, live, settings, goal)
        return self.set_attributes(ctx, live, goal)

    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        remark = as_dict(live.get("Remark"))
        network = as_dict(remark.get("Network"))
        plan = id_of(as_dict(live.get("Plan"))) or id_of(as_dict(remark.get("Plan")))
        state = {
            **self.common_state(ctx, live),
            "zone": prior.get("zone") or ctx.zone,
            "plan": next((name for name, number in PLANS.items() if number == plan), plan),
            "switchId": id_of(as_dict(live.get("Switch"))) or id_of(as_dict(remark.get("Switch"))),
            "vrid": int(as_dict(remark.get("VRRP")).get("VRID") or 0),
            "ipAddresses": [
                str(server["IPAddress"]) for server in as_list(remark.get("Servers")) if as_dict(server)
            ],
            "networkMaskLen": int(network.get("NetworkMaskLen") or 0),
            "vips": _vips(live),
            "applied": is_applied(live),
        }
        if network.get("DefaultRoute"):
            state["defaultRoute"] = str(network["DefaultRoute"])
        return state


def _vip_body(vip: Props) -> Json:
    """Numbers are text on this wire."""
    return {
        "VirtualIPAddress": vip["virtualIpAddress"],
        "Port": str(vip["port"]),
        "DelayLoop": str(vip["delayLoop"]),
        "SorryServer": vip["sorryServer"],
        "Description": vip["description"],
        "Servers": [_server_body(server, vip["port"]) for server in vip["servers"]],
    }


def _server_body(server: Props, port: int) -> Json:
    check: Json = {
        "Protocol": server["protocol"],
        "Retry": str(server["retry"]),
        "ConnectTimeout": str(server["connectTimeout"]),
    }
    if server["protocol"] in ("http", "https"):
        check |= {"Path": server["path"], "Status": str(server["status"])}
    return {
        "IPAddress": server["ipAddress"],
        "Port": str(port),
        "Enabled": "True" if server["enabled"] else "False",
        "HealthCheck": check,
    }


def _vips(live: Json) -> list[Props]:
    listed = as_list(as_dict(live.get("Settings")).get("LoadBalancer"))
    return [_vip_state(as_dict(vip)) for vip in listed if as_dict(vip)]


def _vip_state(vip: Json) -> Props:
    return {
        "virtualIpAddress": str(vip.get("VirtualIPAddress") or ""),
        "port": int(vip.get("Port") or 0),
        "delayLoop": int(vip.get("DelayLoop") or 10),
        "sorryServer": str(vip.get("SorryServer") or ""),
        "description": str(vip.get("Description") or ""),
        "servers": [_server_state(as_dict(server)) for server in as_list(vip.get("Servers")) if server],
    }


def _server_state(server: Json) -> Props:
    check = as_dict(server.get("HealthCheck"))
    return {
        "ipAddress": str(server.get("IPAddress") or ""),
        "enabled": str(server.get("Enabled") or "True").lower() == "true",
        "protocol": str(check.get("Protocol") or "tcp"),
        "path": str(check.get("Path") or ""),
        "status": int(check.get("Status") or 200),
        "retry": int(check.get("Retry") or 2),
        "connectTimeout": int(check.get("ConnectTimeout") or 6),
    }

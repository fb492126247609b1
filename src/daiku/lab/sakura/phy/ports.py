"""Ports and port channels: bonding, enabling, and which networks a port carries."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field

from daiku.lab.sakura.delivery import FIRST_PORT
from daiku.lab.sakura.inventory import DedicatedSubnetItem, PrivateNetworkItem
from daiku.lab.sakura.phy import fields
from daiku.lab.sakura.phy.limits import spend_network
from daiku.lab.sakura.phy.models import PhyChannel, PhyPort, PhyServer
from daiku.lab.sakura.phy.servers import SERVER, refuse_if_locked, server_of
from daiku.lab.sakura.phy.views import channel_view, item_of, port_view
from daiku.lab.sakura.phy.wire import Call, PhyError, Reply, inconsistent, invalid, ok, routes
from daiku.lab.sakura.records import EPOCH, JST

CHANNEL = SERVER + "/port_channels/{channel:number}"
PORT = SERVER + "/ports/{port:number}"
STEPS = (300, 600, 3600, 21_600)
MAX_POINTS = 10_000
KEPT = timedelta(days=31)


class BondingFields(fields.Fields):
    bonding_type: Literal["lacp", "static", "single"]
    port_nicknames: list[Annotated[str, Field(min_length=1, max_length=50)]] | None


class NicknameFields(fields.Fields):
    nickname: Annotated[str, Field(min_length=1, max_length=50)]


class EnableFields(fields.Fields):
    enable: bool


class AssignFields(fields.Fields):
    mode: Literal["access", "trunk"]
    internet_type: Literal["common_subnet", "dedicated_subnet"] | None
    dedicated_subnet_id: str | None
    private_network_ids: list[str] | None


def _channel(call: Call) -> tuple[PhyServer, PhyChannel]:
    row = server_of(call)
    for channel in row.channels:
        if channel.channel_id == int(call.holes["channel"]):
            return row, channel
    raise PhyError(404)


def _port(call: Call) -> tuple[PhyServer, PhyPort]:
    row = server_of(call)
    for port in row.ports:
        if port.port_id == int(call.holes["port"]):
            return row, port
    raise PhyError(404)


@routes.on("GET", f"{CHANNEL}/")
def read_channel(call: Call) -> Reply:
    return ok("port_channel", channel_view(*_channel(call)))


@routes.on("POST", f"{CHANNEL}/configure_bonding/")
def configure_bonding(call: Call) -> Reply:
    """The channel's ports are made anew: other numbers, no networks."""
    row, channel = _channel(call)
    spend_network(row, call.now)
    body = fields.body(call, BondingFields)
    groups = [[nic] for nic in channel.nics] if body.bonding_type == "single" else [list(channel.nics)]
    names = body.port_nicknames
    if names is not None and len(names) != len(groups):
        raise invalid("port_nicknames", "invalid", f"{len(groups)}個の名称を指定してください。")
    refuse_if_locked(row)
    channel.bonding = body.bonding_type
    made = [
        PhyPort(
            port_id=call.world.next_in("phy-port", FIRST_PORT),
            nickname=names[n] if names is not None else f"port-{channel.channel_id}-{n + 1}",
            channel=channel.channel_id,
            nics=nics,
        )
        for n, nics in enumerate(groups)
    ]
    row.ports = [port for port in row.ports if port.channel != channel.channel_id] + made
    return ok("port_channel", channel_view(row, channel))


@routes.on("GET", f"{PORT}/")
def read_port(call: Call) -> Reply:
    return ok("port", port_view(call.world, *_port(call)))


@routes.on("PATCH", f"{PORT}/")
def rename_port(call: Call) -> Reply:
    row, port = _port(call)
    port.nickname = fields.body(call, NicknameFields).nickname
    return ok("port", port_view(call.world, row, port))


@routes.on("POST", f"{PORT}/enable/")
def enable(call: Call) -> Reply:
    row, port = _port(call)
    spend_network(row, call.now)
    wanted = fields.body(call, EnableFields).enable
    refuse_if_locked(row)
    port.enabled = wanted
    return ok("port", port_view(call.world, row, port))


@routes.on("POST", f"{PORT}/assign_network/")
def assign_network(call: Call) -> Reply:
    """Replaces the port's whole assignment."""
    row, port = _port(call)
    spend_network(row, call.now)
    body = fields.body(call, AssignFields)
    networks = body.private_network_ids or []
    _check_assignment(call, body, networks)
    refuse_if_locked(row)
    port.mode, port.internet = body.mode, body.internet_type
    port.dedicated_subnet, port.private_networks = body.dedicated_subnet_id, list(networks)
    return ok("port", port_view(call.world, row, port))


def _check_assignment(call: Call, body: AssignFields, networks: list[str]) -> None:
    if (body.internet_type == "dedicated_subnet") != (body.dedicated_subnet_id is not None):
        raise inconsistent("dedicated_subnet_id は internet_type が dedicated_subnet の場合のみ指定します。")
    if body.dedicated_subnet_id is not None and not _is(call, body.dedicated_subnet_id, DedicatedSubnetItem):
        raise invalid("dedicated_subnet_id", "does_not_exist", "専用グローバルネットワークが見つかりません。")
    if len(networks) != len(set(networks)):
        raise inconsistent("同じローカルネットワークが複数指定されています。")
    if any(not _is(call, network, PrivateNetworkItem) for network in networks):
        raise invalid("private_network_ids", "does_not_exist", "ローカルネットワークが見つかりません。")
    count = len(networks) + (body.internet_type is not None)
    if body.mode == "access" and count != 1:
        raise inconsistent("アクセスポートにはネットワークを1つだけ指定してください。")


def _is(call: Call, service_id: str, kind: type[Any]) -> bool:
    try:
        return isinstance(item_of(call.world, service_id), kind)
    except PhyError:
        return False


@routes.on("GET", f"{PORT}/traffic_graph/")
def traffic_graph(call: Call) -> Reply:
    """The lab measures nothing: every point is 0."""
    _port(call)
    step = int(fields.choice(call, "step", tuple(str(s) for s in STEPS), "300"))
    now = EPOCH + timedelta(seconds=int(call.now))
    since = _moment(call, "since", now - timedelta(hours=1))
    until = _moment(call, "until", now)
    if since > until or since < now - KEPT - timedelta(seconds=1):
        raise inconsistent("since から until までの期間が正しくありません。")
    count = min(int((until - since).total_seconds()) // step + 1, MAX_POINTS)
    points = [
        {"timestamp": (since + timedelta(seconds=n * step)).isoformat(), "value": 0} for n in range(count)
    ]
    return ok("traffic_graph", {"transmit": points, "receive": points})


def _moment(call: Call, name: str, default: datetime) -> datetime:
    values = call.query.get(name)
    if not values:
        return default
    try:
        moment = datetime.fromisoformat(values[-1].replace(" ", "+")).replace(microsecond=0)
        return moment.astimezone(JST) if moment.tzinfo is not None else moment.replace(tzinfo=JST)
    except (ValueError, OverflowError):
        raise invalid(name, "invalid", "日時の形式が正しくありません。") from None

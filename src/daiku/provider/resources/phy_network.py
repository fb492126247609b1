"""The networks of a PHY server's port: what a port was before is restored on deletion."""

from __future__ import annotations

import json
from typing import Any

from daiku.errors import DaikuError, NotFoundError
from daiku.provider.context import Context
from daiku.provider.fields import BOOLEAN, STRING, Change, Failure, Field, ListOf, Props, ResourceType
from daiku.provider.handler import Hint, IncompleteError
from daiku.provider.phy_install import listed_server
from daiku.provider.resources.common import id_problem, ident
from daiku.wire.phy_models import PhyServer, Port

TYPE = ResourceType(
    name="sakura:phy:PhyNetwork",
    description="The network assignment of one port of a PHY server, and the sealing of others. The API "
    "allows "
    "five network changes in five minutes a server. Deletion restores what was there before.",
    import_id="113600000001/eno2",
    fields=(
        ident(
            "serverId",
            "Service ID of the server.",
            required=True,
            change=Change.REPLACE,
            reason="another machine's port is another assignment",
        ),
        Field(
            name="port",
            type=STRING,
            description="Nickname or ID of the port.",
            required=True,
            change=Change.REPLACE,
            reason="another port is another assignment",
        ),
        Field(
            name="mode",
            type=STRING,
            description="access: one untagged network; trunk: tagged networks.",
            default="access",
            choices=("access", "trunk"),
        ),
        Field(
            name="privateNetworkIds",
            type=ListOf(STRING, unordered=True),
            description="Private networks on the port.",
            default=[],
        ),
        Field(
            name="internet",
            type=STRING,
            description="Internet side: none, common (the common subnet), or the ID of a dedicated subnet.",
            default="none",
        ),
        Field(name="enabled", type=BOOLEAN, description="Whether the port is up.", default=True),
        Field(
            name="disablePorts",
            type=ListOf(STRING, unordered=True),
            description="Nicknames or IDs of ports to switch off once this one is set: the public one.",
            default=[],
        ),
        Field(
            name="incarnation",
            type=STRING,
            description="The server's incarnation: after a new installation the ports are set and sealed again.",
        ),
        Field(name="portId", type=STRING, description="ID of the port.", output=True),
        Field(
            name="previous",
            type=STRING,
            description="What the ports were before (JSON), restored on deletion.",
            output=True,
        ),
    ),
)


class PhyNetworkHandler:
    """Its ID is `SERVER/PORT`, the port as it is named in the inputs."""

    type = TYPE

    def check(self, inputs: Props) -> list[Failure]:
        failures: list[Failure] = []
        count = len(inputs["privateNetworkIds"]) + (inputs["internet"] != "none")
        if inputs["mode"] == "access" and count != 1:
            failures.append(Failure("mode", f"access carries exactly one network, and there are {count}"))
        if inputs["internet"] not in ("none", "common") and id_problem(inputs["internet"]):
            failures.append(Failure("internet", "must be none, common or the ID of a dedicated subnet"))
        if inputs["port"] in inputs["disablePorts"]:
            failures.append(Failure("disablePorts", "cannot hold the port itself"))
        return failures

    def create(self, ctx: Context, hint: Hint, inputs: Props) -> tuple[str, Props]:
        server = ctx.phy.server(inputs["serverId"])
        before = json.dumps(_snapshot(server, [inputs["port"], *inputs["disablePorts"]]), sort_keys=True)
        ident = f"{inputs['serverId']}/{inputs['port']}"
        try:
            state = self._converge(ctx, inputs)
        except DaikuError as error:
            raise IncompleteError(ident, {**inputs, "previous": before}, error) from error
        return ident, {**state, "previous": before}

    def update(self, ctx: Context, hint: Hint, resource_id: str, olds: Props, news: Props) -> Props:
        before: dict[str, Any] = json.loads(olds.get("previous") or "{}")
        server = ctx.phy.server(news["serverId"])
        # Ports that come under our hand now are remembered as they are now.
        before = {**_snapshot(server, news["disablePorts"]), **before}
        state = self._converge(ctx, news)
        return {**state, "previous": json.dumps(before, sort_keys=True)}

    def read(self, ctx: Context, resource_id: str, state: Props) -> Props | None:
        server_id, _, name = resource_id.partition("/")
        server = listed_server(ctx, server_id)
        port = _port(server, name) if server is not None else None
        if server is None or port is None:
            return None
        return _state(server, port, {**state, "port": name})

    def delete(self, ctx: Context, resource_id: str, state: Props) -> None:
        """Put every port back as it was before; a port that had no network gets none."""
        server_id, _, name = resource_id.partition("/")
        with ctx.locks[server_id]:
            try:
                server = ctx.phy.server(server_id)
            except NotFoundError:
                return
            before: dict[str, Any] = json.loads(state.get("previous") or "{}")
            for key in sorted(before, key=lambda key: key == name):  # the sealed ports first: a way in
                port = _port(server, key)
                if port is not None:
                    _restore(ctx, server_id, port, before[key])

    def _converge(self, ctx: Context, inputs: Props) -> Props:
        """At most one call a difference: the API allows five network changes in five minutes."""
        server_id = inputs["serverId"]
        with ctx.locks[server_id]:
            server = ctx.phy.server(server_id)
            port = _require(server, inputs["port"])
            if _assignment(port) != (wanted := _wanted(inputs)):
                _assign(ctx, server_id, port.port_id, wanted)
            if port.enabled != inputs["enabled"]:
                ctx.phy.enable_port(server_id, port.port_id, inputs["enabled"])
            for name in inputs["disablePorts"]:
                other = _require(server, name)
                if other.enabled:
                    ctx.phy.enable_port(server_id, other.port_id, False)
            server = ctx.phy.server(server_id)
        return _state(server, _require(server, inputs["port"]), inputs)


def _port(server: PhyServer, name: str) -> Port | None:
    """By nickname, else by ID. Bonding renumbers ports, so nicknames last longer."""
    named = [port for port in server.ports if port.nickname == name]
    numbered = [port for port in server.ports if str(port.port_id) == name]
    return next(iter([*named, *numbered]), None)


def _require(server: PhyServer, name: str) -> Port:
    port = _port(server, name)
    if port is None:
        names = ", ".join(f"{p.nickname or '-'} ({p.port_id})" for p in server.ports)
        raise NotFoundError(
            f"there is no port {name}", where=f"PHY server {server.server_id}", hint=f"there are: {names}"
        )
    return port


def _assignment(port: Port) -> Props:
    """What a port carries: mode, internet (none, common, or a subnet's ID) and private networks."""
    internet = "none"
    if port.internet is not None:
        subnet = port.internet.dedicated_subnet or {}
        common = port.internet.subnet_type == "common_subnet"
        internet = "common" if common else str(subnet.get("dedicated_subnet_id") or "dedicated")
    return {
        "mode": port.mode or "",
        "internet": internet,
        "privateNetworkIds": list(port.private_network_ids),
    }


def _wanted(inputs: Props) -> Props:
    return {name: inputs[name] for name in ("mode", "internet", "privateNetworkIds")}


def _assign(ctx: Context, server_id: str, port_id: int, wanted: Props) -> None:
    internet = wanted["internet"]
    dedicated = internet not in ("none", "common")
    ctx.phy.assign_network(
        server_id,
        port_id,
        mode=wanted["mode"] or "trunk",
        internet=None if internet == "none" else "dedicated_subnet" if dedicated else "common_subnet",
        dedicated_subnet_id=internet if dedicated else None,
        private_network_ids=wanted["privateNetworkIds"],
    )


def _snapshot(server: PhyServer, names: list[str]) -> dict[str, Any]:
    return {
        name: {**_assignment(port), "enabled": port.enabled}
        for name in names
        if (port := _port(server, name)) is not None
    }


def _restore(ctx: Context, server_id: str, port: Port, before: Props) -> None:
    was = {name: before[name] for name in ("mode", "internet", "privateNetworkIds")}
    enabled = before["enabled"]
    # A trunk without networks is what a port without a mode is: the API has no call that takes the mode away.
    bare = not was["mode"] and _assignment(port) == {**was, "mode": "trunk"}
    if _assignment(port) != was and not bare:
        _assign(ctx, server_id, port.port_id, was)
    if port.enabled != enabled:
        ctx.phy.enable_port(server_id, port.port_id, enabled)


def _state(server: PhyServer, port: Port, prior: Props) -> Props:
    sealed = [
        name
        for name in prior.get("disablePorts", [])
        if (other := _port(server, name)) is not None and not other.enabled
    ]
    state: Props = {
        "serverId": server.server_id,
        "port": prior["port"],
        **_assignment(port),
        "enabled": port.enabled,
        "disablePorts": sealed,
        "portId": str(port.port_id),
        "previous": prior.get("previous", ""),
    }
    if "incarnation" in prior:
        state["incarnation"] = prior["incarnation"]
    return state

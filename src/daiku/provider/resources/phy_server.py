"""A PHY server: adopted by its ID, installed at most once a generation, released and never destroyed."""

from __future__ import annotations

from daiku.errors import DaikuError, NotFoundError
from daiku.provider.context import Context
from daiku.provider.fields import INTEGER, STRING, Change, Failure, Field, ListOf, Object, Props, ResourceType
from daiku.provider.handler import Hint, IncompleteError
from daiku.provider.phy_flow import Step, read_intent, token_of
from daiku.provider.phy_host import PhyHost
from daiku.provider.phy_install import (
    Installer,
    addresses_of,
    find_image,
    listed_server,
    rewrite,
    throwaway_password,
)
from daiku.provider.resources.common import address, between, cidr_problem, ident
from daiku.wire.phy import POLLS_TO_LISTING, OsInstall
from daiku.wire.phy_models import PhyServer
from daiku.wire.retry import Tempo

INSTALL = Object(
    "PhyInstall",
    "An OS installation by the PHY API. Everything on the disks is lost.",
    (
        Field(
            name="image", type=STRING, description="ID or name of an OS image of the server.", required=True
        ),
        Field(
            name="sshPublicKeys",
            type=ListOf(STRING),
            description="Keys of the administrator. The provider's sshKeyFile must belong to one of them "
            "if it is to "
            "log in. A change does not reinstall: raise the generation for that.",
            required=True,
            change=Change.LIVE,
            reason="it is used by the next installation",
        ),
        Field(
            name="generation",
            type=INTEGER,
            description="Raise it to install again. One generation is installed at most once.",
            default=1,
        ),
    ),
)

LOCAL_ADDRESS = Object(
    "PhyLocalAddress",
    "The address on the private network, set over SSH as /etc/netplan/50-daiku.yaml.",
    (
        Field(
            name="address",
            type=STRING,
            description="Address with prefix length.",
            required=True,
            problem=cidr_problem,
        ),
        Field(name="interface", type=STRING, description="Interface name, such as eno2."),
        Field(name="macAddress", type=STRING, description="MAC address that finds the interface instead."),
        address("gateway", "Default gateway."),
        Field(name="nameservers", type=ListOf(STRING), description="DNS servers.", default=[]),
        Field(name="mtu", type=INTEGER, description="MTU.", default=1500, problem=between(1280, 9216)),
    ),
)

TYPE = ResourceType(
    name="sakura:phy:PhyServer",
    description="A dedicated server of the PHY service. It cannot be ordered by API: it is adopted by its "
    "ID, and "
    "deletion releases it as `releasePolicy` says.",
    import_id="113600000001",
    fields=(
        ident(
            "serverId",
            "Service ID of the server.",
            required=True,
            change=Change.REPLACE,
            reason="another machine is adopted and this one is released",
        ),
        Field(name="nickname", type=STRING, description="Name in the control panel. Default: left as it is."),
        Field(
            name="releasePolicy",
            type=STRING,
            description="What deletion does: nothing, power off, take its networks off and power off, or "
            "wipe "
            "it by an installation and power off.",
            default="keep",
            choices=("keep", "power-off", "detach", "reinstall"),
        ),
        Field(
            name="install",
            type=INSTALL,
            description=INSTALL.description,
            change=Change.REINSTALL,
            removal=Change.LIVE,
            reason="another OS image or generation was asked for",
        ),
        Field(name="localAddress", type=LOCAL_ADDRESS, description=LOCAL_ADDRESS.description),
        Field(name="zone", type=STRING, description="Zone of the machine.", output=True),
        Field(
            name="ipAddress",
            type=STRING,
            description="Address on the internet side, else empty.",
            output=True,
        ),
        Field(
            name="incarnation",
            type=STRING,
            description="Changes with every installation; empty before the first that daiku made.",
            output=True,
            varies_with=("install",),
        ),
        Field(
            name="installedAt",
            type=STRING,
            description="When the last installation by daiku ended (UTC, ISO 8601), else empty.",
            output=True,
            varies_with=("install",),
        ),
        Field(
            name="hostKey",
            type=STRING,
            description="SSH host key that was trusted at the moment of installation, else empty.",
            output=True,
            varies_with=("install",),
        ),
        Field(name="power", type=STRING, description="on, off, or empty where it is not known.", output=True),
        Field(name="cpuModel", type=STRING, description="CPU.", output=True),
        Field(name="memoryGb", type=INTEGER, description="Memory in GB.", output=True),
        Field(name="portIds", type=ListOf(INTEGER), description="IDs of its ports.", output=True),
    ),
)

SOFT_SECONDS = 180.0


class PhyServerHandler:
    """Its ID is the server's."""

    type = TYPE

    def check(self, inputs: Props) -> list[Failure]:
        failures: list[Failure] = []
        local = inputs.get("localAddress")
        if local is not None:
            if ("interface" in local) == ("macAddress" in local):
                failures.append(Failure("localAddress.interface", "or macAddress: exactly one of them"))
            if "install" not in inputs:
                failures.append(Failure("localAddress", "needs install: it is set on a fresh OS"))
        if inputs["releasePolicy"] == "reinstall" and "install" not in inputs:
            failures.append(Failure("releasePolicy", "reinstall needs install, which names the image"))
        return failures

    def create(self, ctx: Context, hint: Hint, inputs: Props) -> tuple[str, Props]:
        return inputs["serverId"], self._converge(ctx, inputs, {})

    def update(self, ctx: Context, hint: Hint, resource_id: str, olds: Props, news: Props) -> Props:
        return self._converge(ctx, news, olds)

    def read(self, ctx: Context, resource_id: str, state: Props) -> Props | None:
        server = listed_server(ctx, resource_id)
        return None if server is None else _state(server, state)

    def delete(self, ctx: Context, resource_id: str, state: Props) -> None:
        """Release it. The machine and its contract stay; so does its content, unless the policy wipes it."""
        try:
            server = ctx.phy.server(resource_id)
        except NotFoundError:
            return
        policy = state.get("releasePolicy", "keep")
        if policy == "reinstall":
            _wipe(ctx, server, state)
        if policy == "detach":
            for port in server.ports:
                if port.enabled:
                    ctx.phy.enable_port(resource_id, port.port_id, False)
        if policy != "keep":
            _switch_off(ctx, resource_id)
        rewrite(ctx, ctx.phy.server(resource_id), read_intent(server.service.description)[0], None)

    def _converge(self, ctx: Context, inputs: Props, olds: Props) -> Props:
        server_id = inputs["serverId"]
        server = ctx.phy.server(server_id)
        if "nickname" in inputs:
            text, intent = read_intent(server.service.description)
            rewrite(ctx, server, text, intent, inputs["nickname"])
        # What is not done yet stays as it was, so that the next run knows.
        done = {**olds, **{name: inputs[name] for name in inputs if name not in ("localAddress", "install")}}
        try:
            self._install(ctx, server, inputs, done)
            self._set_address(ctx, inputs, olds, done)
        except DaikuError as error:
            raise IncompleteError(server_id, _state(ctx.phy.server(server_id), done), error) from error
        return _state(ctx.phy.server(server_id), {**inputs, **_learnt(done)})

    def _install(self, ctx: Context, server: PhyServer, inputs: Props, done: Props) -> None:
        install = inputs.get("install")
        if install is None:
            return
        image = find_image(ctx, server.server_id, install["image"])
        token = token_of(server.server_id, image.os_image_id, install["generation"])
        intent = read_intent(server.service.description)[1]
        ours = intent if intent is not None and intent.token == token else None
        if done.get("incarnation") != token or (ours is not None and ours.step is not Step.DONE):
            if ours is None:
                _open_internet(ctx, server)
            done.pop("localAddress", None)
            keys = list(install["sshPublicKeys"])
            installed = Installer(ctx, server.server_id, image, keys, token).run()
            done |= {"incarnation": installed.token, "installedAt": installed.at, "hostKey": installed.key}
        done["install"] = install

    def _set_address(self, ctx: Context, inputs: Props, olds: Props, done: Props) -> None:
        local = inputs.get("localAddress")
        fresh = done.get("incarnation", "") != olds.get("incarnation", "")
        if local is None or (not fresh and olds.get("localAddress") == local):
            return
        server = ctx.phy.server(inputs["serverId"])
        user = find_image(ctx, server.server_id, inputs["install"]["image"]).superuser_name or "root"
        old = "" if fresh else olds.get("localAddress", {}).get("address", "")
        addresses = addresses_of(server, old, local["address"])
        host = PhyHost(ctx.ssh, server.server_id, user, addresses, done.get("hostKey", ""))
        done["hostKey"] = host.set_address(local)
        done["localAddress"] = local


def _learnt(done: Props) -> Props:
    return {name: done[name] for name in ("incarnation", "installedAt", "hostKey") if name in done}


def _state(server: PhyServer, prior: Props) -> Props:
    intent = read_intent(server.service.description)[1]
    power = server.cached_power_status
    state: Props = {
        "serverId": server.server_id,
        "releasePolicy": prior.get("releasePolicy", "keep"),
        "zone": str(server.zone.zone_id),
        "ipAddress": server.ipv4.ip_address if server.ipv4 is not None else "",
        "power": power.status if power is not None else "",
        "cpuModel": str(server.spec.get("cpu_model_name") or ""),
        "memoryGb": int(server.spec.get("memory_size") or 0),
        "portIds": [port.port_id for port in server.ports],
        "incarnation": prior.get("incarnation", ""),
        "installedAt": prior.get("installedAt", ""),
        "hostKey": prior.get("hostKey", ""),
    }
    if intent is not None and intent.step is Step.DONE:
        state |= {"incarnation": intent.token, "installedAt": intent.at}
        state["hostKey"] = intent.key or state["hostKey"]
    if "nickname" in prior:
        state["nickname"] = server.service.nickname
    return state | {name: prior[name] for name in ("install", "localAddress") if name in prior}


def _open_internet(ctx: Context, server: PhyServer) -> None:
    """Switch on ports with an internet side: the fresh OS is reached there. PhyNetwork seals them again."""
    for port in server.ports:
        if port.internet is not None and not port.enabled:
            ctx.phy.enable_port(server.server_id, port.port_id, True)


def _wipe(ctx: Context, server: PhyServer, state: Props) -> None:
    """An installation that nobody can log in to: the old data is gone. Any image will do where the creation was
    interrupted before the first installation.
    """
    if "install" in state:
        image = find_image(ctx, server.server_id, state["install"]["image"])
    else:
        images = ctx.phy.os_images(server.server_id)
        image = next((image for image in images if image.public_key_authentication), images[0])
    order = OsInstall(image.os_image_id, throwaway_password(), (), allow_password_login=True)
    if server.lock_status != "os_install":
        ctx.phy.os_install(server.server_id, order)
    ctx.phy.wait_install(server.server_id, begun=server.lock_status == "os_install")


def _switch_off(ctx: Context, server_id: str) -> None:
    """Ask the OS; pull the plug when it takes too long. The listing tells the state without using up calls."""
    phy = ctx.phy
    if _is_off(phy.server(server_id)):
        return
    phy.power_control(server_id, "soft")
    end = phy.clock() + SOFT_SECONDS * phy.tempo.poll / Tempo().poll
    while True:
        asked = phy.clock()
        phy.sleep(phy.tempo.poll * POLLS_TO_LISTING / 2)
        if _is_off(phy.watched(server_id, asked)):
            return
        if phy.clock() >= end:
            phy.power_control(server_id, "off")
            return


def _is_off(server: PhyServer) -> bool:
    power = server.cached_power_status
    return power is not None and power.status == "off"

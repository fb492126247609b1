"""The sakura plugin: its table of handlers, and how settings become clients."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from daiku import __version__
from daiku.errors import CredentialsError
from daiku.provider.config import CONFIG
from daiku.provider.context import Context, SshSettings
from daiku.provider.fields import Props
from daiku.provider.handler import Handler, Interrupt, Plugin
from daiku.provider.host_pins import LedgerKeys, OneKey
from daiku.provider.resources.aws_connect import AwsConnectHandler
from daiku.provider.resources.bridge import BridgeHandler
from daiku.provider.resources.disk import DiskHandler
from daiku.provider.resources.get_archive import GetArchive
from daiku.provider.resources.internet import InternetHandler
from daiku.provider.resources.load_balancer import LoadBalancerHandler
from daiku.provider.resources.local_router import LocalRouterHandler
from daiku.provider.resources.note import NoteHandler
from daiku.provider.resources.packet_filter import PacketFilterHandler
from daiku.provider.resources.phy_network import PhyNetworkHandler
from daiku.provider.resources.phy_server import PhyServerHandler
from daiku.provider.resources.server import ServerHandler
from daiku.provider.resources.ssh_key import SshKeyHandler
from daiku.provider.resources.switch import SwitchHandler
from daiku.provider.resources.vpc_router import VpcRouterHandler
from daiku.wire.credentials import (
    PHY_ROOT_VARIABLES,
    ROOT_VARIABLES,
    Endpoints,
    SakuraCredentials,
    credentials_from_environment,
    endpoints_from_environment,
)
from daiku.wire.listings import Listings
from daiku.wire.phy import Phy
from daiku.wire.retry import Tempo
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.ssh_types import HostKeys

LISTING_SECONDS = 60.0
"""How old a listing may be that serves the reads of a refresh."""

HANDLERS: tuple[Handler[Context], ...] = (
    AwsConnectHandler(),
    BridgeHandler(),
    DiskHandler(),
    InternetHandler(),
    LoadBalancerHandler(),
    LocalRouterHandler(),
    NoteHandler(),
    PacketFilterHandler(),
    PhyNetworkHandler(),
    PhyServerHandler(),
    ServerHandler(),
    SshKeyHandler(),
    SwitchHandler(),
    VpcRouterHandler(),
)


def _defaults(given: Props) -> Props:
    """What the environment says about the endpoints; the key is read only where the settings lack it.

    A root of the cloud API in the settings takes the PHY root with it, as one in the environment does: half a
    lab must never lead to calls on the real account.
    """
    environ = dict(os.environ)
    if isinstance(root := given.get("apiRootUrl"), str):
        environ |= dict.fromkeys(ROOT_VARIABLES, root)
        for name in PHY_ROOT_VARIABLES:
            environ.pop(name, None)
        if isinstance(phy := given.get("phyApiRootUrl"), str):
            environ |= dict.fromkeys(PHY_ROOT_VARIABLES, phy)
    endpoints = endpoints_from_environment(environ)
    return {
        "zone": endpoints.zone,
        "apiRootUrl": endpoints.cloud_root,
        "phyApiRootUrl": endpoints.phy_root,
        "rateLimit": f"{endpoints.requests_per_second or 0:g}",
        "pollInterval": f"{endpoints.poll_interval:g}",
    }


def configure(settings: Props, interrupt: Interrupt) -> Context:
    """The clients of both APIs. Every pause of theirs ends when the engine cancels."""
    credentials = _credentials(settings)
    rate = _number(settings, "rateLimit")
    endpoints = Endpoints(
        cloud_root=settings["apiRootUrl"],
        phy_root=settings["phyApiRootUrl"],
        zone=settings["zone"],
        requests_per_second=rate or None,
        poll_interval=_number(settings, "pollInterval"),
    )
    tempo = Tempo.of_poll(endpoints.poll_interval)
    cloud = SakuraCloud(
        credentials,
        root_url=endpoints.cloud_root,
        zone=endpoints.zone,
        requests_per_second=endpoints.requests_per_second,
        tempo=tempo,
        sleep=interrupt.wait,
    )
    phy = Phy(
        credentials,
        root_url=endpoints.phy_root,
        tempo=tempo,
        budgeted=endpoints.requests_per_second is not None,
        sleep=interrupt.wait,
    )
    return Context(
        cloud=cloud,
        phy=phy,
        listings=Listings(cloud, max_age=LISTING_SECONDS),
        zone=endpoints.zone,
        namespace=settings["namespace"],
        ssh=ssh_settings(settings),
    )


def _credentials(settings: Props) -> SakuraCredentials:
    token, secret = settings.get("token"), settings.get("secret")
    if token and secret:
        return SakuraCredentials(token, secret)
    if token or secret:
        raise CredentialsError("token and secret go together: one of them is not set")
    return credentials_from_environment()


def _number(settings: Props, name: str) -> float:
    try:
        number = float(settings[name])
    except ValueError:
        number = -1.0
    if number < 0:
        raise CredentialsError(f"the setting {name} must be a number, 0 or more, not {settings[name]!r}")
    return number


def ssh_settings(settings: Props) -> SshSettings:
    """How hosts are reached, from checked settings."""
    key_file: Any = settings.get("sshKeyFile")
    return SshSettings(
        key_file=Path(key_file).expanduser() if key_file else None,
        bastion_host=settings.get("bastionHost", ""),
        bastion_port=settings["bastionPort"],
        bastion_user=settings["bastionUser"],
        bastion_name=settings["bastionName"],
        bastion_keys=_bastion_keys(settings),
    )


def _bastion_keys(settings: Props) -> HostKeys:
    if key := settings.get("bastionHostKey"):
        return OneKey(key)
    if file := settings.get("hostKeysFile"):
        return LedgerKeys(Path(file).expanduser(), settings["bastionIncarnation"])
    return OneKey()


PLUGIN = Plugin(
    name="sakura",
    version=__version__,
    description="Sakura Cloud and PHY bare metal: networks, routers, load balancers, servers, adopted GPU servers.",
    config=CONFIG,
    handlers=HANDLERS,
    functions=(GetArchive(),),
    defaults=_defaults,
    configure=configure,
)

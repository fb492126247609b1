"""Bare-metal servers: reading, OS installs, power, RAID."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from daiku.lab.sakura.holds import label
from daiku.lab.sakura.iaas.note import key_blob
from daiku.lab.sakura.phy import fields
from daiku.lab.sakura.phy.images import IMAGES, Image
from daiku.lab.sakura.phy.models import PhyInstalled, PhyServer
from daiku.lab.sakura.phy.services import Search
from daiku.lab.sakura.phy.views import server_item, server_view, servers_of, service_of
from daiku.lab.sakura.phy.wire import Call, PhyError, Problems, Reply, invalid, no_content, ok, routes
from daiku.lab.sakura.records import timestamp
from daiku.lab.sakura.world import World, transition

INSTALL_SECONDS = 45 * 60.0
SOFT_SECONDS = 20.0
STATUS_AGE_SECONDS = 300.0
"""How old the cached power state may get before the API looks again by itself."""
ORDERINGS = (
    "activated",
    "-activated",
    "nickname",
    "-nickname",
    "power_status_stored",
    "-power_status_stored",
)
_PASSWORD = re.compile(r"[0-9a-zA-Z!\"#$%&'()*+,\-./:;<=>?@\[\]^_`{|}~]{8,32}")
SERVER = "/servers/{id}"


class InstallFields(fields.Fields):
    os_image_id: str
    password: str
    manual_partition: bool
    ssh_public_keys: Annotated[list[str], Field(max_length=20)]
    allow_password_login: bool


class PowerFields(fields.Fields):
    operation: Literal["on", "soft", "reset", "off"]


def server_of(call: Call) -> PhyServer:
    """The server that the path names, its cached power state brought up to date."""
    server_item(call.world, call.holes["id"])
    row = call.world.find(PhyServer, int(call.holes["id"]))
    if row is None:
        raise PhyError(404)
    _refresh_old(row, call.now)
    return row


def refuse_if_locked(row: PhyServer) -> None:
    """409 while the server is being installed or worked on."""
    lock = row.shown_lock()
    if lock is not None:
        raise PhyError(409, detail=f"サーバーは {lock} の処理中です。")


def _refresh(row: PhyServer, now: float) -> None:
    row.cached, row.cached_at = row.power, now


def _refresh_old(row: PhyServer, now: float) -> None:
    if now - row.cached_at >= STATUS_AGE_SECONDS:
        _refresh(row, now)


@routes.on("GET", "/servers/")
def find_servers(call: Call) -> Reply:
    power = fields.choice(call, "power_status", ("on", "off"))
    ordering = fields.choice(call, "ordering", ORDERINGS, "-activated")
    internet = fields.identifiers(call, "internet", 5, "common", "void")[-1:]
    networks = fields.identifiers(call, "private_network", 5, "void")
    search = Search.of(call)
    rows = servers_of(call.world)
    for row in rows:
        _refresh_old(row, call.now)
    chosen = [
        row
        for row in rows
        if power in ("", row.cached)
        and all(_on_internet(row, wanted) for wanted in internet)
        and _on_networks(row, networks)
        and search.matches(row.service_id)
    ]
    keyed = [(server_view(call.world, row), (_sort_key(call.world, row, ordering), row.id)) for row in chosen]
    return Reply(
        200, fields.page(call, "servers", fields.ordered(keyed, descending=ordering.startswith("-")))
    )


def _sort_key(world: World, row: PhyServer, ordering: str) -> float | str:
    service = service_of(world, row.service_id)
    match ordering.lstrip("-"):
        case "nickname":
            return service.name
        case "power_status_stored":
            return row.cached_at
        case _:
            return service.created


def _on_internet(row: PhyServer, wanted: str) -> bool:
    match wanted:
        case "common":
            return any(port.internet == "common_subnet" for port in row.ports)
        case "void":
            return all(port.internet is None for port in row.ports)
        case _:
            return any(port.dedicated_subnet == wanted for port in row.ports)


def _on_networks(row: PhyServer, wanted: list[str]) -> bool:
    present = {network for port in row.ports for network in port.private_networks}
    return all(not present if network == "void" else network in present for network in wanted)


@routes.on("GET", f"{SERVER}/")
def read_server(call: Call) -> Reply:
    return ok("server", server_view(call.world, server_of(call)))


@routes.on("GET", f"{SERVER}/os_images/")
def os_images(call: Call) -> Reply:
    server_of(call)
    return ok("os_images", [image.view() for image in IMAGES.values()])


@routes.on("POST", f"{SERVER}/os_install/")
def os_install(call: Call) -> Reply:
    """Wipes the disks at once; 45 virtual minutes later the new OS boots by itself."""
    row = server_of(call)
    body = fields.body(call, InstallFields)
    image = _check_install(body)
    refuse_if_locked(row)
    row.generation += 1
    row.installing = PhyInstalled(
        image=image.os_image_id,
        login=image.superuser_name,
        generation=row.generation,
        authorized_keys=list(dict.fromkeys(key.strip() for key in body.ssh_public_keys)),
        password_login=body.allow_password_login,
    )
    row.lock, row.installed, row.power = "os_install", None, "on"
    row.stamp += 1
    hung = call.world.faults.strikes("install_hangs", label(call.world, row))
    if hung is None or hung.seconds is not None:
        late = hung.seconds or 0.0 if hung is not None else 0.0
        call.world.schedule(INSTALL_SECONDS + late, "phy.installed", row.id, row.stamp)
    return no_content()


def _check_install(body: InstallFields) -> Image:
    image = IMAGES.get(body.os_image_id)
    if image is None:
        raise invalid("os_image_id", "invalid_choice", "このOSイメージは利用できません。")
    problems: Problems = {}
    weak = not any(c.isalpha() for c in body.password) or not any(c.isdigit() for c in body.password)
    if _PASSWORD.fullmatch(body.password) is None or weak:
        problems["password"] = [("invalid", "英字と数字を1文字以上含む8〜32文字で指定してください。")]
    if body.manual_partition and not image.manual_partition:
        problems["manual_partition"] = [("invalid", "このOSイメージでは指定できません。")]
    if any(key_blob(key) is None for key in body.ssh_public_keys):
        problems["ssh_public_keys"] = [("invalid", "SSH公開鍵として解釈できません。")]
    elif body.ssh_public_keys and not image.public_key_authentication:
        problems["ssh_public_keys"] = [("invalid", "このOSイメージは公開鍵認証に対応していません。")]
    elif not body.ssh_public_keys and not body.allow_password_login:
        problems["ssh_public_keys"] = [("required", "パスワードログインを許可しない場合は必須です。")]
    if problems:
        raise PhyError(400, problems=problems)
    return image


@transition("phy.installed")
def _installed(world: World, target: int, stamp: int) -> None:
    row = world.find(PhyServer, target)
    if row is None or row.stamp != stamp or row.lock != "os_install":
        return
    row.lock, row.installed, row.installing = None, row.installing, None
    _booted(world, row)


def _booted(world: World, row: PhyServer) -> None:
    row.boots += 1
    row.silent = world.faults.strikes("no_ssh", label(world, row)) is not None


@transition("phy.released")
def _released(world: World, target: int, stamp: int) -> None:
    row = world.find(PhyServer, target)
    if row is not None and row.hold_stamp == stamp:
        row.held = False


@routes.on("GET", f"{SERVER}/power_status/")
def power_status(call: Call) -> Reply:
    """From the machine itself, which also refreshes the cached state."""
    row = server_of(call)
    _refresh(row, call.now)
    return ok("power_status", {"status": row.power})


@routes.on("POST", f"{SERVER}/power_control/")
def power_control(call: Call) -> Reply:
    """What the machine's controller is told. What changes nothing is accepted and does nothing."""
    row = server_of(call)
    operation = fields.body(call, PowerFields).operation
    refuse_if_locked(row)
    row.stamp += 1
    match operation:
        case "on" if row.power == "off":
            row.power = "on"
            _booted(call.world, row)
        case "reset" if row.power == "on":
            _booted(call.world, row)
        case "soft" if row.power == "on":
            call.world.schedule(SOFT_SECONDS, "phy.stopped", row.id, row.stamp)
        case "off":
            row.power = "off"
        case _:
            pass
    _refresh(row, call.now)
    return no_content()


@transition("phy.stopped")
def _stopped(world: World, target: int, stamp: int) -> None:
    row = world.find(PhyServer, target)
    if row is not None and row.stamp == stamp and row.lock is None:
        row.power = "off"


@routes.on("GET", f"{SERVER}/raid_status/")
def raid_status(call: Call) -> Reply:
    row = server_of(call)
    fields.flag(call, "refresh")
    if row.power == "off":
        raise PhyError(503, detail="電源がOFFのため状態を取得できません。")
    storages = server_item(call.world, row.service_id).spec.storages
    system = [str(n) for n in range(storages[0].device_count)] if storages else []
    total = sum(storage.device_count for storage in storages)
    mirrored = len(system) > 1
    volume = {"volume_id": "0", "status": "ok", "raid_level": "1", "physical_device_ids": system}
    return ok(
        "raid_status",
        {
            "overall_status": "ok" if mirrored else None,
            "monitored": timestamp(call.now),
            "logical_volumes": [volume] if mirrored else [],
            "physical_devices": [{"device_id": str(n), "slot": n, "status": "ok"} for n in range(total)],
        },
    )

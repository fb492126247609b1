"""Disks: blank, or copied from an archive or a disk in virtual time."""

from __future__ import annotations

from typing import Any, Literal

from daiku.lab.sakura.iaas import power
from daiku.lab.sakura.iaas.bodies import Body, Common, Ref, RefId, parse, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.catalog import DISK_KINDS, DISK_PLANS, disk_sizes_gb
from daiku.lab.sakura.iaas.copying import begin, migrated_mb
from daiku.lab.sakura.iaas.disk_edit import EditBody, edited, write
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Archive, Disk, Server
from daiku.lab.sakura.iaas.server_view import disk_plan_view, disks_of, storage_view
from daiku.lab.sakura.iaas.wire import (
    Call,
    Id,
    Reply,
    bad_request,
    common_view,
    conflict,
    created,
    done,
    reference,
    routes,
    single,
    still_creating,
)
from daiku.lab.sakura.world import World, transition


class DiskBody(Common):
    Plan: Ref | None = None
    SizeMB: int = 0
    Connection: Literal["virtio", "ide", ""] = ""
    SourceArchive: Ref | None = None
    SourceDisk: Ref | None = None
    Server: Ref | None = None
    EncryptionAlgorithm: Literal["none", "aes256_xts", ""] = ""


class CreateBody(Body):
    Disk: DiskBody
    Config: Any = None
    BootAtAvailable: bool = False
    DistantFrom: list[RefId] | None = None
    KMSKey: Ref | None = None
    TargetDedicatedStorageContract: Ref | None = None


class ServerRef(Body):
    Server: Ref | None = None


class ResizeBody(Body):
    Background: bool = False


def disk_view(world: World, row: Disk) -> dict[str, Any]:
    """A disk as the API shows it."""
    server = world.find(Server, row.server)
    archive = world.find(Archive, row.source_archive)
    source: dict[str, Any] | None = None
    if row.source_archive is not None:
        source = {"ID": Id(row.source_archive)}
        if archive is not None:
            source |= {"Name": archive.name, "Availability": archive.availability}
    return common_view(row) | {
        "Availability": row.availability,
        "SizeMB": row.size_mb,
        "MigratedMB": migrated_mb(row, world.clock.now()),
        "Connection": row.connection,
        "ConnectionOrder": row.order if server is not None else None,
        "ReinstallCount": 0,
        "JobStatus": {"Status": "running"} if row.copying is not None else None,
        "EncryptionAlgorithm": row.encryption,
        "Plan": disk_plan_view(row.plan),
        "Storage": storage_view(row),
        "SourceArchive": source,
        "SourceDisk": reference(row.source_disk),
        "BundleInfo": None,
        "Server": None if server is None else {"ID": Id(server.id), "Name": server.name},
        "ServiceClass": f"cloud/disk/{DISK_KINDS[row.plan]}/{row.size_mb // 1024}g",
    }


@transition("disk.copied")
def _copied(world: World, target: int, _: int) -> None:
    row = world.find(Disk, target)
    if row is None or row.copying is None:
        return
    failed = world.faults.strikes("disk_failed", f"disk {row.id} {row.name}") is not None
    row.copying, row.availability = None, "failed" if failed else "available"
    if failed:
        return
    server = world.find(Server, row.server)
    if row.boot and server is not None and server.power.status == "down" and not server.power.goal:
        power.boot(world, server)


@routes.on("GET", "/disk")
def find(call: Call) -> Reply:
    return listing(call, "Disks", [disk_view(call.world, row) for row in call.all(Disk)])


@routes.on("POST", "/disk")
def create(call: Call) -> Reply:
    outer = parse(call, CreateBody, call.body)
    body = outer.Disk
    require_name(body)
    plan = body.Plan.ID if body.Plan is not None else None
    if plan not in DISK_PLANS:
        raise bad_request("Disk.Plan: no such plan")
    source = _source(call, body)
    size = body.SizeMB or (source.size_mb if source is not None else 0)
    if size % 1024 or size // 1024 not in disk_sizes_gb(plan):
        raise bad_request("Disk.SizeMB: the plan has no such size")
    if source is not None and source.size_mb > size:
        raise bad_request("Disk.SizeMB: smaller than the source")
    server = _server(call, body.Server)
    installed = source.installed if source is not None else None
    edit = parse(call, EditBody, outer.Config) if outer.Config else None
    if edit is not None:
        edited(call, installed, edit)  # refused before anything is made
    row = Disk(id=call.world.new_id(), zone=call.zone, plan=plan, size_mb=size, boot=outer.BootAtAvailable)
    row.connection = body.Connection or "virtio"
    row.encryption = body.EncryptionAlgorithm or "none"
    row.kms_key = outer.KMSKey.ID if outer.KMSKey is not None else None
    row.distant_from = [disk for disk in outer.DistantFrom or [] if disk is not None]
    row.installed = installed.model_copy(deep=True) if installed is not None else None
    set_common(row, body, call.now)
    call.world.add(row)
    if isinstance(source, Archive):
        row.source_archive = source.id
    elif source is not None:
        row.source_disk = source.id
    if server is not None:
        _attach(call.world, row, server)
    if edit is not None:
        write(call, row, edit)
    if source is not None:
        row.availability = "migrating"
        row.copying = begin(call.world, row.id, "disk.copied", row.size_mb)
    return created("Disk", disk_view(call.world, row))


def _source(call: Call, body: DiskBody) -> Archive | Disk | None:
    archive = body.SourceArchive.ID if body.SourceArchive is not None else None
    disk = body.SourceDisk.ID if body.SourceDisk is not None else None
    if archive is not None and disk is not None:
        raise bad_request("Disk: SourceArchive and SourceDisk exclude each other")
    source = (
        call.get(Archive, archive)
        if archive is not None
        else call.get(Disk, disk)
        if disk is not None
        else None
    )
    if source is not None and source.availability != "available":
        raise still_creating()
    return source


def _server(call: Call, ref: Ref | None) -> Server | None:
    if ref is None or ref.ID is None:
        return None
    server = call.get(Server, ref.ID)
    power.require_down(server)
    return server


def _attach(world: World, row: Disk, server: Server) -> None:
    row.order = max((disk.order for disk in disks_of(world, server.id)), default=0) + 1
    row.server = server.id


@routes.on("GET", "/disk/{id}")
def read(call: Call) -> Reply:
    return single("Disk", disk_view(call.world, call.get(Disk)))


@routes.on("PUT", "/disk/{id}")
def update(call: Call) -> Reply:
    row = call.get(Disk)
    body = parse_in(call, "Disk", DiskBody)
    if body.Connection and body.Connection != row.connection:
        _require_server_down(call, row)
        row.connection = body.Connection
    set_common(row, body, call.now)
    return single("Disk", disk_view(call.world, row))


@routes.on("DELETE", "/disk/{id}")
def delete(call: Call) -> Reply:
    row = call.get(Disk)
    if row.server is not None:
        raise conflict("The disk is connected to a server.")
    if row.availability == "migrating":
        raise conflict("The disk is being copied.")
    view = disk_view(call.world, row)
    call.world.remove(row)
    return single("Disk", view)


def _require_server_down(call: Call, row: Disk) -> None:
    server = call.world.find(Server, row.server)
    if server is not None:
        power.require_down(server)


def _ready(call: Call) -> Disk:
    """The disk, copied and with its server off."""
    row = call.get(Disk)
    if row.availability == "migrating":
        raise still_creating()
    if row.availability == "failed":
        raise conflict("The disk is broken.")
    _require_server_down(call, row)
    return row


@routes.on("PUT", "/disk/{id}/config")
def config(call: Call) -> Reply:
    row = _ready(call)
    write(call, row, parse(call, EditBody, call.body))
    return done()


@routes.on("PUT", "/disk/{id}/resize-partition")
def resize_partition(call: Call) -> Reply:
    parse(call, ResizeBody, call.body)
    row = _ready(call)
    if row.installed is None:
        raise bad_request("The disk holds no OS that can be edited")
    return done()


@routes.on("PUT", "/disk/{id}/to/server/{server}", "/disk/{id}/to/server")
def connect(call: Call) -> Reply:
    row = call.get(Disk)
    ref = (
        Ref(ID=int(call.holes["server"]))
        if "server" in call.holes
        else parse(call, ServerRef, call.body).Server
    )
    server = _server(call, ref)
    if server is None:
        raise bad_request("The property Server is required")
    if row.server is not None:
        raise conflict("The disk is connected already.")
    _attach(call.world, row, server)
    return done()


@routes.on("DELETE", "/disk/{id}/to/server")
def disconnect(call: Call) -> Reply:
    row = call.get(Disk)
    if row.server is None:
        raise conflict("The disk is not connected.")
    _require_server_down(call, row)
    row.server = None
    return done()

"""Archives: the public ones of a zone, and the customer's own."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.bodies import Common, Ref, parse, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.catalog import DISK_SIZES_GB
from daiku.lab.sakura.iaas.copying import begin, migrated_mb
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.ftp import FtpBody, account
from daiku.lab.sakura.iaas.models import Archive, Disk
from daiku.lab.sakura.iaas.wire import (
    ACCOUNT_ID,
    Call,
    IaasError,
    Id,
    Reply,
    bad_request,
    common_view,
    conflict,
    created,
    done,
    not_found,
    reference,
    routes,
    single,
    still_creating,
)
from daiku.lab.sakura.iaas.zones import ZONES, zone_id, zone_view
from daiku.lab.sakura.world import World, transition


class ArchiveBody(Common):
    SizeMB: int = 0
    SourceArchive: Ref | None = None
    SourceDisk: Ref | None = None


def archive_view(world: World, row: Archive) -> dict[str, Any]:
    return common_view(row) | {
        "Scope": row.scope,
        "Availability": row.availability,
        "SizeMB": row.size_mb,
        "MigratedMB": migrated_mb(row, world.clock.now()),
        "ServiceClass": "cloud/archive/20g",
        "SourceDisk": reference(row.source_disk),
        "SourceArchive": _source_view(world, row),
        "BundleInfo": None,
        "Plan": {"ID": 2, "Name": "標準プラン", "StorageClass": "iscsi1204"},
        "Storage": {"ID": 3001, "Name": f"archive-{row.zone}", "Class": "iscsi1204", "Generation": 100},
        "Zone": zone_view(row.zone),
        "FTPServer": account(world, row) if row.ftp_open else None,
        "SourceInfo": _source_info(row),
        "OriginalArchive": {"ID": Id(row.source_archive or row.id)},
    }


def _source_view(world: World, row: Archive) -> dict[str, Any] | None:
    """The archive that this one was copied from, as long as it exists; one of another zone stands in `SourceInfo`."""
    source = world.find(Archive, row.source_archive)
    if source is None or row.source_zone:
        return None
    return {"ID": Id(source.id), "Name": source.name, "Availability": source.availability}


def _source_info(row: Archive) -> dict[str, Any] | None:
    if not row.source_zone or row.source_archive is None:
        return None
    zone = zone_view(row.source_zone)
    origin = {"ID": Id(row.source_archive), "Zone": {"ID": zone["ID"], "Name": zone["Name"]}}
    return {"ArchiveUnderZone": origin | {"Account": {"ID": Id(ACCOUNT_ID)}}}


@transition("archive.copied")
def _copied(world: World, target: int, _: int) -> None:
    row = world.find(Archive, target)
    if row is not None and row.copying is not None:
        failed = world.faults.strikes("disk_failed", f"archive {row.id} {row.name}") is not None
        row.copying, row.availability = None, "failed" if failed else "available"


def _own(call: Call) -> Archive:
    row = call.get(Archive)
    if row.scope == "shared":
        raise IaasError(403)
    return row


@routes.on("GET", "/archive")
def find(call: Call) -> Reply:
    return listing(call, "Archives", [archive_view(call.world, row) for row in call.all(Archive)])


@routes.on("POST", "/archive")
def create(call: Call) -> Reply:
    """A copy of a disk or an archive, or a blank one whose FTP server waits for an upload."""
    body = parse_in(call, "Archive", ArchiveBody)
    require_name(body)
    source: Archive | Disk | None = None
    if body.SourceArchive is not None and body.SourceArchive.ID is not None:
        source = call.get(Archive, body.SourceArchive.ID)
    elif body.SourceDisk is not None and body.SourceDisk.ID is not None:
        source = call.get(Disk, body.SourceDisk.ID)
    if source is not None and source.availability != "available":
        raise still_creating()
    size = source.size_mb if source is not None else body.SizeMB
    if size % 1024 or size // 1024 not in DISK_SIZES_GB:
        raise bad_request("Archive.SizeMB: no such size")
    row = Archive(id=call.world.new_id(), zone=call.zone, size_mb=size)
    set_common(row, body, call.now)
    call.world.add(row)
    if source is None:
        row.availability, row.ftp_open, row.ftp = "uploading", True, 1
    else:
        row.installed = source.installed.model_copy(deep=True) if source.installed is not None else None
        row.source_archive = source.id if isinstance(source, Archive) else None
        row.source_disk = source.id if isinstance(source, Disk) else None
        row.availability, row.copying = "migrating", begin(call.world, row.id, "archive.copied", size)
    reply = created("Archive", archive_view(call.world, row))
    if source is None:
        reply.body["FTPServer"] = account(call.world, row)
    return reply


@routes.on("GET", "/archive/{id}")
def read(call: Call) -> Reply:
    return single("Archive", archive_view(call.world, call.get(Archive)))


@routes.on("PUT", "/archive/{id}")
def update(call: Call) -> Reply:
    row = _own(call)
    set_common(row, parse_in(call, "Archive", ArchiveBody), call.now)
    return single("Archive", archive_view(call.world, row))


@routes.on("DELETE", "/archive/{id}")
def delete(call: Call) -> Reply:
    row = _own(call)
    if row.copying is not None:
        raise conflict("The archive is being copied.")
    view = archive_view(call.world, row)
    call.world.remove(row)
    return single("Archive", view)


@routes.on("PUT", "/archive/{id}/ftp")
def open_ftp(call: Call) -> Reply:
    row = _own(call)
    body = parse(call, FtpBody, call.body)
    if row.copying is not None or (row.ftp_open and not body.ChangePassword):
        raise conflict("The FTP server is open already, or the archive is being copied.")
    row.ftp_open, row.availability, row.ftp = True, "uploading", row.ftp + 1
    return single("FTPServer", account(call.world, row))


@routes.on("DELETE", "/archive/{id}/ftp")
def close_ftp(call: Call) -> Reply:
    row = _own(call)
    if not row.ftp_open:
        raise conflict("The FTP server is not open.")
    row.ftp_open, row.availability = False, "available"
    return done()


@routes.on("POST", "/archive/{id}/to/zone/{destination}")
def transfer(call: Call) -> Reply:
    """Copies one of the customer's archives into another zone, where it gets an id of its own."""
    source = _own(call)
    zone = next((name for name in ZONES if zone_id(name) == int(call.holes["destination"])), None)
    if zone is None:
        raise not_found()
    body = parse_in(call, "Archive", ArchiveBody)
    if zone == call.zone:
        raise bad_request("The archive lies in this zone already.")
    if source.availability != "available":
        raise still_creating()
    row = Archive(id=call.world.new_id(), zone=zone, size_mb=source.size_mb, name=source.name)
    row.source_archive, row.source_zone = source.id, source.zone
    row.installed = source.installed.model_copy(deep=True) if source.installed is not None else None
    set_common(row, body, call.now)
    call.world.add(row)
    row.availability = "transfering"
    row.copying = begin(call.world, row.id, "archive.copied", row.size_mb)
    return created("Archive", archive_view(call.world, row), accepted=True)

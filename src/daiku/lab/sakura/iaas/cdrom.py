"""ISO images: the public ones of a zone, and the customer's own, uploaded over FTPS to a server that the call opens."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.bodies import Common, parse, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.ftp import FtpBody, account
from daiku.lab.sakura.iaas.models import Cdrom, Server
from daiku.lab.sakura.iaas.wire import (
    Call,
    IaasError,
    Reply,
    bad_request,
    common_view,
    conflict,
    created,
    done,
    routes,
    single,
)

SIZES_GB = (5, 10, 20)


class CdromBody(Common):
    SizeMB: int = 0


def cdrom_view(row: Cdrom) -> dict[str, Any]:
    return common_view(row) | {
        "Availability": row.availability,
        "Scope": row.scope,
        "SizeMB": row.size_mb,
        "DisplayOrder": row.id,
        "ServiceClass": f"cloud/cdrom/{row.size_mb // 1024}g",
        "StorageClass": "iscsi1204",
        "Storage": {"ID": 4001, "Name": f"cdrom-{row.zone}", "Class": "iscsi1204", "Generation": 100},
    }


def _own(call: Call) -> Cdrom:
    row = call.get(Cdrom)
    if row.scope == "shared":
        raise IaasError(403)
    return row


@routes.on("GET", "/cdrom")
def find(call: Call) -> Reply:
    return listing(call, "CDROMs", [cdrom_view(row) for row in call.all(Cdrom)])


@routes.on("POST", "/cdrom")
def create(call: Call) -> Reply:
    body = parse_in(call, "CDROM", CdromBody)
    require_name(body)
    if body.SizeMB % 1024 or body.SizeMB // 1024 not in SIZES_GB:
        raise bad_request("CDROM.SizeMB: no such size")
    row = Cdrom(id=call.world.new_id(), zone=call.zone, size_mb=body.SizeMB)
    row.ftp, row.availability = 1, "uploading"
    set_common(row, body, call.now)
    reply = created("CDROM", cdrom_view(call.world.add(row)))
    reply.body["FTPServer"] = account(call.world, row)
    return reply


@routes.on("GET", "/cdrom/{id}")
def read(call: Call) -> Reply:
    return single("CDROM", cdrom_view(call.get(Cdrom)))


@routes.on("PUT", "/cdrom/{id}")
def update(call: Call) -> Reply:
    row = _own(call)
    set_common(row, parse_in(call, "CDROM", CdromBody), call.now)
    return single("CDROM", cdrom_view(row))


@routes.on("DELETE", "/cdrom/{id}")
def delete(call: Call) -> Reply:
    row = _own(call)
    if any(server.cdrom == row.id for server in call.world.rows(Server)):
        raise conflict("A server uses the ISO image.")
    call.world.remove(row)
    return single("CDROM", cdrom_view(row))


@routes.on("PUT", "/cdrom/{id}/ftp")
def open_ftp(call: Call) -> Reply:
    row = _own(call)
    body = parse(call, FtpBody, call.body)
    if row.availability == "uploading" and not body.ChangePassword:
        raise conflict("The FTP server is open already.")
    row.ftp, row.availability = row.ftp + 1, "uploading"
    return single("FTPServer", account(call.world, row))


@routes.on("DELETE", "/cdrom/{id}/ftp")
def close_ftp(call: Call) -> Reply:
    row = _own(call)
    if row.availability != "uploading":
        raise conflict("The FTP server is not open.")
    row.availability = "available"
    return done()

"""A server's console: the VNC proxy, keys and NMI, and the ISO image in its drive."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daiku.lab.sakura.iaas.bodies import Body, Ref, parse
from daiku.lab.sakura.iaas.models import Cdrom, Server
from daiku.lab.sakura.iaas.wire import Call, Reply, bad_request, conflict, done, routes
from daiku.lab.sakura.iaas.zones import zone_view

FIRST_PORT = 51_000
PORTS = 1000


class KeyBody(Body):
    Key: Annotated[str, Field(max_length=64)] | None = None
    Keys: Annotated[list[str], Field(max_length=64)] | None = None


class DriveBody(Body):
    CDROM: Ref | None = None


def _running(call: Call) -> Server:
    row = call.get(Server)
    if row.power.status != "up":
        raise conflict("The power is off.")
    return row


@routes.on("GET", "/server/{id}/vnc/proxy")
def vnc(call: Call) -> Reply:
    """Where a VNC viewer would connect. Nothing listens there: the lab's hosts have no screen."""
    row = _running(call)
    host = zone_view(row.zone)["VNCProxy"]["HostName"]
    port = str(FIRST_PORT + row.id % PORTS)
    password = call.world.random_for(f"vnc/{row.id}/{row.power.boots}").randbytes(6).hex()
    file = f"[Connection]\nHost={host}\nPort={port}\nPassword={password}\n"
    return Reply(
        200,
        {
            "Status": "OK",
            "Host": host,
            "IOServerHost": host,
            "Port": port,
            "Password": password,
            "VNCFile": file,
            "is_ok": True,
        },
    )


@routes.on("PUT", "/server/{id}/keyboard")
def keyboard(call: Call) -> Reply:
    _running(call)
    body = parse(call, KeyBody, call.body)
    if not body.Key and not body.Keys:
        raise bad_request("The property Key or Keys is required")
    return done()


@routes.on("PUT", "/server/{id}/qemu/nmi")
def interrupt(call: Call) -> Reply:
    """A lab host cannot take a real NMI: the call is checked and accepted, nothing is dumped."""
    _running(call)
    return done()


@routes.on("PUT", "/server/{id}/cdrom")
def insert(call: Call) -> Reply:
    row = call.get(Server)
    ref = parse(call, DriveBody, call.body).CDROM
    if ref is None or ref.ID is None:
        raise bad_request("The property CDROM is required")
    image = call.get(Cdrom, ref.ID)
    if image.availability != "available":
        raise conflict("The ISO image is not available.")
    if row.cdrom is not None:
        raise conflict("An ISO image is inserted already.")
    row.cdrom = image.id
    return done()


@routes.on("DELETE", "/server/{id}/cdrom")
def eject(call: Call) -> Reply:
    row = call.get(Server)
    ref = parse(call, DriveBody, call.body).CDROM
    if row.cdrom is None or (ref is not None and ref.ID not in (None, row.cdrom)):
        raise conflict("No such ISO image is inserted.")
    row.cdrom = None
    return done()

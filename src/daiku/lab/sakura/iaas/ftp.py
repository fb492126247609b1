"""The FTPS account of an upload. Made up: nothing listens there, closing it makes the image available."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.bodies import Body
from daiku.lab.sakura.iaas.models import Archive, Cdrom
from daiku.lab.sakura.iaas.zones import zone_view
from daiku.lab.sakura.world import World


class FtpBody(Body):
    ChangePassword: bool = False


def account(world: World, row: Archive | Cdrom) -> dict[str, Any]:
    """Host, user and password; another password each time that the server was opened."""
    server = zone_view(row.zone)["FTPServer"]
    kind = type(row).__name__.lower()
    return {
        "HostName": server["HostName"],
        "IPAddress": server["IPAddress"],
        "User": f"{kind}{row.id}",
        "Password": world.random_for(f"ftp/{row.id}/{row.ftp}").randbytes(8).hex(),
    }

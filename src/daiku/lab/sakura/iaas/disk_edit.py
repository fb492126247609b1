"""Disk edit (`config`): what is written into an installed OS before its first boot."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from daiku.lab.sakura.iaas.bodies import Address, Body, Mask, Ref, RefId
from daiku.lab.sakura.iaas.models import Disk, Installed, Note, SshKey, UserSubnet
from daiku.lab.sakura.iaas.note import key_blob
from daiku.lab.sakura.iaas.server_view import nics_of
from daiku.lab.sakura.iaas.wire import Call, bad_request


class KeyBody(Body):
    ID: RefId = None
    PublicKey: str | None = None


class NoteBody(Body):
    ID: RefId = None
    Variables: dict[str, Any] | list[Any] | None = None
    APIKey: Ref | None = None


class SubnetBody(Body):
    DefaultRoute: Address = ""
    NetworkMaskLen: Mask | None = None


class EditBody(Body):
    Password: str | None = None
    SSHKey: KeyBody | None = None
    SSHKeys: list[KeyBody] | None = None
    DisablePWAuth: bool | None = None
    EnableDHCP: bool | None = None
    ChangePartitionUUID: bool | None = None
    HostName: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9.-]*$")] | None = None
    Notes: list[NoteBody] | None = None
    UserIPAddress: Address | None = None
    UserSubnet: SubnetBody | None = None
    Background: bool | None = None


def write(call: Call, row: Disk, body: EditBody) -> None:
    """Edit a disk; the first NIC of its server, unless it is on the shared segment, shows the address that was given.

    The address of a disk that is not connected shows nowhere, also later.
    """
    row.installed = edited(call, row.installed, body)
    nics = nics_of(call.world, row.server) if row.server is not None else []
    if body.UserIPAddress is None or not nics or nics[0].shared:
        return
    subnet = UserSubnet(default_route=row.installed.default_route, mask=row.installed.mask)
    nics[0].user_address = body.UserIPAddress
    nics[0].user_subnet = subnet if body.UserIPAddress else None


def edited(call: Call, installed: Installed | None, body: EditBody) -> Installed:
    """The OS after this edit. 400 for what cannot be edited; 404 for an unknown key or note.

    What the edit does not mention stays as it is. Of a password only the fact that there is one is kept.
    """
    if installed is None or not installed.editable:
        raise bad_request("The disk holds no OS that can be edited")
    after = installed.model_copy(deep=True)
    keys = [*([body.SSHKey] if body.SSHKey is not None else []), *(body.SSHKeys or [])]
    if keys:
        after.authorized_keys = list(dict.fromkeys(line for key in keys for line in _lines(call, key)))
    for note in body.Notes or []:
        if note.ID is None:
            raise bad_request("Notes: the property ID is required")
        call.get(Note, note.ID)
    if body.Notes is not None:
        after.notes = [note.ID for note in body.Notes if note.ID is not None]
    if body.HostName:
        after.hostname = body.HostName
    if body.Password:
        after.password = True
    after.password_login = after.password_login if body.DisablePWAuth is None else not body.DisablePWAuth
    after.dhcp = after.dhcp if body.EnableDHCP is None else body.EnableDHCP
    if body.UserIPAddress is not None:
        after.address = body.UserIPAddress
    if body.UserSubnet is not None:
        after.default_route = body.UserSubnet.DefaultRoute
        after.mask = body.UserSubnet.NetworkMaskLen or 0
    if body.UserIPAddress and not after.mask:
        raise bad_request("UserSubnet: the property NetworkMaskLen is required")
    return after


def _lines(call: Call, key: KeyBody) -> list[str]:
    if key.ID is not None:
        return [call.get(SshKey, key.ID).public_key.strip()]
    if not key.PublicKey:
        return []
    if key_blob(key.PublicKey) is None:
        raise bad_request("SSHKey.PublicKey: not an OpenSSH public key")
    return [key.PublicKey.strip()]

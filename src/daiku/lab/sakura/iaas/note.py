"""Notes (startup scripts) and SSH keys: global, called through any zone."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Annotated, Any, Literal

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from pydantic import Field

from daiku.lab.sakura.iaas.bodies import Common, parse_in, require_name, set_common
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Note, SshKey
from daiku.lab.sakura.iaas.wire import Call, Reply, bad_request, common_view, created, routes, single

_DESCRIPTION = re.compile(r"^#\s*@sacloud-desc\s+(.*)$", re.MULTILINE)
KEY_TYPES = (
    "ssh-rsa",
    "ssh-ed25519",
    "ssh-dss",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
)


class NoteBody(Common):
    Class: Literal["shell", "yaml_cloud_config"] | None = None
    Content: Annotated[str, Field(max_length=65_536)] | None = None


class SshKeyBody(Common):
    PublicKey: Annotated[str, Field(max_length=16_384)] | None = None


class GenerateBody(Common):
    GenerateFormat: Literal["openssh"] = "openssh"
    PassPhrase: Annotated[str, Field(max_length=64)] = ""


def note_view(row: Note) -> dict[str, Any]:
    """The description is read out of the content."""
    return common_view(row) | {
        "Description": "\n".join(_DESCRIPTION.findall(row.content)),
        "Scope": "user",
        "Class": row.class_,
        "Content": row.content,
        "Availability": "available",
        "Remark": None,
    }


def _set_note(row: Note, body: NoteBody, now: float) -> None:
    if body.Class is not None:
        row.class_ = body.Class
    if body.Content is not None:
        row.content = body.Content
    set_common(row, body, now)


@routes.on("GET", "/note")
def find_notes(call: Call) -> Reply:
    return listing(call, "Notes", [note_view(row) for row in call.all(Note)])


@routes.on("POST", "/note")
def create_note(call: Call) -> Reply:
    body = parse_in(call, "Note", NoteBody)
    require_name(body)
    row = Note(id=call.world.new_id())
    _set_note(row, body, call.now)
    return created("Note", note_view(call.world.add(row)))


@routes.on("GET", "/note/{id}")
def read_note(call: Call) -> Reply:
    return single("Note", note_view(call.get(Note)))


@routes.on("PUT", "/note/{id}")
def update_note(call: Call) -> Reply:
    row = call.get(Note)
    _set_note(row, parse_in(call, "Note", NoteBody), call.now)
    return single("Note", note_view(row))


@routes.on("DELETE", "/note/{id}")
def delete_note(call: Call) -> Reply:
    row = call.get(Note)
    call.world.remove(row)
    return single("Note", note_view(row))


def key_blob(public_key: str) -> bytes | None:
    """The decoded key of an OpenSSH public key line; None when the line is none."""
    parts = public_key.split(None, 2)
    if len(parts) < 2 or parts[0] not in KEY_TYPES or "\n" in public_key.strip():
        return None
    try:
        blob = base64.b64decode(parts[1], validate=True)
    except (binascii.Error, ValueError):
        return None
    name = parts[0].encode()
    return blob if blob.startswith(len(name).to_bytes(4, "big") + name) else None


def ssh_key_view(row: SshKey) -> dict[str, Any]:
    digest = hashlib.md5(key_blob(row.public_key) or b"", usedforsecurity=False).digest()
    view = common_view(row) | {"PublicKey": row.public_key, "Fingerprint": digest.hex(":")}
    return {key: value for key, value in view.items() if key not in ("Tags", "Icon", "ModifiedAt")}


@routes.on("GET", "/sshkey")
def find_keys(call: Call) -> Reply:
    return listing(call, "SSHKeys", [ssh_key_view(row) for row in call.all(SshKey)])


@routes.on("POST", "/sshkey")
def create_key(call: Call) -> Reply:
    body = parse_in(call, "SSHKey", SshKeyBody)
    require_name(body)
    if body.PublicKey is None:
        raise bad_request("The property PublicKey is required")
    if key_blob(body.PublicKey) is None:
        raise bad_request("PublicKey: not an OpenSSH public key")
    row = SshKey(id=call.world.new_id(), public_key=body.PublicKey)
    set_common(row, body, call.now)
    return created("SSHKey", ssh_key_view(call.world.add(row)))


@routes.on("POST", "/sshkey/generate")
def generate_key(call: Call) -> Reply:
    """A key pair of the service's making. The private key is in this one answer and nowhere else.

    Made from the world's seed, so that a run can be repeated: no key for anything but the lab.
    """
    body = parse_in(call, "SSHKey", GenerateBody)
    require_name(body)
    row = SshKey(id=call.world.new_id())
    secret = Ed25519PrivateKey.from_private_bytes(call.world.random_for(f"sshkey/{row.id}").randbytes(32))
    row.public_key = secret.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    locked = BestAvailableEncryption(body.PassPhrase.encode()) if body.PassPhrase else NoEncryption()
    set_common(row, body, call.now)
    reply = created("SSHKey", ssh_key_view(call.world.add(row)))
    private = secret.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, locked)
    reply.body["SSHKey"]["PrivateKey"] = private.decode()
    return reply


@routes.on("GET", "/sshkey/{id}")
def read_key(call: Call) -> Reply:
    return single("SSHKey", ssh_key_view(call.get(SshKey)))


@routes.on("PUT", "/sshkey/{id}")
def update_key(call: Call) -> Reply:
    row = call.get(SshKey)
    body = parse_in(call, "SSHKey", SshKeyBody)
    if body.PublicKey is not None and body.PublicKey.strip() != row.public_key.strip():
        raise bad_request("PublicKey: the key itself cannot be changed")
    set_common(row, body, call.now)
    return single("SSHKey", ssh_key_view(row))


@routes.on("DELETE", "/sshkey/{id}")
def delete_key(call: Call) -> Reply:
    row = call.get(SshKey)
    call.world.remove(row)
    return single("SSHKey", ssh_key_view(row))

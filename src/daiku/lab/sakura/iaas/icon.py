"""Icons: global; the shared set of the service and the customer's own pictures."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import Field

from daiku.lab.sakura.iaas.bodies import Body, NameText, parse_in
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.models import Icon
from daiku.lab.sakura.iaas.wire import (
    Call,
    IaasError,
    Reply,
    bad_request,
    common_view,
    created,
    routes,
    single,
)

_PNG = b"\x89PNG\r\n\x1a\n"
MAX_IMAGE = 200_000


class IconBody(Body):
    Name: NameText | None = None
    Tags: list[str] | None = None
    Image: Annotated[str, Field(max_length=MAX_IMAGE)] | None = None


def icon_view(row: Icon) -> dict[str, Any]:
    view = common_view(row) | {
        "Availability": "available",
        "Scope": row.scope,
        "URL": f"icon/{row.id}.png",
    }
    return {key: value for key, value in view.items() if key not in ("Description", "Icon")}


def _own(call: Call) -> Icon:
    row = call.get(Icon)
    if row.scope == "shared":
        raise IaasError(403)
    return row


def _set(row: Icon, body: IconBody, now: float) -> None:
    if body.Name is not None:
        row.name = body.Name
    if body.given("Tags"):
        row.tags = list(dict.fromkeys(body.Tags or ()))
    row.modified = now


@routes.on("GET", "/icon")
def find(call: Call) -> Reply:
    return listing(call, "Icons", [icon_view(row) for row in call.all(Icon)])


@routes.on("POST", "/icon")
def create(call: Call) -> Reply:
    """The picture is a PNG in base64; it is checked and not kept, because no listing shows it."""
    body = parse_in(call, "Icon", IconBody)
    if body.Name is None:
        raise bad_request("The property Name is required")
    try:
        image = base64.b64decode(body.Image or "", validate=True)
    except (binascii.Error, ValueError):
        image = b""
    if not image.startswith(_PNG):
        raise bad_request("Icon.Image: a PNG in base64 is wanted")
    row = Icon(id=call.world.new_id())
    _set(row, body, call.now)
    return created("Icon", icon_view(call.world.add(row)))


@routes.on("GET", "/icon/{id}")
def read(call: Call) -> Reply:
    return single("Icon", icon_view(call.get(Icon)))


@routes.on("PUT", "/icon/{id}")
def update(call: Call) -> Reply:
    row = _own(call)
    _set(row, parse_in(call, "Icon", IconBody), call.now)
    return single("Icon", icon_view(row))


@routes.on("DELETE", "/icon/{id}")
def delete(call: Call) -> Reply:
    row = _own(call)
    call.world.remove(row)
    return single("Icon", icon_view(row))

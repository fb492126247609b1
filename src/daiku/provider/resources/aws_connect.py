"""The AWS connection option: adopted, because the order and its values come on paper."""

from __future__ import annotations

import contextlib

from daiku.errors import ConflictError, NotFoundError
from daiku.provider.context import Context
from daiku.provider.fields import (
    BOOLEAN,
    INTEGER,
    STRING,
    Change,
    Failure,
    Field,
    ListOf,
    Props,
    ResourceType,
)
from daiku.provider.handler import Hint
from daiku.provider.resources.common import between
from daiku.provider.resources.local_router import save, settings_of
from daiku.wire.http import Json
from daiku.wire.sakura_calls import as_dict, as_list, id_of
from daiku.wire.sakura_kinds import LOCAL_ROUTER

_PEER = "another peer is another connection"

TYPE = ResourceType(
    name="sakura:cloud:AwsConnect",
    description="An AWS connection option as a peer of a local router. It is ordered in the control panel; "
    "here it is "
    "adopted by the peer ID and secret key that Sakura issues. Deletion takes the peer out; the order stays.",
    import_id="112900000001/113600000301",
    fields=(
        Field(
            name="localRouterId",
            type=STRING,
            description="The local router.",
            required=True,
            change=Change.REPLACE,
            reason=_PEER,
        ),
        Field(
            name="peerId",
            type=STRING,
            description="Resource ID that Sakura issued.",
            required=True,
            change=Change.REPLACE,
            reason=_PEER,
        ),
        Field(
            name="secretKey",
            type=STRING,
            description="Secret key that Sakura issued.",
            required=True,
            secret=True,
        ),
        Field(name="enabled", type=BOOLEAN, description="Whether routes are exchanged.", default=True),
        Field(name="description", type=STRING, description="Free text.", default=""),
        Field(name="awsAccountId", type=STRING, description="AWS account of the other side, for the record."),
        Field(
            name="vifType",
            type=STRING,
            description="Virtual interface on the AWS side, for the record.",
            default="private",
            choices=("private", "transit"),
        ),
        Field(
            name="vlan",
            type=INTEGER,
            description="VLAN of the virtual interface, for the record.",
            problem=between(1, 4094),
        ),
        Field(name="amazonAsn", type=INTEGER, description="ASN of the AWS side, for the record."),
        Field(name="customerAsn", type=INTEGER, description="ASN of the Sakura side, for the record."),
        Field(name="amazonAddress", type=STRING, description="BGP address of the AWS side, for the record."),
        Field(
            name="customerAddress", type=STRING, description="BGP address of the Sakura side, for the record."
        ),
        Field(
            name="state",
            type=STRING,
            description="Health of the peering as the API tells it.",
            output=True,
            varies_with=("enabled",),
        ),
        Field(
            name="routes",
            type=ListOf(STRING),
            description="Prefixes learnt from the peer.",
            output=True,
            varies_with=("enabled",),
        ),
    ),
)

_RECORD = ("awsAccountId", "vifType", "vlan", "amazonAsn", "customerAsn", "amazonAddress", "customerAddress")
_TRIES = 5


class AwsConnectHandler:
    """A peer of a local router. Its ID is `ROUTER/PEER`."""

    type = TYPE

    def check(self, inputs: Props) -> list[Failure]:
        del inputs
        return []

    def create(self, ctx: Context, hint: Hint, inputs: Props) -> tuple[str, Props]:
        del hint
        ident = f"{inputs['localRouterId']}/{inputs['peerId']}"
        _set_peer(ctx, inputs["localRouterId"], inputs["peerId"], _peer(inputs))
        state = self.read(ctx, ident, inputs)
        if state is None:
            raise NotFoundError("the local router took the peer and does not show it", where=ident)
        return ident, state

    def read(self, ctx: Context, resource_id: str, state: Props) -> Props | None:
        router, _, peer_id = resource_id.partition("/")
        try:
            live = ctx.listings.read(LOCAL_ROUTER, router)
        except NotFoundError:
            return None
        peer = _find(live, peer_id)
        if peer is None:
            return None
        found: Props = {
            "localRouterId": router,
            "peerId": peer_id,
            "enabled": str(peer.get("Enabled")).lower() == "true",
            "description": str(peer.get("Description") or ""),
            # An API that hides the key leaves the one that was given.
            "secretKey": str(peer.get("SecretKey") or state.get("secretKey") or ""),
            "vifType": "private",
        }
        found |= {name: state[name] for name in _RECORD if name in state}
        return found | _health(ctx, router, peer_id)

    def update(self, ctx: Context, hint: Hint, resource_id: str, olds: Props, news: Props) -> Props:
        del resource_id, olds  # both are in the inputs: another router or peer is another resource
        return self.create(ctx, hint, news)[1]

    def delete(self, ctx: Context, resource_id: str, state: Props) -> None:
        del state
        router, _, peer_id = resource_id.partition("/")
        with contextlib.suppress(NotFoundError):
            _set_peer(ctx, router, peer_id, None)


def _peer(inputs: Props) -> Json:
    return {
        "ID": inputs["peerId"],
        "SecretKey": inputs["secretKey"],
        "Enabled": inputs["enabled"],
        "Description": inputs["description"],
    }


def _find(live: Json, peer_id: str) -> Json | None:
    peers = [as_dict(peer) for peer in as_list(settings_of(live).get("Peers"))]
    return next((peer for peer in peers if id_of(peer) == peer_id), None)


def _set_peer(ctx: Context, router: str, peer_id: str, wanted: Json | None) -> None:
    """Put a peer in or take it out, whoever else changes the router at the same time."""
    with ctx.locks[router]:
        for last in (False,) * (_TRIES - 1) + (True,):
            live = ctx.cloud.read(LOCAL_ROUTER, router)
            now = _find(live, peer_id)
            if (now is None and wanted is None) or (now and wanted and _equal(now, wanted)):
                return
            others = [p for p in as_list(settings_of(live).get("Peers")) if id_of(as_dict(p)) != peer_id]
            peers = [*others, wanted] if wanted else others
            try:
                save(ctx, live, {**settings_of(live), "Peers": peers})
            except ConflictError:
                if last:
                    raise
            else:
                return


def _equal(now: Json, wanted: Json) -> bool:
    return all(str(now.get(key)).lower() == str(value).lower() for key, value in wanted.items())


def _health(ctx: Context, router: str, peer_id: str) -> Props:
    answer = ctx.listings.ask(LOCAL_ROUTER, router, "health")
    peers = [as_dict(p) for p in as_list(as_dict(answer.get("LocalRouter")).get("Peers"))]
    peer = next((p for p in peers if id_of(p) == peer_id), {})
    routes = [str(route) for route in as_list(peer.get("Routes"))]
    return {"state": str(peer.get("Status") or ""), "routes": sorted(routes)}

"""Contracts, dedicated subnets and private networks of PHY."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daiku.lab.sakura.inventory import DedicatedSubnetItem, PrivateNetworkItem
from daiku.lab.sakura.phy import fields
from daiku.lab.sakura.phy.models import PhyService
from daiku.lab.sakura.phy.views import item_of, network_view, service_of, service_view, subnet_view
from daiku.lab.sakura.phy.wire import Call, PhyError, Reply, ok, routes

ORDERINGS = ("activated", "-activated", "nickname", "-nickname")
CATEGORIES = ("server", "dedicated_subnet", "private_network", "firewall", "load_balancer")


class ServiceFields(fields.Fields):
    nickname: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=1000)] | None


def matches_words(row: PhyService, tags: list[str], call: Call) -> bool:
    """The `tag` and `free_word` filters: every tag is set, every word is somewhere in nickname, description or tags."""
    wanted_tags, words = fields.several(call, "tag", 10), fields.several(call, "free_word", 5)
    texts = [row.name, row.note or "", *tags]
    return all(tag in tags for tag in wanted_tags) and all(
        any(word in text for text in texts) for word in words
    )


def tag_labels(call: Call, service_id: str) -> list[str]:
    return [tag.label for tag in item_of(call.world, service_id).tags]


@routes.on("GET", "/services/")
def find_services(call: Call) -> Reply:
    ordering = fields.choice(call, "ordering", ORDERINGS, "-activated")
    category = fields.choice(call, "product_category", CATEGORIES)
    rows = [
        row
        for row in _known(call)
        if category in ("", row.category) and matches_words(row, tag_labels(call, row.service_id), call)
    ]
    key = ordering.lstrip("-")
    views = [(service_view(call.world, r), (r.created if key == "activated" else r.name, r.id)) for r in rows]
    return Reply(
        200, fields.page(call, "services", fields.ordered(views, descending=ordering.startswith("-")))
    )


def _known(call: Call) -> list[PhyService]:
    inventory = call.world.inventory
    ids = {
        i.service_id
        for i in (*inventory.phy_servers, *inventory.private_networks, *inventory.dedicated_subnets)
    }
    return [row for row in call.world.rows(PhyService) if row.service_id in ids]


@routes.on("GET", "/services/{id}/")
def read_service(call: Call) -> Reply:
    return ok("service", service_view(call.world, service_of(call.world, call.holes["id"])))


@routes.on("PATCH", "/services/{id}/")
def update_service(call: Call) -> Reply:
    row = service_of(call.world, call.holes["id"])
    body = fields.body(call, ServiceFields)
    row.name, row.note, row.modified = body.nickname, body.description, call.now
    return ok("service", service_view(call.world, row))


@routes.on("GET", "/dedicated_subnets/")
def find_subnets(call: Call) -> Reply:
    views = [
        (subnet_view(call.world, item), item.service_id)
        for item in call.world.inventory.dedicated_subnets
        if matches_words(service_of(call.world, item.service_id), tag_labels(call, item.service_id), call)
    ]
    return Reply(200, fields.page(call, "dedicated_subnets", fields.ordered(views, descending=False)))


@routes.on("GET", "/dedicated_subnets/{id}/")
def read_subnet(call: Call) -> Reply:
    fields.flag(call, "refresh")
    item = item_of(call.world, call.holes["id"])
    if not isinstance(item, DedicatedSubnetItem):
        raise PhyError(404)
    return ok("dedicated_subnet", subnet_view(call.world, item))


@routes.on("GET", "/private_networks/")
def find_networks(call: Call) -> Reply:
    views = [
        (network_view(call.world, item), item.service_id)
        for item in call.world.inventory.private_networks
        if matches_words(service_of(call.world, item.service_id), tag_labels(call, item.service_id), call)
    ]
    return Reply(200, fields.page(call, "private_networks", fields.ordered(views, descending=False)))


@routes.on("GET", "/private_networks/{id}/")
def read_network(call: Call) -> Reply:
    item = item_of(call.world, call.holes["id"])
    if not isinstance(item, PrivateNetworkItem):
        raise PhyError(404)
    return ok("private_network", network_view(call.world, item))

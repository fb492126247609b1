"""Contracts, dedicated subnets and private networks of PHY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from daiku.lab.sakura.inventory import DedicatedSubnetItem, PrivateNetworkItem
from daiku.lab.sakura.phy import fields
from daiku.lab.sakura.phy.models import PhyService
from daiku.lab.sakura.phy.views import item_of, network_view, service_of, service_view, subnet_view
from daiku.lab.sakura.phy.wire import Call, PhyError, Reply, ok, routes
from daiku.lab.sakura.world import World

ORDERINGS = ("activated", "-activated", "nickname", "-nickname")
CATEGORIES = ("server", "dedicated_subnet", "private_network", "firewall", "load_balancer")


class ServiceFields(fields.Fields):
    nickname: Annotated[str, Field(min_length=1, max_length=64)]
    description: Annotated[str, Field(max_length=1000)] | None


@dataclass(frozen=True)
class Search:
    """The `tag` and `free_word` filters: every tag is set, every word is somewhere in nickname, description or tags."""

    world: World
    tags: list[str]
    words: list[str]

    @classmethod
    def of(cls, call: Call) -> Search:
        """Read before any row is looked at: a wrong filter is refused also where nothing could match."""
        return cls(call.world, fields.several(call, "tag", 10), fields.several(call, "free_word", 5))

    def matches(self, service_id: str) -> bool:
        row = service_of(self.world, service_id)
        labels = [tag.label for tag in item_of(self.world, service_id).tags]
        texts = [row.name, row.note or "", *labels]
        return all(tag in labels for tag in self.tags) and all(
            any(word in text for text in texts) for word in self.words
        )


@routes.on("GET", "/services/")
def find_services(call: Call) -> Reply:
    ordering = fields.choice(call, "ordering", ORDERINGS, "-activated")
    category = fields.choice(call, "product_category", CATEGORIES)
    search = Search.of(call)
    rows = [row for row in _known(call) if category in ("", row.category) and search.matches(row.service_id)]
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
    search = Search.of(call)
    views = [
        (subnet_view(call.world, item), item.service_id)
        for item in call.world.inventory.dedicated_subnets
        if search.matches(item.service_id)
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
    search = Search.of(call)
    views = [
        (network_view(call.world, item), item.service_id)
        for item in call.world.inventory.private_networks
        if search.matches(item.service_id)
    ]
    return Reply(200, fields.page(call, "private_networks", fields.ordered(views, descending=False)))


@routes.on("GET", "/private_networks/{id}/")
def read_network(call: Call) -> Reply:
    item = item_of(call.world, call.holes["id"])
    if not isinstance(item, PrivateNetworkItem):
        raise PhyError(404)
    return ok("private_network", network_view(call.world, item))

"""What is common to EC2: objects are found by tag, listed by ID, and tagged when they are made."""

from __future__ import annotations

from typing import Any, ClassVar

from daiku.errors import NotFoundError
from daiku.lab.aws.kinds.base import MADE_BY, Cloud, Kind, tags_given, tags_shown
from daiku.provider.fields import Props
from daiku.provider.handler import Hint
from daiku.wire.aws import Json


class Ec2Kind(Kind):
    """`noun` is the type in tag specifications; the rest says how boto names it."""

    noun: ClassVar[str]
    creates: ClassVar[str]
    """`create_vpc`."""
    described: ClassVar[str]
    """`describe_vpcs`."""
    listed: ClassVar[str]
    """`Vpcs`: the key of the answer's list."""
    ids: ClassVar[str]
    """`VpcIds`: the parameter that takes IDs."""
    id: ClassVar[str]
    """`VpcId`: the key of an item's ID."""
    gone: ClassVar[frozenset[str]] = frozenset()
    """States in which an item is no more, though it is still listed."""

    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        if found := self.found(cloud, hint):
            return found
        marked = self.marked(hint, inputs)
        return self.made(
            cloud.call("ec2", self.creates, **self.order(hint, inputs), TagSpecifications=marked)
        )

    def order(self, hint: Hint, inputs: Props) -> Json:
        """What `creates` is asked for, besides the tags."""
        raise NotImplementedError

    def made(self, answer: Json) -> str:
        """The ID in the answer of `creates`, which holds the item by its name in the singular."""
        return str(answer[self.listed.removesuffix("s")][self.id])

    def found(self, cloud: Cloud, hint: Hint) -> str | None:
        """The ID of what a killed run made for this resource of the program."""
        filters = [{"Name": f"tag:{MADE_BY}", "Values": [hint.urn]}]
        items: list[Json] = cloud.call("ec2", self.described, Filters=filters)[self.listed]
        return next((str(item[self.id]) for item in items if self.state_of(item) not in self.gone), None)

    def item(self, cloud: Cloud, ident: str) -> Json:
        """One item as AWS lists it; NotFoundError."""
        return self.alive(ident, cloud.call("ec2", self.described, **{self.ids: [ident]})[self.listed])

    def alive(self, ident: str, items: list[Json]) -> Json:
        if not items or self.state_of(items[0]) in self.gone:
            raise NotFoundError(f"{ident} is gone", where=ident)
        return items[0]

    def state_of(self, item: Json) -> str:
        return str(item.get("State", ""))

    def marked(self, hint: Hint, inputs: Props) -> list[dict[str, Any]]:
        """`TagSpecifications` with the wanted tags and the mark."""
        tags = {**inputs.get("tags", {}), MADE_BY: hint.urn}
        return [{"ResourceType": self.noun, "Tags": tags_given(tags)}]

    def tags_of(self, item: Json) -> dict[str, str]:
        return tags_shown(item.get("Tags", []))

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        before, after = olds.get("tags", {}), news.get("tags", {})
        if lost := sorted(set(before) - set(after)):
            cloud.call("ec2", "delete_tags", Resources=[ident], Tags=[{"Key": name} for name in lost])
        if after and after != before:
            cloud.call("ec2", "create_tags", Resources=[ident], Tags=tags_given(after))

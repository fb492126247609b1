"""The life of a cloud object, the same for every kind: find or make, converge, read, delete.

`create` and `update` end in the same `converge`, which compares the live object with the inputs: so a second run
after a crash, an update and the adoption of a leftover are one piece of code.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from daiku.errors import DaikuError, NotFoundError, UnreachableError
from daiku.provider.context import Context
from daiku.provider.diffing import diff
from daiku.provider.fields import Change, Failure, Props, ResourceType
from daiku.provider.handler import Hint, IncompleteError
from daiku.provider.identity import PREVIOUS, carries, own_tags, signed, unsigned
from daiku.provider.resources.once import make_once
from daiku.wire.http import Json
from daiku.wire.sakura_calls import APPEAR_SECONDS, as_dict, as_list, id_of
from daiku.wire.sakura_kinds import Kind


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked for: the checked inputs, the identity mark of the object, its zone (None: the client's), and the
    inputs of before (empty at creation)."""

    inputs: Props
    identity: str
    zone: str | None
    olds: Props


class CloudObject(ABC):
    """A handler of one kind. A subclass says how to make, converge and describe it."""

    type: ClassVar[ResourceType]
    kind: ClassVar[Kind]
    tagged: ClassVar[bool] = True

    # What a subclass says

    @abstractmethod
    def make(self, ctx: Context, goal: Goal) -> Json:
        """Create it (one POST). It must carry the mark from the start."""

    def converge(self, ctx: Context, live: Json, goal: Goal) -> Json:
        """Bring it from any state to the inputs; the object after. The default changes attributes only."""
        return self.set_attributes(ctx, live, goal)

    @abstractmethod
    def state(self, ctx: Context, live: Json, prior: Props) -> Props:
        """Inputs and outputs as the API shows them; `prior` for what it never tells."""

    def attributes(self, goal: Goal) -> Json:
        """What a plain PUT changes, beside name, description and tags."""
        del goal
        return {}

    def remove(self, ctx: Context, ident: str, zone: str | None) -> None:
        """Delete it, waiting for what still holds it."""
        ctx.cloud.delete_when_free(self.kind, ident, zone=zone)

    def check(self, inputs: Props) -> list[Failure]:
        """Faults that the table cannot see: properties that clash."""
        del inputs
        return []

    # The life

    def create(self, ctx: Context, hint: Hint, inputs: Props) -> tuple[str, Props]:
        goal = Goal(inputs, ctx.identity(hint.urn), inputs.get("zone"), {})
        live = self._leftover(ctx, goal)
        fresh = live is None
        if live is None:
            live = self._make(ctx, goal)
        made = id_of(live)
        try:
            if fresh and self.kind.appears_late:
                self._remove_twins(ctx, live, goal)
            live = self.converge(ctx, live, goal)
            return id_of(live), self.state(ctx, live, inputs)
        except DaikuError as error:
            raise IncompleteError(made, {**inputs, "resourceId": made}, error) from error

    def read(self, ctx: Context, resource_id: str, state: Props) -> Props | None:
        zone = state.get("zone")
        try:
            live = ctx.listings.read(self.kind, state.get("resourceId") or resource_id, zone=zone)
        except NotFoundError:
            live = self._successor(ctx, state.get("resourceId") or resource_id, zone)
        return None if live is None else self.state(ctx, live, state)

    def update(self, ctx: Context, hint: Hint, resource_id: str, olds: Props, news: Props) -> Props:
        zone = news.get("zone")
        ident = olds.get("resourceId") or resource_id
        live = self._look(ctx, ident, zone) or self._successor(ctx, ident, zone)
        if live is None:
            raise NotFoundError(
                "it is gone",
                where=f"{self.kind.name} {ident}",
                hint="run `pulumi refresh`, then `pulumi up`: it will be made again",
            )
        live = self.converge(ctx, live, Goal(news, ctx.identity(hint.urn), zone, olds))
        return self.state(ctx, live, news)

    def delete(self, ctx: Context, resource_id: str, state: Props) -> None:
        zone = state.get("zone")
        ident = state.get("resourceId") or resource_id
        live = self._look(ctx, ident, zone) or self._successor(ctx, ident, zone)
        if live is not None:
            self.remove(ctx, id_of(live), zone)

    # Parts that subclasses use

    def named(self, goal: Goal, *, previous: list[str] | None = None) -> Json:
        """Name, description and tags, with the mark where this kind carries it."""
        body: Json = {"Name": goal.inputs["name"]}
        description = goal.inputs.get("description")
        if self.tagged:
            body["Tags"] = sorted([*goal.inputs.get("tags", []), goal.identity, *(previous or [])])
            if description is not None:
                body["Description"] = description
        else:
            body["Description"] = signed(description or "", goal.identity)
        return body | refer(goal, "Icon", "iconId")

    def set_attributes(self, ctx: Context, live: Json, goal: Goal) -> Json:
        """PUT the attributes if the live object has others; the object after."""
        previous = [tag for tag in as_list(live.get("Tags")) if str(tag).startswith(PREVIOUS)]
        body = {**self.named(goal, previous=previous), **self.attributes(goal)}
        if all(same(live.get(key), value) for key, value in body.items()):
            return live
        return ctx.cloud.update(self.kind, id_of(live), body, zone=goal.zone)

    def common_state(self, ctx: Context, live: Json) -> Props:
        """The state of the common properties."""
        description = str(live.get("Description") or "")
        state: Props = {"name": str(live.get("Name") or ""), "resourceId": id_of(live)}
        names = {field.name for field in self.type.fields}
        if "description" in names:
            state["description"] = description if self.tagged else unsigned(description)
        if "tags" in names:
            state["tags"] = own_tags(str(tag) for tag in as_list(live.get("Tags")))
        if "iconId" in names and (icon := id_of(as_dict(live.get("Icon")))):
            state["iconId"] = icon
        return state

    # Finding

    def _leftover(self, ctx: Context, goal: Goal) -> Json | None:
        """What a crashed run left of this very resource, if anything.

        One that the API cannot change into what is asked for now is deleted: it was never in the state.
        """
        live = self._earlier(ctx, goal)
        if live is None:
            return None
        state = self.state(ctx, live, goal.inputs)
        if any(c.change is Change.REPLACE for c in diff(self.type, state, goal.inputs).changes):
            self.remove(ctx, id_of(live), goal.zone)
            return None
        return live

    def _earlier(self, ctx: Context, goal: Goal) -> Json | None:
        """Our object as it is now, if an earlier run left it. One listing a kind serves every creation: this run
        makes the object of a URN once, so whatever bears its mark was there when the run began, or was deleted since.
        """
        for item in ctx.listings.earlier(self.kind, zone=goal.zone).values():
            if self.is_own(item, goal) and (live := self._look(ctx, id_of(item), goal.zone)):
                return live
        return None

    def _make(self, ctx: Context, goal: Goal) -> Json:
        """Create it; where the answer is lost or says busy, look whether it was made all the same."""
        try:
            return make_once(
                ctx, lambda: self.make(ctx, goal), lambda: next(iter(self.find_own(ctx, goal)), None)
            )
        except UnreachableError:
            if found := self._appeared(ctx, goal):
                return found
            raise

    def _appeared(self, ctx: Context, goal: Goal) -> Json | None:
        end = ctx.cloud.clock() + (APPEAR_SECONDS if self.kind.appears_late else 0.0)
        while not (found := self.find_own(ctx, goal)):
            if ctx.cloud.clock() >= end:
                return None
            ctx.cloud.sleep(ctx.cloud.tempo.appear)
        return found[0]

    def _remove_twins(self, ctx: Context, live: Json, goal: Goal) -> None:
        """An appliance hides for a while after its creation, so one that a killed run made just before was not
        found. Once ours shows, so does that one: it was never in the state, and goes.
        """
        ctx.cloud.read(self.kind, id_of(live), zone=goal.zone, appear_within=APPEAR_SECONDS)
        for twin in self.find_own(ctx, goal):
            if id_of(twin) != id_of(live):
                self.remove(ctx, id_of(twin), goal.zone)

    def is_own(self, item: Json, goal: Goal) -> bool:
        """Whether an object carries the mark."""
        if self.tagged:
            return goal.identity in as_list(item.get("Tags"))
        return carries(str(item.get("Description") or ""), goal.identity)

    def find_own(self, ctx: Context, goal: Goal) -> list[Json]:
        """Objects that carry the mark now."""
        if self.tagged:
            return ctx.cloud.find_by_tag(self.kind, goal.identity, zone=goal.zone)
        return [item for item in ctx.cloud.find(self.kind, zone=goal.zone) if self.is_own(item, goal)]

    def _look(self, ctx: Context, ident: str, zone: str | None) -> Json | None:
        try:
            return ctx.cloud.read(self.kind, ident, zone=zone)
        except NotFoundError:
            return None

    def _successor(self, ctx: Context, ident: str, zone: str | None) -> Json | None:
        return ctx.cloud.find_successor(self.kind, ident, zone=zone) if self.tagged else None


def refer(goal: Goal, key: str, name: str) -> Json:
    """`{key: {"ID": ...}}` of an optional reference; null where it is taken away, nothing where there never was one."""
    if name in goal.inputs:
        return {key: {"ID": goal.inputs[name]}}
    return {key: None} if name in goal.olds else {}


def same(live: object, wanted: object) -> bool:
    """Whether a live attribute is what is wanted: null, "", {} and PHP's [] are nothing, tags have no order."""
    if not live and not wanted:
        return True
    if isinstance(live, list) and isinstance(wanted, list):
        return sorted(map(str, as_list(live))) == sorted(map(str, as_list(wanted)))
    if isinstance(live, dict) and isinstance(wanted, dict):
        return all(same(as_dict(live).get(key), value) for key, value in as_dict(wanted).items())
    return live == wanted

"""What every kind shares: how a handler is made of `make`, `look`, `change` and `remove`, and fields by short names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from daiku.errors import DeadlineError, NotFoundError
from daiku.provider.fields import (
    BOOLEAN,
    INTEGER,
    STRING,
    Change,
    Failure,
    Field,
    FieldType,
    ListOf,
    Object,
    Props,
    ResourceType,
)
from daiku.provider.handler import Hint, IncompleteError, Interrupt
from daiku.wire.aws import Aws, Json

POLL_SECONDS = 0.05
LONGEST_WAIT_SECONDS = 30.0
MADE_BY = "daiku:made-by"
"""Tag that names the resource in the program: by it a create finds what a killed run made."""


@dataclass
class Cloud:
    """What handlers get: the API of the default region, and of others on demand."""

    region: str
    connect: Callable[[str], Aws]
    interrupt: Interrupt
    _regions: dict[str, Aws] = field(default_factory=dict[str, Aws])

    def call(self, service: str, operation: str, **parameters: Any) -> Json:
        return self.at(self.region).call(service, operation, **parameters)

    def at(self, region: str) -> Aws:
        """The API of a region."""
        if region not in self._regions:
            self._regions[region] = self.connect(region)
        return self._regions[region]

    def wait(self, what: str, ready: Callable[[], bool]) -> None:
        """Look until it is ready; DeadlineError after half a minute."""
        waited = 0.0
        while not ready():
            if waited >= LONGEST_WAIT_SECONDS:
                raise DeadlineError(f"{what} did not become ready in {LONGEST_WAIT_SECONDS:.0f} s")
            self.interrupt.wait(POLL_SECONDS)
            waited += POLL_SECONDS


class Kind(ABC):
    """One resource type. `look` raises NotFoundError for what is gone."""

    type: ResourceType

    @abstractmethod
    def make(self, cloud: Cloud, hint: Hint, inputs: Props) -> str:
        """Make it, or find what a killed run made; its ID."""

    @abstractmethod
    def look(self, cloud: Cloud, ident: str, known: Props) -> Props:
        """It as the API shows it, with inputs and outputs. `known` is the last state, or the inputs."""

    @abstractmethod
    def remove(self, cloud: Cloud, ident: str, state: Props) -> None: ...

    def finish(self, cloud: Cloud, ident: str, inputs: Props) -> None:
        """What is left to do once it has an ID, as often as it is asked."""
        del cloud, ident, inputs

    def change(self, cloud: Cloud, ident: str, olds: Props, news: Props) -> None:
        """What can be changed in place."""
        del cloud, ident, olds, news

    def check(self, inputs: Props) -> list[Failure]:
        del inputs
        return []

    def create(self, ctx: Cloud, hint: Hint, inputs: Props) -> tuple[str, Props]:
        ident = self.make(ctx, hint, inputs)
        try:
            self.finish(ctx, ident, inputs)
            return ident, self.look(ctx, ident, inputs)
        except NotFoundError as error:
            raise IncompleteError(ident, inputs, error) from error

    def read(self, ctx: Cloud, resource_id: str, state: Props) -> Props | None:
        try:
            return self.look(ctx, resource_id, state)
        except NotFoundError:
            return None

    def update(self, ctx: Cloud, hint: Hint, resource_id: str, olds: Props, news: Props) -> Props:
        del hint
        self.change(ctx, resource_id, olds, news)
        self.finish(ctx, resource_id, news)
        return self.look(ctx, resource_id, news)

    def delete(self, ctx: Cloud, resource_id: str, state: Props) -> None:
        try:
            self.remove(ctx, resource_id, state)
        except NotFoundError:
            return


def kind(name: str, *fields: Field, keep: bool = False) -> ResourceType:
    """A resource type `aws:<name>`; `keep` makes a replacement before it deletes the old one."""
    return ResourceType(
        name=f"aws:{name}", description=name.rpartition(":")[2], fields=fields, delete_before_replace=not keep
    )


def fixed(name: str, type_: FieldType = STRING, *, required: bool = True, default: Any = None) -> Field:
    """An input whose change means another object."""
    return Field(
        name=name,
        type=type_,
        description=name,
        required=required and default is None,
        default=default,
        change=Change.REPLACE,
    )


def live(name: str, type_: FieldType = STRING, *, required: bool = False, default: Any = None) -> Field:
    """An input that changes in place."""
    return Field(name=name, type=type_, description=name, required=required, default=default)


def output(name: str, type_: FieldType = STRING) -> Field:
    return Field(name=name, type=type_, description=name, output=True)


def record(name: str, *fields: Field) -> Object:
    return Object(name, name, fields)


TAGS = live("tags", record("Tags", live("Name"), live("daiku:cluster")), default={})
TEXTS = ListOf(STRING)
SET = ListOf(STRING, unordered=True)
NUMBER, TRUTH = INTEGER, BOOLEAN


def tags_shown(listed: list[Mapping[str, str]], *, key: str = "Key", value: str = "Value") -> dict[str, str]:
    """AWS's list of tags as a mapping, without the mark of whose they are."""
    return {tag[key]: tag[value] for tag in listed if tag[key] != MADE_BY}


def tags_given(tags: Mapping[str, str], *, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in sorted(tags.items())]

"""What a resource is, as data: its properties, their types, and what a change of each one does to a running
thing.

The same table checks inputs, computes differences, fills previews and generates the package schema, so that
the four cannot disagree. Nothing here knows Pulumi or a socket.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any, Final, TypeAlias

Props: TypeAlias = dict[str, Any]
"""Properties by camelCase name: None, bool, int, float, str, `UNKNOWN`, and lists and dicts of these."""


class Unknown:
    """A value that only the coming update will give; there is one, `UNKNOWN`."""

    def __repr__(self) -> str:
        return "<unknown>"

    def __deepcopy__(self, memo: object) -> Unknown:
        return self


UNKNOWN: Final = Unknown()


class Change(IntEnum):
    """What changing a property does, from harmless to grave; the gravest of several wins."""

    LIVE = 0
    RESTART = 1
    ID_CHANGE = 2
    REINSTALL = 3
    REPLACE = 4

    @property
    def meaning(self) -> str:
        return _MEANINGS[self]


_MEANINGS: Final = {
    Change.LIVE: "is changed while it runs",
    Change.RESTART: "stops and starts it again",
    Change.ID_CHANGE: "stops and starts it again; the API gives it a new ID",
    Change.REINSTALL: "wipes its disks and installs the OS again",
    Change.REPLACE: "deletes it and makes a new one",
}


class Scalar(Enum):
    """The simple types; the values are the names in the package schema."""

    STRING = "string"
    INTEGER = "integer"
    BOOLEAN = "boolean"


STRING: Final = Scalar.STRING
INTEGER: Final = Scalar.INTEGER
BOOLEAN: Final = Scalar.BOOLEAN


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list. `unordered` lists are sorted when they are read, so that order is never a difference."""

    item: FieldType
    unordered: bool = False


@dataclass(frozen=True, slots=True)
class Object:
    """A named record, `name` in PascalCase; it becomes a type of the package schema."""

    name: str
    description: str
    fields: tuple[Field, ...]


FieldType: TypeAlias = Scalar | ListOf | Object


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One property.

    `change` None inherits the policy of the enclosing property (LIVE at the top); `removal` is that of taking the
    property out, if it is another. `reason` says why a change
    does what it does. `default_from` names a provider setting that stands in for a missing value. An `output`
    is never an input; `varies_with` names the inputs whose change makes the output unknown in a preview
    (empty: it never changes). `problem` gives the text of what is wrong with a value, or nothing.
    """

    name: str
    type: FieldType
    description: str
    required: bool = False
    default: Any = None
    default_from: str = ""
    secret: bool = False
    output: bool = False
    change: Change | None = None
    removal: Change | None = None
    reason: str = ""
    choices: tuple[str, ...] = ()
    varies_with: tuple[str, ...] = ()
    problem: Callable[[Any], str] | None = None
    wanted: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """A kind of resource. `name` is its type token, `package:module:Class`.

    `delete_before_replace`: names, addresses or identity tags clash while both exist, so the old one goes
    first. `import_id` is an example of the ID by which one that exists is imported.
    """

    name: str
    description: str
    fields: tuple[Field, ...]
    delete_before_replace: bool = True
    import_id: str = "112900000001"

    @property
    def inputs(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if not f.output)

    @property
    def outputs(self) -> tuple[Field, ...]:
        return tuple(f for f in self.fields if f.output)

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(f.name for f in self.fields if f.secret)


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionType:
    """A look-up (`invoke`). `name` is its token, `package:module:function`."""

    name: str
    description: str
    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Failure:
    """What is wrong with an input: the property's path and the reason, without the value if it is secret."""

    path: str
    reason: str

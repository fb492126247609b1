"""What a resource does: the protocol that every file in `resources/` fulfils and that any plugin can reuse.

Handlers are plain Python: checked `Props` in, `Props` out, `DaikuError` for what goes wrong, blocking calls
welcome (the adapter runs them in threads). They are never called in a preview and never see Pulumi's types.
State holds every input as the API shows it (that is how drift is found) and every output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from daiku.errors import DaikuError
from daiku.provider.fields import Failure, Field, FunctionType, Props, ResourceType
from daiku.provider.package_schema import package_schema

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Hint:
    """Who asks for a create or an update: the resource's URN and its logical name."""

    urn: str
    name: str


class IncompleteError(DaikuError):
    """A thing was made, or half changed, and then something failed.

    The ID and the state so far reach the engine, so that the next run goes on with `update` and a destroy
    finds it.
    """

    def __init__(self, made_id: str, state: Props, cause: DaikuError) -> None:
        super().__init__(cause.message, where=cause.where, hint=cause.hint)
        self.made_id = made_id
        self.state = state
        self.exit_code = cause.exit_code


class Handler(Protocol[C_contra]):
    """One kind of resource.

    `check` finds what the table cannot; it is asked once every input is known. `create` looks for what a crashed
    run left (by identity) before it makes anything. `read` with an empty state is an import; None means it is
    gone. `update` must also finish what an `IncompleteError` left. `delete` of a thing that is gone is a success.
    """

    @property
    def type(self) -> ResourceType: ...

    def check(self, inputs: Props) -> list[Failure]: ...

    def create(self, ctx: C_contra, hint: Hint, inputs: Props) -> tuple[str, Props]: ...

    def read(self, ctx: C_contra, resource_id: str, state: Props) -> Props | None: ...

    def update(self, ctx: C_contra, hint: Hint, resource_id: str, olds: Props, news: Props) -> Props: ...

    def delete(self, ctx: C_contra, resource_id: str, state: Props) -> None: ...


class Function(Protocol[C_contra]):
    """One look-up."""

    @property
    def type(self) -> FunctionType: ...

    def invoke(self, ctx: C_contra, inputs: Props) -> Props: ...


class Interrupt(Protocol):
    """How the engine's cancel reaches blocking work: `wait` sleeps, and raises `CancelledError` once it is
    set.
    """

    def wait(self, seconds: float) -> None: ...


class CancelledError(DaikuError):
    """The engine asked to stop."""

    exit_code = 130


@dataclass(frozen=True, slots=True)
class Plugin(Generic[C]):
    """All that the adapter serves. `defaults` gives settings of the environment, knowing those that are given;
    `configure` makes the context that handlers get, from the settings together.
    """

    name: str
    version: str
    description: str
    config: tuple[Field, ...]
    handlers: tuple[Handler[C], ...]
    functions: tuple[Function[C], ...]
    defaults: Callable[[Props], Props]
    configure: Callable[[Props, Interrupt], C]

    def schema(self) -> str:
        """The package schema as JSON text."""
        return package_schema(
            self.name,
            self.version,
            self.description,
            self.config,
            [handler.type for handler in self.handlers],
            [function.type for function in self.functions],
        )

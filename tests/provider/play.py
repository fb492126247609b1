"""A small engine: keeps one resource's state and calls a handler the way Pulumi's engine does."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from daiku.provider.checking import accept
from daiku.provider.context import Context
from daiku.provider.diffing import Difference, diff
from daiku.provider.fields import Props
from daiku.provider.handler import Handler, Hint, IncompleteError

SETTINGS = {"zone": "is1b"}


@dataclass
class Play:
    """`up` makes the state what `inputs` ask and asserts what every resource promises: what was asked is what is,
    a second `up` has nothing to do, and a read tells the same.
    """

    handler: Handler[Context]
    ctx: Context
    name: str = "thing"
    id: str = ""
    state: Props = field(default_factory=dict)
    broken: bool = False

    @property
    def hint(self) -> Hint:
        kind = self.handler.type.name
        return Hint(f"urn:pulumi:dev::daiku::{kind}::{self.name}", self.name)

    def check(self, inputs: Props) -> Props:
        accepted, failures = accept(self.handler.type.inputs, inputs, SETTINGS)
        failures = failures or self.handler.check(accepted)
        assert not failures, failures
        return accepted

    def plan(self, inputs: Props) -> Difference:
        return diff(self.handler.type, self.state, self.check(inputs))

    def up(self, inputs: Props) -> Difference:
        accepted = self.check(inputs)
        difference = Difference(())
        try:
            if not self.id:
                self.id, self.state = self.handler.create(self.ctx, self.hint, accepted)
            else:
                difference = diff(self.handler.type, self.state, accepted)
                if difference.replaces:
                    self.down()
                    self.id, self.state = self.handler.create(self.ctx, self.hint, accepted)
                elif difference.changes or self.broken:
                    self.state = self.handler.update(self.ctx, self.hint, self.id, self.state, accepted)
        except IncompleteError as error:
            self.id, self.state, self.broken = error.made_id, error.state, True
            raise
        self.broken = False
        self.settled(inputs)
        return difference

    def settled(self, inputs: Props) -> None:
        assert [str(c) for c in diff(self.handler.type, self.state, self.check(inputs)).changes] == []
        assert self.handler.read(self.ctx, self.id, self.state) == self.state
        assert set(self.state) <= {f.name for f in self.handler.type.fields}

    def refresh(self) -> bool:
        """False when it is gone."""
        state = self.handler.read(self.ctx, self.id, self.state)
        self.state = state or {}
        self.id = self.id if state is not None else ""
        return state is not None

    def imported(self) -> Props:
        """The state as an import by ID sees it."""
        state = self.handler.read(self.ctx, self.id, {})
        assert state is not None
        return state

    def down(self) -> None:
        self.handler.delete(self.ctx, self.id, self.state)
        assert self.handler.read(self.ctx, self.id, self.state) is None
        self.handler.delete(self.ctx, self.id, self.state)
        self.id, self.state = "", {}


def without(state: Props, *names: str) -> dict[str, Any]:
    return {name: value for name, value in state.items() if name not in names}

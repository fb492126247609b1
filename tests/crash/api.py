"""The provider ended at every call of Sakura's API, before the call and when it took effect but was not heard of.

The emulator is live. What ends the provider passes every handler of errors and lets no further call out, and the state
of the resource at hand is lost, as after SIGKILL. The next run must end with each object once, as asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from daiku.lab.sakura.iaas import models
from daiku.provider.checking import accept
from daiku.provider.context import Context
from daiku.provider.diffing import diff
from daiku.provider.handler import Handler, Hint
from daiku.provider.resources.disk import DiskHandler
from daiku.provider.resources.server import ServerHandler
from daiku.provider.resources.switch import SwitchHandler
from daiku.provider.resources.vpc_router import VpcRouterHandler
from tests.crash.report import Swept
from tests.provider.conftest import Lab, running
from tests.provider.play import SETTINGS
from tests.provider.test_machines import archive
from tests.provider.test_simple_objects import KEY

States = dict[str, tuple[str, dict[str, Any]]]
HANDLERS: dict[str, Handler[Context]] = {
    "nodes": SwitchHandler(),
    "root": DiskHandler(),
    "cp-1": ServerHandler(),
    "edge": VpcRouterHandler(),
}
"""In the order in which they are made."""
ROWS = (models.Switch, models.Disk, models.Server, models.Appliance)
Point = tuple[int, bool]
"""Number of the call, and whether it still took effect."""


class KilledError(BaseException):
    """The process is no more."""


@dataclass
class Killer:
    at: int = 0
    after: bool = False
    calls: list[str] = field(default_factory=list[str])
    dead: bool = False

    @contextmanager
    def watching(self) -> Iterator[None]:
        """All HTTP clients of this process count their calls here; `at` 0 lets them live."""
        send = httpx2.Client.send

        def counted(client: httpx2.Client, request: httpx2.Request, **rest: Any) -> httpx2.Response:
            self.calls.append(request.method)
            last = len(self.calls) == self.at
            if self.dead or (last and not self.after):
                self.dead = True
                raise KilledError
            answer = send(client, request, **rest)
            if last:
                self.dead = True
                raise KilledError
            return answer

        httpx2.Client.send = counted  # type: ignore[method-assign]
        try:
            yield
        finally:
            httpx2.Client.send = send  # type: ignore[method-assign]


def wanted(states: States, image: str, later: bool) -> dict[str, Callable[[], dict[str, Any]]]:
    """Inputs by name; `later` they are others."""

    def at(name: str) -> str:
        return states[name][0]

    return {
        "nodes": lambda: {"name": "nodes", "description": "later" if later else "first"},
        "root": lambda: {
            "name": "root",
            "sizeGb": 40,
            "sourceArchiveId": image,
            "tags": ["x"] if later else [],
        },
        "cp-1": lambda: {
            "name": "cp-1",
            "cpu": 4 if later else 2,
            "memoryGb": 8 if later else 4,
            "networkInterfaces": [{"upstream": at("nodes")}],
            "disks": [at("root")],
            "diskEdit": {
                "hostname": "cp-1",
                "sshKeys": [KEY],
                "ipAddress": "10.10.0.11",
                "gateway": "10.10.0.1",
                "networkMaskLen": 24,
            },
        },
        "edge": lambda: {
            "name": "edge",
            "privateInterfaces": [
                {"index": 1, "switchId": at("nodes"), "ipAddresses": ["10.10.0.1"], "networkMaskLen": 24}
            ],
            "portForwardings": [
                {"globalPort": 20022 + later, "privateAddress": "10.10.0.5", "privatePort": 22}
            ],
        },
    }


def make(ctx: Context, states: States, image: str, *, later: bool) -> int:
    """Make everything as asked, one resource after the other as an engine does; how many changed."""
    changed = 0
    for name, inputs in wanted(states, image, later).items():
        handler = HANDLERS[name]
        accepted, failures = accept(handler.type.inputs, inputs(), SETTINGS)
        assert not failures
        hint = Hint(f"urn:pulumi:dev::daiku::{handler.type.name}::{name}", name)
        if name not in states:
            states[name] = handler.create(ctx, hint, accepted)
        elif diff(handler.type, states[name][1], accepted).changes:
            ident, state = states[name]
            states[name] = (ident, handler.update(ctx, hint, ident, state, accepted))
        else:
            continue
        changed += 1
    return changed


def remove(ctx: Context, states: States) -> None:
    for name in reversed(HANDLERS):
        if name in states:
            ident, state = states[name]
            HANDLERS[name].delete(ctx, ident, state)
            del states[name]


@dataclass(frozen=True)
class Phase:
    name: str
    begin: Callable[[Context, States, str], object]
    run: Callable[[Context, States, str], object]
    objects: int


def _first(ctx: Context, states: States, image: str) -> None:
    make(ctx, states, image, later=False)


def _later(ctx: Context, states: States, image: str) -> None:
    make(ctx, states, image, later=True)


def _nothing(_ctx: Context, _states: States, _image: str) -> None:
    return


def _remove(ctx: Context, states: States, _image: str) -> None:
    remove(ctx, states)


PHASES = (
    Phase("bring-up", _nothing, _first, 4),
    Phase("change", _first, _later, 4),
    Phase("removal", _first, _remove, 0),
)


def _stand(lab: Lab, phase: Phase) -> tuple[States, str]:
    ctx = lab.context()
    image = archive(ctx)
    states: States = {}
    phase.begin(ctx, states, image)
    return states, image


def _rows(lab: Lab) -> int:
    return sum(len(list(lab.world.rows(kind))) for kind in ROWS)


def sweep(
    choose: Callable[[list[Point]], list[Point]] = list, tell: Callable[[str], None] = lambda _: None
) -> list[Swept]:
    """All phases, each killed at every chosen call."""
    done: list[Swept] = []
    for phase in PHASES:
        with running() as lab:
            own = _rows(lab)
            states, image = _stand(lab, phase)
            counter = Killer()
            with counter.watching():
                phase.run(lab.context(), states, image)
            assert _rows(lab) - own == phase.objects
        every = [(at, after) for at in range(1, len(counter.calls) + 1) for after in (False, True)]
        swept = Swept(f"provider at the API's calls, {phase.name}")
        for point in choose(every):
            swept.points[f"{counter.calls[point[0] - 1]} {'unheard' if point[1] else 'unsent'}"] += 1
            problem = _kill_once(phase, point, own)
            if problem:
                swept.wrong.append(f"{phase.name}, call {point}: {problem}")
        tell(f"{swept.name}: {swept.total} points, {len(swept.wrong)} wrong")
        done.append(swept)
    return done


def _kill_once(phase: Phase, point: Point, own: int) -> str:
    with running() as lab:
        states, image = _stand(lab, phase)
        killer = Killer(*point)
        try:
            with killer.watching():
                phase.run(lab.context(), states, image)
        except KilledError:
            pass
        else:
            return "the run was not killed"
        try:
            phase.run(lab.context(), states, image)
        except Exception as error:
            return f"the second run failed: {type(error).__name__}: {error}"
        if _rows(lab) - own != phase.objects:
            return f"{_rows(lab) - own} objects, not {phase.objects}"
        if phase.objects and make(lab.context(), states, image, later=phase.name == "change"):
            return "a third run still changes something"
    return ""

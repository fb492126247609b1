"""The stack's AWS part made by the lab's plugin in process: Pulumi's mocks call its handlers, which call moto."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor

from daiku.lab.aws.kinds.base import Cloud
from daiku.lab.aws.plugin import PLUGIN
from daiku.lab.aws.server import CONNECT_REGION, HostedInterface
from daiku.plan.model import Plan
from daiku.provider.checking import accept
from daiku.provider.diffing import Difference, diff
from daiku.provider.fields import Props
from daiku.provider.handler import Handler, Hint
from daiku.stacks.program import declare
from daiku.wire.aws import Aws
from tests.stacks.recorder import Recorder, inputs

HANDLERS = {handler.type.name: handler for handler in PLUGIN.handlers}


class NoInterrupt:
    def wait(self, seconds: float) -> None:
        del seconds


@cache
def api(region: str) -> Aws:
    """moto in process. Clients know nothing of what was made with them, and take long to make."""
    return Aws(region, access_key="lab", secret_key="lab", attempts=1)


def cloud(region: str = "ap-northeast-1") -> Cloud:
    """Handlers' context over moto in process."""
    return Cloud(region=region, connect=api, interrupt=NoInterrupt())


def waiting_interface(plan: Plan) -> None:
    """What Sakura does before: the hosted interface waits in the account."""
    from daiku.lab.aws import direct_connect, route_propagation

    assert plan.aws is not None
    direct_connect.install()
    route_propagation.install()
    hosted = HostedInterface.of_plan(plan.aws)
    values = {name: getattr(hosted, name) for name in HostedInterface.__slots__}
    direct_connect.seed_interface(CONNECT_REGION, direct_connect.Interface(**values))


@dataclass
class Resource:
    type: str
    name: str
    id: str
    inputs: Props
    state: Props

    @property
    def handler(self) -> Handler[Cloud]:
        return HANDLERS[self.type]

    def difference(self, live: Props) -> Difference:
        return diff(self.handler.type, live, self.inputs)


@dataclass
class LittleEngine(Recorder):
    """Makes every AWS resource of the program in the order of its dependencies."""

    cloud: Cloud = field(default_factory=cloud)
    made: list[Resource] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        handler = HANDLERS.get(args.typ)
        if handler is None:
            return super().new_resource(args)
        given, failures = accept(handler.type.inputs, dict(args.inputs), {})
        if failures:
            self.failed.append(f"{args.typ} {args.name}: {failures}")
            return super().new_resource(args)
        with self.lock:
            ident, state = handler.create(self.cloud, Hint(f"urn:{args.typ}::{args.name}", args.name), given)
            self.made.append(Resource(args.typ, args.name, ident, given, state))
        return ident, state

    def of_type(self, ending: str) -> list[Resource]:
        return [r for r in self.made if r.type.endswith(ending)]


def make_all(plan: Plan) -> LittleEngine:
    """Run the program; its AWS resources are made in moto."""
    engine = LittleEngine()
    pulumi.runtime.set_mocks(
        engine, project="daiku", stack="test", preview=False, monitor=MockMonitor(engine)
    )
    pulumi.runtime.test(lambda: declare(inputs(plan)))()
    assert engine.failed == []
    return engine


def remove_all(engine: LittleEngine) -> None:
    for resource in reversed(engine.made):
        resource.handler.delete(engine.cloud, resource.id, resource.state)

"""Pulumi's mocks: every registration is kept, and the provider's answers are made up by simple rules."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.mocks import MockMonitor

from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.spec.load import load, parse
from daiku.stacks import program
from daiku.stacks.inputs import Inputs, gather

EXAMPLE = Path(__file__).parents[2] / "examples" / "ishikari" / "cluster.yaml"
DEPLOY_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPIs9wrS6zitUAiGCAG9e1XLCzwv2CPr4AsomraU7Beu"
SECRET = "the-peer-secret-key"
ENVIRON = {"DAIKU_AWS_CONNECT_SECRET": SECRET}
SECRET_MARK = "4dabf18193072939515e22adb298388d"


@dataclass(frozen=True, slots=True)
class Registered:
    """One resource as the engine would get it."""

    type: str
    name: str
    inputs: dict[str, Any]
    provider: str
    parent: str
    custom: bool
    ignored: tuple[str, ...]
    after: tuple[str, ...]


@dataclass
class Recorder(pulumi.runtime.Mocks):
    """`found` are the registrations in order; `calls` the look-ups."""

    found: list[Registered] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", {**args.inputs, **self.outputs(args)}

    def outputs(self, args: pulumi.runtime.MockResourceArgs) -> dict[str, Any]:
        name = args.name
        made: dict[str, Any] = {"resourceId": f"{name}-rid", "arn": f"arn:{name}", "zoneId": f"{name}-zone"}
        if args.typ == "sakura:cloud:Internet":
            made |= {
                "switchId": "uplink-switch",
                "ipAddresses": ["203.0.113.4", "203.0.113.5", "203.0.113.6"],
            }
        if args.typ == "sakura:cloud:VpcRouter":
            made["publicIp"] = "203.0.113.4"
        if args.typ == "sakura:phy:PhyServer":
            made |= {
                "incarnation": f"{name}-1",
                "installedAt": "2026-11-20T00:00:00Z",
                "hostKey": f"ssh-ed25519 {name}",
            }
        if args.typ == "aws:lb/loadBalancer:LoadBalancer":
            made["dnsName"] = "users.elb.example"
        return made

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        self.calls.append((args.token, dict(args.args)))
        return {"id": "113000000001", "name": "Ubuntu", "sizeGb": 20, "tags": list(args.args["tags"])}, []

    def of(self, type_: str) -> list[Registered]:
        return [r for r in self.found if r.type == type_]

    def one(self, type_: str) -> Registered:
        found = self.of(type_)
        assert len(found) == 1, [r.name for r in found]
        return found[0]

    def named(self, type_: str, name: str) -> Registered:
        return next(r for r in self.of(type_) if r.name == name)


class Monitor(MockMonitor):
    """Pulumi's mocked engine; it also keeps what its own hook does not tell: parents and options."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__(recorder)
        self.recorder = recorder

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - the engine's name
        if request.type != "pulumi:pulumi:Stack":
            self.recorder.found.append(
                Registered(
                    type=request.type,
                    name=request.name,
                    inputs=MessageToDict(request.object),
                    provider=request.provider or next(iter(request.providers.values()), ""),
                    parent=request.parent,
                    custom=request.custom,
                    ignored=tuple(request.ignoreChanges),
                    after=tuple(sorted(request.dependencies)),
                )
            )
        return super().RegisterResource(request)


def play(body: Callable[[], None]) -> Recorder:
    """Run a program without an engine, to the end of all it started."""
    mocks = Recorder()
    # pulumi takes the thread's event loop, and a test before this one (asyncio.run) may have taken it away.
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        pulumi.runtime.set_mocks(mocks, project="daiku", stack="test", preview=False, monitor=Monitor(mocks))
        pulumi.runtime.test(body)()
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return mocks


def example(edit: Callable[[str], str] = lambda text: text) -> Plan:
    """The plan of the example, after an edit of its text."""
    return make(parse(edit(EXAMPLE.read_text()), "cluster.yaml")) if edit else make(load(EXAMPLE))


def inputs(plan: Plan, environ: dict[str, str] | None = None) -> Inputs:
    return gather(plan, DEPLOY_KEY, ENVIRON | (environ or {}), key_file=Path("/keys/deploy"))


def declared(
    monkeypatch: pytest.MonkeyPatch, plan: Plan, environ: dict[str, str] | None = None
) -> tuple[Recorder, dict[str, Any]]:
    """The whole program over mocks: what it registered, and its `facts` output."""
    exported: dict[str, Any] = {}

    def keep(name: str, value: pulumi.Output[Any]) -> None:
        value.apply(lambda plain: exported.__setitem__(name, plain))

    monkeypatch.setattr(program.pulumi, "export", keep)
    recorder = play(lambda: program.declare(inputs(plan, environ)))
    return recorder, exported["facts"]

"""The gRPC face of a plugin, and the process that it is.

Errors reach the engine as one short text. Where a thing was made but not finished, the engine's own detail goes
with it, so that the state keeps the thing.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime._grpc_settings import _GRPC_CHANNEL_OPTIONS  # pyright: ignore[reportPrivateUsage]
from pulumi.runtime.proto import engine_pb2, engine_pb2_grpc, provider_pb2, provider_pb2_grpc, status_pb2

from daiku.errors import DaikuError
from daiku.provider.adapter.bridge import Bridge, HalfMadeError
from daiku.provider.handler import Plugin

C = TypeVar("C")

PARENT_CHECK_SECONDS = 1.0
GRACE_SECONDS = 10.0
"""How long calls may take to answer once they were told to stop: each says what it has made so far."""

_ANSWERED = (
    "GetSchema",
    "CheckConfig",
    "Configure",
    "Invoke",
    "Check",
    "Diff",
    "Create",
    "Read",
    "Update",
    "Delete",
    "Cancel",
    "GetPluginInfo",
)
_UNANSWERED = (
    "Handshake",
    "Parameterize",
    "Call",
    "Construct",
    "List",
    "Attach",
    "GetMapping",
    "GetMappings",
)


class Servicer(ProviderServicer):
    """The experimental server with its answers to errors replaced; the methods are set below the class."""

    async def DiffConfig(self, request: Any, context: Any) -> provider_pb2.DiffResponse:  # noqa: N802
        """New settings never replace the provider; the library's own answer would be wrong for a change."""
        return provider_pb2.DiffResponse()


def _answered(name: str) -> Any:
    inner = getattr(ProviderServicer, name)

    async def method(self: Servicer, request: Any, context: Any) -> Any:
        try:
            return await inner(self, request, context)
        except Exception as error:  # noqa: BLE001 (the edge: each error becomes one text)
            await _refuse(context, error)

    return method


def _unanswered(name: str) -> Any:
    async def method(self: Servicer, request: Any, context: Any) -> Any:  # noqa: ARG001
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, f"{name} is not implemented by this provider")

    return method


for _name in _ANSWERED:
    setattr(Servicer, _name, _answered(_name))
for _name in _UNANSWERED:
    setattr(Servicer, _name, _unanswered(_name))


async def _refuse(context: Any, error: Exception) -> NoReturn:
    """End the call with a text. The library wraps what was raised in another exception: it is its context."""
    cause = error.__context__ or error
    if not isinstance(cause, HalfMadeError):
        await context.abort(grpc.StatusCode.UNKNOWN, told(cause))
    assert isinstance(cause, HalfMadeError)
    text = told(cause.error)
    half_made = provider_pb2.ErrorResourceInitFailed(id=cause.made_id, properties=cause.state, reasons=[text])
    status = status_pb2.Status(code=grpc.StatusCode.UNKNOWN.value[0], message=text)
    status.details.add().Pack(half_made)
    details = ("grpc-status-details-bin", status.SerializeToString())
    await context.abort(grpc.StatusCode.UNKNOWN, text, trailing_metadata=(details,))
    raise AssertionError("abort raises")


def told(error: BaseException) -> str:
    """One short text for the engine. `[daiku-N]` at its end is the exit code that the error owns.

    A fault of the provider itself is named by its place only: its message might hold a secret.
    """
    if isinstance(error, DaikuError):
        hint = f"\n{error.hint}" if error.hint else ""
        return f"{error}{hint} [daiku-{error.exit_code}]"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"a fault in the provider itself: {type(error).__name__}{place} [daiku-1]"


class EngineLog:
    """Messages for the user, by way of the engine. Without one, or when it does not answer, they are dropped."""

    def __init__(self, address: str) -> None:
        self._stub: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        if address:
            channel = grpc.aio.insecure_channel(address, options=_GRPC_CHANNEL_OPTIONS)
            self._stub = engine_pb2_grpc.EngineStub(channel)

    def __call__(self, urn: str, text: str) -> None:
        if self._stub is not None:
            task = asyncio.get_running_loop().create_task(self._send(urn, text))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _send(self, urn: str, text: str) -> None:
        request = engine_pb2.LogRequest(severity=engine_pb2.INFO, urn=urn, message=text)
        with contextlib.suppress(grpc.aio.AioRpcError):
            await self._stub.Log(request, timeout=5.0)


async def start(plugin: Plugin[C], engine: str) -> tuple[grpc.aio.Server, int, Bridge[C]]:
    """A running server on a free port of the loopback interface; `engine` is its address, "" for none."""
    bridge = Bridge(plugin, EngineLog(engine))
    server = grpc.aio.server(options=_GRPC_CHANNEL_OPTIONS)
    servicer = Servicer([], plugin.version, bridge, engine_address=engine)
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port, bridge


async def _serve(plugin: Plugin[C], engine: str) -> None:
    parent = os.getppid()
    server, port, bridge = await start(plugin, engine)
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()
    while not ended.is_set() and os.getppid() == parent:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ended.wait(), PARENT_CHECK_SECONDS)
    bridge.stop.set()
    await server.stop(GRACE_SECONDS)


def serve(plugin: Plugin[C], arguments: list[str]) -> None:
    """Run as a plugin: tell the port on standard output, answer until the engine ends or a signal comes.

    `arguments` are the process's: the engine's address is the one that is no option.
    """
    engine = next((argument for argument in arguments if not argument.startswith("-")), "")
    asyncio.run(_serve(plugin, engine))
    os._exit(0)  # a handler that still waits for an answer of the network must not keep the process alive

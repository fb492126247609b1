"""Answers the engine's questions from the tables, and sends the work to the handlers."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

from google.protobuf.struct_pb2 import Struct
from pulumi.provider.experimental import provider as pp
from pulumi.provider.experimental.property_value import PropertyValue

from daiku.errors import DaikuError
from daiku.provider.adapter.values import marks, plains, secret_names
from daiku.provider.checking import accept, is_known, load
from daiku.provider.diffing import Difference, FieldChange, Kind, diff, foresee
from daiku.provider.fields import Change, Failure, Props, ResourceType
from daiku.provider.handler import CancelledError, Handler, Hint, IncompleteError, Plugin

C = TypeVar("C")
T = TypeVar("T")

THREADS = 64
_ENGINE_SETTINGS = frozenset({"version", "pluginDownloadURL"})


class Stop:
    """The engine's cancel, as handlers see it."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        self._event.set()

    def wait(self, seconds: float) -> None:
        if self._event.wait(seconds):
            raise CancelledError("stopped", hint="run the same command again: it goes on from here")


class HalfMadeError(Exception):
    """An `IncompleteError` as the engine takes it: the ID and the state with its secrets marked."""

    def __init__(self, made_id: str, state: Struct, error: IncompleteError) -> None:
        super().__init__()
        self.made_id = made_id
        self.state = state
        self.error = error


class Bridge(pp.Provider, Generic[C]):
    """Answers the engine's questions from the tables, and sends the work to the handlers."""

    def __init__(self, plugin: Plugin[C], log: Callable[[str, str], None]) -> None:
        self._plugin = plugin
        self._log = log
        self._handlers = {handler.type.name: handler for handler in plugin.handlers}
        self._functions = {function.type.name: function for function in plugin.functions}
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="handler")
        self._settings: Props = {}
        self._context: C | None = None
        self.stop = Stop()

    async def get_schema(self, request: pp.GetSchemaRequest) -> pp.GetSchemaResponse:
        return pp.GetSchemaResponse(self._plugin.schema())

    async def check_config(self, request: pp.CheckRequest) -> pp.CheckResponse:
        given = {k: v for k, v in plains(request.new_inputs).items() if k not in _ENGINE_SETTINGS}
        _, failures = accept(self._plugin.config, given, {})
        return pp.CheckResponse(request.new_inputs, _failures(failures))

    async def configure(self, request: pp.ConfigureRequest) -> pp.ConfigureResponse:
        known = {field.name for field in self._plugin.config}
        given = {k: v for k, v in plains(request.args).items() if k in known and v not in (None, "")}
        settings, failures = accept(self._plugin.config, {**self._plugin.defaults(given), **given}, {})
        if failures:
            raise DaikuError(f"the setting {failures[0].path} {failures[0].reason}")
        self._settings = settings
        if is_known(settings):
            self._context = await self._work(self._plugin.configure, settings, self.stop)
        return pp.ConfigureResponse(accept_secrets=True, supports_preview=True)

    async def check(self, request: pp.CheckRequest) -> pp.CheckResponse:
        handler = self._handler(request.type)
        inputs, failures = accept(handler.type.inputs, plains(request.new_inputs), self._settings)
        if not failures and is_known(inputs):
            failures = handler.check(inputs)
        secrets = secret_names(request.new_inputs)
        return pp.CheckResponse(marks(handler.type.inputs, inputs, secrets), _failures(failures))

    async def diff(self, request: pp.DiffRequest) -> pp.DiffResponse:
        resource = self._handler(request.type).type
        olds = load(resource.fields, plains(request.old_state))
        difference = diff(resource, olds, load(resource.fields, plains(request.new_inputs)))
        self._explain(request.urn, difference)
        return pp.DiffResponse(
            changes=bool(difference.changes),
            replaces=list(difference.replaces),
            delete_before_replace=resource.delete_before_replace,
            diffs=sorted(difference.roots),
            detailed_diff={c.path: pp.PropertyDiff(_kind(c), False) for c in difference.changes},
        )

    async def create(self, request: pp.CreateRequest) -> pp.CreateResponse:
        handler = self._handler(request.type)
        inputs = load(handler.type.fields, plains(request.properties))
        secrets = secret_names(request.properties)
        if request.preview:
            state = foresee(handler.type, None, inputs)
            return pp.CreateResponse(None, marks(handler.type.fields, state, secrets))
        hint = Hint(request.urn, request.name)
        with _half_made(handler.type, secrets):
            made_id, state = await self._work(handler.create, self._ready(), hint, inputs)
        return pp.CreateResponse(made_id, marks(handler.type.fields, state, secrets))

    async def read(self, request: pp.ReadRequest) -> pp.ReadResponse:
        handler = self._handler(request.type)
        olds = load(handler.type.fields, plains(request.properties))
        state = await self._work(handler.read, self._ready(), request.resource_id, olds)
        if state is None:
            return pp.ReadResponse()
        secrets = secret_names(request.properties, request.inputs)
        return pp.ReadResponse(
            request.resource_id,
            marks(handler.type.fields, state, secrets),
            marks(handler.type.inputs, state, secrets),
        )

    async def update(self, request: pp.UpdateRequest) -> pp.UpdateResponse:
        handler = self._handler(request.type)
        olds = load(handler.type.fields, plains(request.olds))
        news = load(handler.type.fields, plains(request.news))
        secrets = secret_names(request.news)
        if request.preview:
            return pp.UpdateResponse(marks(handler.type.fields, foresee(handler.type, olds, news), secrets))
        hint = Hint(request.urn, request.name)
        with _half_made(handler.type, secrets):
            state = await self._work(handler.update, self._ready(), hint, request.resource_id, olds, news)
        return pp.UpdateResponse(marks(handler.type.fields, state, secrets))

    async def delete(self, request: pp.DeleteRequest) -> None:
        handler = self._handler(request.type)
        state = load(handler.type.fields, plains(request.properties))
        await self._work(handler.delete, self._ready(), request.resource_id, state)

    async def invoke(self, request: pp.InvokeRequest) -> pp.InvokeResponse:
        function = self._functions.get(request.tok)
        if function is None:
            raise DaikuError(f"there is no function {request.tok}")
        inputs, failures = accept(function.type.inputs, plains(request.args), self._settings)
        if failures:
            return pp.InvokeResponse(failures=_failures(failures))
        answer = await self._work(function.invoke, self._ready(), inputs)
        return pp.InvokeResponse(marks(function.type.outputs, answer, frozenset()))

    async def cancel(self) -> None:
        self.stop.set()

    async def _work(self, call: Callable[..., T], *args: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, call, *args)

    def _handler(self, name: str) -> Handler[C]:
        # The type comes from the URN, where a child's follows its parents' ("a:b:C$sakura:cloud:Switch").
        handler = self._handlers.get(name.rpartition("$")[2])
        if handler is None:
            raise DaikuError(f"there is no resource type {name}")
        return handler

    def _ready(self) -> C:
        if self._context is None:
            raise DaikuError("the provider's settings are not known yet")
        return self._context

    def _explain(self, urn: str, difference: Difference) -> None:
        """Tell the user what the update does to the running thing, where that is more than nothing."""
        for change in difference.changes:
            if change.change > Change.LIVE:
                self._log(urn, str(change))


@contextlib.contextmanager
def _half_made(resource: ResourceType, secrets: frozenset[str]):
    """Turn an `IncompleteError` into what the engine takes."""
    try:
        yield
    except IncompleteError as error:
        state = PropertyValue.marshal_map(marks(resource.fields, error.state, secrets))
        raise HalfMadeError(error.made_id, state, error) from error


def _failures(failures: Iterable[Failure]) -> list[pp.CheckFailure]:
    return [pp.CheckFailure(f.path, f"{f.path} {f.reason}") for f in failures]


def _kind(change: FieldChange) -> pp.PropertyDiffKind:
    replace = change.change is Change.REPLACE
    if change.kind is Kind.ADD:
        return pp.PropertyDiffKind.ADD_REPLACE if replace else pp.PropertyDiffKind.ADD
    if change.kind is Kind.DELETE:
        return pp.PropertyDiffKind.DELETE_REPLACE if replace else pp.PropertyDiffKind.DELETE
    return pp.PropertyDiffKind.UPDATE_REPLACE if replace else pp.PropertyDiffKind.UPDATE

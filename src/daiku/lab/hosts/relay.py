"""TCP relays between network namespaces: port forwardings of routers, virtual addresses of balancers.

One thread with one event loop serves them all. A socket belongs to the namespace in which it was made, whoever uses
it later; so a listener of this machine and a connection inside a router's namespace meet in one process.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

from daiku.errors import LabError
from daiku.lab.hosts.guest.syscalls import network_namespace

_CONNECT_SECONDS = 10.0
_CHUNK = 1 << 16
T = TypeVar("T")


@dataclass(slots=True)
class Target:
    """Where one accepted connection goes: address and port, as seen from the namespace behind `namespace`.

    `source` is the address that it comes from ("" lets the kernel choose). `connections` counts the open ones.
    """

    namespace: int
    address: str
    port: int
    source: str = ""
    connections: int = 0


@dataclass(slots=True)
class _Door:
    server: asyncio.Server
    pick: Callable[[], Target | None]
    tasks: set[asyncio.Task[None]] = field(default_factory=set["asyncio.Task[None]"])


class Relays:
    """Listeners by key; each asks its `pick` for a target whenever somebody connects."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._doors: dict[tuple[str, str, int], _Door] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._thread.start()

    def run(self, work: Awaitable[T]) -> T:
        """Run a coroutine on the relays' loop and wait for its result."""

        async def body() -> T:
            return await work

        return asyncio.run_coroutine_threadsafe(body(), self._loop).result()

    def task(self, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Start a coroutine on the relays' loop; cancel it with `cancel`."""

        async def body() -> None:
            await work()

        async def start() -> asyncio.Task[None]:
            return asyncio.create_task(body())

        return self.run(start())

    def cancel(self, task: asyncio.Task[None]) -> None:
        self._loop.call_soon_threadsafe(task.cancel)

    def doors(self) -> set[tuple[str, str, int]]:
        """Keys of everything that listens."""
        return set(self._doors)

    def open(self, key: tuple[str, str, int], namespace: int, pick: Callable[[], Target | None]) -> None:
        """Listen on `key`'s (owner, address, port) inside a namespace. An open door only gets the new `pick`.

        Raises LabError when the address cannot be had.
        """
        if key in self._doors:
            self._doors[key].pick = pick
            return
        _, address, port = key
        with network_namespace(namespace):
            listener = _new_socket()
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((address, port))
            listener.listen(512)
        except OSError as error:
            listener.close()
            raise LabError(
                f"cannot listen on {address}:{port}: {error.strerror}",
                hint="is another lab running? daiku lab status",
            ) from error
        self.run(self._serve(key, listener, pick))

    def close(self, key: tuple[str, str, int]) -> None:
        """Stop listening and cut the connections that came through this door."""

        async def body() -> None:
            door = self._doors.pop(key)
            door.server.close()
            for task in door.tasks:
                task.cancel()

        self.run(body())

    async def _serve(
        self, key: tuple[str, str, int], listener: socket.socket, pick: Callable[[], Target | None]
    ) -> None:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            door = self._doors[key]
            task = asyncio.current_task()
            assert task
            door.tasks.add(task)
            try:
                await _relay(door.pick(), reader, writer)
            except asyncio.CancelledError:
                writer.transport.abort()
            finally:
                door.tasks.discard(task)

        server = await asyncio.start_server(accept, sock=listener)
        self._doors[key] = _Door(server, pick)


def connect_socket(target: Target) -> socket.socket:
    """A socket made inside the target's namespace, not connected yet."""
    with network_namespace(target.namespace):
        outgoing = _new_socket()
    outgoing.setblocking(False)
    if target.source:
        outgoing.bind((target.source, 0))
    return outgoing


def _new_socket() -> socket.socket:
    """A TCP socket that names its protocol: asyncio sets TCP_NODELAY only on such (accepted ones inherit it), and
    without it every small answer would wait 40 ms for an acknowledgement."""
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)


async def open_connection(
    target: Target, patience: float
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Connect to the target. Raises OSError or TimeoutError."""
    outgoing = connect_socket(target)
    try:
        loop = asyncio.get_running_loop()
        await asyncio.wait_for(loop.sock_connect(outgoing, (target.address, target.port)), patience)
        return await asyncio.open_connection(sock=outgoing)
    except BaseException:
        outgoing.close()
        raise


async def _relay(target: Target | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    if target is None:
        _reset(writer)
        return
    try:
        far_reader, far_writer = await open_connection(target, _CONNECT_SECONDS)
    except (OSError, TimeoutError):
        _reset(writer)
        return
    target.connections += 1
    try:
        await asyncio.gather(_copy(reader, far_writer), _copy(far_reader, writer))
    except OSError:  # one side was reset: so is the other
        _reset(writer)
        _reset(far_writer)
    except asyncio.CancelledError:
        far_writer.transport.abort()
        raise
    finally:
        target.connections -= 1
        for side in (writer, far_writer):
            side.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Carry one direction until its end; the end of data is passed on while the other direction goes on."""
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with RST, as a closed port would."""
    peer: socket.socket | None = writer.get_extra_info("socket")
    if peer is not None:
        with contextlib.suppress(OSError):
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()

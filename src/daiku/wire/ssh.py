"""SSH to one host: paramiko on a socket that we open ourselves.

paramiko leaves Nagle's algorithm on, which costs 40 ms a command; our socket has TCP_NODELAY. Only Ed25519 host keys
are accepted, no agent and no key of the user's home is asked unless a Login says so, and every wait has an end.

A host whose key is not pinned yet is trusted on first use: its key is pinned once it has let our key in. A host that
shows another key than the pinned one is an error, and the pin stays as it was.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import paramiko
from paramiko.ssh_exception import IncompatiblePeer

from daiku.errors import HostAuthError, HostError, HostKeyError, HostUnreachableError
from daiku.wire.ssh_dial import dial, route_text
from daiku.wire.ssh_login import Login, named
from daiku.wire.ssh_stream import BREAK_SECONDS, Stream
from daiku.wire.ssh_transport import Pipe, Transport, words_of
from daiku.wire.ssh_types import Endpoint, HostKeys, Result, fingerprint

KEEPALIVE_SECONDS = 10
CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes256-ctr")
MACS = ("hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256", "hmac-sha2-512")

# Without a handler Python prints paramiko's errors, tracebacks and all, to stderr; we raise them in our own words.
logging.getLogger("paramiko").addHandler(logging.NullHandler())


class Closable(Protocol):
    """What a session can own. It may be closed more than once."""

    def close(self) -> None:
        """Give it back."""
        ...


class Session:
    """One authenticated connection. Safe to share between threads: each `run` or `open` has a channel of its own.

    `channels` counts the channels opened so far: the commands run and the hosts reached through this one.
    """

    def __init__(
        self,
        name: str,
        endpoint: Endpoint,
        transport: Transport,
        route: str,
        key: str,
    ) -> None:
        self.name = name
        self.endpoint = endpoint
        self.host_key = key
        """The host's public key: `ssh-ed25519 AAAA...`."""
        self.route = route
        """Address and way, for messages: `10.10.0.11:22 via mgmt-0`."""
        self.channels = 0
        self._transport = transport
        self._below: Sequence[Closable] = ()
        self._lock = threading.Lock()

    @property
    def alive(self) -> bool:
        """False once the connection is known to be lost or closed."""
        return bool(self._transport.is_active())

    def lost(self) -> bool:
        """Whether the connection is lost, asked after something on it went wrong: paramiko ends the channels of a
        broken connection a moment before it marks the connection."""
        if self.alive:
            self._transport.join(BREAK_SECONDS)
        return not self.alive

    def open(self, command: str, *, timeout: float = 30.0) -> Stream:
        """Start `command` (text for the login's shell) and return its streams; `timeout` is for the start alone.

        Raises HostUnreachableError when the connection is lost or the host does not answer in time, and HostError when
        it opens no more sessions or runs no commands.
        """
        self._count()
        # paramiko waits for the answer to "exec" without an end, so a timer ends the connection instead.
        watchdog = threading.Timer(timeout, self._transport.close)
        watchdog.daemon = True
        watchdog.start()
        try:
            channel = self._transport.open_session(timeout=timeout)
            self._start(channel, command)
        except paramiko.ChannelException as error:
            raise HostError(
                f"the SSH server opens no more sessions: {error.text or error.code}",
                host=self.name,
                step="open",
                hint="raise MaxSessions in the host's sshd_config, or lower the number of hosts at a time",
            ) from error
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HostUnreachableError(
                f"connection to {self.route} lost, or no answer within {timeout:g} s{_said(self._transport)}",
                host=self.name,
                step="open",
                hint="run the same command again: it goes on where it was",
            ) from error
        finally:
            watchdog.cancel()
        return Stream(channel, self.name, self.route)

    def _start(self, channel: paramiko.Channel, command: str) -> None:
        """Run `command` in a channel. What closes the channel alone is told apart from a lost connection."""
        try:
            channel.exec_command(command)
        except paramiko.SSHException as error:
            # A server may tell the end of a short command before it tells that the command was begun.
            if channel.exit_status >= 0:
                return
            if self.lost():
                raise
            raise HostError(
                "the SSH server runs no commands: it closed the session",
                host=self.name,
                step="open",
                hint="see that its sshd_config forces no other command and that the account has a login shell",
            ) from error

    def run(self, command: str, stdin: bytes = b"", timeout: float | None = None) -> Result:
        """Run `command`, feed it `stdin`, and wait for its end; at most `timeout` seconds if given.

        Raises HostUnreachableError when the connection is lost or the time is over. A non-zero exit status is a
        Result like any other; it is -1 for a command that was killed by a signal.
        """
        with self.open(command) as stream:
            return stream.communicate(stdin, timeout)

    def forward(self, host: str, port: int, timeout: float) -> Pipe:
        """A TCP connection made by this host to another one (direct-tcpip). Raises paramiko's own errors."""
        self._count()
        channel = self._transport.open_channel(
            "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=timeout
        )
        return Pipe(channel)

    def close(self) -> None:
        """End the connection; a second time does nothing."""
        self._transport.close()
        below, self._below = self._below, ()
        for part in reversed(below):
            part.close()

    def owns(self, way: Sequence[Closable]) -> Self:
        """This session, which closes what its way consists of when it is closed: the last part first."""
        self._below = (*self._below, *way)
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _count(self) -> None:
        with self._lock:
            self.channels += 1


def connect(
    name: str,
    endpoint: Endpoint,
    *,
    key_file: Path | Login,
    jump: Session | None = None,
    host_keys: HostKeys,
    timeout: float = 15.0,
    on_connect: Callable[[str, Endpoint], None] | None = None,
) -> Session:
    """Log in to host `name` at `endpoint`, through `jump` if given, with the private key in `key_file` or as it says.

    Without `jump` the way leads through the bastions of a Login, each reached through the one before; they are closed
    with the session. `timeout` (seconds) holds for each stage: TCP, banner, key exchange, authentication.
    `on_connect` is told of every connection made: benchmarks count with it.
    Raises HostUnreachableError, HostKeyError, HostAuthError, and StateError for a key file or agent that cannot be
    used.
    """
    login = Login.of(key_file)
    way: list[Session] = []
    with login.keys() as keys:
        try:
            for gate in login.via if jump is None else ():
                pin = f"{gate.user}@{gate.host}:{gate.port}"
                jump = _connect(pin, gate, keys, jump, host_keys, timeout, on_connect)
                way.append(jump)
            return _connect(name, endpoint, keys, jump, host_keys, timeout, on_connect).owns(way)
        except BaseException:
            for session in reversed(way):
                session.close()
            raise


def _connect(
    name: str,
    endpoint: Endpoint,
    keys: list[paramiko.PKey],
    jump: Session | None,
    host_keys: HostKeys,
    timeout: float,
    on_connect: Callable[[str, Endpoint], None] | None,
) -> Session:
    route = route_text(endpoint, jump)
    transport = Transport(dial(name, endpoint, jump, timeout))
    try:
        _exchange_keys(transport, name, route, timeout)
        shown = _key_text(transport.get_remote_server_key())
        _check_pin(name, shown, host_keys, route)
        _authenticate(transport, name, endpoint.user, keys, route, timeout)
        if host_keys.pinned(name) is None:
            host_keys.pin(name, shown)
    except BaseException:
        transport.close()
        raise
    transport.set_keepalive(KEEPALIVE_SECONDS)
    if on_connect is not None:
        on_connect(name, endpoint)
    return Session(name, endpoint, transport, route, shown)


def _exchange_keys(transport: Transport, name: str, route: str, timeout: float) -> None:
    # The time of start_client, below, ends first: it alone is told as such.
    transport.banner_timeout = transport.handshake_timeout = 2 * timeout
    transport.auth_timeout = timeout
    transport.channel_timeout = timeout
    options = transport.get_security_options()
    options.key_types = ("ssh-ed25519",)
    options.ciphers = CIPHERS
    options.digests = MACS
    try:
        transport.start_client(timeout=timeout)
    except IncompatiblePeer as error:
        raise HostUnreachableError(
            f"{route} has no algorithm in common with us: {error}",
            host=name,
            step="connect",
            hint="the host needs an Ed25519 host key: run `ssh-keygen -A` on it",
        ) from error
    except (paramiko.SSHException, OSError, EOFError) as error:
        what = f"the SSH server ended the key exchange: {str(error) or 'connection closed'}"
        if not transport.remote_version:
            what = f"no SSH server answers: {error}"
        raise _no_ssh(name, route, what, transport) from error
    if not transport.initial_kex_done:  # start_client returns silently when the time is over
        what = (
            "the SSH server did not finish the key exchange"
            if transport.remote_version
            else "no SSH server answers"
        )
        raise _no_ssh(name, route, f"{what} within {timeout:g} s", transport)


def _no_ssh(name: str, route: str, message: str, transport: Transport) -> HostUnreachableError:
    hint = "see that sshd runs on the host and that the address is its own; a host that boots needs a minute"
    if transport.said:
        hint = (
            "see that the address is the host's own, and what its sshd logged; where that lets no more in "
            "(MaxStartups), run the same command again"
        )
    return HostUnreachableError(
        f"{route}: {words_of(message)}{_said(transport)}", host=name, step="connect", hint=hint
    )


def _said(transport: Transport) -> str:
    return f"; it said: {transport.said}" if transport.said else ""


def _check_pin(name: str, shown: str, host_keys: HostKeys, route: str) -> None:
    pinned = host_keys.pinned(name)
    if pinned is None or pinned == shown:
        return
    raise HostKeyError(
        f"{route} shows another host key: pinned {fingerprint(pinned)}, shown {fingerprint(shown)}",
        host=name,
        step="host key",
        hint=f"if the host was reinstalled outside daiku, accept its new key with `daiku node trust {name}`; "
        "else somebody may stand between you and the host",
    )


def _authenticate(
    transport: Transport, name: str, user: str, keys: list[paramiko.PKey], route: str, timeout: float
) -> None:
    for key in keys:
        done = threading.Event()
        try:
            transport.auth_publickey(user, key, done)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise _no_ssh(name, route, f"connection lost before the log-in: {error}", transport) from error
        if not done.wait(timeout):
            raise _no_ssh(
                name, route, f"the SSH server did not answer the log-in within {timeout:g} s", transport
            )
        if transport.is_authenticated():
            return
        if not transport.is_active():
            raise _no_ssh(name, route, "the SSH server closed the connection during the log-in", transport)
    refused = f"our key {named(keys)}" if len(keys) == 1 else f"each of our keys {named(keys)}"
    raise HostAuthError(
        f"{route} refuses {refused} for the account {user!r}",
        host=name,
        step="log-in",
        hint="the key must stand in the account's authorized_keys: it is put there when the disk is written or the "
        "OS installed, so a host made with another key has to be given this one by hand or reinstalled",
    )


def _key_text(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.get_base64()}"

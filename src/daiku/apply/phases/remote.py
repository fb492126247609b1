"""Asking the host's part of bring-up, over an SSH session that stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from daiku.apply.conversation import SILENCE_SECONDS
from daiku.apply.payload import packed_program
from daiku.apply.phases.facts import HostFacts
from daiku.apply.phases.host.main import MARK
from daiku.errors import HostError
from daiku.render.host_kubernetes import API_PORT
from daiku.wire.ssh import Session
from daiku.wire.ssh_python import python_command

PACKAGE = "daiku.apply.phases.host"
START = f"{PACKAGE}.main"
NOISE_LIMIT = 1 << 18
SHOWN_LINES = 12

OnLine = Callable[[str], None]
"""Called with kubeadm's own lines as they come: `[etcd] Creating static Pod manifest ...`."""


@dataclass(frozen=True, slots=True)
class Kubeadm:
    """A call of kubeadm. `files` (name: content) lie in the host's memory while it works; `limit`: seconds without
    a word of kubeadm's after which it is ended.

    `carry` says when the host carries the load balancer's addresses `vips`: `before` kubeadm, when its own API server
    is `ready`, `never`, or `as-is`. `secrets` are taken out of what is told. `wipe`: folders emptied after a success.
    """

    arguments: tuple[str, ...]
    limit: float
    files: Mapping[str, str] | None = None
    vips: tuple[str, ...] = ()
    carry: str = "as-is"
    secrets: tuple[str, ...] = ()
    wipe: tuple[str, ...] = ()


def look(session: Session, address: str) -> HostFacts:
    """The live facts of the host; `address` is its own on the node network. HostError."""
    return HostFacts.of(ask(session, {"operation": "look", "address": address, "port": API_PORT}))


def kubeadm(
    session: Session,
    address: str,
    call: Kubeadm,
    step: str,
    *,
    again: str,
    on_line: OnLine = lambda _line: None,
) -> None:
    """Run it. HostError with its last lines; `again` is the command that goes on."""
    request = {
        "operation": "kubeadm",
        "arguments": list(call.arguments),
        "files": dict(call.files or {}),
        "limit": call.limit,
        "vips": list(call.vips),
        "carry": call.carry,
        "address": address,
        "port": API_PORT,
        "wipe": list(call.wipe),
    }
    answer = ask(session, request, on_line)
    if answer["busy"]:
        raise HostError(
            "another kubeadm works on it", host=session.name, step=step, hint=f"wait, then run: {again}"
        )
    if answer["status"] == 0 and not answer["timed_out"]:
        return
    last = "\n".join(f"  {line}" for line in telling(answer["last"], call.secrets))
    what = (
        f"said nothing for {call.limit:g} s"
        if answer["timed_out"]
        else f"ended with status {answer['status']}"
    )
    words = f"`kubeadm {' '.join(call.arguments[:2])}` {what}"
    raise HostError(
        f"{words}; its last lines:\n{last}" if last else words,
        host=session.name,
        step=step,
        hint=f"mend the cause on {session.name}, then go on with: {again}",
    )


def forget_member(session: Session, member: str, step: str) -> None:
    """Take a member out of etcd, asked through this control plane. HostError."""
    failure = ask(session, {"operation": "forget-member", "member": member})["failure"]
    if failure:
        raise HostError(
            f"etcd does not give up its member {member}: {failure}",
            host=session.name,
            step=step,
            hint="etcd needs more than half of its members for this: see `daiku status`",
        )


def restart_kubelet(session: Session, step: str) -> None:
    """HostError when it does not run afterwards."""
    answer = ask(session, {"operation": "restart-kubelet"})
    if answer["status"] != 0:
        raise HostError(
            f"the kubelet cannot be restarted: it is {answer['state'] or 'not there'}",
            host=session.name,
            step=step,
            hint="`journalctl -u kubelet` on the host tells why",
        )


def read(session: Session, path: str) -> str:
    """A text file of the host's, "" when it is not there. It goes to memory and nowhere else."""
    return str(ask(session, {"operation": "read", "path": path})["text"])


def ask(session: Session, request: Mapping[str, Any], on_line: OnLine = lambda _line: None) -> dict[str, Any]:
    """The last answer to a request. HostUnreachableError: lost, or silent; HostError: no Python, or it failed."""
    buffer = bytearray()
    with session.open(python_command(session.endpoint.user)) as stream:
        stream.write(
            packed_program(PACKAGE, START) + json.dumps(dict(request)).encode() + b"\n", SILENCE_SECONDS
        )

        def more() -> None:
            data = stream.read(timeout=SILENCE_SECONDS)
            if not data or len(buffer) > NOISE_LIMIT:
                raise _broken(session, stream.stderr())
            buffer.extend(data)

        while (place := buffer.find(MARK)) < 0:
            more()
        del buffer[: place + len(MARK)]
        while True:
            while (end := buffer.find(b"\n")) < 0:
                more()
            message = _message(bytes(buffer[:end]))
            if message is None:
                raise _broken(session, buffer[:end])
            del buffer[: end + 1]
            if "done" in message:
                return cast("dict[str, Any]", message["done"])
            if "line" in message:
                on_line(str(message["line"]))


def _message(line: bytes) -> dict[str, Any] | None:
    """What a line says; None when it is none of ours: something else on the host writes to our answer."""
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return cast("dict[str, Any]", message) if isinstance(message, dict) else None


def telling(lines: Sequence[str], secrets: Sequence[str] = ()) -> list[str]:
    """Of kubeadm's last lines those that tell what went wrong, without the secrets."""
    for secret in secrets:
        lines = [line.replace(secret, "***") for line in lines]
    advice = next(
        (at for at, line in enumerate(lines) if line.startswith("To see the stack trace")), len(lines)
    )
    return [line[:300] for line in lines[:advice] if line.strip()][-SHOWN_LINES:]


def _broken(session: Session, said: bytes | bytearray) -> HostError:
    words = said.decode("utf-8", "replace").strip().splitlines()
    return HostError(
        f"its part of daiku ended without an answer{': ' + words[-1][:300] if words else ''}",
        host=session.name,
        step="kubernetes",
        hint=f"the host needs python3 (3.8 or newer), and {session.endpoint.user!r} sudo without a password",
    )

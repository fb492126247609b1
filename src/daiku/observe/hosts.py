"""What a host says of itself, in one round trip and without changing anything."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from daiku.errors import HostError
from daiku.wire.ssh import Session
from daiku.wire.ssh_python import python_command, python_input

READ_SECONDS = 30.0
MARK = b"\n--daiku-status-1--\n"


@dataclass(frozen=True, slots=True)
class HostStatus:
    """The live state of a host.

    `boot_id` changes with every boot; `uptime` is in seconds; `load` are the averages over 1, 5 and 15 minutes;
    `addresses` are pairs of interface and address with prefix length, without loopback's own and link-local ones,
    sorted. `bundle` is the digest of the bundle that the host was last brought to and `finished` when that was (its
    own UTC clock), "" when it never was; `unfinished` says that a run on it did not reach its end.
    """

    hostname: str
    boot_id: str
    uptime: float
    load: tuple[float, float, float]
    os: str
    kernel: str
    addresses: tuple[tuple[str, str], ...]
    bundle: str
    finished: str
    unfinished: bool


def read(session: Session, root: str = "/") -> HostStatus:
    """Ask the host behind `session`. `root`: a folder to take for the host's root, in rehearsals.

    Raises HostUnreachableError when the connection is lost, HostError when the host cannot run the question.
    """
    program = Path(__file__).with_name("probe.py").read_text()
    question = python_input(program) + json.dumps({"root": root, "mark": MARK.decode()}).encode() + b"\n"
    result = session.run(python_command(session.endpoint.user), question, READ_SECONDS)
    _, mark, answer = result.stdout.partition(MARK)
    if result.status != 0 or not mark:
        words = result.stderr.decode("utf-8", "replace").strip().splitlines() or ["no answer"]
        raise HostError(
            f"its state cannot be read: exit status {result.status}: {words[-1][:300]}",
            host=session.name,
            step="status",
            hint=f"the host needs python3 (3.8 or newer), and the account {session.endpoint.user!r} sudo without a "
            "password",
        )
    said = json.loads(answer)
    one, five, fifteen = said["load"]
    return HostStatus(
        hostname=said["hostname"],
        boot_id=said["boot_id"],
        uptime=said["uptime"],
        load=(one, five, fifteen),
        os=said["os"],
        kernel=said["kernel"],
        addresses=tuple(sorted((str(name), str(address)) for name, address in said["addresses"])),
        bundle=said["bundle"],
        finished=said["finished"],
        unfinished=said["unfinished"],
    )

"""One conversation: manifest in, survey out, and if the other side says so, the change and its report."""

from __future__ import annotations

import hashlib
import os
import sys
import zlib

from daiku.apply.helper import files, guard
from daiku.apply.helper.host import Host
from daiku.apply.helper.reboot import await_end, settled
from daiku.apply.helper.survey import survey
from daiku.apply.helper.wire import HelperError, Wire

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any


def converge(wire: Wire, manifest: dict[str, Any]) -> None:
    host = Host(manifest["root"], wire)
    if manifest["dry_run"]:
        wire.send(survey(host, manifest))
        return
    try:
        host.lock(manifest["lock_seconds"], lambda: guard.answer_for(host))
    except OSError as error:
        raise files.failure(error, host.base) from None
    await_end(host)
    if manifest["resumed"] and guard.was_restored(host):
        raise HelperError("network", guard.was_restored(host))
    for temporary in host.record("intent.json").get("staged", []):
        files.remove(temporary)
    found = survey(host, manifest)
    if not (found["changes"] or found["drift"] or found["due"]):
        if (
            found["unfinished"]
            or host.record(guard.RECORD)
            or found["receipt"]["bundle"] != manifest["bundle"]
        ):
            _receive_as_is(host, manifest)
            found["receipt"] = {key: host.record("receipt.json").get(key) for key in found["receipt"]}
        wire.send(found)
        return
    wire.send(found)
    answer = wire.receive()
    blobs: dict[str, bytes] = {}
    for sha256 in answer["blobs"]:
        blobs[sha256] = zlib.decompress(wire.receive())
        if hashlib.sha256(blobs[sha256]).hexdigest() != sha256:
            raise HelperError("protocol", f"content {sha256} arrived damaged")
    if set(found["needed"]) - set(blobs):
        raise HelperError("protocol", "a content that is needed was not sent")
    # Imported, and so compiled, only on a host that changes: an unchanged one pays for reading alone.
    from daiku.apply.helper.change import change_host

    change_host(host, manifest, found, blobs)


def _receive_as_is(host: Host, manifest: dict[str, Any]) -> None:
    """The machine is right already, but its receipt is not."""
    from daiku.apply.helper.change import write_receipt

    intent = settled(host, host.record("intent.json"))
    ran = intent.get("done", []) if manifest["resumed"] else []
    write_receipt(host, manifest, [], ran)


def converse(manifest: dict[str, Any]) -> None:
    """What the first look could not settle."""
    os.umask(0o022)
    sink = os.dup(1)
    os.dup2(2, 1)  # nothing but frames may reach the channel
    try:
        wire = Wire(sys.stdin.buffer, sink)
        wire.keep_beating()
        try:
            converge(wire, manifest)
        except HelperError as error:
            wire.send(error.answer)
        except OSError as error:
            wire.send(files.failure(error, error.filename or "/").answer)
    except EOFError:
        sys.exit(1)

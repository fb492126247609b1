# ruff: noqa: PTH105, PTH120
"""Changing: stage everything, note what is to come, make it live, run the triggers, write the receipt."""

from __future__ import annotations

import os
import signal
import time

from daiku.apply.helper import files, guard, reboot
from daiku.apply.helper.host import Host
from daiku.apply.helper.live import unmet
from daiku.apply.helper.packages import install
from daiku.apply.helper.survey import RENEWED
from daiku.apply.helper.trigger import run_trigger
from daiku.apply.helper.wire import HelperError

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

VERIFY_SECONDS = 10.0


def change_host(host: Host, manifest: dict[str, Any], found: dict[str, Any], blobs: dict[str, bytes]) -> None:
    """Carry out what the survey found, and report. `blobs` holds the needed contents by SHA-256."""
    before = reboot.settled(host, host.record("intent.json"))
    intent: dict[str, Any] = {
        "run": manifest["run"],
        "staged": [files.staged(host.at(change["path"])) for change in found["changes"]],
        "triggers": before.get("triggers", []),
        "ran": before.get("ran", {}),
        "done": before.get("done", []) if manifest["resumed"] else [],
    }
    try:
        host.write_record("intent.json", intent)
        guard.remember(host, manifest, found["due"])
        stage(host, manifest, found["changes"], blobs)
        intent["triggers"] = found["due"]
        host.write_record("intent.json", intent)
    except OSError as error:
        told = files.failure(error, error.filename or host.base)
        try:  # noqa: SIM105 - contextlib costs a host 2 ms to import
            discard(intent["staged"])
        except OSError:  # the next run removes them: they stand in the intent
            pass
        raise told from None
    # From here on the host changes, and to stop half way would be worse than to go on without a listener.
    host.wire.committed = True
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        commit(host, manifest, found["changes"])
    finally:
        discard(intent["staged"])
    host.wire.send({"kind": "event", "step": "files", "message": f"{len(found['changes'])} changed"})
    ran: list[dict[str, Any]] = intent["done"]
    due = [trigger for trigger in manifest["triggers"] if trigger["name"] in found["due"]]
    for trigger in due:
        if trigger.get("reboot"):
            continue
        host.wire.send({"kind": "event", "step": "trigger", "message": trigger["name"]})
        seconds = _run(host, trigger, manifest)
        ran.append({"name": trigger["name"], "seconds": round(seconds, 3)})
        intent["triggers"] = [name for name in intent["triggers"] if name != trigger["name"]]
        intent["ran"] = {**intent["ran"], trigger["name"]: trigger["input"]}
        host.write_record("intent.json", intent)
    if last := [trigger for trigger in due if trigger.get("reboot")]:
        reboot.restart(host, last, intent, manifest["trigger_seconds"])
    verify(host, manifest)
    write_receipt(host, manifest, [change["path"] for change in found["changes"]], ran)
    host.wire.send({"kind": "report", "ran": ran})


def _run(host: Host, trigger: dict[str, Any], manifest: dict[str, Any]) -> float:
    """Seconds that the trigger took."""
    if trigger.get("packages"):
        return install(host, trigger, manifest["trigger_seconds"])
    if trigger.get("guarded"):
        return guard.run_guarded(host, trigger, manifest["confirm_seconds"])
    return run_trigger(host, trigger, manifest["trigger_seconds"])


def verify(host: Host, manifest: dict[str, Any]) -> None:
    """Wait a moment until the running machine is as expected: networkd and services finish after their commands."""
    end = time.monotonic() + VERIFY_SECONDS
    while manifest["expectations"]:
        left = unmet(host.root, manifest["expectations"])
        if not left:
            return
        if time.monotonic() > end:
            facts = [
                f"{kind} {name} is {found}, not {wanted} (trigger {by})"
                for kind, name, wanted, found, by in left
            ]
            raise HelperError("verify", "the triggers ran without an error, but " + "; ".join(facts))
        host.wire.beat()
        time.sleep(0.1)


def stage(
    host: Host, manifest: dict[str, Any], changes: list[dict[str, Any]], blobs: dict[str, bytes]
) -> None:
    """Put the new contents beside their files and keep the old versions. OSError leaves the files as they were."""
    wanted = {want["path"]: want for want in manifest["files"]}
    for change in changes:
        path, want = host.at(change["path"]), wanted.get(change["path"])
        try:
            if change["before"] is not None:
                files.keep(path, f"{host.base}/previous")
            if want is not None and RENEWED & set(change["what"]):
                files.make_directories(os.path.dirname(path))
                owner = (want["uid"], want["gid"])
                files.write_new(files.staged(path), blobs[want["sha256"]], want["mode"], owner)
        except OSError as error:
            if files.STAGED in (error.filename or files.STAGED):
                error.filename = path  # what the user knows, not our temporary name
            raise
        host.wire.beat()


def commit(host: Host, manifest: dict[str, Any], changes: list[dict[str, Any]]) -> None:
    """Make the staged contents live, one rename a file."""
    wanted = {want["path"]: want for want in manifest["files"]}
    directories: set[str] = set()
    for change in changes:
        path, want = host.at(change["path"]), wanted.get(change["path"])
        try:
            if want is None:
                files.remove(path)
            elif RENEWED & set(change["what"]):
                os.replace(files.staged(path), path)
            else:
                files.set_rights(path, want["mode"], (want["uid"], want["gid"]))
        except OSError as error:
            raise files.failure(error, path) from None
        directories.add(os.path.dirname(path))
    for directory in sorted(directories):
        files.sync_directory(directory)


def discard(paths: list[str]) -> None:
    """Remove staged contents that did not become live."""
    for path in paths:
        files.remove(path)


def write_receipt(
    host: Host, manifest: dict[str, Any], changed: list[str], ran: list[dict[str, Any]]
) -> None:
    """The last step of a run that has reached its end state."""
    receipt = {
        "format": 1,
        "bundle": manifest["bundle"],
        "run": manifest["run"],
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "changed": changed,
        "ran": ran,
        "files": {want["path"]: want["sha256"] for want in manifest["files"]},
        "triggers": {trigger["name"]: trigger["input"] for trigger in manifest["triggers"]},
    }
    try:
        host.write_record("receipt.json", receipt)
        host.drop_record("intent.json")
        guard.forget(host)
    except OSError as error:
        raise files.failure(error, host.base) from None

# ruff: noqa: PTH115, PTH123
"""Reading: how the live machine differs from the manifest, and which triggers that makes due. Changes nothing."""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat

from daiku.apply.helper import files
from daiku.apply.helper.host import Host
from daiku.apply.helper.live import unmet
from daiku.apply.helper.reboot import settled
from daiku.apply.helper.wire import HelperError, Wire

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any

CHUNK = 1 << 20
TEXT_LIMIT = 128 * 1024
RENEWED = frozenset({"create", "type", "content"})
"""Kinds of change that need the file's content."""


def survey(host: Host, manifest: dict[str, Any]) -> dict[str, Any]:
    """Everything that differs, the contents that are needed, and the triggers that are due.

    HelperError names every fact that makes the manifest impossible on this machine.
    """
    changes: list[dict[str, Any]] = []
    problems: set[str] = set()
    accounts = Accounts()
    for want in manifest["files"]:
        try:
            want["uid"], want["gid"] = accounts.user(want["owner"]), accounts.group(want["group"])
            change = compare(host, want)
        except HelperError as error:
            problems.add(str(error))
        else:
            if change is not None:
                changes.append(change)
    if problems:
        raise HelperError("validate", "; ".join(sorted(problems)))
    receipt, intent = host.record("receipt.json"), settled(host, host.record("intent.json"))
    changes += obsolete(host, manifest, receipt)
    drift = unmet(host.root, manifest["expectations"]) if manifest["expectations"] else []
    wanted = {want["path"]: want for want in manifest["files"]}
    if manifest["texts"]:
        for change in changes:
            add_text(host, change, wanted.get(change["path"]))
    return {
        "kind": "survey",
        "changes": changes,
        "drift": drift,
        "needed": sorted({wanted[c["path"]]["sha256"] for c in changes if RENEWED & set(c["what"])}),
        "due": due_triggers(manifest, changes, drift, receipt, intent),
        "receipt": {key: receipt.get(key) for key in ("bundle", "run", "changed", "ran")},
        "unfinished": bool(intent),
    }


class Accounts:
    """Numbers of accounts and groups, each looked up once."""

    def __init__(self) -> None:
        self._users: dict[str, int] = {}
        self._groups: dict[str, int] = {}

    def user(self, name: str) -> int:
        if name not in self._users:
            try:
                self._users[name] = pwd.getpwnam(name).pw_uid
            except KeyError:
                raise HelperError("validate", f"the host has no account named {name}") from None
        return self._users[name]

    def group(self, name: str) -> int:
        if name not in self._groups:
            try:
                self._groups[name] = grp.getgrnam(name).gr_gid
            except KeyError:
                raise HelperError("validate", f"the host has no group named {name}") from None
        return self._groups[name]


def compare(host: Host, want: dict[str, Any]) -> dict[str, Any] | None:
    """How the live file differs from `want`, None when it does not; HelperError when it cannot be made equal."""
    path = host.at(want["path"])
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return {"path": want["path"], "what": ["create"], "before": None}
    except NotADirectoryError:
        raise HelperError("validate", f"{path}: a file is where a directory should be") from None
    before: dict[str, Any] = {
        "mode": stat.S_IMODE(info.st_mode),
        "uid": info.st_uid,
        "gid": info.st_gid,
    }
    if stat.S_ISLNK(info.st_mode):
        return {"path": want["path"], "what": ["type"], "before": before}
    if stat.S_ISDIR(info.st_mode):
        raise HelperError("validate", f"{path}: a directory is where a file should be")
    if not stat.S_ISREG(info.st_mode):
        raise HelperError("validate", f"{path}: a device, pipe or socket is where a file should be")
    what: list[str] = []
    before["sha256"] = digest_of(path, host.wire)
    if before["sha256"] != want["sha256"]:
        what.append("content")
        _need_replaceable(path)
    if before["mode"] != want["mode"]:
        what.append("mode")
    if (info.st_uid, info.st_gid) != (want["uid"], want["gid"]):
        what.append("owner")
    return {"path": want["path"], "what": what, "before": before} if what else None


def _need_replaceable(path: str) -> None:
    hindrance = files.hindrance(path)
    if hindrance:
        raise HelperError("validate", f"{path}: {hindrance}")


def digest_of(path: str, wire: Wire) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb", buffering=0) as file:
            while True:
                block = file.read(CHUNK)
                if not block:
                    return digest.hexdigest()
                digest.update(block)
                wire.beat()
    except OSError as error:
        error.filename = path  # a read does not know it
        raise


def obsolete(host: Host, manifest: dict[str, Any], receipt: dict[str, Any]) -> list[dict[str, Any]]:
    """Files that an earlier run put here and that are no longer wanted."""
    wanted = {want["path"] for want in manifest["files"]}
    gone: list[dict[str, Any]] = []
    for path in sorted(set(receipt.get("files", {})) - wanted):
        try:
            info = os.lstat(host.at(path))
        except (FileNotFoundError, NotADirectoryError):
            continue
        if not stat.S_ISDIR(info.st_mode):
            before: dict[str, Any] = {
                "mode": stat.S_IMODE(info.st_mode),
                "uid": info.st_uid,
                "gid": info.st_gid,
            }
            if stat.S_ISREG(info.st_mode):
                _need_replaceable(host.at(path))
                before["sha256"] = digest_of(host.at(path), host.wire)
            gone.append({"path": path, "what": ["remove"], "before": before})
    return gone


def add_text(host: Host, change: dict[str, Any], want: dict[str, Any] | None) -> None:
    """Put the old text into a change, for a diff. What not everybody on the host may read does not leave it."""
    before = change["before"]
    if before is None or not {"type", "content", "remove"} & set(change["what"]):
        return
    path = host.at(change["path"])
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        change["text"] = f"-> {os.readlink(path)}\n"
        return
    public = info.st_mode & 0o004 and (want is None or want["mode"] & 0o004)
    if not public or info.st_size > TEXT_LIMIT:
        return
    with open(path, "rb") as file:
        data = file.read(TEXT_LIMIT)
    try:
        text = data.decode()
    except ValueError:
        return
    if "\0" not in text:
        change["text"] = text


def due_triggers(
    manifest: dict[str, Any],
    changes: list[dict[str, Any]],
    drift: list[list[str]],
    receipt: dict[str, Any],
    intent: dict[str, Any],
) -> list[str]:
    """The triggers to run, in order.

    One is due when a file of its changes now, when the running machine is not what it brings about, when an earlier run
    left it over, or when its input (its command and
    all its files, so a file that leaves counts, too) is not what it last ran on.
    """
    changed = {change["path"] for change in changes}
    touched = {want["trigger"] for want in manifest["files"] if want["path"] in changed}
    touched |= {trigger for path, trigger in manifest["waiting"].items() if path in changed}
    touched |= {trigger for _, _, _, _, trigger in drift} | set(intent.get("triggers", []))
    ran = {**receipt.get("triggers", {}), **intent.get("ran", {})}
    return [
        trigger["name"]
        for trigger in manifest["triggers"]
        if trigger["name"] in touched or ran.get(trigger["name"]) != trigger["input"]
    ]

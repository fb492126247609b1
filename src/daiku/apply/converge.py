"""One host: make its live state equal to its bundle, in at most two round trips, or show what that would change."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import replace
from typing import Any, cast

from daiku.apply.conversation import SILENCE_SECONDS, Conversation
from daiku.apply.report import Drift, FileChange, HostReport, Rights, TriggerRun, What, unified_diff
from daiku.errors import HostUnreachableError
from daiku.render.bundle import SECRET_MARK, HostBundle, HostFile, Trigger
from daiku.wire.ssh import Session

LOCK_SECONDS = 900.0
TRIGGER_SECONDS = 900.0
"""Most that one trigger may take, and most that we wait for a run that we lost and that still works on the host."""
CONFIRM_SECONDS = 60.0
"""How long after a guarded trigger (a new network) a host waits to be reached before it takes the change back."""

REBOOT_SECONDS = 1800.0
"""Most that a machine may take to restart: servers with much memory test it for a quarter of an hour."""

OnStep = Callable[[str, str], None]
"""Called with a step (`files`, `trigger`, `reboot`, `reconnect`) and a message."""
SecretOf = Callable[[str], bytes]
"""The secret of a name, as base64."""
Approve = Callable[[HostReport], None]
"""Called with what is about to be done on a host; a HostError that it raises keeps it from being done."""


class StoppedError(Exception):
    """The run was interrupted before this host was changed; not a failure of the host."""


def converge(
    session: Session,
    bundle: HostBundle,
    *,
    dry_run: bool = False,
    run_id: str = "",
    root: str = "/",
    reconnect: Callable[[], Session] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    approve: Approve = lambda _report: None,
    on_step: OnStep = lambda _step, _message: None,
    silence: float = SILENCE_SECONDS,
    confirm: float = CONFIRM_SECONDS,
    retries: int = 0,
    secrets: SecretOf | None = None,
) -> HostReport:
    """Bring the host of `session` to `bundle`, or with `dry_run` only say what differs.

    A host that is right already costs one round trip. `reconnect` makes a new session when the old one is lost while
    the host changes (as a new network configuration may do): the helper goes on without us, and its receipt is read.
    `stopped` is asked before the change begins; StoppedError when it says yes. `approve` sees what is about to be done
    and may raise a HostError: then nothing is. `root` is a folder to take for the
    host's root, for rehearsals. `silence`: seconds without a sign of life after which the connection counts as lost;
    `confirm`: seconds after a guarded trigger within which the host must be reached; `retries`: how often a connection
    that is lost before anything changed is made anew. `secrets` is asked for what files of the bundle hold in secret.
    Raises HostError: HostUnreachableError, HostDiskFullError, or a plain one.
    """
    began = time.monotonic()
    digest = bundle.digest()
    public = {file.path: file.sha256 for file in bundle.files if file.secret}
    bundle = with_secrets(bundle, secrets)
    manifest = manifest_of(bundle, digest, run_id=run_id, dry_run=dry_run, root=root, confirm=confirm)
    with ExitStack() as stack:
        talk, found = _begin(session, manifest, reconnect, on_step, silence, retries, stack)
        sent, trips = talk.sent, talk.round_trips
        changes = _changes(bundle, found, public)
        drift = tuple(Drift(kind, name, now, then, by) for kind, name, then, now, by in found["drift"])
        due = tuple(TriggerRun(name, None) for name in found["due"])
        planned = HostReport(bundle.host, digest, changes, due, True, sent, trips, _since(began), drift)
        if dry_run or not planned.changed:
            return replace(planned, dry_run=dry_run)
        if stopped():
            raise StoppedError
        approve(planned)
        contents = bundle.blobs()
        try:
            report = talk.go({sha256: contents[sha256] for sha256 in found["needed"]})
            ran = report["ran"]
        except HostUnreachableError:
            if reconnect is None:
                raise
            ran = None
        sent, trips = talk.sent, talk.round_trips
    if ran is None:
        assert reconnect is not None
        ran, more_sent, more_trips = _resume_all(reconnect, bundle, manifest, on_step, silence)
        sent, trips = sent + more_sent, trips + more_trips
    triggers = tuple(TriggerRun(str(r["name"]), float(r["seconds"])) for r in ran)
    return HostReport(bundle.host, digest, changes, triggers, False, sent, trips, _since(began), drift)


def _begin(
    session: Session,
    manifest: dict[str, Any],
    reconnect: Callable[[], Session] | None,
    on_step: OnStep,
    silence: float,
    retries: int,
    stack: ExitStack,
) -> tuple[Conversation, dict[str, Any]]:
    """A conversation and its survey, over another session if this one is lost meanwhile; `stack` closes them."""
    while True:
        try:
            talk = stack.enter_context(closing(Conversation(session, on_step, silence)))
            return talk, talk.start(manifest)
        except HostUnreachableError:
            if reconnect is None or retries <= 0:
                raise
        retries -= 1
        on_step("reconnect", "the connection was lost before anything changed")
        session = stack.enter_context(reconnect())


def _resume_all(
    reconnect: Callable[[], Session],
    bundle: HostBundle,
    manifest: dict[str, Any],
    on_step: OnStep,
    silence: float,
) -> tuple[list[dict[str, Any]], int, int]:
    """As _resume; again and again while the bundle restarts the machine, whose old sshd may answer once more."""
    end = time.monotonic() + (REBOOT_SECONDS if any(t.reboot for t in bundle.triggers) else 0.0)
    while True:
        on_step("reconnect", "the connection was lost while the host changed")
        try:
            return _resume(reconnect, bundle, manifest, on_step, silence)
        except HostUnreachableError:
            if time.monotonic() > end:
                raise


def _resume(
    reconnect: Callable[[], Session],
    bundle: HostBundle,
    manifest: dict[str, Any],
    on_step: OnStep,
    silence: float,
) -> tuple[list[dict[str, Any]], int, int]:
    """The triggers that ran, bytes sent and round trips, after a lost connection.

    The helper that we lost holds the host's lock until it is done, so the next one's survey sees the end of its work:
    usually nothing is left to do and its receipt tells what it did. If it had to take back what had cut the host off,
    the next one says so.
    """
    manifest = {**manifest, "resumed": True}
    with reconnect() as session, closing(Conversation(session, on_step, silence)) as talk:
        found = talk.start(manifest)
        if not (found["changes"] or found["drift"] or found["due"]):
            mine = found["receipt"]["run"] == manifest["run"]
            return (found["receipt"]["ran"] or [] if mine else []), talk.sent, talk.round_trips
        contents = bundle.blobs()
        report = talk.go({sha256: contents[sha256] for sha256 in found["needed"]})
        return report["ran"], talk.sent, talk.round_trips


def manifest_of(
    bundle: HostBundle,
    digest: str,
    *,
    run_id: str,
    dry_run: bool,
    root: str = "/",
    confirm: float = CONFIRM_SECONDS,
) -> dict[str, Any]:
    """What the helper is told: everything but contents. Old texts come back for the diffs."""
    return {
        "root": root,
        "run": run_id,
        "bundle": digest,
        "dry_run": dry_run,
        "resumed": False,
        "texts": True,
        "confirm_seconds": confirm,
        "lock_seconds": LOCK_SECONDS,
        "trigger_seconds": TRIGGER_SECONDS,
        "files": [
            {
                "path": file.path,
                "sha256": file.sha256,
                "size": len(file.content),
                "mode": file.mode,
                "owner": file.owner,
                "group": file.group,
                "trigger": file.trigger,
                "after": file.after,
            }
            for file in bundle.files
        ],
        "triggers": [{**t.as_json(), "input": trigger_input(t, bundle.files)} for t in bundle.triggers],
        "expectations": [e.as_json() for e in bundle.expectations],
    }


def trigger_input(trigger: Trigger, files: tuple[HostFile, ...]) -> str:
    """Digest of what a trigger runs and on what: while it stays the same the trigger need not run again."""
    inputs = [(f.path, f.sha256) for f in files if f.trigger == trigger.name]
    parts = [trigger.command, inputs, *([trigger.packages] if trigger.packages else [])]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def with_secrets(bundle: HostBundle, secrets: SecretOf | None) -> HostBundle:
    """The bundle as it goes to the machine. ValueError: it holds a secret, and there is nobody to ask."""
    names = {file.secret for file in bundle.files if file.secret}
    if not names:
        return bundle
    if secrets is None:
        raise ValueError(f"{bundle.host}: no secrets to ask for {', '.join(sorted(names))}")
    # With its mark replaced a file is no template any more: what it says of itself stays, but for the secret's name.
    files = tuple(
        replace(f, content=f.content.replace(SECRET_MARK, secrets(f.secret)), secret="") if f.secret else f
        for f in bundle.files
    )
    return replace(bundle, files=files)


def _changes(bundle: HostBundle, found: dict[str, Any], public: Mapping[str, str]) -> tuple[FileChange, ...]:
    """`public`: digests that may be told, of files whose content is secret."""
    wanted = {file.path: file for file in bundle.files}
    changes = (_change(entry, wanted.get(entry["path"])) for entry in found["changes"])
    return tuple(
        replace(c, before_sha256="", after_sha256=public[c.path]) if c.path in public else c for c in changes
    )


def _change(entry: dict[str, Any], file: HostFile | None) -> FileChange:
    old = entry["before"]
    before = Rights(int(old["mode"]), str(old["uid"]), str(old["gid"])) if old else None
    after = Rights(file.mode, file.owner, file.group) if file else None
    what = cast("tuple[What, ...]", tuple(entry["what"]))
    renewed = bool({"create", "type", "content", "remove"} & set(what))
    private = renewed and not all(rights.mode & 0o004 for rights in (before, after) if rights)
    diff = "" if private or not renewed else _diff(entry, file)
    digests = (str(old.get("sha256", "")) if old else "", file.sha256 if file else "")
    return FileChange(entry["path"], what, before, after, diff, private, *digests)


def _diff(entry: dict[str, Any], file: HostFile | None) -> str:
    """A diff of texts; a line that says so for what is no text or too long to show."""
    try:
        after = file.content.decode() if file else ""
    except UnicodeDecodeError:
        after = None
    before = "" if entry["before"] is None else entry.get("text")
    if before is None or after is None or "\0" in after:
        return f"{entry['path']}: contents differ, and are not shown because they are no text or too long\n"
    return unified_diff(entry["path"], before, after)


def _since(began: float) -> float:
    return time.monotonic() - began

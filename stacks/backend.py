"""Where the engine's state is, who holds it, and what a run that was killed left in it.

The state is a local file in the cluster's private folder unless PULUMI_BACKEND_URL says otherwise; then locking
and recovery are that backend's affair.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daiku.errors import LockHeldError, StateError

PROJECT = "daiku"


@dataclass(frozen=True, slots=True)
class Backend:
    """`directory` is the cluster's folder (`.daiku/<cluster>`); `url` is the backend's address."""

    directory: Path
    url: str
    local: Path | None

    @property
    def work_dir(self) -> Path:
        """Holds the project and stack settings that the Automation API writes."""
        return self.directory / "pulumi"


def open_backend(directory: Path, environ: Mapping[str, str]) -> Backend:
    """Make the private folders (mode 0700) and say where the state is."""
    directory = directory.absolute()
    for folder in (directory, directory / "pulumi"):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
    own = f"file://{directory / 'pulumi'}"
    # A shell that was made ready for the stock CLI names our own folder: it stays ours to lock and to recover.
    if (url := environ.get("PULUMI_BACKEND_URL")) and url != own:
        return Backend(directory, url, None)
    return Backend(directory, own, directory / "pulumi")


def engine_environment(backend: Backend, environ: Mapping[str, str]) -> dict[str, str]:
    """What the engine needs to know: the backend, the passphrase's place, and to call nobody.

    The same settings let the stock CLI see the same stack.
    """
    settings = {
        "PULUMI_BACKEND_URL": backend.url,
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }
    named = environ.get("PULUMI_CONFIG_PASSPHRASE_FILE", "")
    ours = named in ("", str(backend.directory / "passphrase"))
    if ours and not environ.get("PULUMI_CONFIG_PASSPHRASE"):
        settings["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(_passphrase_file(backend.directory))
    return settings


def _passphrase_file(directory: Path) -> Path:
    """The file that holds the passphrase of the state's secrets; made once, readable by its owner only."""
    place = directory / "passphrase"
    try:
        descriptor = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        if not place.read_text().strip():
            raise StateError(
                "the passphrase of the state's secrets is empty",
                where=str(place),
                hint="restore the file from a backup; without it the secrets in the state cannot be read",
            ) from None
        return place
    with os.fdopen(descriptor, "w") as handle:
        handle.write(secrets.token_urlsafe(32))
    return place


def break_dead_locks(backend: Backend, stack: str) -> None:
    """Remove the stack's locks whose holder died on this machine; LockHeldError for one that may be alive."""
    if backend.local is None:
        return
    for lock in sorted((backend.local / ".pulumi" / "locks").glob(f"*/{PROJECT}/{stack}/*.json")):
        try:
            held: dict[str, Any] = json.loads(lock.read_text())
        except FileNotFoundError:
            continue
        except ValueError:
            held = {}
        host, pid = held.get("hostname"), held.get("pid")
        if host == socket.gethostname() and isinstance(pid, int) and not _alive(pid):
            lock.unlink(missing_ok=True)
            continue
        raise LockHeldError(
            f"held by process {pid} of {held.get('username', 'somebody')} on {host} since {held.get('timestamp')}",
            where=f"stack {stack}",
            hint=f"wait for that run to end; if that machine is gone for good, remove {lock}",
        )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False


def drop_pending_operations(backend: Backend, stack: str) -> tuple[str, ...]:
    """Forget the operations that a killed run left under way in the state; the URNs of those that were creates.

    That is safe where a create adopts what is already there, as ours do; for others the caller warns. The file is
    edited in place of an export and import, which would write the state's secrets as plain text.
    """
    if backend.local is None:
        return ()
    place = backend.local / ".pulumi" / "stacks" / PROJECT / f"{stack}.json"
    try:
        document: dict[str, Any] = json.loads(place.read_text())
        latest: dict[str, Any] = document["checkpoint"].get("latest") or {}
    except FileNotFoundError:
        return ()
    except (ValueError, KeyError, TypeError) as error:
        raise StateError(
            "the engine's state cannot be read",
            where=str(place),
            hint=f"restore it from {place.name}.bak beside it or from {backend.local / '.pulumi' / 'backups'}",
        ) from error
    pending: list[dict[str, Any]] = latest.pop("pending_operations", None) or []
    if not pending:
        return ()
    scratch = place.with_name(f".{place.name}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        json.dump(document, handle, indent=4)
        handle.flush()
        os.fsync(handle.fileno())
    scratch.replace(place)
    return tuple(sorted(str(p["resource"]["urn"]) for p in pending if p.get("type") == "creating"))

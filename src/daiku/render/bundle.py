"""HostBundle: everything that one machine must hold, as one content-addressed value. `apply/` carries it out.

A machine's state is files and nothing else: a package pin is a file of apt, a unit that must run is a line
of a systemd preset, a kernel setting is a file of sysctl.d. What must happen after a file has changed is a
trigger. A run changes the files first, then runs each trigger of a changed file once, by `order` and then by
name.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

_PATH = re.compile(r"(/[A-Za-z0-9._@+-]+)+")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")


@dataclass(frozen=True, slots=True)
class HostFile:
    """One file of a machine.

    `path` is absolute; `mode` holds the permission bits (0o600); `trigger` names the Trigger that runs when
    the file was created, changed or removed. ValueError: a path that leaves its place (`..`), bits outside
    0o7777, an owner or group that is no account name.
    """

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    trigger: str | None = None

    def __post_init__(self) -> None:
        if not _PATH.fullmatch(self.path) or {".", ".."} & set(self.path.split("/")):
            raise ValueError(f"not an absolute, plain path: {self.path!r}")
        if not 0 <= self.mode <= 0o7777:
            raise ValueError(f"{self.path}: {self.mode:#o} is not a file mode")
        for account in (self.owner, self.group):
            if not _ACCOUNT.fullmatch(account):
                raise ValueError(f"{self.path}: {account!r} is not an account name")

    @property
    def sha256(self) -> str:
        """Digest of the content, as 64 hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Trigger:
    """A command that makes changed files live. It runs as root, without a shell, and may be repeated."""

    name: str
    command: tuple[str, ...]
    order: int

    def __post_init__(self) -> None:
        if not self.command:
            raise ValueError(f"trigger {self.name} has no command")


@dataclass(frozen=True, slots=True)
class HostBundle:
    """The files of one machine, sorted by path, and their triggers, in the order in which they run.

    Construction sorts both. ValueError: a path or a trigger twice, a file whose trigger is not in the bundle.
    """

    host: str
    files: tuple[HostFile, ...]
    triggers: tuple[Trigger, ...]

    def __post_init__(self) -> None:
        files = tuple(sorted(self.files, key=lambda f: f.path))
        triggers = tuple(sorted(self.triggers, key=lambda t: (t.order, t.name)))
        object.__setattr__(self, "files", files)
        object.__setattr__(self, "triggers", triggers)
        paths = [f.path for f in files]
        names = {t.name for t in triggers}
        if len(set(paths)) != len(paths):
            raise ValueError(f"{self.host}: a path is given twice")
        if len(names) != len(triggers):
            raise ValueError(f"{self.host}: a trigger is given twice")
        unknown = sorted({f.trigger for f in files if f.trigger is not None} - names)
        if unknown:
            raise ValueError(f"{self.host}: no trigger named {', '.join(unknown)}")

    def file(self, path: str) -> HostFile:
        """The file of that path; KeyError when there is none."""
        for file in self.files:
            if file.path == path:
                return file
        raise KeyError(path)

    def blobs(self) -> dict[str, bytes]:
        """Contents by SHA-256: what may have to be sent."""
        return {f.sha256: f.content for f in self.files}

    def manifest(self) -> dict[str, Any]:
        """All but the contents, as JSON values; the digest covers exactly this."""
        return {
            "version": 1,
            "host": self.host,
            "files": [
                {
                    "path": f.path,
                    "sha256": f.sha256,
                    "size": len(f.content),
                    "mode": f"{f.mode:04o}",
                    "owner": f.owner,
                    "group": f.group,
                    "trigger": f.trigger,
                }
                for f in self.files
            ],
            "triggers": [
                {"name": t.name, "command": list(t.command), "order": t.order} for t in self.triggers
            ],
        }

    def to_json(self) -> str:
        """The manifest as canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.manifest(), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of the manifest: equal when path, content, mode, owner, group and triggers are equal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

"""HostBundle: everything that one machine must hold, as one content-addressed value. `apply/` carries it out.

What a machine must be is written in files: a package pin is a file of apt, a unit that must run is a line
of a systemd preset, a kernel setting is a file of sysctl.d. What must happen after a file has changed is a
trigger. A run changes the files first, then runs each trigger of a changed file once, by `order` and then by
name.

Files do not show what somebody did by hand to the running machine (`sysctl -w`, `ip address del`, `systemctl
stop`, `apt-get install`). So a bundle also lists what its triggers bring about: expectations. One that the live
machine does not meet makes its trigger due.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Literal

_PATH = re.compile(r"(/[A-Za-z0-9._@+-]+)+")
_ACCOUNT = re.compile(r"[a-z_][a-z0-9_-]{0,31}")
SECRET_MARK = b"@SECRET@"
"""Stands in the content of a HostFile with a secret for the secret itself, as base64."""


@dataclass(frozen=True, slots=True)
class HostFile:
    """One file of a machine.

    `path` is absolute; `mode` holds the permission bits (0o600); `trigger` names the Trigger that runs when
    the file was created, changed or removed. `after`: a path of the machine; while nothing is there, the file must
    not be there either. `secret`: the name of a secret of the cluster (base64 of 32 random bytes; with `given/` before
    its name what the operator gave) that takes the place of SECRET_MARK in the content on its way to the machine, and
    nowhere else: bundle, tree, plan and journal know the content with the mark. ValueError: a path that leaves its
    place (`..`), bits outside 0o7777, an owner or group that is no account name, a secret without its mark or in a
    file that others than its owner may use.
    """

    path: str
    content: bytes
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    trigger: str | None = None
    after: str = ""
    secret: str = ""

    def __post_init__(self) -> None:
        if self.secret and (SECRET_MARK not in self.content or self.mode & 0o077):
            raise ValueError(f"{self.path}: a file with a secret holds its mark and is its owner's alone")
        if not _PATH.fullmatch(self.path) or {".", ".."} & set(self.path.split("/")):
            raise ValueError(f"not an absolute, plain path: {self.path!r}")
        if not 0 <= self.mode <= 0o7777:
            raise ValueError(f"{self.path}: {self.mode:#o} is not a file mode")
        for account in (self.owner, self.group):
            if not _ACCOUNT.fullmatch(account):
                raise ValueError(f"{self.path}: {account!r} is not an account name")

    @property
    def sha256(self) -> str:
        """Digest of the content, as 64 hexadecimal digits; of one with a secret it is that with the mark."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Trigger:
    """A command that makes changed files live. It runs as root, without a shell, and may be repeated.

    `guarded`: it can cut the machine off. The files in the directories of its files are remembered before they
    change, and come back, with the command run once more, unless we still reach the machine afterwards.
    `packages`: exact versions by name. The command (apt's) gets those that are not installed as `name=version`,
    and all are held. `reboot`: it restarts the machine. It runs after all others, and one restart serves all such
    triggers; the run waits for the next boot and goes on. Its name begins with `reboot`, by which a plan knows what
    it disturbs.
    """

    name: str
    command: tuple[str, ...]
    order: int
    guarded: bool = False
    packages: tuple[tuple[str, str], ...] = ()
    reboot: bool = False

    def __post_init__(self) -> None:
        if not self.command:
            raise ValueError(f"trigger {self.name} has no command")
        if self.reboot and (self.guarded or self.packages or not self.name.startswith("reboot")):
            raise ValueError(
                f"trigger {self.name} restarts the machine: it is named reboot..., and does only that"
            )

    def as_json(self) -> dict[str, Any]:
        """Name and command, and what else is not as usual."""
        value: dict[str, Any] = {"name": self.name, "command": list(self.command)}
        if self.guarded:
            value["guarded"] = True
        if self.packages:
            value["packages"] = [list(package) for package in self.packages]
        if self.reboot:
            value["reboot"] = True
        return value


ExpectationKind = Literal[
    "sysctl", "module", "unit-file-state", "unit-state", "link", "mtu", "address", "route", "mount", "package"
]


@dataclass(frozen=True, slots=True, order=True)
class Expectation:
    """One fact of the running machine that the trigger named `trigger` brings about.

    =================  ==========================================  ==================================
    kind               name                                        value
    =================  ==========================================  ==================================
    sysctl             the key: net.ipv4.ip_forward                its value, words parted by a space
    module             the kernel module                           loaded
    unit-file-state    the unit                                    systemd's word: enabled
    unit-state         the unit                                    systemd's word: active
    link               the device                                  up
    mtu                the device                                  bytes
    address            device and address: eth0 10.10.0.11/20      present
    route              device, target, way: eth0 default 10.0.0.1  present
    mount              the directory                               type of the file system
    package            the package                                 the version (installed and held)
    =================  ==========================================  ==================================

    What the machine has no place for is passed over, because no trigger could mend it: a key that its kernel
    does not know, a unit that is not installed, a device that is missing or has no carrier.
    """

    kind: ExpectationKind
    name: str
    value: str
    trigger: str
    after: str = ""
    """As of a HostFile: the fact is not expected while nothing is at that path."""

    def as_json(self) -> list[str]:
        """Kind, name, value and trigger, and what it waits for if it does."""
        return [self.kind, self.name, self.value, self.trigger, *([self.after] if self.after else [])]


@dataclass(frozen=True, slots=True)
class HostBundle:
    """The files of one machine, sorted by path, their triggers, in the order in which they run, and what these
    bring about.

    Construction sorts all. ValueError: a path or a trigger twice, a file or an expectation whose trigger is not
    in the bundle.
    """

    host: str
    files: tuple[HostFile, ...]
    triggers: tuple[Trigger, ...]
    expectations: tuple[Expectation, ...] = ()

    def __post_init__(self) -> None:
        files = tuple(sorted(self.files, key=lambda f: f.path))
        triggers = tuple(sorted(self.triggers, key=lambda t: (t.order, t.name)))
        object.__setattr__(self, "files", files)
        object.__setattr__(self, "triggers", triggers)
        object.__setattr__(self, "expectations", tuple(sorted(set(self.expectations))))
        paths = [f.path for f in files]
        names = {t.name for t in triggers}
        if len(set(paths)) != len(paths):
            raise ValueError(f"{self.host}: a path is given twice")
        if len(names) != len(triggers):
            raise ValueError(f"{self.host}: a trigger is given twice")
        used = {f.trigger for f in files if f.trigger is not None} | {e.trigger for e in self.expectations}
        unknown = sorted(used - names)
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
        value: dict[str, Any] = {
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
                    **({"after": f.after} if f.after else {}),
                    **({"secret": f.secret} if f.secret else {}),
                }
                for f in self.files
            ],
            "triggers": [{**t.as_json(), "order": t.order} for t in self.triggers],
        }
        if self.expectations:
            value["expectations"] = [e.as_json() for e in self.expectations]
        return value

    def to_json(self) -> str:
        """The manifest as canonical JSON: sorted keys, no spaces."""
        return json.dumps(self.manifest(), sort_keys=True, separators=(",", ":"))

    def digest(self) -> str:
        """SHA-256 of the manifest: equal when path, content, mode, owner, group and triggers are equal."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()

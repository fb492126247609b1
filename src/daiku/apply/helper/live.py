"""How the running machine differs from what its bundle's triggers bring about. Changes nothing.

What the machine has no place for (a key that its kernel does not know, a unit that is not installed, a device that is
missing or has no carrier) is passed over: running the trigger again could not mend it.
"""

from __future__ import annotations

import posix

from daiku.apply.helper.quick import content_of, exists

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from collections.abc import Callable

    Found = Callable[[str], "str | None"]
    """The live value of a name, or None where the machine has no place for it."""

SYSTEMCTL = "/usr/bin/systemctl"
UNIT_FOLDERS = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_NETWORK = ("link", "mtu", "address", "route")
_UNITS = ("unit-file-state", "unit-state")


def unmet(root: str, expectations: list[list[str]]) -> list[list[str]]:
    """[kind, name, wanted value, found value, trigger] of each of `expectations` that does not hold.

    `root` is "" but in rehearsals, and then only what is read from files is below it. OSError: a list of the kernel's
    or of dpkg's cannot be read.
    """
    kinds = {expectation[0] for expectation in expectations}
    names = sorted({name for kind, name, _, _ in expectations if kind in _UNITS})
    installed = [name for name in names if any(exists(f"{root}{f}/{name}") for f in UNIT_FOLDERS)]
    units = Units(installed)  # first: systemctl works while we read
    readers: dict[str, Found] = {"sysctl": lambda name: sysctl(root, name)}
    if "module" in kinds:
        readers["module"] = modules(root)
    if "mount" in kinds:
        readers["mount"] = mounts(root)
    if "package" in kinds:
        readers["package"] = packages(root)
    if kinds.intersection(_NETWORK):
        readers.update(network())
    units.read()
    readers["unit-file-state"] = lambda name: units.state(name, "UnitFileState")
    readers["unit-state"] = lambda name: units.state(name, "ActiveState")
    differing: list[list[str]] = []
    for kind, name, wanted, trigger in expectations:
        found = readers[kind](name)
        if found is not None and found != wanted:
            differing.append([kind, name, wanted, found, trigger])
    return differing


def sysctl(root: str, key: str) -> str | None:
    data = content_of(f"{root}/proc/sys/{key.replace('.', '/')}")
    return None if data is None else " ".join(data.decode().split())


def modules(root: str) -> Found:
    listed = content_of(root + "/proc/modules")
    if listed is None:  # a kernel without loadable modules
        return lambda _name: None
    loaded = {line.split(b" ", 1)[0].decode() for line in listed.splitlines()}
    built_in = content_of(f"{root}/lib/modules/{posix.uname().release}/modules.builtin") or b""

    def found(name: str) -> str | None:
        name = name.replace("-", "_")
        if name in loaded or exists(f"{root}/sys/module/{name}"):
            return "loaded"
        return "loaded" if b"/%s.ko" % name.encode() in built_in.replace(b"-", b"_") else "not loaded"

    return found


def mounts(root: str) -> Found:
    """Type of the file system that is mounted on a directory: the last mount hides the ones before."""
    kinds: dict[str, str] = {}
    for line in (content_of(root + "/proc/self/mountinfo") or b"").splitlines():
        left, _, right = line.partition(b" - ")
        kinds[left.split(b" ")[4].decode()] = right.split(b" ")[0].decode()
    return lambda name: kinds.get(name, "not mounted")


def network() -> dict[str, Found]:
    from daiku.apply.helper.netlink import Network

    now = Network()

    def having(known: set[str]) -> Found:
        def found(name: str) -> str | None:
            if not now.can_carry(name.split(maxsplit=1)[0]):
                return None
            return "present" if name in known else "absent"

        return found

    def link(device: str) -> str | None:
        return ("up" if now.is_up(device) else "down") if now.can_carry(device) else None

    return {
        "link": link,
        "mtu": lambda device: str(now.mtus[device]) if now.can_carry(device) else None,
        "address": having(now.addresses),
        "route": having(now.routes),
    }


def packages(root: str) -> Found:
    """Versions from dpkg's own list, which tells a package that is half installed or not held from one that is well."""
    status = b"\n" + (content_of(root + "/var/lib/dpkg/status") or b"")

    def found(name: str) -> str:
        at = status.find(b"\nPackage: %s\n" % name.encode())
        if at < 0:
            return "absent"
        fields = dict(
            line.split(b": ", 1)
            for line in status[at + 1 : (status + b"\n\n").find(b"\n\n", at + 1)].splitlines()
            if b": " in line and not line.startswith(b" ")
        )
        want, _, state = fields.get(b"Status", b"").decode().split(" ")
        version = fields.get(b"Version", b"").decode()
        if state in ("not-installed", "config-files"):
            return "absent"
        if state != "installed":
            return f"{version}, {state}"
        return version if want == "hold" else f"{version}, not held"

    return found


class Units:
    """What systemd says of some units. The question is asked at once and its answer read later."""

    def __init__(self, names: list[str]) -> None:
        self._facts: dict[str, dict[str, str]] = {}
        self._pid = 0
        if not names:
            return
        command = [SYSTEMCTL, "show", "--property=Id,LoadState,ActiveState,UnitFileState", "--", *names]
        self._output, theirs = posix.pipe()
        actions = [
            (posix.POSIX_SPAWN_DUP2, theirs, 1),
            (posix.POSIX_SPAWN_OPEN, 2, "/dev/null", posix.O_WRONLY, 0),
        ]
        try:
            self._pid = posix.posix_spawn(SYSTEMCTL, command, {"LC_ALL": "C"}, file_actions=actions)
        finally:
            posix.close(theirs)

    def read(self) -> None:
        """Wait for the answer: one block of lines a unit."""
        if not self._pid:
            return
        text = b""
        while True:
            part = posix.read(self._output, 65536)
            if not part:
                break
            text += part
        posix.close(self._output)
        posix.waitpid(self._pid, 0)
        for block in text.decode().split("\n\n"):
            facts = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            self._facts[facts.get("Id", "")] = facts

    def state(self, name: str, fact: str) -> str | None:
        """systemd's word; None for a unit that is not installed."""
        facts = self._facts.get(name, {})
        if facts.get("LoadState") != "loaded":
            return None
        value = facts.get(fact, "")
        return "active" if value == "reloading" else value

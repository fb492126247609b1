"""The first look, and on a machine that is as its last run left it the only one.

Nearly every run on nearly every machine ends here, so this module costs as little as it can: it is a program of its
own, of what the interpreter has loaded anyway or has built in (json, os and hashlib would double the time that python3
takes to start), and the rest of the helper, which follows the manifest, is not even unpacked. It takes no lock and
changes nothing. When anything at all is not as expected, it leaves the telling to the survey.
"""

from __future__ import annotations

import grp
import posix
import pwd
import sys
import zlib

TYPE_CHECKING = False  # not from typing: importing it costs a host 3 ms
if TYPE_CHECKING:
    from typing import Any, NoReturn

MARK = b"\n--daiku-helper-1--\n"
"""Sent first: what a shell's start-up files print before it is no part of the conversation."""
UNCHANGED = b'{"kind":"unchanged"}'
FAST_HASH_LIMIT = 1 << 20
"""Files above this size are worth importing OpenSSL's hashes for."""


def begin() -> None:
    """Read the manifest; answer at once if nothing differs, else start the whole helper."""
    packed, rest = part(), part()
    # JSON is a Python expression but for three words. It comes from whom this program comes from.
    manifest = eval(zlib.decompress(packed), {"true": True, "false": False, "null": None})  # noqa: S307
    settle(manifest)
    right = are_files_right(manifest)
    if right and not manifest["expectations"]:
        end_unchanged()
    exec(zlib.decompress(rest), {})  # noqa: S102 - as above
    sys.modules.setdefault("daiku.apply.helper.quick", sys.modules[__name__])  # this one need not come twice
    if right:
        from daiku.apply.helper.live import unmet

        if not unmet(manifest["root"].rstrip("/"), manifest["expectations"]):
            end_unchanged()
    from daiku.apply.helper.main import converse

    converse(manifest)


def end_unchanged() -> NoReturn:
    """Say so, and end at once: python3's own end would take it a sixth of its time."""
    posix.write(1, MARK + b"J" + len(UNCHANGED).to_bytes(4, "big") + UNCHANGED)
    posix._exit(0)  # pyright: ignore[reportPrivateUsage]


def part() -> bytes:
    """The next part of the input: a line with its length, and so many bytes. Without them, the end: nobody asks."""
    size = int(sys.stdin.buffer.readline() or 0)
    data = sys.stdin.buffer.read(size)
    if not size or len(data) < size:
        sys.exit(1)
    return data


def settle(manifest: dict[str, Any]) -> None:
    """Leave out what waits for a path that is not there. `waiting` remembers those files and their triggers."""
    root = manifest["root"].rstrip("/")
    held = [want for want in manifest["files"] if want["after"] and not exists(root + want["after"])]
    manifest["waiting"] = {want["path"]: want["trigger"] for want in held}
    manifest["files"] = [want for want in manifest["files"] if want["path"] not in manifest["waiting"]]
    manifest["expectations"] = [
        one[:4] for one in manifest["expectations"] if len(one) < 5 or exists(root + one[4])
    ]


def are_files_right(manifest: dict[str, Any]) -> bool:
    """Whether the last run finished with this very bundle and all files are still so."""
    if manifest["resumed"]:
        return False
    root = manifest["root"].rstrip("/")
    base = root + "/var/lib/daiku/"
    receipt = content_of(base + "receipt.json")
    if receipt is None or b'"bundle": "%s"' % manifest["bundle"].encode() not in receipt:
        return False
    if any(
        exists(p)
        for p in (base + "intent.json", base + "guard.json", *(root + p for p in manifest["waiting"]))
    ):
        return False
    users: dict[str, int] = {}
    groups: dict[str, int] = {}
    for want in manifest["files"]:
        owner, group = want["owner"], want["group"]
        try:
            if owner not in users:
                users[owner] = pwd.getpwnam(owner).pw_uid
            if group not in groups:
                groups[group] = grp.getgrnam(group).gr_gid
            info = posix.lstat(root + want["path"])
        except (KeyError, OSError):
            return False
        if (info.st_mode, info.st_uid, info.st_gid, info.st_size) != (
            0o100000 | want["mode"],
            users[owner],
            groups[group],
            want["size"],
        ):
            return False
        data = content_of(root + want["path"]) if want["size"] else b""
        if data is None or digest(data) != want["sha256"]:
            return False
    return True


def digest(data: bytes) -> str:
    """SHA-256 in hexadecimal, by the interpreter's own code where there is little to hash."""
    # Of Python 3.12 and newer, of older ones, and of a Python that was built with OpenSSL's alone.
    for name in ("_sha2", "_sha256", "hashlib") if len(data) <= FAST_HASH_LIMIT else ("hashlib",):
        try:
            return str(__import__(name).sha256(data).hexdigest())
        except ImportError:
            continue
    raise AssertionError("every Python has hashlib")


def content_of(path: str) -> bytes | None:
    """All bytes of a regular file, None when it cannot be read. A link is not followed, a pipe not waited for."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_NOFOLLOW | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except OSError:
        return None
    parts: list[bytes] = []
    try:
        while True:
            part = posix.read(descriptor, 1 << 20)
            if not part:
                return b"".join(parts)
            parts.append(part)
    except OSError:
        return None
    finally:
        posix.close(descriptor)


def exists(path: str) -> bool:
    try:
        posix.lstat(path)
    except OSError:
        return False
    return True

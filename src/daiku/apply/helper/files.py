# ruff: noqa: PTH101, PTH102, PTH108, PTH112, PTH114, PTH115, PTH116, PTH118, PTH119, PTH120, PTH123, PTH211
"""File operations that are whole or not at all. On os and descriptors: pathlib costs a host 10 ms to import."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat

from daiku.apply.helper.wire import HelperError

STAGED = ".daiku-new-"
"""How the names of new contents begin that wait beside their files."""
_GET_FLAGS, _FIXED = 0x80086601, 0x30
"""FS_IOC_GETFLAGS, and the attributes immutable and append-only."""
CANNOT_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK)


def write_new(path: str, data: bytes, mode: int, owner: tuple[int, int] | None) -> None:
    """A new file with all of `data`, on the disk. Whatever was at `path` is removed first, never followed."""
    remove(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        if owner is not None:
            os.fchown(descriptor, owner[0], owner[1])
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    except BaseException:
        remove(path)
        raise
    finally:
        os.close(descriptor)


def remove(path: str) -> None:
    """No file or link is at `path` any more."""
    try:  # noqa: SIM105 - contextlib costs a host 2 ms to import
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        pass


def make_directories(path: str, mode: int = 0o755) -> None:
    """`path` is a directory; the missing ones above it have mode 0755."""
    if os.path.isdir(path):
        return
    make_directories(os.path.dirname(path))
    try:
        os.mkdir(path, mode)
        os.chmod(path, mode)
    except FileExistsError:
        if not os.path.isdir(path):
            raise NotADirectoryError(errno.ENOTDIR, "no directory, but one is needed", path) from None
    sync_directory(os.path.dirname(path))


def sync_directory(path: str) -> None:
    """The directory's entries are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def set_rights(path: str, mode: int, owner: tuple[int, int]) -> None:
    """Mode and owner of a file, never of what a link points to."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.fchown(descriptor, owner[0], owner[1])  # first: it clears set-user-ID bits
        os.fchmod(descriptor, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def hindrance(path: str) -> str:
    """Why the file at `path` cannot be replaced or removed, "" when nothing is known: the rename would be too late to
    tell, because others would have changed by then."""
    flags = bytearray(8)
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(descriptor, _GET_FLAGS, flags)
    except OSError:  # of a file system without such flags
        pass
    finally:
        os.close(descriptor)
    if flags[0] & _FIXED:
        return "it is immutable: `chattr -ia` lets it change"
    name = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    with open("/proc/self/mountinfo", "rb") as file:
        mounted = [line.split(b" ", 5)[4] for line in file]
    return "it is a mount point and cannot be replaced" if os.fsencode(name) in mounted else ""


def staged(path: str) -> str:
    """Where the new content of `path` waits: in the same directory, under a name that kubelet, netplan and cron pass
    over because of its dot."""
    return f"{os.path.dirname(path)}/{STAGED}{_short(path)}"


def keep(path: str, directory: str) -> None:
    """The present version of `path` is also in `directory`, under a name made of its path.

    A second name of the same file costs no room; a copy is made only where that is impossible.
    """
    make_directories(directory, 0o700)
    name = path.replace("%", "%25").replace("/", "%2F")
    kept = f"{directory}/{name if len(os.fsencode(name)) < 200 else _short(path)}"
    remove(kept)  # the version before the present one: nobody needs it once this one is about to be replaced
    try:
        os.link(path, kept, follow_symlinks=False)
    except OSError as error:
        if error.errno not in CANNOT_LINK:
            raise
        if os.path.islink(path):
            os.symlink(os.readlink(path), kept)
        else:
            info = os.stat(path)
            with open(path, "rb") as file:
                write_new(kept, file.read(), stat.S_IMODE(info.st_mode), (info.st_uid, info.st_gid))


def failure(error: OSError, path: str) -> HelperError:
    """What to tell of an operation that failed, on `path` unless the error knows better."""
    # Of a rename the second name is the one that the user knows.
    path = error.filename2 or error.filename or path
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        place = path
        while place != "/" and not os.path.ismount(place):
            place = os.path.dirname(place)
        free = os.statvfs(place)
        room = f"{free.f_bavail * free.f_frsize // 1024} KiB and {free.f_favail} inodes free"
        return HelperError("disk full", f"no space left on the file system {place} ({room}) for {path}")
    if error.errno == errno.EROFS:
        return HelperError("file", f"the file system of {path} is read-only")
    if error.errno == errno.EBUSY:
        return HelperError("file", f"{path} is a mount point and cannot be replaced")
    return HelperError("file", f"{path}: {error.strerror}")


def _short(path: str) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:16]

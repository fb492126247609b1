"""Small secrets in files of the state folder: mode 0600, whole or not at all, sealed when the operator seals."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from daiku.errors import StateError
from daiku.ledger.paths import make_private_directory
from daiku.wire.sealing import SUFFIX, seal_from_environment, unsealed


def ensure(path: Path, make: Callable[[], bytes]) -> tuple[Path, bytes]:
    """Where the secret of `path` is (`path`, or with `.age` when it is sealed), and its content.

    The first call makes it; of two first calls at once both return the same. A plain one that an earlier version
    left is sealed when the operator seals now. StateError: it cannot be read.
    """
    seal = seal_from_environment()
    sealed = path.with_name(path.name + SUFFIX)
    if not sealed.exists() and seal is None:
        if not path.exists():
            make_private_directory(path.parent)
            _write(path, make())
        _sweep(path)
        return path, _read(path)
    if not sealed.exists() and seal is not None:
        make_private_directory(path.parent)
        _write(sealed, seal.close(_read(path) if path.exists() else make()))
    content = unsealed(sealed)
    _sweep(path)
    _sweep(sealed)
    path.unlink(missing_ok=True)  # only now: its content can be had from the sealed one
    return sealed, content


def replace(path: Path, content: bytes) -> None:
    """Write the secret of `path` anew, sealed when the operator seals; an earlier one is gone."""
    seal = seal_from_environment()
    sealed = path.with_name(path.name + SUFFIX)
    make_private_directory(path.parent)
    place, other = (path, sealed) if seal is None else (sealed, path)
    try:
        _write(place, content if seal is None else seal.close(content), over=True)
        other.unlink(missing_ok=True)
    except OSError as error:
        raise StateError(f"cannot be written: {error.strerror}", where=str(place)) from error
    _sweep(path)
    _sweep(sealed)


def remove(path: Path) -> bool:
    """Remove the secret of `path`, sealed or not; whether there was one."""
    places = [place for place in (path, path.with_name(path.name + SUFFIX)) if place.exists()]
    for place in places:
        place.unlink(missing_ok=True)
    return bool(places)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_mode & 0o077:
            path.chmod(0o600)
        return path.read_bytes()
    except OSError as error:
        raise StateError(f"cannot be read: {error.strerror}", where=str(path)) from error


def _write(path: Path, content: bytes, *, over: bool = False) -> None:
    # mkstemp makes it 0600. Our number tells the next run that what a killed one left can go.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}-{os.getpid()}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if over:
            Path(temporary).replace(path)
        else:
            # A link, unlike a rename, does not replace what another process may have made meanwhile.
            os.link(temporary, path)
    except FileExistsError:
        return
    finally:
        Path(temporary).unlink(missing_ok=True)


def _sweep(path: Path) -> None:
    """Remove what writers of `path` left that were killed."""
    for temporary in path.parent.glob(f".{path.name}-*-*"):
        number = temporary.name.removeprefix(f".{path.name}-").partition("-")[0]
        if number.isdigit() and not Path("/proc", number).exists():
            temporary.unlink(missing_ok=True)

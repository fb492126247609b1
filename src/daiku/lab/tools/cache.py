"""The cache of tools outside the checkout: where it is, one builder at a time, and all or nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path


def cache_root(environ: Mapping[str, str] = os.environ) -> Path:
    """`$DAIKU_CACHE`, else `$XDG_CACHE_HOME/daiku`, else `~/.cache/daiku`; tools are in its folder `tools`."""
    if own := environ.get("DAIKU_CACHE"):
        return Path(own).expanduser() / "tools"
    if xdg := environ.get("XDG_CACHE_HOME"):
        return Path(xdg).expanduser() / "daiku" / "tools"
    return Path("~/.cache/daiku/tools").expanduser()


@contextmanager
def locked(place: Path) -> Generator[None]:
    """Only one process works on `place` at a time; the others wait. The kernel drops a dead process's lock."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.with_name(f".{place.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def published(place: Path) -> Generator[Path]:
    """A fresh folder that becomes `place` in one step when the block ends well, and is gone when it does not."""
    scratch = Path(tempfile.mkdtemp(prefix=f".{place.name}.", dir=place.parent))
    try:
        yield scratch
        if place.exists():
            shutil.rmtree(place)
        scratch.replace(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)

"""Load `cluster.yaml`: every fault of the file at once, each with its line."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from daiku.errors import Fault, SpecError
from daiku.spec.cluster import Cluster
from daiku.spec.defaults import fill
from daiku.spec.faults import explain_error
from daiku.spec.lockfile import ReleaseLock, path_of, read_lock
from daiku.spec.source import Source, read

MAX_BYTES = 4 * 1024 * 1024
"""A file of 14 pools with 4,000 nodes each is smaller."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A specification that is right by itself. `digest` is the SHA-256 of `canonical(cluster)`; `lock` holds what the
    lock file beside it says, if there is one."""

    cluster: Cluster
    source: Source
    digest: str
    lock: ReleaseLock | None = None


def load(path: Path) -> Loaded:
    """Read and check a cluster file, and its lock file. Raises SpecError with every fault that was found."""
    loaded = load_without_lock(path)
    return dataclasses.replace(loaded, lock=read_lock(path_of(path), loaded.cluster.release))


def load_without_lock(path: Path) -> Loaded:
    """The cluster file alone: for whoever makes the lock file. SpecError."""
    return parse(_text(path), str(path))


def parse(text: str, file: str) -> Loaded:
    """The same for text that was read already; `file` is the name to show."""
    document = read(text, file)
    faults = list(document.faults)
    if document.value is None and faults:
        raise SpecError(faults)
    if not isinstance(document.value, dict):
        raise SpecError([document.source.fault_at("", "a cluster file is a mapping (key: value)", 1, 1)])
    try:
        # JSON keeps the models strict: a YAML list may become a tuple, but a number never becomes text.
        cluster = Cluster.model_validate_json(json.dumps(document.value), by_alias=True, by_name=False)
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults += [explain_error(Cluster, document.source, detail) for detail in details]
        raise SpecError(in_order(faults)) from None
    if faults:
        raise SpecError(in_order(faults))
    return Loaded(cluster, document.source, digest(cluster))


def canonical(cluster: Cluster) -> str:
    """One JSON text for one meaning: all defaults written out, and the same order for the same nodes."""
    return fill(cluster).model_dump_json(by_alias=True)


def digest(cluster: Cluster) -> str:
    """SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(cluster).encode()).hexdigest()


def in_order(faults: list[Fault]) -> list[Fault]:
    """Faults as a reader meets them, top to bottom; equal ones once."""
    return sorted(dict.fromkeys(faults), key=lambda f: (f.line, f.column, f.path, f.message))


def _text(path: Path) -> str:
    file = str(path)
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(file, "no such file", "`daiku new` writes a first one") from None
    except IsADirectoryError:
        raise _unreadable(file, "is a directory", "name the cluster file in it") from None
    except (OSError, ValueError) as error:
        raise _unreadable(file, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise _unreadable(file, f"larger than {MAX_BYTES // 1024 // 1024} MiB: not a cluster file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise SpecError([Fault("", "not UTF-8 text", "save it as UTF-8", file, line, 1)]) from None


def _unreadable(file: str, message: str, hint: str = "") -> SpecError:
    return SpecError([Fault(path="", message=message, hint=hint, file=file)])

"""Tree: rendered files by path, content-addressed. It can be written out for review and compared with
another one."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daiku.errors import StateError

MARKER = ".daiku-tree.json"
"""The index at the top of a written tree. A directory that lacks it was not made by `Tree.write`."""


@dataclass(frozen=True, slots=True)
class File:
    """One rendered file. Mode, owner and group are those on the machine that it is for."""

    content: bytes
    mode: int = 0o644
    owner: str = "root"
    group: str = "root"
    triggers: tuple[str, ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of the content, as 64 hexadecimal digits."""
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class FileDiff:
    """How one path differs between two trees. `text` is a unified diff; a change of mode or owner is a line
    of it."""

    path: str
    change: Literal["added", "removed", "changed"]
    text: str


class Tree(Mapping[str, File]):
    """A frozen mapping of relative POSIX paths to files, iterated in the order of the paths.

    ValueError: a path that is absolute, empty or leaves the tree, or that is at once a file and a directory.
    """

    __slots__ = ("_files",)

    def __init__(self, files: Mapping[str, File]) -> None:
        ordered = dict(sorted(files.items()))
        for path in ordered:
            parts = path.split("/")
            if path == MARKER or not all(parts) or {".", ".."} & set(parts) or "\0" in path:
                raise ValueError(f"not a path of a tree: {path!r}")
            for end in range(1, len(parts)):
                if "/".join(parts[:end]) in ordered:
                    raise ValueError(f"{'/'.join(parts[:end])} is a file and a directory")
        self._files = ordered

    def __getitem__(self, path: str) -> File:
        return self._files[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tree) and self._files == other._files

    def __hash__(self) -> int:
        return hash(self.digest())

    def under(self, prefix: str) -> Tree:
        """The part of the tree below the directory `prefix`, with that prefix taken off."""
        start = prefix.rstrip("/") + "/"
        return Tree({path[len(start) :]: file for path, file in self.items() if path.startswith(start)})

    def index(self) -> str:
        """Path, digest, mode, owner, group and triggers of every file, as JSON that people can read."""
        entries = {
            path: {
                "sha256": file.sha256,
                "mode": f"{file.mode:04o}",
                "owner": file.owner,
                "group": file.group,
                "triggers": list(file.triggers),
            }
            for path, file in self.items()
        }
        return json.dumps({"version": 1, "files": entries}, indent=1, sort_keys=True) + "\n"

    def digest(self) -> str:
        """SHA-256 of the index: equal trees have equal digests on every machine."""
        return hashlib.sha256(self.index().encode()).hexdigest()

    def write(self, out: Path) -> None:
        """Make the directory `out` equal to the tree, all at once; what it held before is gone.

        The copy is private (0700 and 0600) whatever the files' modes are: the modes stand in the index.
        StateError: `out` exists and was not written by this function, or cannot be written; it is then as it
        was.
        """
        out = out.absolute()
        _refuse_foreign(out)
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            work = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
        except OSError as error:
            raise _unwritable(out, error) from error
        try:
            fresh = work / "new"
            self._fill(fresh)
            _swap(fresh, out, work / "old")
        except OSError as error:
            raise _unwritable(out, error) from error
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _fill(self, root: Path) -> None:
        root.mkdir(mode=0o700)
        for path, file in self.items():
            target = root / path
            for parent in reversed(target.relative_to(root).parents):
                (root / parent).mkdir(mode=0o700, exist_ok=True)
            _write_private(target, file.content)
        _write_private(root / MARKER, self.index().encode())


def diff(old: Tree, new: Tree) -> tuple[FileDiff, ...]:
    """What must be done to make `old` into `new`, by path; empty when they are equal."""
    found: list[FileDiff] = []
    for path in sorted({*old, *new}):
        before, after = old.get(path), new.get(path)
        if before == after:
            continue
        change = "added" if before is None else "removed" if after is None else "changed"
        found.append(FileDiff(path, change, _unified(path, before, after)))
    return tuple(found)


def _unified(path: str, before: File | None, after: File | None) -> str:
    attributes: list[str] = []
    if before is not None and after is not None:
        for name, was, now in (
            ("mode", f"{before.mode:04o}", f"{after.mode:04o}"),
            ("owner", f"{before.owner}:{before.group}", f"{after.owner}:{after.group}"),
            ("triggers", " ".join(before.triggers), " ".join(after.triggers)),
        ):
            if was != now:
                attributes.append(f"{name} {path}: {was or 'none'} -> {now or 'none'}\n")
    try:
        a = before.content.decode() if before else ""
        b = after.content.decode() if after else ""
    except UnicodeDecodeError:
        return "".join(attributes) + f"binary {path} differs\n"
    lines = difflib.unified_diff(
        a.splitlines(keepends=True),
        b.splitlines(keepends=True),
        f"a/{path}" if before else "/dev/null",
        f"b/{path}" if after else "/dev/null",
    )
    ended = (line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)
    return "".join(attributes) + "".join(ended)


def _refuse_foreign(out: Path) -> None:
    if out.is_symlink() or (out.exists() and not out.is_dir()):
        raise StateError("not a directory", where=str(out), hint="name another directory")
    if out.is_dir() and not (out / MARKER).is_file() and any(out.iterdir()):
        raise StateError(
            "the directory holds files that daiku did not write, so it is left alone",
            where=str(out),
            hint="name an empty or a new directory",
        )


def _swap(fresh: Path, out: Path, old: Path) -> None:
    # Two renames, because POSIX cannot replace a directory that is not empty. If the second fails, the first
    # is undone.
    replaced = out.exists()
    if replaced:
        out.rename(old)
    try:
        fresh.rename(out)
    except OSError:
        if replaced:
            old.rename(out)
        raise


def _write_private(path: Path, content: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def _unwritable(out: Path, error: OSError) -> StateError:
    return StateError(
        f"cannot be written: {error.strerror or error}", where=str(out), hint="name another directory"
    )

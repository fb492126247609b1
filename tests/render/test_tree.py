"""The tree of files: paths, digests, writing it out all at once, telling two apart."""

from __future__ import annotations

import dataclasses
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from daiku.errors import StateError
from daiku.render.tree import MARKER, File, Tree, diff

SMALL = Tree({"b/c": File(b"c\n"), "a": File(b"a\n", 0o600)})


@pytest.mark.parametrize("path", ["", "/a", "a/", "a//b", "./a", "a/../b", "a\0b", MARKER])
def test_a_path_that_leaves_the_tree_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        Tree({path: File(b"")})


def test_a_path_cannot_be_a_file_and_a_directory() -> None:
    with pytest.raises(ValueError, match="a is a file and a directory"):
        Tree({"a": File(b""), "a/b": File(b"")})


def test_equal_trees_have_equal_digests_whatever_the_order() -> None:
    same = Tree({"a": File(b"a\n", 0o600), "b/c": File(b"c\n")})
    assert same == SMALL
    assert same.digest() == SMALL.digest()
    assert list(same) == ["a", "b/c"]


@pytest.mark.parametrize(
    "change",
    [{"content": b"x"}, {"mode": 0o644}, {"owner": "x"}, {"group": "x"}, {"triggers": ("x",)}],
)
def test_the_digest_covers_every_field(change: dict[str, Any]) -> None:
    changed = Tree({**SMALL, "a": dataclasses.replace(SMALL["a"], **change)})
    assert changed.digest() != SMALL.digest()


def test_under_takes_the_prefix_off() -> None:
    tree = Tree({"hosts/a/etc/x": File(b"1"), "hosts/ab/etc/x": File(b"2"), "cluster/x": File(b"3")})
    assert dict(tree.under("hosts/a")) == {"etc/x": File(b"1")}
    assert dict(tree.under("hosts/a/")) == {"etc/x": File(b"1")}
    assert len(tree.under("host")) == 0


def contents(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_writing_gives_private_files_and_an_index(tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    SMALL.write(out)
    assert contents(out) == {"a": b"a\n", "b/c": b"c\n", MARKER: SMALL.index().encode()}
    modes = {stat.S_IMODE(p.stat().st_mode) for p in out.rglob("*") if p.is_file()}
    assert modes == {0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in (out, out / "b")} == {0o700}
    assert json.loads((out / MARKER).read_text())["files"]["a"]["mode"] == "0600"
    assert [p.name for p in out.parent.iterdir()] == ["out"]


def test_writing_again_replaces_all_of_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    SMALL.write(out)
    Tree({"new": File(b"new")}).write(out)
    assert set(contents(out)) == {"new", MARKER}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    SMALL.write(tmp_path)
    assert set(contents(tmp_path)) == {"a", "b/c", MARKER}


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(StateError, match="did not write") as caught:
        SMALL.write(tmp_path)
    assert caught.value.hint
    assert contents(tmp_path) == {"thesis.txt": b"years of work"}


def test_a_file_or_link_is_not_replaced(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.write_text("mine")
    (tmp_path / "target").mkdir()
    link.symlink_to(tmp_path / "target")
    for out in (file, link):
        with pytest.raises(StateError, match="not a directory"):
            SMALL.write(out)
    assert file.read_text() == "mine"
    assert link.is_symlink()


def test_when_the_swap_fails_the_old_tree_is_still_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    SMALL.write(out)
    real = Path.rename

    def rename(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(StateError, match="No space left"):
        Tree({"new": File(b"new")}).write(out)
    assert contents(out) == {"a": b"a\n", "b/c": b"c\n", MARKER: SMALL.index().encode()}
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_where_nothing_can_be_written_one_error_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"):
        SMALL.write(tmp_path / "file" / "out")


def test_equal_trees_have_no_difference() -> None:
    assert diff(SMALL, Tree(dict(SMALL))) == ()


@pytest.mark.parametrize(
    ("before", "after", "change", "text"),
    [
        (None, File(b"one\n"), "added", "--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+one\n"),
        (File(b"one\n"), None, "removed", "--- a/x\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n"),
        (File(b"one\n"), File(b"two\n"), "changed", "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n+two\n"),
        (File(b"one\n"), File(b"one\n", 0o600), "changed", "mode x: 0644 -> 0600\n"),
        (File(b""), File(b"", owner="etcd"), "changed", "owner x: root:root -> etcd:root\n"),
        (File(b""), File(b"", triggers=("sysctl",)), "changed", "triggers x: none -> sysctl\n"),
        (File(b"\xff"), File(b"\xfe"), "changed", "binary x differs\n"),
        (
            File(b"one"),
            File(b"two\n"),
            "changed",
            "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-one\n\\ No newline at end of file\n+two\n",
        ),
    ],
)
def test_a_difference_is_told_as_text(
    before: File | None, after: File | None, change: str, text: str
) -> None:
    (found,) = diff(Tree({"x": before} if before else {}), Tree({"x": after} if after else {}))
    assert (found.path, found.change, found.text) == ("x", change, text)

"""Records, directories, files and mounts of a host that are not what they should be."""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from daiku.errors import HostDiskFullError, HostError
from tests.apply.odd_host import is_clear, odd_host
from tests.apply.rehearsal import Rehearsal, bundle_of, file, live, noted, noting, run, wanted

OLD = bundle_of(file("/etc/a", "old", trigger="t"), file("/etc/b", "old b"), noting("t", 1, "/etc/a"))
NEW = bundle_of(file("/etc/a", "new", trigger="t"), file("/etc/b", "new b"), noting("t", 1, "/etc/a"))
CLONE_NEWNS = 0x20000
may_mount = pytest.mark.skipif(
    shutil.which("unshare") is None
    or subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0,
    reason="this account may make no mounts of its own",
)


def state(root: Path, name: str = "") -> Path:
    return root / "var/lib/daiku" / name


def refused(root: Path, message: str, before: Callable[[], None] = lambda: None) -> HostError:
    """Told in one line, and the files are as they were."""
    was = live(root)
    with pytest.raises(HostError, match=message) as caught:
        run(root, NEW, Rehearsal(before))
    assert is_clear(caught.value)
    assert live(root) == was
    assert [p for p in root.rglob(".daiku-new-*") if not p.parent.is_symlink()] == []
    return caught.value


def mounting(*words: str | Path) -> Callable[[], None]:
    """Of the helper's process: it alone sees the mount, which ends with it."""

    def before() -> None:
        assert ctypes.CDLL(None).unshare(CLONE_NEWNS) == 0
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        subprocess.run(["mount", *words], check=True)

    return before


# --- our own records ---------------------------------------------------------------------------------------------


def nothing(_path: Path) -> None:
    """It is not there."""


def text(content: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(content)


def link(to: str) -> Callable[[Path], object]:
    return lambda path: path.symlink_to(to)


@pytest.mark.parametrize("name", ["receipt.json", "intent.json", "guard.json"])
@pytest.mark.parametrize(
    "make",
    [
        nothing,
        text(b""),
        text(b"\xff\0{{"),
        text(b"null"),
        text(b"[]"),
        text(b"[" * 200_000),
        text(b"x" * 5_000_000),
        os.mkfifo,
        link("/etc/passwd"),
        link("/no/where"),
    ],
    ids=["gone", "empty", "garbage", "null", "list", "deep", "huge", "pipe", "link", "dangling"],
)
def test_a_record_that_is_damaged_is_as_one_that_is_missing(
    tmp_path: Path, name: str, make: Callable[[Path], object]
) -> None:
    run(tmp_path, OLD)
    state(tmp_path, name).unlink(missing_ok=True)
    make(state(tmp_path, name))
    planned = run(tmp_path, NEW, dry_run=True)
    done = run(tmp_path, NEW)
    assert planned.changes == done.changes
    assert live(tmp_path) == wanted(NEW)
    assert noted(tmp_path, "t") == [b"old", b"new"]
    assert not run(tmp_path, NEW).changed
    assert state(tmp_path, "receipt.json").is_file()
    assert not state(tmp_path, "receipt.json").is_symlink()


def test_a_record_of_another_shape_is_told_as_a_fault(tmp_path: Path) -> None:
    with odd_host(tmp_path) as host:
        host.run(OLD)
        state(host.root, "receipt.json").write_text('{"files": 5}')
        with pytest.raises(HostError, match="helper ended in the middle: TypeError") as caught:
            host.run(NEW)
        assert is_clear(caught.value)
        assert "a record in /var/lib/daiku was edited by hand" in caught.value.hint
        assert live(host.root) == wanted(OLD)


@pytest.mark.parametrize(("name", "message"), [("intent.json", "Is a directory"), ("lock", "Is a directory")])
def test_a_directory_where_a_record_should_be(tmp_path: Path, name: str, message: str) -> None:
    run(tmp_path, OLD)
    state(tmp_path, name).unlink(missing_ok=True)
    state(tmp_path, name).mkdir()
    refused(tmp_path, rf"/var/lib/daiku/{name}: {message}")
    state(tmp_path, name).rmdir()
    run(tmp_path, NEW)
    assert live(tmp_path) == wanted(NEW)


def test_a_directory_where_the_receipt_should_be_does_not_make_triggers_run_again(tmp_path: Path) -> None:
    state(tmp_path, "receipt.json").mkdir(parents=True)
    for _ in range(2):
        with pytest.raises(HostError, match=r"/var/lib/daiku/receipt.json: Is a directory") as caught:
            run(tmp_path, NEW)
        assert is_clear(caught.value)
    assert live(tmp_path) == wanted(NEW)
    state(tmp_path, "receipt.json").rmdir()
    assert not run(tmp_path, NEW).changed
    assert noted(tmp_path, "t") == [b"new"]


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    run(tmp_path, OLD)
    state(tmp_path, "lock").unlink()
    state(tmp_path, "lock").symlink_to(tmp_path / "made")
    refused(tmp_path, "/var/lib/daiku/lock")
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("name", ["", "previous"])
@pytest.mark.parametrize("make", [text(b"theirs"), link("/no/where")])
def test_no_directory_where_ours_should_be(tmp_path: Path, name: str, make: Callable[[Path], object]) -> None:
    run(tmp_path, OLD)
    shutil.rmtree(state(tmp_path, name), ignore_errors=True)
    make(state(tmp_path, name))
    refused(tmp_path, rf"/var/lib/daiku{'/' if name else ''}{name}: no directory, but one is needed")


def test_our_directory_may_be_a_link_to_another_disk(tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "var/lib").mkdir(parents=True)
    state(tmp_path).symlink_to(tmp_path / "big")
    assert run(tmp_path, NEW).changed
    assert not run(tmp_path, NEW).changed
    assert (tmp_path / "big/receipt.json").is_file()


# --- what is around the files ------------------------------------------------------------------------------------


def test_a_directory_that_is_a_link_is_gone_through(tmp_path: Path) -> None:
    """As /lib and /var/run are on every Ubuntu. Only the last part of a path is never followed."""
    (tmp_path / "usr/etc").mkdir(parents=True)
    (tmp_path / "etc").symlink_to("usr/etc")
    assert run(tmp_path, NEW).changed
    assert (tmp_path / "etc").is_symlink()
    assert (tmp_path / "usr/etc/a").read_text() == "new"
    assert not run(tmp_path, NEW).changed


@pytest.mark.parametrize(
    ("to", "message"),
    [("nowhere", "/etc: no directory, but one is needed"), ("etc", "/etc/a: Too many levels")],
)
def test_a_directory_that_is_a_link_to_nothing(tmp_path: Path, to: str, message: str) -> None:
    (tmp_path / "etc").symlink_to(to)
    refused(tmp_path, message)
    assert not (tmp_path / "nowhere").exists()


@pytest.fixture
def fixed(tmp_path: Path) -> Iterator[Callable[[str, str], None]]:
    """Sets attributes of files until the test ends."""

    def fix(path: str, flag: str) -> None:
        words = ["chattr", flag, str(tmp_path / path)]
        if (
            shutil.which("chattr") is None
            or subprocess.run(words, capture_output=True, check=False).returncode
        ):
            pytest.skip("this file system has no attributes")

    yield fix
    subprocess.run(["chattr", "-R", "-ia", str(tmp_path)], capture_output=True, check=False)


@pytest.mark.parametrize("flag", ["+i", "+a"])
def test_an_immutable_file_is_in_the_plan_and_nothing_is_changed(
    tmp_path: Path, fixed: Callable[[str, str], None], flag: str
) -> None:
    run(tmp_path, OLD)
    fixed("etc/b", flag)
    assert not run(tmp_path, OLD).changed
    with pytest.raises(HostError, match="/etc/b: it is immutable"):
        run(tmp_path, NEW, dry_run=True)
    assert refused(tmp_path, "/etc/b: it is immutable").step == "validate"
    with pytest.raises(HostError, match="/etc/b: it is immutable"):
        run(tmp_path, bundle_of(file("/etc/a", "other")))
    assert live(tmp_path) == wanted(OLD)


@pytest.mark.parametrize("path", ["etc", "var/lib/daiku"])
def test_an_immutable_directory(tmp_path: Path, fixed: Callable[[str, str], None], path: str) -> None:
    run(tmp_path, OLD)
    fixed(path, "+i")
    refused(tmp_path, "Operation not permitted")


@may_mount
def test_a_file_that_is_a_mount_point(tmp_path: Path) -> None:
    run(tmp_path, OLD)
    path = tmp_path / "etc/b"
    error = refused(tmp_path, "/etc/b: it is a mount point", mounting("--bind", path, path))
    assert error.step == "validate"
    run(tmp_path, NEW)
    assert live(tmp_path) == wanted(NEW)


@may_mount
@pytest.mark.parametrize("folder", ["etc", "var/lib/daiku"])
@pytest.mark.parametrize(
    ("options", "message"),
    [("nr_inodes=1", "0 inodes free"), ("size=4k,nr_inodes=3", "no space left"), ("ro", "is read-only")],
)
def test_a_file_system_without_room(tmp_path: Path, folder: str, options: str, message: str) -> None:
    (tmp_path / "etc").mkdir()
    state(tmp_path).mkdir(parents=True)
    error = refused(tmp_path, message, mounting("-t", "tmpfs", "-o", options, "tmpfs", tmp_path / folder))
    assert str(tmp_path / folder) in error.message
    assert isinstance(error, HostDiskFullError) == ("ro" not in options)
    run(tmp_path, NEW)
    assert live(tmp_path) == wanted(NEW)


@may_mount
def test_a_root_from_which_nothing_may_be_run(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    before = mounting("-t", "tmpfs", "-o", "noexec,nodev,nosuid", "tmpfs", root)
    assert run(root, NEW, Rehearsal(before)).changed


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "proc").symlink_to("/proc")
    with pytest.raises(HostError, match=r"/proc/self/mem: Input/output error") as caught:
        run(tmp_path, bundle_of(file("/proc/self/mem", "x")), dry_run=True)
    assert is_clear(caught.value)


# --- hostile names of our own bundle -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["n" * 255, "-rf", "--", "...", ".daiku-new-x", "@", "+1"])
def test_names_that_a_bundle_may_hold(tmp_path: Path, name: str) -> None:
    old, new = (bundle_of(file(f"/etc/{name}", text, trigger="t"), noting("t", 1)) for text in ("1", "2"))
    run(tmp_path, old)
    run(tmp_path, new)
    assert live(tmp_path) == wanted(new)
    assert [p.read_text() for p in state(tmp_path, "previous").iterdir()] == ["1"]
    run(tmp_path, bundle_of())
    assert live(tmp_path) == {}

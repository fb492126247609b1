"""What a host is brought to, and how little it takes when there is nothing to do."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from daiku.errors import HostError
from daiku.render.bundle import HostBundle, HostFile, Trigger
from tests.apply.rehearsal import (
    GROUP,
    OWNER,
    Rehearsal,
    bundle_of,
    file,
    live,
    noted,
    noting,
    order_of,
    run,
    wanted,
)


def test_a_new_host_gets_everything_and_a_second_run_changes_nothing(tmp_path: Path) -> None:
    bundle = bundle_of(
        file("/etc/a", "one\n", trigger="t"),
        file("/etc/deep/er/b", b"\0\1\2", 0o600),
        noting("t", 1, "/etc/a"),
    )
    first = run(tmp_path, bundle)
    assert live(tmp_path) == wanted(bundle)
    assert [c.path for c in first.changes] == ["/etc/a", "/etc/deep/er/b"]
    assert [t.name for t in first.triggers] == ["t"]
    assert first.round_trips == 2
    session = Rehearsal()
    second = run(tmp_path, bundle, session)
    assert (second.changes, second.triggers, second.round_trips, session.opened) == ((), (), 1, 1)
    assert len(noted(tmp_path, "t")) == 1
    assert oct(stat.S_IMODE((tmp_path / "var/lib/daiku").stat().st_mode)) == "0o700"


def test_a_dry_run_shows_all_and_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/a").write_text("mtu 1500\n")
    (tmp_path / "etc/a").chmod(0o644)
    bundle = bundle_of(file("/etc/a", "mtu 9000\n", trigger="t"), file("/etc/b", "new\n"), noting("t", 1))
    report = run(tmp_path, bundle, dry_run=True)
    assert live(tmp_path) == {"/etc/a": (b"mtu 1500\n", 0o644)}
    assert not (tmp_path / "var").exists()
    assert report.round_trips == 1
    assert [(c.path, c.what) for c in report.changes] == [("/etc/a", ("content",)), ("/etc/b", ("create",))]
    assert "-mtu 1500\n+mtu 9000\n" in report.changes[0].diff
    assert "+new\n" in report.changes[1].diff
    assert [(t.name, t.seconds) for t in report.triggers] == [("t", None)]


def test_a_dry_run_shows_exactly_what_the_run_does(tmp_path: Path) -> None:
    run(tmp_path, bundle_of(file("/etc/a", "1", trigger="t"), file("/etc/old", "x"), noting("t", 1)))
    (tmp_path / "etc/a").chmod(0o600)
    bundle = bundle_of(
        file("/etc/a", "1", trigger="t"), file("/etc/c", "2", trigger="u"), noting("t", 1), noting("u", 2)
    )
    planned = run(tmp_path, bundle, dry_run=True)
    done = run(tmp_path, bundle)
    assert planned.changes == done.changes
    assert [t.name for t in planned.triggers] == [t.name for t in done.triggers] == ["t", "u"]
    assert [c.what for c in done.changes] == [("mode",), ("create",), ("remove",)]
    assert not run(tmp_path, bundle).changed


def test_private_contents_neither_travel_nor_show(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    for name, mode in (("closed", 0o600), ("closing", 0o644), ("opening", 0o640)):
        (tmp_path / "etc" / name).write_text("old-canary")
        (tmp_path / "etc" / name).chmod(mode)
    bundle = bundle_of(
        file("/etc/closed", "new-canary", 0o600),
        file("/etc/closing", "new-canary", 0o600),
        file("/etc/opening", "new-canary", 0o644),
        file("/etc/fresh", "new-canary", 0o600),
    )
    report = run(tmp_path, bundle, dry_run=True)
    assert [c.private for c in report.changes] == [True] * 4
    assert "canary" not in repr(report)


def test_a_rights_change_sends_no_content(tmp_path: Path) -> None:
    bundle = bundle_of(file("/etc/a", "x" * 5000 + os.urandom(5000).hex()))
    run(tmp_path, bundle)
    (tmp_path / "etc/a").chmod(0o4777)
    inode = (tmp_path / "etc/a").stat().st_ino
    sent_by_nothing = run(tmp_path, bundle, dry_run=True).sent
    report = run(tmp_path, bundle)
    assert [c.what for c in report.changes] == [("mode",)]
    assert report.sent - sent_by_nothing < 100
    assert (tmp_path / "etc/a").stat().st_ino == inode
    assert live(tmp_path) == wanted(bundle)


def test_equal_contents_travel_once(tmp_path: Path) -> None:
    content = os.urandom(20_000)
    one = run(tmp_path / "one", bundle_of(file("/a", content)))
    five = run(tmp_path / "five", bundle_of(*(file(f"/{n}", content) for n in "abcde")))
    assert five.sent - one.sent < 2000


def test_triggers_run_in_order_and_only_for_what_changed(tmp_path: Path) -> None:
    def make(a: str, b: str) -> HostBundle:
        return bundle_of(
            file("/etc/a", a, trigger="zz-first"),
            file("/etc/b", b, trigger="aa-last"),
            noting("zz-first", 10, "/etc/a"),
            noting("aa-last", 90, "/etc/b"),
            noting("no-files", 50),
        )

    run(tmp_path, make("1", "1"))
    assert order_of(tmp_path) == ["zz-first", "no-files", "aa-last"]
    report = run(tmp_path, make("1", "2"))
    assert [t.name for t in report.triggers] == ["aa-last"]
    (tmp_path / "etc/a").write_text("drifted")
    report = run(tmp_path, make("1", "2"))
    assert [t.name for t in report.triggers] == ["zz-first"]


def test_a_trigger_whose_command_changes_runs_again(tmp_path: Path) -> None:
    run(tmp_path, bundle_of(Trigger("t", ("true",), 1)))
    assert not run(tmp_path, bundle_of(Trigger("t", ("true",), 1))).changed
    assert [t.name for t in run(tmp_path, bundle_of(Trigger("t", ("true", "again"), 1))).triggers] == ["t"]


def test_a_file_that_leaves_the_bundle_goes_and_its_trigger_runs(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/foreign").write_text("not ours")
    run(
        tmp_path,
        bundle_of(file("/etc/a", "1", trigger="t"), file("/etc/b", "2", trigger="t"), noting("t", 1)),
    )
    report = run(tmp_path, bundle_of(file("/etc/a", "1", trigger="t"), noting("t", 1)))
    assert [(c.path, c.what) for c in report.changes] == [("/etc/b", ("remove",))]
    assert [t.name for t in report.triggers] == ["t"]
    assert sorted(live(tmp_path)) == ["/etc/a", "/etc/foreign"]
    assert _kept(tmp_path) == {b"2"}


def test_the_previous_version_is_kept(tmp_path: Path) -> None:
    run(tmp_path, bundle_of(file("/etc/a", "one")))
    run(tmp_path, bundle_of(file("/etc/a", "two")))
    assert _kept(tmp_path) == {b"one"}
    run(tmp_path, bundle_of(file("/etc/a", "three")))
    assert _kept(tmp_path) == {b"two"}


def test_a_lost_receipt_is_written_again(tmp_path: Path) -> None:
    bundle = bundle_of(file("/etc/a", "1"))
    run(tmp_path, bundle)
    receipt = tmp_path / "var/lib/daiku/receipt.json"
    receipt.write_text("{damaged")
    assert not run(tmp_path, bundle).changed
    assert bundle.digest() in receipt.read_text()


# --- what may stand in the way -----------------------------------------------------------------------------------


def test_a_symlink_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "etc/a").symlink_to(tmp_path / "victim")
    (tmp_path / "etc/dangling").symlink_to("/nowhere/at/all")
    report = run(tmp_path, bundle_of(file("/etc/a", "ours\n"), file("/etc/dangling", "ours\n")))
    assert [c.what for c in report.changes] == [("type",), ("type",)]
    assert (tmp_path / "victim").read_text() == "precious"
    assert not (tmp_path / "etc/a").is_symlink()
    assert (tmp_path / "etc/a").read_text() == "ours\n"
    assert f"--> {tmp_path}/victim" in report.changes[0].diff


def test_a_planted_temporary_name_is_not_followed(tmp_path: Path) -> None:
    from daiku.apply.helper.files import staged

    (tmp_path / "etc").mkdir()
    (tmp_path / "victim").write_text("precious")
    Path(staged(f"{tmp_path}/etc/a")).symlink_to(tmp_path / "victim")
    run(tmp_path, bundle_of(file("/etc/a", "ours")))
    assert (tmp_path / "victim").read_text() == "precious"
    assert live(tmp_path)["/etc/a"] == (b"ours", 0o644)


def test_all_that_stands_in_the_way_is_told_at_once_and_nothing_changes(tmp_path: Path) -> None:
    (tmp_path / "etc/a").mkdir(parents=True)
    (tmp_path / "etc/file").write_text("x")
    os.mkfifo(tmp_path / "etc/pipe")
    bundle = HostBundle(
        "n1",
        (
            file("/etc/a"),
            file("/etc/file/b"),
            file("/etc/fine"),
            file("/etc/pipe"),
            HostFile("/etc/theirs", b"", owner="nobody-here", group="no-group-here"),
        ),
        (),
    )
    with pytest.raises(HostError) as caught:
        run(tmp_path, bundle)
    for part in ("etc/a: a directory", "etc/file/b: a file", "etc/pipe: a device, pipe", "named nobody-here"):
        assert part in str(caught.value)
    assert caught.value.step == "validate"
    assert not (tmp_path / "etc/fine").exists()


@pytest.mark.parametrize(
    "name",
    ["/etc/$(touch pwned)", "/etc/a b;c", "/etc/'\"`", "/etc/new\nline", "/etc/日本", "/etc/%2F", "/-rf"],
)
def test_hostile_names_are_only_names(tmp_path: Path, name: str) -> None:
    class AnyFile(HostFile):
        def __post_init__(self) -> None:
            pass

    bundle = bundle_of(AnyFile(name, b"x", 0o644, OWNER, GROUP))
    run(tmp_path, bundle)
    assert live(tmp_path) == {name: (b"x", 0o644)}
    assert not run(tmp_path, bundle).changed


def test_a_long_name_and_a_long_path(tmp_path: Path) -> None:
    bundle = bundle_of(file("/" + "n" * 250, "1"), file("/" + "/".join(["d" * 60] * 12), "2"))
    run(tmp_path, bundle)
    changed = bundle_of(file("/" + "n" * 250, "3"), file("/" + "/".join(["d" * 60] * 12), "4"))
    run(tmp_path, changed)
    assert live(tmp_path) == wanted(changed)
    assert _kept(tmp_path) == {b"1", b"2"}


def test_a_device_that_speaks_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "etc/s"))
        with pytest.raises(HostError, match="socket is where a file should be"):
            run(tmp_path, bundle_of(file("/etc/s")))


def _kept(root: Path) -> set[bytes]:
    return {path.read_bytes() for path in (root / "var/lib/daiku/previous").iterdir()}

"""Hosts that are not as they should be: one clear line each, nothing broken, and the other hosts done."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from daiku.errors import HostError
from daiku.lab.topology import Machine
from daiku.render.bundle import HostBundle, HostFile, Trigger
from tests.apply.lab_fleet import LOOPBACKS, converge
from tests.apply.odd_host import is_clear
from tests.apply.rehearsal import CHANGING, Rehearsal, bundle_of, file, live, noting, run, wanted
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

BUNDLE = bundle_of(file("/etc/a", "new", trigger="t"), file("/etc/deep/b", "new"), noting("t", 1, "/etc/a"))


def failing_with(number: int) -> Callable[[], None]:
    """Every call that changes a file fails."""

    def before() -> None:
        def fail(path: Any, *_: Any, **__: Any) -> None:
            raise OSError(number, os.strerror(number), path if isinstance(path, str) else None)

        for name in set(CHANGING) - {"write", "fsync"}:
            setattr(os, name, fail)

    return before


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.EROFS, r"the file system of \S+ is read-only"),
        (errno.EIO, r"/\S+: Input/output error"),
        (errno.EPERM, r"/\S+: Operation not permitted"),
    ],
)
def test_a_file_system_that_cannot_be_written(tmp_path: Path, number: int, message: str) -> None:
    old = bundle_of(file("/etc/a", "old"))
    run(tmp_path, old)
    with pytest.raises(HostError, match=message) as caught:
        run(tmp_path, BUNDLE, Rehearsal(failing_with(number)))
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.hint
    assert live(tmp_path) == wanted(old)
    run(tmp_path, BUNDLE)
    assert live(tmp_path) == wanted(BUNDLE)


@pytest.mark.parametrize("seconds", [0, 2**33])
def test_a_wrong_clock_changes_nothing_but_the_date_on_the_receipt(tmp_path: Path, seconds: int) -> None:
    def wrong() -> None:
        gmtime = time.gmtime
        time.time = lambda: float(seconds)
        time.gmtime = lambda _now=None: gmtime(seconds)  # type: ignore[assignment]

    assert run(tmp_path, BUNDLE, Rehearsal(wrong)).changed
    assert live(tmp_path) == wanted(BUNDLE)
    assert not run(tmp_path, BUNDLE, Rehearsal(wrong)).changed
    assert not run(tmp_path, BUNDLE).changed


@pytest.mark.parametrize(
    "name", [b"two\nlines", b"-rf", b"a b;$(reboot)", b"\xff\xfe", b"%2F..%2F", b".daiku-new-x"]
)
def test_hostile_names_beside_our_files_are_left_alone(tmp_path: Path, name: bytes) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    odd = folder / os.fsdecode(name)
    odd.write_text("theirs")
    (folder / "link").symlink_to(tmp_path)
    guarded = Trigger("net", ("sh", "-c", "test -e refused && exit 1 || true"), 2, guarded=True)
    bundle = bundle_of(file("/etc/a", "new", trigger="net"), guarded)
    run(tmp_path, bundle, confirm=20)
    assert odd.read_text() == "theirs"
    (tmp_path / "refused").touch()
    with pytest.raises(HostError, match="could not be restored"):
        run(tmp_path, bundle_of(file("/etc/a", "newer", trigger="net"), guarded), confirm=20)
    assert odd.read_text() == "theirs"
    assert (folder / "a").read_text() == "new"


@pytest.mark.lab
@pytest.mark.allow_hosts(LOOPBACKS)
def test_each_bad_host_is_told_in_one_line_and_the_others_are_done(
    lab: Lab, machines: dict[int, Machine]
) -> None:
    lab.ssh(3, "mkdir -p /etc/daiku && mount -t tmpfs -o ro tmpfs /etc/daiku")
    lab.ssh(4, "sudo mount --bind /dev/null $(readlink -f /usr/bin/python3)", "ubuntu")
    greeting = "echo Welcome to host5; echo 'last login: never' >&2"
    lab.ssh(5, f'sudo ln -sf passwd /etc/motd; (echo "{greeting}"; cat .bashrc) > b; mv b .bashrc', "ubuntu")
    before = lab.ssh(5, "md5sum /etc/passwd; stat -c %i /etc/passwd", "ubuntu")
    bundles = {
        f"host{n}": HostBundle(
            f"host{n}", (HostFile("/etc/motd", b"ours\n"), HostFile("/etc/daiku/note", b"ours\n")), ()
        )
        for n in machines
    }
    pins = Pins()
    report = converge(lab, bundles, pins)
    told = {failure.host: str(failure) for failure in report.failures}
    assert told.keys() == {"host3", "host4"}, told
    assert "the file system of /etc/daiku/note is read-only" in told["host3"]
    assert "no python3" in told["host4"]
    assert all(len(line.splitlines()) == 1 for line in told.values())
    assert [r.host for r in report.reports] == ["host2", "host5"]
    assert lab.ssh(3, "cat /etc/motd") != "ours"
    after = lab.ssh(5, "md5sum /etc/passwd; stat -c %i /etc/passwd", "ubuntu")
    assert after.splitlines()[-2:] == before.splitlines()[-2:]
    assert lab.ssh(5, "test ! -L /etc/motd && cat /etc/motd", "ubuntu").splitlines()[-1] == "ours"
    lab.ssh(3, "umount /etc/daiku")
    lab.ssh(4, "sudo umount $(readlink -f /usr/bin/python3)", "ubuntu")
    assert converge(lab, bundles, pins).failures == ()


@pytest.mark.lab
@pytest.mark.allow_hosts(LOOPBACKS)
def test_logins_that_run_no_commands(lab: Lab, machines: dict[int, Machine]) -> None:
    """The real sshd, sudo and nologin, each in its own words."""
    lab.ssh(3, "usermod --shell /usr/sbin/nologin root")
    lab.ssh(4, "echo 'ubuntu ALL=(ALL) ALL' | sudo tee /etc/sudoers.d/zz-asks", "ubuntu")
    lab.ssh(5, "sed -i 's/^/command=\"echo only backups here\" /' .ssh/authorized_keys", "ubuntu")
    report = converge(lab, {f"host{n}": replace(BUNDLE, host=f"host{n}") for n in machines}, Pins())
    assert [r.host for r in report.reports] == ["host2"]
    told = {failure.host: failure for failure in report.failures}
    assert "This account is currently not available" in told["host3"].message
    assert "sudo does not let the account 'ubuntu' start the helper: sudo: " in told["host4"].message
    assert "only backups here" in told["host5"].message
    assert "login shell" in told["host3"].hint
    assert "without a password" in told["host4"].hint
    assert all(is_clear(failure) for failure in told.values())

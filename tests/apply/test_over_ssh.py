"""Converging over a real SSH connection: what it costs, and every way in which the other end can be odd."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from daiku.apply.converge import converge, manifest_of
from daiku.apply.conversation import Conversation
from daiku.apply.payload import packed_helper
from daiku.apply.report import HostReport
from daiku.errors import HostError, HostUnreachableError
from daiku.observe.hosts import read
from daiku.render.bundle import HostBundle, Trigger
from daiku.wire.ssh import Session, connect
from daiku.wire.ssh_python import python_command
from tests.apply.rehearsal import bundle_of, file, live, noted, noting, wanted
from tests.ssh.server import Pins, Sshd, serving

BUNDLE = bundle_of(
    file("/etc/a", "one\n", trigger="t"), file("/etc/b", os.urandom(300_000)), noting("t", 1, "/etc/a")
)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[tuple[Sshd, Path]]:
    # This interpreter is the host's python3: the one that PATH gives may be anything.
    (tmp_path / "bin").mkdir()
    _program(tmp_path / "bin/python3", f'exec {sys.executable} "$@"')
    with serving(tmp_path, env={"PATH": f"{tmp_path}/bin:/usr/bin:/bin"}) as pair:
        yield pair


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def login(sshd: tuple[Sshd, Path], user: str = "root") -> Session:
    return connect("n1", sshd[0].endpoint(user), key_file=sshd[1], host_keys=Pins(), timeout=10)


def run(sshd: tuple[Sshd, Path], root: Path, bundle: HostBundle = BUNDLE, user: str = "root") -> HostReport:
    with login(sshd, user) as session:
        return converge(session, bundle, root=str(root))


def test_an_unchanged_host_costs_one_connection_one_command_and_one_round_trip(
    sshd: tuple[Sshd, Path], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    first = run(sshd, root)
    assert live(root) == wanted(BUNDLE)
    assert (first.round_trips, first.sent > 300_000) == (2, True)
    assert (sshd[0].connections, sshd[0].sessions) == (1, 1)
    second = run(sshd, root)
    assert (second.changed, second.round_trips, second.sent < 16_000) == (False, 1, True)
    assert (sshd[0].connections, sshd[0].sessions) == (2, 2)


def test_a_shell_that_greets_does_no_harm(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    sshd[0].exec_prefix = b"Welcome to g0!\nlast login: today\n" + b"\xff\0" * 2000
    assert run(sshd, tmp_path / "root").changed
    with login(sshd) as session:
        assert read(session, str(tmp_path / "root")).bundle == BUNDLE.digest()


def test_an_account_that_is_not_root_uses_sudo_without_asking(
    sshd: tuple[Sshd, Path], tmp_path: Path
) -> None:
    _program(tmp_path / "bin/sudo", f'echo "$1 $2 $3" > {tmp_path}/asked; shift 2; exec "$@"')
    assert run(sshd, tmp_path / "root", user="ubuntu").changed
    assert (tmp_path / "asked").read_text() == "-n -- python3\n"


@pytest.mark.parametrize(
    ("name", "script", "user", "message", "hint"),
    [
        (
            "python3",
            "echo 'sh: 1: python3: not found' >&2; exit 127",
            "root",
            "no python3",
            "install python3",
        ),
        (
            "sudo",
            "echo 'sudo: a password is required' >&2; exit 1",
            "ubuntu",
            "sudo does not let .*: sudo: a password is required",
            "sudo without a password",
        ),
        (
            "python3",
            "echo 'This account is currently not available.'; exit 1",
            "root",
            "This account is currently not available",
            "login shell",
        ),
    ],
)
def test_a_host_that_cannot_run_the_helper(
    sshd: tuple[Sshd, Path], tmp_path: Path, name: str, script: str, user: str, message: str, hint: str
) -> None:
    _program(tmp_path / "bin" / name, script)
    with pytest.raises(HostError, match=message) as caught:
        run(sshd, tmp_path / "root", user=user)
    assert caught.value.exit_code == 22
    assert hint in caught.value.hint


def test_a_host_that_falls_silent_ends_in_time(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    _program(tmp_path / "bin/python3", "exec sleep 5")
    with login(sshd) as session, pytest.raises(HostUnreachableError, match=r"no answer within 1\.2 s"):
        converge(session, BUNDLE, root=str(tmp_path), silence=0.3)


def test_a_helper_that_is_killed_is_told(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    killer = bundle_of(Trigger("t", ("sh", "-c", "kill -9 $PPID"), 1))
    with pytest.raises(HostError, match="helper ended in the middle") as caught:
        run(sshd, tmp_path / "root", killer)
    assert "out of memory" in caught.value.hint


def test_a_connection_that_the_change_itself_cuts(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    """As `netplan apply` may do: the helper goes on, we come back and read what it did."""
    root = tmp_path / "root"
    cutting = Trigger("netplan", ("sh", "-c", "while test ! -e cut; do sleep 0.02; done; sleep 0.3"), 8)
    bundle = bundle_of(file("/etc/a", "1", trigger="last"), cutting, noting("last", 9, "/etc/a"))
    steps: list[tuple[str, str]] = []

    def on_step(step: str, message: str) -> None:
        steps.append((step, message))
        if message == "netplan":
            sshd[0].drop()
            (root / "cut").touch()

    report = converge(
        login(sshd), bundle, root=str(root), run_id="r1", reconnect=lambda: login(sshd), on_step=on_step
    )
    assert [t.name for t in report.triggers] == ["netplan", "last"]
    assert [c.path for c in report.changes] == ["/etc/a"]
    assert noted(root, "last") == [b"1"]
    assert [step for step, _ in steps] == ["files", "trigger", "reconnect"]
    assert not run(sshd, root, bundle).changed


def test_without_a_way_back_a_cut_connection_is_an_error_and_the_next_run_goes_on(
    sshd: tuple[Sshd, Path], tmp_path: Path
) -> None:
    root = tmp_path / "root"
    slow = Trigger("t", ("sleep", "0.3"), 1)
    bundle = bundle_of(file("/etc/a", "1", trigger="t"), slow)

    def cut(step: str, _message: str) -> None:
        if step == "trigger":
            sshd[0].drop()

    with pytest.raises(HostUnreachableError):
        converge(login(sshd), bundle, root=str(root), on_step=cut)
    assert not run(sshd, root, bundle).changed  # waited for the first helper, which had gone on


def test_a_transfer_that_is_cut_changes_nothing(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    root = tmp_path / "root"
    session = login(sshd)
    talk = Conversation(session, lambda _s, _m: None)
    talk.start(manifest_of(BUNDLE, BUNDLE.digest(), run_id="", dry_run=False, root=str(root)))
    sshd[0].drop()
    with pytest.raises(HostUnreachableError):
        talk.go(BUNDLE.blobs())
    assert live(root) == {}
    assert run(sshd, root).changed


def test_a_second_run_waits_for_the_first(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    slow = bundle_of(
        file("/etc/a", "1", trigger="t"), Trigger("t", ("sh", "-c", "sleep 0.4; echo >> ran"), 1)
    )
    results: list[bool] = []
    threads = [
        threading.Thread(target=lambda: results.append(run(sshd, tmp_path / "root", slow).changed))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False, True]


def test_the_status_of_a_host(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    (root / "etc/os-release").write_text('NAME="x"\nPRETTY_NAME="Ubuntu 24.04.1 LTS"\n')
    with login(sshd) as session:
        fresh = read(session, str(root))
        converge(session, BUNDLE, root=str(root))
        status = read(session, str(root))
        assert session.channels == 3
    assert (fresh.bundle, fresh.finished, fresh.unfinished) == ("", "", False)
    assert (status.bundle, status.unfinished, status.os) == (BUNDLE.digest(), False, "Ubuntu 24.04.1 LTS")
    assert status.finished.endswith("Z")
    assert status.hostname == os.uname().nodename
    assert status.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert status.uptime > 0


def test_a_status_that_cannot_be_read(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    _program(tmp_path / "bin/python3", "echo 'python3: broken' >&2; exit 1")
    with (
        login(sshd) as session,
        pytest.raises(HostError, match="cannot be read: exit status 1: python3: broken"),
    ):
        read(session)


def test_the_helper_and_the_probe_are_written_for_old_hosts() -> None:
    folder = Path(sys.modules["daiku"].__path__[0])
    sources = [*sorted((folder / "apply/helper").glob("*.py")), folder / "observe/probe.py"]
    assert len(sources) > 6
    allowed = set(sys.stdlib_module_names) | {"__future__", "_sha2"}  # _sha2: from 3.12 on
    for source in sources:
        tree = ast.parse(source.read_text(), feature_version=(3, 8))
        for node in ast.walk(tree):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.split(".")[0] in allowed or name.startswith("daiku.apply.helper"), (source, name)


def interpreter(version: str) -> str | None:
    """One that works, on PATH or among pyenv's: its program on PATH may say that this version is not chosen."""
    kept = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    candidates = [shutil.which(f"python{version}"), *sorted(kept.glob(f"{version}.*/bin/python{version}"))]
    for path in candidates:
        if path and subprocess.run([path, "-c", "pass"], capture_output=True, check=False).returncode == 0:
            return str(path)
    return None


@pytest.mark.parametrize("version", ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"])
def test_the_helper_runs_on_the_pythons_of_hosts(
    version: str, sshd: tuple[Sshd, Path], tmp_path: Path
) -> None:
    found = interpreter(version)
    if found is None:
        pytest.skip(f"python{version} is not on this machine")
    _program(tmp_path / "bin/python3", f'exec {found} "$@"')
    root = tmp_path / "root"
    assert run(sshd, root).changed
    assert live(root) == wanted(BUNDLE)
    assert not run(sshd, root).changed


def test_the_program_is_no_argument_and_stays_in_no_file(sshd: tuple[Sshd, Path], tmp_path: Path) -> None:
    assert len(python_command("ubuntu")) < 200
    first, rest = packed_helper()
    assert (len(first) < 1_500, len(rest) < 14_000) == (True, True)
    run(sshd, tmp_path / "root")
    left = {p.name for p in (tmp_path / "root").rglob("*")}
    assert left == {"etc", "a", "b", "var", "lib", "daiku", "receipt.json", "lock", "log", "t", "order"}

"""Logins, sudo and python3 that are not what they should be: each says what is wrong and what to do about it."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

from daiku.apply.helper.quick import MARK
from daiku.errors import HostError
from daiku.wire.ssh_python import python_command
from tests.apply.odd_host import REAL, is_clear, odd_host
from tests.apply.rehearsal import bundle_of, file, live, wanted
from tests.apply.test_over_ssh import interpreter

BUNDLE = bundle_of(file("/etc/a", "ours\n"))
SHELL = "needs a login shell that runs commands"
START_UP = "start-up files of the shell of the account 'root' print nothing"
PYTHON = r"install python3 \(3\.8 or newer\)"
THEN = 'exec /bin/sh "$@"'
MARKED = r"printf '\n--daiku-helper-1--\n'"
ELSE = "see what else the host prints"


def refuses(folder: Path, message: str, hint: str, silence: float = 30.0, **parts: str) -> None:
    with odd_host(folder, **parts) as host:
        with pytest.raises(HostError, match=message) as caught:
            host.run(BUNDLE, silence)
        assert type(caught.value) is HostError, "it was reached"
        assert is_clear(caught.value)
        assert caught.value.host == "n1"
        assert re.search(hint, caught.value.hint)
        assert live(host.root) == {}


@pytest.mark.parametrize(
    ("shell", "message", "hint"),
    [
        ("/usr/sbin/nologin", "exit status 1: This account is currently not available", SHELL),
        ("/bin/false", "exit status 1$", SHELL),
        ("exit 0", "exit status 0$", SHELL),
        ("exec 1>&-; exit 3", "exit status 3$", SHELL),
        ("exec /no/such/shell", "exit status 127: .*/no/such/shell", SHELL),
        ("kill -9 $$", "its process was killed$", "out of memory"),
        (r"printf '\033[2J\033]0;owned\007\rno\b way\n' >&2; exit 3", r"\?\[2J", SHELL),
        (
            f"head -c 3000000 /dev/urandom; {THEN}",
            r"printed \d+ bytes, and the helper has not begun",
            START_UP,
        ),
        ("yes Welcome", r"printed \d+ bytes, and the helper has not begun", START_UP),
        (f"{MARKED}; {THEN}", "answer is none that daiku knows", ELSE),
        (f"read -r program; {THEN}", "arrived damaged", "start-up file of the account's shell reads"),
    ],
)
def test_a_login_shell_that_does_not_run_the_helper(
    tmp_path: Path, shell: str, message: str, hint: str
) -> None:
    began = time.monotonic()
    refuses(tmp_path, message, hint, shell=shell)
    assert time.monotonic() - began < 9, "nothing was waited for"


def test_a_restricted_shell(tmp_path: Path) -> None:
    rbash = shutil.which("rbash")
    if rbash is None:
        pytest.skip("rbash is not on this machine")
    refuses(tmp_path, "restricted", SHELL, shell=rbash)


def test_a_shell_that_greets_without_end_but_slowly(tmp_path: Path) -> None:
    """No pause of it is longer than the silence that a host may keep."""
    slowly = "while sleep 0.1; do echo Welcome; done"
    refuses(tmp_path, r"printed \d+ bytes, and the helper has not begun", START_UP, 0.1, shell=slowly)


def test_noise_before_the_helper_is_skipped_and_noise_beside_it_does_no_harm(tmp_path: Path) -> None:
    noise = "head -c 100000 /dev/urandom | tee /dev/stderr; " + r"printf '\n--daiku-helper-'; "
    wrapper = f"echo starting; echo warning >&2; {REAL.removeprefix('exec ')}; echo done"
    with odd_host(tmp_path, shell=noise + THEN, python3=wrapper) as host:
        assert host.run(BUNDLE).changed
        assert live(host.root) == wanted(BUNDLE)
        assert not host.run(BUNDLE).changed


@pytest.mark.parametrize("user", ["root", "ubuntu"])
def test_the_command_means_the_same_to_every_shell(user: str) -> None:
    """csh and fish too: one line, in single quotes what none of them looks into, without csh's history."""
    outside, quoted, rest = python_command(user).split("'")
    assert rest == ""
    assert not set("!\\'\n") & set(quoted)
    assert not set('!\\"$`{}[]()*?~<>|&;=%^#\n') & set(outside)


@pytest.mark.parametrize(
    ("says", "status", "message", "hint"),
    [
        ("sudo: a password is required", 1, "sudo does not let", "without a password"),
        (
            "We trust you have received the usual lecture.\n\nsudo: a terminal is required to read the password",
            1,
            "sudo does not let the account 'ubuntu'.*a terminal is required",
            "without a password and without a terminal",
        ),
        ("sudo: sorry, you must have a tty to run sudo", 1, "must have a tty", "without a terminal"),
        ("ubuntu is not in the sudoers file.", 1, "not in the sudoers file", "allowed to use sudo"),
        (
            "Sorry, user ubuntu is not allowed to execute '/usr/bin/python3 -X utf8 -ISc import' as root on n1.",
            1,
            "sudo does not let.*is not allowed to execute",
            "allowed to use sudo",
        ),
        ("sudo: パスワードが必要です", 1, "sudo does not let.*パスワード", "without a password"),
        ("sh: 1: exec: sudo: not found", 127, "the host has no sudo", "install sudo"),
        ("sudo: python3: command not found", 1, "no python3", PYTHON),
    ],
)
def test_sudo_that_does_not_start_the_helper(
    tmp_path: Path, says: str, status: int, message: str, hint: str
) -> None:
    script = f"cat >&2 <<'END'\n{says}\nEND\nexit {status}"
    refuses(tmp_path, message, hint, sudo=script, user="ubuntu")


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7"])
def test_a_real_python_that_is_too_old(tmp_path: Path, version: str) -> None:
    found = interpreter(version)
    if found is None:
        pytest.skip(f"python{version} is not on this machine")
    refuses(tmp_path, "python3", PYTHON, python3=f'exec {found} "$@"')


@pytest.mark.parametrize(
    ("script", "message", "hint"),
    [
        (
            "echo 'Traceback\nSyntaxError: future feature annotations is not defined' >&2; exit 1",
            "python3 is too old",
            PYTHON,
        ),
        ("kill -9 $$", "its process was killed$", "out of memory"),
        (f"ulimit -v 12000; {REAL}", "no memory left|python3|killed", "memory|python3"),
        (f"({REAL}); kill -9 $$", "", ""),
    ],
)
def test_a_python_that_cannot_run_the_helper(tmp_path: Path, script: str, message: str, hint: str) -> None:
    if not message:  # what happens to it after the helper's last word is no concern of ours
        with odd_host(tmp_path, python3=script) as host:
            assert host.run(BUNDLE).changed
        return
    refuses(tmp_path, message, hint, python3=script)


@pytest.mark.parametrize(
    "frame",
    [
        rb"J\377\377\377\377all the world",
        rb"B\000\000\000\004four",
        rb"HTTP/1.1 200 OK",
        rb"J\000\000\000\004{{{{",
        rb"J\000\000\000\003\377\376\375",
        rb"J\000\000\000\002[]",
        rb"J\000\000\000\004null",
        rb"J\000\000\000\002{}",
        rb'J\000\000\000\017{"kind":"what"}',
        rb'J\000\000\000\021{"kind":"survey"}',
        rb'J\000\000\000\020{"kind":"event"}J\000\000\000\002{}',
    ],
)
def test_an_answer_that_is_none(tmp_path: Path, frame: bytes) -> None:
    assert MARK == b"\n--daiku-helper-1--\n"
    rubbish = f"{MARKED}; printf '{frame.decode()}'; exec cat > /dev/null"
    refuses(tmp_path, "answer is none that daiku knows", ELSE, python3=rubbish)


def test_an_error_of_the_host_that_would_steer_the_terminal(tmp_path: Path) -> None:
    frame = r'J\000\000\000\056{"kind":"error","message":"\\u001b[2J\\u0007no"}'
    refuses(
        tmp_path, r"\?\[2J\?no$", "run the same", python3=f"{MARKED}; printf '{frame}'; exec cat > /dev/null"
    )


@pytest.mark.parametrize(
    "limit", ["umask 0777", "ulimit -n 16", "ulimit -t 5", "ulimit -c 0", "cd /; unset PATH"]
)
def test_limits_of_the_login_do_no_harm(tmp_path: Path, limit: str) -> None:
    with odd_host(tmp_path, python3=f"{limit}; {REAL}") as host:
        assert host.run(BUNDLE).changed
        assert live(host.root) == wanted(BUNDLE)
        assert not host.run(BUNDLE).changed


def test_a_login_that_may_write_no_file(tmp_path: Path) -> None:
    with odd_host(tmp_path, python3=f"ulimit -f 0; {REAL}") as host:
        with pytest.raises(HostError, match=r"var/lib/daiku.*: File too large") as caught:
            host.run(BUNDLE)
        assert is_clear(caught.value)
        assert live(host.root) == {}
        (tmp_path / "bin/python3").write_text(f"#!/bin/sh\n{REAL}\n")
        assert host.run(BUNDLE).changed
        assert live(host.root) == wanted(BUNDLE)

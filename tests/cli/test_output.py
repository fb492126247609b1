"""How things are shown: on a terminal and elsewhere, to people and to machines."""

from __future__ import annotations

import io
import re
import sys
import time
from collections.abc import Callable

import pytest

from daiku.cli import output
from daiku.errors import ApplyError, ConfirmationError, HostAuthError, HostError, HostKeyError

LONG = "word " * 60


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


Streams = Callable[[], tuple[Terminal, Terminal]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Streams:
    """Put standard output and standard error on a terminal of 80 columns (in the test: pytest has its own before)."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def put() -> tuple[Terminal, Terminal]:
        both = Terminal(), Terminal()
        monkeypatch.setattr(sys, "stdout", both[0])
        monkeypatch.setattr(sys, "stderr", both[1])
        return both

    return put


def test_a_table_is_a_row_a_line_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["name", "state"], [["a", "up"], ["b", LONG.strip()]])
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2:] == [f" b      {LONG.strip()}", ""]
    assert all(line == line.rstrip() for line in lines)
    assert not any("\x1b" in line for line in lines)


def test_a_table_fits_a_terminal_and_loses_nothing(terminal: Streams) -> None:
    out, _ = terminal()
    output.table(["name", "state"], [["a", "up"], ["b", LONG]])
    text = out.getvalue()
    assert "\x1b[32mup" in text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert max(map(len, plain.splitlines())) <= 80
    assert plain.count("word") == 60


@pytest.mark.parametrize("setting", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colours_where_none_are_wanted(
    terminal: Streams, monkeypatch: pytest.MonkeyPatch, setting: dict[str, str]
) -> None:
    for name, value in setting.items():
        monkeypatch.setenv(name, value)
    out, err = terminal()
    output.table(["name", "state"], [["a", "up"]])
    output.error(HostError("no", host="a", hint="ask"))
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]m", out.getvalue())
    assert "\x1b" not in err.getvalue()


@pytest.mark.parametrize(
    ("failures", "code"),
    [
        ([HostKeyError("other key", host="a"), HostKeyError("other key", host="b")], 21),
        ([HostKeyError("other key", host="a"), HostAuthError("no", host="b")], 25),
    ],
)
def test_hosts_that_failed_for_one_reason_end_with_its_exit_code(
    failures: list[HostError], code: int
) -> None:
    assert ApplyError(failures, 9).exit_code == code


def test_every_host_that_failed_is_told_with_its_own_next_step(capsys: pytest.CaptureFixture[str]) -> None:
    output.error(ApplyError([HostKeyError("other key", host="a", step="host key", hint="trust it")], 9))
    assert capsys.readouterr().err == (
        "error: 1 of 9 hosts failed: a\n"
        "  a (host key): other key\n"
        "    next: trust it\n"
        "next: mend the cause, then run the same command again: hosts that are done are left alone\n"
    )


def test_without_a_terminal_a_question_is_answered_by_yes_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    output.confirm("Delete all?", yes=True)
    with pytest.raises(ConfirmationError, match=r"Delete all\?"):
        output.confirm("Delete all?", yes=False)


def until(text: str, stream: io.StringIO) -> None:
    """Wait until `text` is written; the test's own time limit ends it otherwise."""
    while text not in stream.getvalue():
        time.sleep(0.005)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_TICK_SECONDS", 0.01)
    monkeypatch.setattr(output, "_SILENT_SECONDS", 0.02)


def test_a_silent_step_says_what_it_does(hurried: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "stderr", said)
    progress = output.Progress()
    with progress.step("install") as step:
        progress.detail("h100-001 boots")
        until(" s: h100-001 boots\n", said)
        step.failed = True
    assert said.getvalue().startswith("▸ install\n")
    assert re.search(r"✗ install \(\d+\.\d s\)\n$", said.getvalue())
    assert progress.seconds.keys() == {"install"}
    assert "\r" not in said.getvalue()


def test_on_a_terminal_the_live_line_goes_away(hurried: None, terminal: Streams) -> None:
    _, err = terminal()
    progress = output.Progress()
    with progress.step("install"):
        progress.detail("x" * 500)
        until("xxx", err)
    shown = err.getvalue()
    assert all(len(line) < 80 for line in re.split(r"[\r\n]", re.sub(r"\x1b\[[0-9;]*m", "", shown)))
    assert re.search(r"\r +\r[^\r]*✓", shown)


def test_machines_are_told_nothing_on_the_way(hurried: None, capsys: pytest.CaptureFixture[str]) -> None:
    progress = output.Progress(quiet=True)
    with progress.step("install"):
        progress.detail("h100-001 boots")
        time.sleep(0.05)
    assert capsys.readouterr().err == ""


def test_a_step_that_fails_leaves_its_line_to_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfirmationError), output.Progress().step("install"):
        raise ConfirmationError("no")
    assert capsys.readouterr().err == "▸ install\n"

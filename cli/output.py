"""How things are shown: tables, progress, errors. Colours only on a terminal; JSON where asked."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from daiku.errors import ApplyError, DaikuError, Fault, SpecError

if TYPE_CHECKING:
    from rich.console import Console

_TICK_SECONDS = 0.5
_SILENT_SECONDS = 10.0
_WIDE = 4000
"""Columns where there is no terminal: a row is one line, for grep and for the reader's own pager."""


def _colours(stream: Any) -> bool:
    return bool(stream.isatty()) and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """A rich console on standard output; plain text, a row a line, when that is not a terminal."""
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(
        file=sys.stdout,
        no_color=not _colours(sys.stdout),
        highlight=False,
        width=None if terminal else _WIDE,
    )


def say(text: str) -> None:
    """A line of result, on standard output."""
    click.echo(text, color=_colours(sys.stdout))


def note(text: str) -> None:
    """A line beside the result, on standard error."""
    click.echo(text, err=True, color=_colours(sys.stderr))


def count(number: int, thing: str) -> str:
    """`1 host`, `2 hosts`."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def emit_json(value: Any) -> None:
    """The result as JSON: sorted keys, two spaces."""
    click.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, default=str))


_STATE_COLOURS = {
    "up": "green",
    "on": "green",
    "available": "green",
    "active": "green",
    "ok": "green",
    "ready": "green",
    "passed": "green",
    "unchanged": "dim",
    "down": "yellow",
    "off": "yellow",
    "pending": "yellow",
    "migrating": "yellow",
    "failed": "red",
    "missing": "red",
    "unreachable": "red",
    "drifted": "red",
    "create": "green",
    "update": "yellow",
    "replace": "red",
    "delete": "red",
    "configured": "green",
    "outdated": "yellow",
    "fresh": "yellow",
    "changed": "yellow",
}


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, title: str = "") -> None:
    """A table; a cell that is a known state word, or begins with one and a colon, gets its colour."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(title=title or None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell, style=_STATE_COLOURS.get(cell.partition(":")[0], "")) for cell in row))
    terminal = console()
    with terminal.capture() as captured:
        terminal.print(grid)
    for line in captured.get().splitlines():
        say(line.rstrip())


def error(failure: DaikuError) -> None:
    """One failure: what, where, what next."""
    if isinstance(failure, SpecError):
        for fault in failure.faults:
            _fault(fault)
        note(click.style(f"{failure.message}", fg="red", bold=True))
        return
    note(click.style("error: ", fg="red", bold=True) + str(failure))
    if isinstance(failure, ApplyError):
        for one in failure.failures:
            step = f" ({one.step})" if one.step else ""
            note(f"  {one.host}{step}: {one.message}")
            if one.hint:
                note(click.style(f"    next: {one.hint}", fg="cyan"))
    if failure.hint:
        note(click.style(f"next: {failure.hint}", fg="cyan"))


def warn(fault: Fault) -> None:
    """A fault that is none: possible, but likely not meant."""
    _fault(replace(fault, message=f"{click.style('warning', fg='yellow')}: {fault.message}"))


def _fault(fault: Fault) -> None:
    where = click.style(fault.location(), bold=True)
    path = f" {click.style(fault.path, fg='cyan')}" if fault.path else ""
    code = click.style(f" [{fault.code}]", dim=True) if fault.code else ""
    note(f"{where}{path}: {fault.message}{code}")
    if fault.source:
        note(f"    {fault.line:>4} | {fault.source}")
        if fault.column:
            note("         | " + " " * (fault.column - 1) + click.style("^", fg="red"))
    for other in fault.others:
        note(
            f"    {other.line:>4} | {other.source}   <- {other.path}{': ' + other.message if other.message else ''}"
        )
    if fault.happens:
        note(f"    what would happen: {fault.happens}")
    if fault.hint:
        note(click.style(f"    hint: {fault.hint}", fg="cyan"))


def bug(failure: Exception, report: Path | None) -> None:
    """An unexpected failure: one line for the user, the details in a private file."""
    name = type(failure).__name__
    note(
        click.style("internal error: ", fg="red", bold=True)
        + f"{name}: {str(failure).splitlines()[0] if str(failure) else ''}"
    )
    if report:
        note(
            click.style(
                f"next: report this with {report} (it may name your hosts; it holds no secret of daiku's)",
                fg="cyan",
            )
        )


@dataclass
class Step:
    """A stage under way; `failed` is set when it ends without an error, but not well."""

    failed: bool = False


class Progress:
    """Step lines on standard error: a line when a step starts and its time when it ends.

    On a terminal the current detail and the time are shown on one live line; elsewhere a step that is silent for
    ten seconds says what it does. Safe to call from many threads.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self._quiet = quiet
        self._live = _colours(sys.stderr) and not quiet
        self._turn = threading.Lock()
        self._began = self._told = time.monotonic()
        self._detail = ""
        self._width = 0
        self.seconds: dict[str, float] = {}

    def detail(self, text: str) -> None:
        """What is happening right now; overwritten by the next detail."""
        with self._turn:
            self._detail = text
            self._show()

    def line(self, text: str) -> None:
        """A line that stays."""
        if self._quiet:
            return
        with self._turn:
            self._clear()
            self._told = time.monotonic()
            note(text)

    @contextmanager
    def step(self, title: str) -> Generator[Step]:
        """One stage with its duration. A stage that is left by an error has no last line: the error follows."""
        start = self._began = time.monotonic()
        self.line(click.style("▸ ", fg="blue") + title)
        step = Step()
        with self.waiting(title):
            try:
                yield step
            finally:
                self.seconds[title] = time.monotonic() - start
        sign = click.style("✗ ", fg="red") if step.failed else click.style("✓ ", fg="green")
        self.line(f"{sign}{title} ({self.seconds[title]:.1f} s)")

    @contextmanager
    def waiting(self, what: str) -> Generator[None]:
        """Keep telling that something goes on, until the block ends; nothing of it stays on a terminal."""
        self._detail = what
        over = threading.Event()
        teller = threading.Thread(target=self._tell, args=(over,), name="progress", daemon=True)
        if not self._quiet:
            teller.start()
        try:
            yield
        finally:
            over.set()
            if teller.is_alive():
                teller.join()
            with self._turn:
                self._clear()

    def _tell(self, over: threading.Event) -> None:
        while not over.wait(_TICK_SECONDS):
            with self._turn:
                if self._live:
                    self._show()
                elif time.monotonic() - self._told >= _SILENT_SECONDS:
                    self._told = time.monotonic()
                    note(f"  {self._told - self._began:.0f} s: {self._detail}")

    def _show(self) -> None:
        if not self._live:
            return
        room = shutil.get_terminal_size().columns - 1
        line = f"  {time.monotonic() - self._began:6.1f} s  {self._detail}"[:room]
        sys.stderr.write("\r" + line.ljust(self._width))
        sys.stderr.flush()
        self._width = len(line)

    def _clear(self) -> None:
        if self._live and self._width:
            sys.stderr.write("\r" + " " * self._width + "\r")
            sys.stderr.flush()
            self._width = 0


def confirm(question: str, *, yes: bool) -> None:
    """Ask before something destructive; without a terminal only `--yes` goes on."""
    from daiku.errors import ConfirmationError

    if yes:
        return
    if not sys.stdin.isatty():
        raise ConfirmationError(
            f"there is no terminal to ask on: {question}", hint="say --yes to answer with yes"
        )
    if not click.confirm(question, default=False, err=True):
        raise ConfirmationError("not confirmed: nothing of this was done")

"""`daiku audit`: who did what to this cluster, and whether the log of it is whole."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option


def _hash(_context: click.Context, _parameter: click.Parameter, text: str) -> str:
    if text and not re.fullmatch("[0-9a-f]{64}", text):
        raise click.BadParameter("a head is 64 hexadecimal digits, as `daiku audit verify` prints it")
    return text


@click.group()
def audit() -> None:
    """Who did what to this cluster when, in a log that shows every later change of itself."""


@audit.command()
@file_option
@json_option
@click.option(
    "--head",
    "known",
    metavar="HASH",
    default="",
    callback=_hash,
    help="A head that an earlier `verify` printed and you kept elsewhere: it must still be in the chain.",
)
def verify(file: Path, as_json: bool, known: str) -> None:
    """Check every byte of the log. Exit code 9 when one was changed, removed or moved."""
    from daiku.cli.job import open_job

    log = open_job(file).audit()
    verified = log.verify(known)
    if as_json:
        output.emit_json(
            {"entries": len(verified.entries), "head": verified.head, "unfinished": verified.unfinished}
        )
        return
    if not verified.entries:
        output.say(f"no run of this cluster is written down here: there is no {log.path}")
        return
    entries = "1 entry" if len(verified.entries) == 1 else f"{len(verified.entries)} entries"
    output.say(f"{log.path}: {entries}, whole; head {verified.head}")
    if verified.unfinished:
        output.note("a run was killed while it wrote the last entry; the next run tidies that up")


@audit.command()
@file_option
@json_option
@click.option(
    "-n", "limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many entries."
)
def show(file: Path, as_json: bool, limit: int) -> None:
    """List the entries, the newest last. The log is verified first."""
    from daiku.cli.job import open_job

    entries = open_job(file).audit().verify().entries[-limit:]
    if as_json:
        output.emit_json([asdict(entry) for entry in entries])
        return
    output.table(
        ["number", "at", "who", "verb", "run", "event", "details"],
        [
            [
                str(entry.number),
                entry.at,
                f"{entry.who}@{entry.machine}",
                entry.verb,
                entry.run,
                entry.event,
                ", ".join(f"{key} {_short(value)}" for key, value in sorted(entry.details.items())),
            ]
            for entry in entries
        ],
    )


def _short(value: str | int) -> str:
    text = str(value)
    digest = len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)
    return text[:16] if digest else text

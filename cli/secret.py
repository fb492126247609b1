"""`daiku secret`: secrets that only the operator can give. A value is never an argument and never printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import command, file_option, json_option, yes_option

if TYPE_CHECKING:
    from daiku.plan.model import Plan

MOST_BYTES = 1 << 19
"""Nothing that is longer is taken: a Kubernetes Secret holds 1 MiB in all."""


def waiting(plan: Plan) -> tuple[str, ...]:
    """What waits for a secret, told in a line each beside the result."""
    from daiku.plan.given import waiting as lines

    found = lines(plan)
    for line in found:
        output.note(line)
    return found


@click.group()
def secret() -> None:
    """Secrets that you give to hosts and to the cluster: set, list, remove."""


def _next(name: str, file: Path) -> str:
    from daiku.plan.given import GIVEN

    verb, *options = GIVEN[name].brought_by
    return command(verb, file, *options)


def _known(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    from daiku.plan.given import GIVEN

    if name not in GIVEN:
        raise click.BadParameter(f"{name!r} is none that anything waits for. There are: {', '.join(GIVEN)}")
    return name


_name = click.argument("name", callback=_known)


@secret.command(name="set", short_help="Keep a value, from a file or standard input.")
@_name
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True),
    default="-",
    show_default="standard input",
    help="The file with the value; - is standard input.",
)
@file_option
def set_(name: str, source: str, file: Path) -> None:
    """Keep the value of the secret NAME, instead of an earlier one. The next step that is told brings it where it
    belongs."""
    from daiku.cli.job import open_job
    from daiku.errors import StateError
    from daiku.plan.given import GIVEN

    with click.open_file(source, "rb") as stream:
        value = stream.read(MOST_BYTES + 1)
    try:
        kept = _kept(name, value)
    except ValueError as error:
        raise StateError(
            f"{name}: {error}",
            where="standard input" if source == "-" else source,
            hint="docs/secrets.md says how it looks; what was set before stays",
        ) from None
    job = open_job(file)
    with job.exclusively("secret set", secret=name):
        job.secrets().given.put(name, kept)
    output.say(f"{name}: set")
    if GIVEN[name].used(job.plan):
        output.note(f"next: {_next(name, file)}, which brings it where it belongs")
    else:
        output.note("nothing of the cluster file takes it: it is kept until something does")


def _kept(name: str, value: bytes) -> bytes:
    """What is kept of a value. ValueError: what is wrong with it, in words that hold nothing of it."""
    from daiku.plan.given import as_kept

    if len(value) > MOST_BYTES:
        raise ValueError(f"longer than {MOST_BYTES} bytes")
    return as_kept(name, value)


@secret.command(name="list", short_help="The secrets and when each was set; never a value.")
@file_option
@json_option
def list_(file: Path, as_json: bool) -> None:
    """The secrets that may be given, and when each was set. Values are never shown."""
    from daiku.cli.job import open_job
    from daiku.plan.given import GIVEN

    times = open_job(file).secrets().given.times()
    when = {name: times[name].isoformat(timespec="seconds") if name in times else None for name in GIVEN}
    if as_json:
        output.emit_json([{"name": name, "set": time} for name, time in when.items()])
    else:
        output.table(["secret", "set"], [[name, time or "-"] for name, time in when.items()])


@secret.command(short_help="Forget a value.")
@_name
@file_option
@yes_option
def remove(name: str, file: Path, yes: bool) -> None:
    """Forget the value of the secret NAME. The next step that is told removes what holds it."""
    from daiku.cli.job import open_job

    job = open_job(file)
    given = job.secrets().given
    if name not in given.times():
        output.say(f"{name}: was not set: nothing to change")
        return
    output.confirm(f"Forget {name}? daiku has no other copy.", yes=yes)
    with job.exclusively("secret remove", secret=name):
        given.remove(name)
    output.say(f"{name}: forgotten")
    output.note(f"next: {_next(name, file)}, which removes it where it is")

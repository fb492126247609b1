"""`daiku secret`: secrets that only the operator can give. A value is never an argument and never printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from daiku.cli import output
from daiku.cli.common import file_option, json_option, yes_option

if TYPE_CHECKING:
    from daiku.plan.model import Plan

MOST_BYTES = 65_536
"""Nothing that is longer is read: it is no key."""


def waiting(plan: Plan) -> tuple[str, ...]:
    """What waits for a secret, told in a line each beside the result."""
    from daiku.plan.given import waiting as lines

    found = lines(plan)
    for line in found:
        output.note(line)
    return found


@click.group()
def secret() -> None:
    """Secrets that you give to files of hosts: set, list, remove."""


def _known(_context: click.Context, _parameter: click.Parameter, name: str) -> str:
    from daiku.plan.given import GIVEN

    if name not in GIVEN:
        raise click.BadParameter(f"{name!r} is none that a file waits for. There is: {', '.join(GIVEN)}")
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
    """Keep the value of the secret NAME, instead of an earlier one. `daiku apply` brings it to the hosts."""
    from daiku.cli.job import open_job
    from daiku.errors import StateError
    from daiku.plan.given import as_kept

    with click.open_file(source, "rb") as stream:
        value = stream.read(MOST_BYTES)
    try:
        kept = as_kept(name, value)
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
    output.note("next: daiku apply brings it to the hosts")


@secret.command(name="list", short_help="The secrets and when each was set; never a value.")
@file_option
@json_option
def list_(file: Path, as_json: bool) -> None:
    """The secrets that files wait for, and when each was set. Values are never shown."""
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
    """Forget the value of the secret NAME. The next `daiku apply` removes the files that hold it."""
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
    output.note("next: daiku apply removes it from the hosts")

"""`daiku new`: a cluster file to start from."""

from __future__ import annotations

import string
from importlib import resources
from pathlib import Path

import click

from daiku.cli import output
from daiku.errors import StateError


@click.command()
@click.argument("name")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    default=Path("cluster.yaml"),
    show_default=True,
    help="Where to write it. An existing file is never overwritten.",
)
@click.option(
    "--gpu-server",
    "servers",
    multiple=True,
    metavar="ID",
    help="Service ID of a PHY server to adopt; repeat for more.",
)
def new(name: str, target: Path, servers: tuple[str, ...]) -> None:
    """Write a cluster file named NAME to start from, with the choices explained."""
    from daiku.plan.make import make
    from daiku.spec.load import parse

    text = resources.files("daiku.spec").joinpath("starter.yaml").read_text(encoding="utf-8")
    nodes = "\n".join(
        f'      - {{ index: {index}, id: "{service}" }}'
        for index, service in enumerate(servers or ("113600000001", "113600000002"), start=1)
    )
    text = string.Template(text).substitute(name=name, nodes=nodes)
    # What its own checks refuse (a bad name, a malformed server ID) is told with the line, and nothing is written.
    make(parse(text, str(target)))
    try:
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise StateError(
            "the file exists already and is left as it is",
            where=str(target),
            hint="choose another name with -o",
        ) from error
    except OSError as error:
        raise StateError(
            f"cannot write: {error.strerror}", where=str(target), hint="choose another place with -o"
        ) from error
    output.say(f"wrote {target}")
    output.note(f"next: edit it, then `daiku check -f {target}`")

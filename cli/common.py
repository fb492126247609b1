"""Options that many verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def file_option(function: F) -> F:
    """`-f/--file`: the cluster file; default $DAIKU_FILE, else cluster.yaml."""
    return click.option(
        "-f",
        "--file",
        "file",
        type=click.Path(path_type=Path, dir_okay=False),
        default=Path("cluster.yaml"),
        envvar="DAIKU_FILE",
        show_default=True,
        help="The cluster file ($DAIKU_FILE).",
    )(function)


def json_option(function: F) -> F:
    """`--json`: the result as JSON on standard output."""
    return click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")(function)


def yes_option(function: F) -> F:
    """`--yes`: do not ask."""
    return click.option("-y", "--yes", is_flag=True, help="Do not ask for confirmation.")(function)


def patience_option(function: F) -> F:
    """`--patience`: how long hosts that do not answer are waited for."""
    return click.option(
        "--patience",
        type=click.FloatRange(min=0),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a host that does not answer yet is tried again: one that boots needs a minute.",
    )(function)

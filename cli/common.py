"""Options that many verbs share."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
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


@dataclass(frozen=True, slots=True)
class HostOptions:
    """How the hosts are worked on, as `daiku.apply.fleet.Settings` says it. Times are in seconds."""

    patience: float = 0.0
    parallel: int = 16
    timeout: float = 15.0
    retries: int = 1
    budget: int | None = None


_DEFAULT = HostOptions()
_HOST_OPTIONS: dict[str, Callable[[Callable[..., Any]], Callable[..., Any]]] = {
    "patience": click.option(
        "--patience",
        type=click.FloatRange(min=0),
        default=120.0,
        show_default=True,
        metavar="SECONDS",
        help="How long a host that does not answer yet is tried again: one that boots needs a minute.",
    ),
    "parallel": click.option(
        "--parallel",
        type=click.IntRange(1, 500),
        default=_DEFAULT.parallel,
        show_default=True,
        metavar="COUNT",
        help="How many hosts are worked on at a time.",
    ),
    "timeout": click.option(
        "--timeout",
        type=click.FloatRange(min=0, min_open=True),
        default=_DEFAULT.timeout,
        show_default=True,
        metavar="SECONDS",
        help="For each stage of logging in to a host.",
    ),
    "retries": click.option(
        "--retries",
        type=click.IntRange(min=0),
        default=_DEFAULT.retries,
        show_default=True,
        metavar="COUNT",
        help="How often a connection that is lost before anything changed is made anew.",
    ),
    "budget": click.option(
        "--max-failures",
        "budget",
        type=click.IntRange(min=1),
        metavar="COUNT",
        help="Once so many hosts failed, begin no further one; without it all others are done.",
    ),
}


def host_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--patience`, `--parallel`, `--timeout`, `--retries`, `--max-failures`: one argument, `how`, a HostOptions."""
    return _collecting(function, tuple(_HOST_OPTIONS))


def reading_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """`--parallel`, `--timeout`, `--retries`, for verbs that change no host: one argument, `how`, a HostOptions."""
    return _collecting(function, ("parallel", "timeout", "retries"))


def _collecting(function: Callable[..., Any], names: tuple[str, ...]) -> Callable[..., Any]:
    @wraps(function)
    def collected(*args: Any, **kwargs: Any) -> Any:
        how = HostOptions(**{name: kwargs.pop(name) for name in names})
        return function(*args, how=how, **kwargs)

    whole: Callable[..., Any] = collected
    for name in reversed(names):
        whole = _HOST_OPTIONS[name](whole)
    return whole


def command(verb: str, file: Path, *arguments: str) -> str:
    """The command line of `verb` for the same world and cluster file, to be shown and typed."""
    context = click.get_current_context(silent=True)
    lab = context is not None and context.find_root().params.get("in_lab")
    words = ["daiku", *(["--lab"] if lab else []), verb, *arguments]
    if str(file) not in ("cluster.yaml", os.environ.get("DAIKU_FILE")):
        words += ["-f", str(file)]
    return shlex.join(words)

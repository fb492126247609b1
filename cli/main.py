"""The entry point: a lazy Click group, and the one place where errors become messages and exit codes.

Verbs are imported only when they are called, so that `daiku --help` answers at once.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click

from daiku import __version__
from daiku.errors import DaikuError

_VERBS: dict[str, tuple[str, str]] = {
    "new": ("daiku.cli.new:new", "Write a cluster file to start from."),
    "check": ("daiku.cli.spec:check", "Find every fault of the cluster file."),
    "explain": ("daiku.cli.spec:explain", "Show the file with every default filled in."),
    "schema": ("daiku.cli.spec:schema", "Print the JSON Schema for editors."),
    "plan": ("daiku.cli.plan:plan", "Show what `up` would change, and what that disturbs."),
    "up": ("daiku.cli.up:up", "Make the cluster as the file says."),
    "release": ("daiku.cli.release:release", "The locked versions, and their digests from the registries."),
    "status": ("daiku.cli.status:status", "Show every part with its address and state, read live."),
    "kubectl": ("daiku.cli.kubectl:kubectl", "Run kubectl on the cluster, through daiku's own way in."),
    "acceptance": ("daiku.cli.acceptance:acceptance", "Prove the hardware: run jobs, show results."),
    "render": ("daiku.cli.render:render", "Write the configuration of hosts and cluster to a folder."),
    "diff": ("daiku.cli.render:diff", "Show how the hosts differ from the configuration."),
    "apply": ("daiku.cli.render:apply", "Bring the hosts to the configuration (no infrastructure)."),
    "down": ("daiku.cli.down:down", "Remove what was created and release the GPU servers."),
    "secret": ("daiku.cli.secret:secret", "Secrets that you give: set, list, remove; never shown."),
    "node": ("daiku.cli.node:node", "One machine: accept its new SSH host key."),
    "history": ("daiku.cli.history:history", "List the runs of this cluster, or what one did."),
    "audit": ("daiku.cli.audit:audit", "Who did what, in a log that shows every later change of itself."),
    "lab": ("daiku.cli.lab:lab", "The embedded datacentre: rehearse without an account."),
}


class LazyGroup(click.Group):
    """A group that knows its verbs' names and one-line helps without importing them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        module, _, name = _VERBS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, text) for name, (_, text) in _VERBS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            import difflib

            close = difflib.get_close_matches(args[0], list(_VERBS), n=1)
            if not close:
                raise
            raise click.UsageError(f"{error.message} Did you mean `{close[0]}`?", ctx) from error


@click.group(
    cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, "--version", message="daiku %(version)s")
@click.option(
    "--lab",
    "in_lab",
    is_flag=True,
    help="Talk to the running lab (`daiku lab up`) instead of real accounts.",
)
def root(in_lab: bool) -> None:
    """daiku (大工) builds hybrid GPU clusters from one file and keeps them healthy.

    \b
    daiku new my-cluster        a file to start from
    daiku check                 is it right?
    daiku plan                  what would change?
    daiku up                    build it
    daiku status                what stands?

    Exit codes are listed in docs/exit-codes.md.
    """
    if in_lab:
        from daiku.cli.lab import enter_lab

        enter_lab()


def main() -> NoReturn:
    """Run the command line; never lets a traceback reach the user."""
    sys.exit(_guarded(lambda: root.main(prog_name="daiku", standalone_mode=False)))


def _guarded(run: Callable[[], object]) -> int:
    from daiku.cli import output

    try:
        result = run()
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        if isinstance(error, click.NoSuchOption) and error.option_name == "--lab":
            output.note("next: it stands before the verb: daiku --lab VERB")
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as stop:
        if isinstance(stop.__cause__, EOFError):  # click takes any end of input for Ctrl-D
            output.bug(stop.__cause__, _crash_report())
            return 1
        output.note("interrupted: nothing is half-written; the same command goes on where this one stopped")
        return 130
    except DaikuError as error:
        output.error(error)
        return error.exit_code
    except SystemExit:
        # So, and only so, click ends when the reader (head, less) has gone: no failure of ours.
        return 0
    except Exception as error:  # noqa: BLE001 - the last net: a bug becomes one message and a private report
        output.bug(error, _crash_report())
        return 1
    return result if isinstance(result, int) else 0


def _crash_report() -> Path | None:
    import traceback

    folder = Path(".daiku")
    path = folder / f"crash-{time.strftime('%Y%m%d-%H%M%S')}.txt"
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            traceback.print_exc(file=file)
    except OSError:
        return None
    return path


if __name__ == "__main__":
    main()

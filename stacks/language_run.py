"""Runs one Pulumi program: the child process of `language_host`, which sends the engine's request on standard input."""

from __future__ import annotations

import asyncio
import os
import runpy
import sys
import traceback
from pathlib import Path

import pulumi
from pulumi.runtime import Settings, configure, run_in_stack, set_all_config
from pulumi.runtime.proto import language_pb2

from daiku.stacks.language_host import USER_ERROR_EXIT


def main() -> int:
    """Exit status 32 after an error that the user was told."""
    request = language_pb2.RunRequest()
    request.ParseFromString(sys.stdin.buffer.read())
    set_all_config(dict(request.config), list(request.configSecretKeys))
    configure(
        Settings(
            project=request.project,
            stack=request.stack,
            monitor=request.monitor_address,
            engine=sys.argv[1],
            parallel=request.parallel,
            dry_run=request.dryRun,
            organization=request.organization,
            root_directory=request.info.root_directory,
        )
    )
    os.chdir(request.pwd or request.info.program_directory)
    program = str(Path(request.info.program_directory) / request.info.entry_point)

    def body() -> None:
        runpy.run_path(program, run_name="__main__")

    try:
        asyncio.run(run_in_stack(body))
    except pulumi.RunError as error:
        pulumi.log.error(str(error))
        return USER_ERROR_EXIT
    except Exception:  # noqa: BLE001 - the edge: the engine shows what is printed
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

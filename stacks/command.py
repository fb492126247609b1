"""The `pulumi` command as a child that Ctrl-C stops gracefully.

The Automation API's own runner leaves the child in the terminal's process group: Ctrl-C reaches the engine and
every plugin at once, and a plugin that dies in the middle of a create loses what it was making. Here only the
engine is told, once; it tells its plugins, waits for the calls under way and writes its state.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

from pulumi.automation import CommandResult, PulumiCommand
from pulumi.automation.errors import create_command_error
from semver import VersionInfo

from daiku.errors import MissingToolError


class EngineCommand(PulumiCommand):
    """Runs one executable, one command at a time; `interrupt` may be called from any thread."""

    def __init__(self, binary: Path) -> None:
        # PulumiCommand.__init__ only accepts <root>/bin/pulumi, and a tool may be anywhere.
        self.command = str(binary)
        self.version = _version(binary)
        self.interrupted = False
        self._process: subprocess.Popen[str] | None = None
        self._turn = threading.Lock()

    def interrupt(self) -> None:
        """Ask the running command to end: it finishes the calls under way. A second call ends it at once. Until
        `interrupted` is taken back, no other one begins."""
        with self._turn:
            self.interrupted = True
            process = self._process
            if process is not None and process.poll() is None:
                process.send_signal(signal.SIGINT)

    def _begun(self, process: subprocess.Popen[str]) -> None:
        """This is the running command now; one that was interrupted while it started is told."""
        with self._turn:
            self._process = process
            if self.interrupted:
                process.send_signal(signal.SIGINT)

    def run(
        self,
        args: list[str],
        cwd: str,
        additional_env: Mapping[str, str],
        on_output: Callable[[str], Any] | None = None,
        on_error: Callable[[str], Any] | None = None,
    ) -> CommandResult:
        """As the Automation API's; a KeyboardInterrupt in this thread is passed on once, then raised at the end. After
        `interrupt` it is raised at once."""
        if self.interrupted:
            raise KeyboardInterrupt
        command = [self.command, "--non-interactive", *args]
        environ = {**os.environ, **additional_env, "PULUMI_AUTOMATION_API": "true"}
        out: list[str] = []
        err: list[str] = []
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environ,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        ) as process:
            assert process.stdout
            assert process.stderr
            self._begun(process)
            readers = [
                threading.Thread(target=_read, args=(process.stdout, on_output, out), daemon=True),
                threading.Thread(target=_read, args=(process.stderr, on_error, err), daemon=True),
            ]
            for reader in readers:
                reader.start()
            interrupted = self._wait(process)
            for reader in readers:
                reader.join()
        if interrupted:
            raise KeyboardInterrupt
        result = CommandResult(stdout="\n".join(out), stderr="\n".join(err), code=process.returncode)
        if result.code != 0:
            raise create_command_error(result)
        return result

    def _wait(self, process: subprocess.Popen[str]) -> bool:
        """Wait for the end, through Ctrl-C; whether there was one."""
        interrupted = False
        while True:
            try:
                process.wait()
            except KeyboardInterrupt:
                interrupted = True
                self.interrupt()
            else:
                return interrupted


def _read(stream: IO[str], tell: Callable[[str], Any] | None, kept: list[str]) -> None:
    for line in stream:
        stripped = line.rstrip()
        if tell:
            tell(stripped)
        kept.append(stripped)


def _version(binary: Path) -> VersionInfo:
    try:
        answer = subprocess.run(
            [binary, "version"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        ).stdout
    except (OSError, subprocess.TimeoutExpired) as error:
        raise MissingToolError(f"the Pulumi engine does not start: {error}", where=str(binary)) from error
    match = re.search(r"\d+\.\d+\.\d+", answer)
    if match is None:
        raise MissingToolError("the Pulumi engine does not tell its version", where=str(binary))
    return VersionInfo.parse(match[0])

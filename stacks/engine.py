"""The real Pulumi engine, driven through the Automation API with our program inline.

One `Engine` is one stack: the cluster's. Only the engine's binary and the provider plugins are needed; no
language host, no network, no account of Pulumi's.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pulumi.automation import LocalWorkspace, OutputMap, ProjectBackend, ProjectSettings, Stack
from pulumi.automation.errors import CommandError, ConcurrentUpdateError
from pydantic import ValidationError

from daiku.errors import EngineError, LockHeldError, StateError
from daiku.plan.facts import Facts
from daiku.stacks.backend import (
    PROJECT,
    break_dead_locks,
    drop_pending_operations,
    engine_environment,
    open_backend,
)
from daiku.stacks.changes import OnStep, PlannedChange, Step, UpResult, name_of
from daiku.stacks.command import EngineCommand
from daiku.stacks.events import Recorder
from daiku.stacks.lease import LeaseWatch

# The events' stream breaks off when the engine is killed or interrupted; the run itself tells that better.
warnings.filterwarnings("ignore", message="Error in event stream", category=UserWarning)
# So does the program's connection; gRPC would print a traceback. What the program itself raises is kept by _guarded.
logging.getLogger("grpc._server").setLevel(logging.CRITICAL)

T = TypeVar("T")
_LONGEST_ENDING = 5.0
"""Seconds that the program's thread may take to notice that the engine is gone."""
Program = Callable[[], None]
Check = Callable[[], None]
"""Raises LockHeldError once the cluster is not ours any more."""


class Engine:
    """Previews, makes, refreshes and removes what a cluster needs from the providers.

    `program` declares the resources (`daiku.stacks.program.declare` with the cluster's inputs); `stack` is the
    cluster's name; `directory` is `.daiku/<cluster>`; `binary` is the engine; `environ` is what the engine and
    the plugins see; `plugin_dirs` come before everything else on their PATH (the lab's own `aws` plugin).
    Every method raises EngineError with the provider's own words, LockHeldError when another run holds the stack,
    and KeyboardInterrupt once the engine has ended after Ctrl-C. `up` and `destroy` ask `check` again and again; when
    it raises, the engine is told to end as Ctrl-C does, and that error is raised once it has ended.
    """

    def __init__(
        self,
        program: Program,
        stack: str,
        *,
        directory: Path,
        binary: Path,
        environ: Mapping[str, str] = os.environ,
        plugin_dirs: Sequence[Path] = (),
        parallel: int = 16,
    ) -> None:
        self._program = program
        self._name = stack
        self._parallel = parallel
        self._backend = open_backend(directory, environ)
        self._command = EngineCommand(binary)
        scripts = Path(sys.executable).absolute().parent
        path = [*(str(d) for d in plugin_dirs), str(scripts), environ.get("PATH", "")]
        self._environ = {
            **environ,
            **engine_environment(self._backend, environ),
            "PATH": os.pathsep.join(path),
        }
        self._stack: Stack | None = None
        self._program_failure: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def preview(self, on_step: OnStep | None = None, *, refresh: bool = False) -> tuple[PlannedChange, ...]:
        """What `up` would change; with `refresh`, against the world as it is instead of the state.

        Providers are only read, and the state is left as it is. Values that depend on things not made yet are
        `[unknown]`.
        """
        recorder = Recorder(on_step)
        self._run(
            recorder,
            lambda stack: stack.preview(
                on_event=recorder, parallel=self._parallel, refresh=refresh, suppress_progress=True
            ),
            mend=False,
        )
        return recorder.changes()

    def up(
        self, on_step: OnStep | None = None, *, refresh: bool = False, check: Check = lambda: None
    ) -> UpResult:
        """Make the world as the program says; the same again changes nothing."""
        recorder = Recorder(on_step)
        result = self._run(
            recorder,
            lambda stack: stack.up(
                on_event=recorder,
                parallel=self._parallel,
                refresh=refresh,
                show_secrets=False,
                suppress_progress=True,
                suppress_outputs=True,
            ),
            on_step=on_step,
            check=check,
        )
        facts = _facts(result.outputs)
        if facts is None:
            raise EngineError("the program exported no facts", hint="this is a fault of daiku; report it")
        return UpResult(changes=recorder.changes(), counts=recorder.counts(), facts=facts)

    def refresh(self, on_step: OnStep | None = None) -> tuple[PlannedChange, ...]:
        """Read every resource anew into the state; what had changed (`update`) or gone (`delete`) meanwhile."""
        recorder = Recorder(on_step)
        self._run(
            recorder,
            lambda stack: stack.refresh(
                on_event=recorder,
                parallel=self._parallel,
                show_secrets=False,
                suppress_progress=True,
                run_program=True,
            ),
            on_step=on_step,
        )
        return recorder.drifts()

    def destroy(self, on_step: OnStep | None = None, *, check: Check = lambda: None) -> dict[str, int]:
        """Delete and release everything in the stack; operation -> number of resources.

        The program runs too, so that endpoints and credentials are today's and not those of the last `up`.
        """
        recorder = Recorder(on_step)
        self._run(
            recorder,
            lambda stack: stack.destroy(
                on_event=recorder,
                parallel=self._parallel,
                show_secrets=False,
                suppress_progress=True,
                run_program=True,
            ),
            on_step=on_step,
            check=check,
        )
        return recorder.counts()

    def outputs(self) -> Facts | None:
        """The facts of the last `up`; None before the first and after a destroy. The state is left as it is."""
        return _facts(self._run(Recorder(), lambda stack: stack.outputs(), mend=False))

    def cancel(self) -> None:
        """Ask a run in another thread to end after the calls under way; a second call ends it at once."""
        self._command.interrupt()

    def environment(self) -> dict[str, str]:
        """Settings with which the stock CLI sees the same stack; no secret is among them."""
        return engine_environment(self._backend, self._environ)

    def _run(
        self,
        recorder: Recorder,
        action: Callable[[Stack], T],
        *,
        on_step: OnStep | None = None,
        check: Check = lambda: None,
        mend: bool = True,
    ) -> T:
        """`mend`: first clear away what a killed run left in the state, and tell `on_step` of it."""
        self._program_failure = None
        self._command.interrupted = False
        with LeaseWatch(check, self._command.interrupt):
            return self._act(recorder, action, on_step, mend=mend)

    def _act(
        self, recorder: Recorder, action: Callable[[Stack], T], on_step: OnStep | None, *, mend: bool
    ) -> T:
        try:
            if mend:
                break_dead_locks(self._backend, self._name)
            stack = self._open()
            for urn in drop_pending_operations(self._backend, self._name) if mend else ():
                _warn_of_orphan(urn, on_step)
            result = action(stack)
        except ConcurrentUpdateError as error:
            raise LockHeldError(
                "another run of the engine holds the stack",
                where=f"stack {self._name}",
                hint="wait for it to end, then run the same command again",
            ) from error
        except CommandError as error:
            if self._command.interrupted:
                raise KeyboardInterrupt from None
            if self._program_failure is not None:
                raise self._program_failure from None
            raise recorder.error(_last_error_line(str(error))) from None
        finally:
            _end_tasks(self._loop)
            self._loop = None
        recorder.raise_fault()
        return result

    def _open(self) -> Stack:
        if self._stack is None:
            workspace = LocalWorkspace(
                work_dir=str(self._backend.work_dir),
                program=self._guarded,
                env_vars=self._environ,
                project_settings=ProjectSettings(
                    name=PROJECT, runtime="python", backend=ProjectBackend(url=self._backend.url)
                ),
                pulumi_command=self._command,
            )
            self._stack = Stack.create_or_select(self._name, workspace)
        return self._stack

    def _guarded(self) -> None:
        """The program; what it raises is kept, because the engine would only tell its traceback."""
        self._loop = asyncio.get_running_loop()
        try:
            self._program()
        except Exception as error:
            self._program_failure = error
            raise


def _end_tasks(loop: asyncio.AbstractEventLoop | None) -> None:
    """End what a program that was cut off left waiting.

    The Automation API stops at the first task that ends with an error; the rest would be torn down by the garbage
    collector, each with a traceback on the terminal.
    """
    if loop is None:
        return
    deadline = time.monotonic() + _LONGEST_ENDING
    while loop.is_running() and time.monotonic() < deadline:
        time.sleep(0.01)
    if loop.is_running() or loop.is_closed():
        return
    for task in asyncio.all_tasks(loop):
        task.cancel()
        with contextlib.suppress(Exception, asyncio.CancelledError):
            loop.run_until_complete(task)
    loop.close()


def _facts(outputs: OutputMap) -> Facts | None:
    if "facts" not in outputs:
        return None
    try:
        return Facts.model_validate(outputs["facts"].value)
    except ValidationError as error:
        raise StateError(
            "the facts in the stack are not what this version of daiku expects",
            where="facts",
            hint="run `daiku up` again to write them anew",
        ) from error


def _warn_of_orphan(urn: str, on_step: OnStep | None) -> None:
    """Our own provider adopts what a killed run was making; AWS may be left with one object too many."""
    if on_step and "::aws:" in urn:
        text = "an earlier run was killed while it made this: look for a second one in AWS's console"
        on_step(Step("note", urn, "", name_of(urn), text=text))


def _last_error_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines()]
    return next((line for line in reversed(lines) if line.startswith(("error:", "stderr: error:"))), "")

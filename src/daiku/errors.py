"""The tree of errors that users can meet, in one file; each leaf class owns an exit code.

    DaikuError                     1   (never raised itself)
    ├── SpecError                  3   the cluster file is wrong; carries every fault
    ├── ConfirmationError          4   a destructive step was not confirmed
    ├── StalePlanError             5   the world moved since the plan was saved
    ├── LockHeldError              6   another run holds the cluster
    ├── MissingToolError           7   a program that is needed cannot be found or built
    ├── StateError                 8   daiku's own files (.daiku/) are unreadable or damaged
    ├── AuditError                 9   the audit log is not what daiku wrote
    ├── ApiError                  12   an API refused a request (its words are in the message)
    │   ├── CredentialsError      10   the token, secret or account is not accepted
    │   ├── UnreachableError      11   no answer: refused, timed out, wrong address
    │   ├── NotFoundError         12
    │   ├── ConflictError         12
    │   ├── RateLimitError        13   the API's budget is used up; says when to come back
    │   └── DeadlineError         14   a thing did not reach its state in time
    ├── EngineError               15   the Pulumi engine ended with an error
    ├── RenderError               16   a chart would not understand what it is given
    ├── HostError                 22   a command on a host failed
    │   ├── HostUnreachableError  20   no SSH
    │   ├── HostKeyError          21   the host shows another key than the pinned one
    │   ├── HostAuthError         23   the host refuses our key
    │   └── HostDiskFullError     24   no space left on the host
    ├── ApplyError                25   some hosts failed; carries one HostError a host
    ├── ObjectsError              26   the cluster's API refused some objects, or they are not ready
    ├── AcceptanceError           27   the hardware is not proven: a check failed, or did not run
    ├── LabError                  30   the lab cannot start or is not running
    ├── IncompleteError            -   (provider) made or changed by half; has the exit code of its cause
    └── CancelledError           130   (provider) the engine was told to stop

Exit code 0 is success, 2 a wrong command line (click), 130 an interruption. `docs/exit-codes.md` explains each
for users. A message says what happened; `where` names the place (file:line, host, resource); `hint` is the next step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a file: where it stands, what it is, how to mend it.

    `path` is the setting (`gpuPools.0.rails.1.cidr`); `line` and `column` count from 1, 0 when unknown;
    `source` is the text of that line. `others` are further lines that take part in a clash. `code` names the rule
    that found it and `happens` says what a cluster built like this would do; both are empty for faults of form.
    """

    path: str
    message: str
    hint: str = ""
    file: str = ""
    line: int = 0
    column: int = 0
    source: str = ""
    others: tuple[Fault, ...] = ()
    code: str = ""
    happens: str = ""

    def location(self) -> str:
        """`file:line:col`, as editors understand it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class DaikuError(Exception):
    """A failure that is told to the user in one message and that ends the program with `exit_code`."""

    exit_code = 1

    def __init__(self, message: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


class SpecError(DaikuError):
    """The cluster file has faults; all of them are carried."""

    exit_code = 3

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(faults)
        count = len(self.faults)
        super().__init__(f"{count} fault{'s' if count != 1 else ''} in the cluster file")


class ConfirmationError(DaikuError):
    exit_code = 4


class StalePlanError(DaikuError):
    exit_code = 5


class LockHeldError(DaikuError):
    exit_code = 6


class MissingToolError(DaikuError):
    exit_code = 7


class StateError(DaikuError):
    exit_code = 8


class AuditError(DaikuError):
    exit_code = 9


class ApiError(DaikuError):
    """An API answered with an error. `status` is the HTTP status (0: none), `code` the API's own error code."""

    exit_code = 12

    def __init__(
        self, message: str, *, where: str = "", hint: str = "", status: int = 0, code: str = ""
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status
        self.code = code


class CredentialsError(ApiError):
    exit_code = 10


class UnreachableError(ApiError):
    exit_code = 11


class NotFoundError(ApiError):
    exit_code = 12


class ConflictError(ApiError):
    exit_code = 12


class RateLimitError(ApiError):
    """`retry_after` is in seconds."""

    exit_code = 13

    def __init__(self, message: str, *, where: str = "", hint: str = "", retry_after: float = 0.0) -> None:
        super().__init__(message, where=where, hint=hint, status=429)
        self.retry_after = retry_after


class DeadlineError(ApiError):
    exit_code = 14


class EngineError(DaikuError):
    exit_code = 15


class RenderError(DaikuError):
    """A chart would not understand what it is given; nothing was rendered. `where` is the file in the tree."""

    exit_code = 16


class HostError(DaikuError):
    """`host` is the node's name; `step` is what was being done on it."""

    exit_code = 22

    def __init__(self, message: str, *, host: str, step: str = "", hint: str = "") -> None:
        super().__init__(message, where=host, hint=hint)
        self.host = host
        self.step = step


class HostUnreachableError(HostError):
    exit_code = 20


class HostKeyError(HostError):
    exit_code = 21


class HostAuthError(HostError):
    exit_code = 23


class HostDiskFullError(HostError):
    exit_code = 24


class ApplyError(DaikuError):
    """Some hosts failed while the others were done. When all failed for one reason, the exit code is the reason's."""

    exit_code = 25

    def __init__(
        self, failures: Sequence[HostError], total: int, again: str = "", not_begun: int = 0
    ) -> None:
        """`again` is the command that goes on, where it is another than the one that failed; `not_begun` counts hosts
        that were left because so many had failed."""
        self.failures = tuple(failures)
        reasons = {failure.exit_code for failure in self.failures}
        if len(reasons) == 1:
            self.exit_code = reasons.pop()
        names = ", ".join(f.host for f in self.failures)
        super().__init__(
            f"{len(self.failures)} of {total} hosts failed: {names}"
            + (f"; not begun: {not_begun}" if not_begun else ""),
            hint=f"mend the cause, then run: {again}"
            if again
            else "mend the cause, then run the same command again: hosts that are done are left alone",
        )


class ObjectsError(DaikuError):
    """What the cluster's API server refused, or what does not work yet: a line an object. The others are done."""

    exit_code = 26

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = tuple(lines)
        count = len(self.lines)
        super().__init__(
            f"{count} object{'s' if count != 1 else ''} of the cluster failed:\n  " + "\n  ".join(self.lines),
            hint="mend the cause, then run the same command again: what is done is left alone",
        )


class AcceptanceError(DaikuError):
    """A check of the hardware failed, or printed no result."""

    exit_code = 27


class LabError(DaikuError):
    exit_code = 30

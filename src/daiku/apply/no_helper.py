"""Why the helper did not begin, or what ended it, judged by what the host's shell, sudo and python3 said."""

from __future__ import annotations

from daiku.wire.plain import plain

OLDEST_PYTHON = "3.8"
MEMORY = "see whether the host is out of memory (its kernel's log names what was killed)"
_AGAIN = "run the same command again: it goes on where it was"
_WORDS_LIMIT = 300


def why_not_begun(status: int, stderr: bytes, printed: bytes, user: str) -> tuple[str, str]:
    """Message and hint for a command that ended with `status` (-1: killed) before the helper said anything.

    `printed` is what came on standard output. What programs say may be in the language of the host: only their names
    and our own command are looked for.
    """
    words = last_line(stderr) or last_line(printed)
    said = f": {words}" if words else ""
    sudoed = user != "root" and b"sudo" in stderr
    python = b"python" in stderr
    if status < 0:
        return f"the helper cannot start: its process was killed{said}", f"{MEMORY}, then {_AGAIN}"
    refused = user != "root" and b"python3 -X" in stderr
    if refused or (sudoed and not python and status != 127):
        return (
            f"sudo does not let the account {user!r} start the helper{said}",
            f"the account {user!r} must be allowed to use sudo without a password and without a terminal",
        )
    if sudoed and not python:
        return f"the host has no sudo{said}", f"install sudo, and allow the account {user!r} to use it"
    if python or b"Traceback" in stderr:
        return why_not_by_python(stderr) or (
            f"the host has no python3 that can run the helper{said}",
            f"install python3 ({OLDEST_PYTHON} or newer) on the host",
        )
    return (
        f"the helper cannot start: exit status {status}{said}",
        f"the account {user!r} needs a login shell that runs commands",
    )


def why_not_by_python(stderr: bytes) -> tuple[str, str] | None:
    """Message and hint for a traceback of python3; None when its last line is none that we know."""
    words = last_line(stderr)
    if words.startswith("MemoryError"):
        return "the host has no memory left for the helper", f"{MEMORY}, then {_AGAIN}"
    if words.startswith("SyntaxError"):
        return (
            f"the host's python3 is too old to run the helper: {words}",
            f"install python3 ({OLDEST_PYTHON} or newer) on the host",
        )
    if words.startswith(("ValueError: invalid literal for int", "zlib.error")):
        return (
            "the helper arrived damaged on the host",
            "see that no start-up file of the account's shell reads from standard input",
        )
    return None


def last_line(data: bytes) -> str:
    """The last line that says something, without what would steer a terminal."""
    lines = plain(data.decode("utf-8", "replace")).strip().splitlines()
    return lines[-1].strip()[:_WORDS_LIMIT] if lines else ""

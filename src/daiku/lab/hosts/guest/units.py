"""systemd unit files, as far as the lab's PID 1 understands them. Pure apart from reading the files.

Understood: oneshot and long-running services, Exec lines with their prefixes, environment, user, restart policy,
drop-ins and WantedBy. Ordering and requirements between units, sandboxing and resource limits are ignored.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

UNIT_FOLDERS = (Path("/etc/systemd/system"), Path("/run/systemd/system"), Path("/usr/lib/systemd/system"))
ALIASES = {"sshd.service": "ssh.service"}
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Command:
    """One Exec line: the words, and whether its failure counts (`-` before the path says no)."""

    words: tuple[str, ...]
    ignore_failure: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit file with its drop-ins merged. `kind` is the Type of a service, `target` for targets and the like."""

    name: str
    path: str
    description: str = ""
    kind: str = "simple"
    pre: tuple[Command, ...] = ()
    start: tuple[Command, ...] = ()
    post: tuple[Command, ...] = ()
    reload: tuple[Command, ...] = ()
    stop: tuple[Command, ...] = ()
    environment: tuple[tuple[str, str], ...] = ()
    environment_files: tuple[str, ...] = ()
    directory: str = "/"
    user: str = ""
    restart: str = "no"
    restart_seconds: float = 0.1
    remain_after_exit: bool = False
    only_main_process: bool = False
    wanted_by: tuple[str, ...] = ()

    @property
    def oneshot(self) -> bool:
        return self.kind == "oneshot"

    def restarts_after(self, status: int) -> bool:
        """Whether an exit with `status` (negative: a signal) is followed by a new start."""
        if self.restart in {"no", "on-watchdog"}:
            return False
        clean = status in {0, -1, -2, -13, -15}
        return {
            "always": True,
            "on-success": clean,
            "on-failure": not clean,
            "on-abnormal": not clean and status < 0,
            "on-abort": not clean and status < 0,
        }.get(self.restart, False)


def full_name(name: str) -> str:
    """`ssh` is `ssh.service`, and so is its alias `sshd`."""
    dotted = (
        name
        if re.search(r"\.(service|target|socket|timer|mount|path|slice|scope)$", name)
        else f"{name}.service"
    )
    return ALIASES.get(dotted, dotted)


def find(name: str, folders: Sequence[Path] = UNIT_FOLDERS) -> Unit | None:
    """The unit called `name` (a full name), None when it has no file. A link to /dev/null (masked) counts as none."""
    template = re.sub(r"@[^.]*\.", "@.", name)
    for candidate in dict.fromkeys((name, template)):
        for folder in folders:
            path = folder / candidate
            if path.is_file():
                texts = [path.read_text(), *(p.read_text() for p in _drop_ins(candidate, folders))]
                return parse(name, texts, path=str(path))
    return None


def _drop_ins(name: str, folders: Sequence[Path]) -> list[Path]:
    found: dict[str, Path] = {}
    for folder in reversed(folders):
        for path in (folder / f"{name}.d").glob("*.conf"):
            found[path.name] = path
    return [found[key] for key in sorted(found)]


def parse(name: str, texts: Sequence[str], *, path: str = "") -> Unit:
    """Merge the unit's text and its drop-ins. An empty assignment clears what came before, as systemd has it."""
    settings: dict[tuple[str, str], list[str]] = {}
    for text in texts:
        section = ""
        for line in _logical_lines(text):
            if line.startswith("["):
                section = line.strip("[]")
            elif "=" in line:
                key, _, value = line.partition("=")
                slot = settings.setdefault((section, key.strip()), [])
                slot.append(value.strip()) if value.strip() else slot.clear()

    def last(section: str, key: str, default: str = "") -> str:
        return settings.get((section, key), [default])[-1:][0] if settings.get((section, key)) else default

    def every(section: str, key: str) -> list[str]:
        return [_specifiers(value, name) for value in settings.get((section, key), [])]

    def commands(key: str) -> tuple[Command, ...]:
        return tuple(_command(value) for value in every("Service", key))

    words = [word for value in every("Service", "Environment") for word in shlex.split(value)]
    return Unit(
        name=name,
        path=path,
        description=last("Unit", "Description", name),
        kind=last("Service", "Type", "simple") if name.endswith(".service") else name.rpartition(".")[2],
        pre=commands("ExecStartPre"),
        start=commands("ExecStart"),
        post=commands("ExecStartPost"),
        reload=commands("ExecReload"),
        stop=commands("ExecStop"),
        environment=tuple((word.partition("=")[0], word.partition("=")[2]) for word in words),
        environment_files=tuple(every("Service", "EnvironmentFile")),
        directory=last("Service", "WorkingDirectory", "/").lstrip("-"),
        user=last("Service", "User"),
        restart=last("Service", "Restart", "no"),
        restart_seconds=seconds(last("Service", "RestartSec", "100ms")),
        remain_after_exit=last("Service", "RemainAfterExit").lower() in {"yes", "true", "1", "on"},
        only_main_process=last("Service", "KillMode") in {"process", "none"},
        wanted_by=tuple(
            w for key in ("WantedBy", "RequiredBy") for v in every("Install", key) for w in v.split()
        ),
    )


def seconds(text: str) -> float:
    """A systemd time span: `5`, `5s`, `100ms`, `1min 30s`."""
    units = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 0.001, "us": 1e-6, "m": 60.0, "min": 60.0, "h": 3600.0}
    parts = re.findall(r"([\d.]+)\s*([a-z]*)", text)
    return sum(float(number) * units.get(unit, 1.0) for number, unit in parts)


def expand(command: Command, environment: Mapping[str, str]) -> list[str]:
    """Put variables in: `${X}` inside a word, `$X` as a word of its own (split at blanks, gone when empty)."""
    result: list[str] = []
    for word in command.words:
        if re.fullmatch(r"\$\w+", word):
            result += environment.get(word[1:], "").split()
        else:
            result.append(
                re.sub(r"\$\{(\w+)\}", lambda m: environment.get(m[1], ""), word).replace("$$", "$")
            )
    return result


def read_environment_file(text: str) -> dict[str, str]:
    """`KEY=value` lines with shell quoting; comments and blank lines are left out."""
    result: dict[str, str] = {}
    for line in _logical_lines(text):
        key, sign, value = line.partition("=")
        if sign:
            words = shlex.split(value)
            result[key.strip()] = " ".join(words)
    return result


def _logical_lines(text: str) -> list[str]:
    joined = text.replace("\\\n", " ")
    stripped = (line.strip() for line in joined.splitlines())
    return [line for line in stripped if line and line[0] not in "#;"]


def _specifiers(value: str, name: str) -> str:
    stem = name.rpartition(".")[0]
    prefix, _, instance = stem.partition("@")
    known = {
        "%": "%",
        "n": name,
        "N": stem,
        "i": instance,
        "I": instance,
        "p": prefix,
        "t": "/run",
        "h": "/root",
    }
    return re.sub(r"%(.)", lambda m: known.get(m[1], m[0]), value)


def _command(value: str) -> Command:
    body = value.lstrip("-@+!:")
    prefix = value[: len(value) - len(body)]
    words = shlex.split(body)
    if "@" in prefix and len(words) > 1:
        del words[1]
    return Command(tuple(words), ignore_failure="-" in prefix)

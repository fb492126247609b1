"""What `systemctl` can say, answered by PID 1 with systemd's own words and exit statuses where scripts read them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from daiku.lab.hosts.guest import units
from daiku.lab.hosts.guest.services import LOGS, Service, Services

Answer = tuple[int, str, str]
"""Exit status, standard output, standard error."""

_WANTS = units.UNIT_FOLDERS[0]
_FLAGS_WITH_VALUE = {"-p", "--property", "-n", "--lines", "-t", "--type", "-o", "--output", "-s", "--signal"}
_POWER = {"reboot": 75, "poweroff": 0, "halt": 0}


class Verbs:
    """Runs one command line of `systemctl`; `end` is called with the exit status of PID 1 to reboot or power off."""

    def __init__(self, services: Services, end: Callable[[int], None]) -> None:
        self._services = services
        self._end = end
        self._changing: dict[str, Callable[[str], Answer]] = {
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "try-restart": lambda name: self._restart(name) if self._active(name) else (0, "", ""),
            "reload": self._reload,
            "reload-or-restart": lambda name: (
                self._reload(name) if self._reloads(name) else self._restart(name)
            ),
            "enable": self._enable,
            "disable": self._disable,
            "mask": self._mask,
            "unmask": self._unmask,
            "reset-failed": self._reset_failed,
        }
        self._reading: dict[str, Callable[[str], Answer]] = {
            "is-active": self._is_active,
            "is-failed": self._is_failed,
            "is-enabled": self._is_enabled,
            "status": self._status,
            "cat": self._cat,
        }

    def run(self, words: list[str], *, privileged: bool) -> Answer:
        flags, values, plain = _split(words)
        verb, names = (
            (plain[0], [units.full_name(name) for name in plain[1:]]) if plain else ("list-units", [])
        )
        if verb in _POWER or verb in self._changing or verb == "daemon-reload":
            if not privileged:
                return 1, "", "Access denied\n"
            if verb in _POWER:
                self._end(_POWER[verb])
                return 0, "", ""
        if verb == "daemon-reload":
            return 0, "", ""  # unit files are read anew for every command
        if verb == "is-system-running":
            return 0, "running\n", ""
        if verb == "show":
            return self._show(names, values)
        if verb in {"list-units", "list-unit-files"}:
            return self._list()
        action = self._changing.get(verb) or self._reading.get(verb)
        if action is None:
            return 1, "", f"Unknown command verb {verb} (the lab's systemctl knows the common ones).\n"
        if not names and verb != "reset-failed":
            return 1, "", "Too few arguments.\n"
        answers = [action(name) for name in names]
        if "--now" in flags and verb in {"enable", "disable"}:
            answers += [(self._start if verb == "enable" else self._stop)(name) for name in names]
        if verb == "is-active":  # one active unit is enough
            code = min((code for code, _, _ in answers), default=0)
        else:
            code = max((code for code, _, _ in answers), default=0)
        out = "" if "-q" in flags or "--quiet" in flags else "".join(out for _, out, _ in answers)
        return code, out, "".join(err for _, _, err in answers)

    def _service(self, name: str) -> Service | None:
        return self._services.get(name)

    def _active(self, name: str) -> bool:
        service = self._service(name)
        return service is not None and service.active

    def _reloads(self, name: str) -> bool:
        service = self._service(name)
        return service is not None and service.active and bool(service.unit.reload)

    def _start(self, name: str) -> Answer:
        if _masked(name):
            return 1, "", f"Failed to start {name}: Unit {name} is masked.\n"
        unit = units.find(name)
        if unit is None:
            return 5, "", f"Failed to start {name}: Unit {name} not found.\n"
        problem = self._services.start(unit)
        hint = f'See "systemctl status {name}" and {LOGS}/{name}.log for details.\n'
        return (1, "", f"{problem}\n{hint}") if problem else (0, "", "")

    def _stop(self, name: str) -> Answer:
        if self._service(name) is None and units.find(name) is None:
            return 5, "", f"Failed to stop {name}: Unit {name} not loaded.\n"
        self._services.stop(name)
        return 0, "", ""

    def _restart(self, name: str) -> Answer:
        if units.find(name) is not None:
            self._services.stop(name)
        return self._start(name)

    def _reload(self, name: str) -> Answer:
        if units.find(name) is None:
            return 5, "", f"Failed to reload {name}: Unit {name} not found.\n"
        problem = self._services.reload(name)
        return (1, "", problem + "\n") if problem else (0, "", "")

    def _reset_failed(self, name: str) -> Answer:
        service = self._service(name)
        if service is not None:
            service.failed = False
        return 0, "", ""

    def _enable(self, name: str) -> Answer:
        unit = units.find(name)
        if unit is None:
            return 1, "", f"Failed to enable unit: Unit file {name} does not exist.\n"
        if not unit.wanted_by:
            return 0, "", "The unit files have no installation config (WantedBy=).\n"
        said = ""
        for target in unit.wanted_by:
            link = _WANTS / f"{target}.wants" / name
            if not link.is_symlink():
                link.parent.mkdir(parents=True, exist_ok=True)
                link.symlink_to(unit.path)
                said += f"Created symlink {link} → {unit.path}.\n"
        return 0, "", said

    def _disable(self, name: str) -> Answer:
        links = [link for link in sorted(_WANTS.glob("*.wants/*")) if link.name == name]
        if not links and units.find(name) is None:
            return 1, "", f"Failed to disable unit: Unit file {name} does not exist.\n"
        for link in links:
            link.unlink()
        return 0, "", "".join(f"Removed {link}.\n" for link in links)

    def _mask(self, name: str) -> Answer:
        link = _WANTS / name
        if link.exists() and not _masked(name):
            return 1, "", f"Failed to mask unit: File {link} already exists.\n"
        if not link.is_symlink():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to("/dev/null")
        return 0, "", ""

    def _unmask(self, name: str) -> Answer:
        if _masked(name):
            (_WANTS / name).unlink()
        return 0, "", ""

    def _is_active(self, name: str) -> Answer:
        service = self._service(name)
        if service is not None and service.active:
            return 0, "active\n", ""
        if name.endswith(".target") and units.find(name):
            return 0, "active\n", ""
        return 3, "failed\n" if service is not None and service.failed else "inactive\n", ""

    def _is_failed(self, name: str) -> Answer:
        service = self._service(name)
        if service is not None and service.failed:
            return 0, "failed\n", ""
        return 1, self._is_active(name)[1], ""

    def _is_enabled(self, name: str) -> Answer:
        if _masked(name):
            return 1, "masked\n", ""
        unit = units.find(name)
        if unit is None:
            return 1, "", f"Failed to get unit file state for {name}: No such file or directory\n"
        if any(link.name == name for link in _WANTS.glob("*.wants/*")):
            return 0, "enabled\n", ""
        return (1, "disabled\n", "") if unit.wanted_by else (0, "static\n", "")

    def _status(self, name: str) -> Answer:
        unit, service = units.find(name), self._service(name)
        if unit is None and service is None:
            return 4, "", f"Unit {name} could not be found.\n"
        shown = unit or (service.unit if service else None)
        assert shown is not None
        state = self._is_active(name)[1].strip()
        enabled = self._is_enabled(name)[1].strip() or "bad"
        lines = [
            f"● {name} - {shown.description}",
            f"     Loaded: loaded ({shown.path}; {enabled})",
            f"     Active: {state}" + (" (recorded only)" if service and service.recorded_only else ""),
        ]
        if service and service.pid:
            lines.append(f"   Main PID: {service.pid}")
        log = LOGS / f"{name}.log"
        tail = log.read_text(errors="replace").splitlines()[-10:] if log.exists() else []
        return (0 if state == "active" else 3), "\n".join([*lines, "", *tail]) + "\n", ""

    def _cat(self, name: str) -> Answer:
        unit = units.find(name)
        if unit is None:
            return 1, "", f"No files found for {name}.\n"
        return 0, f"# {unit.path}\n{Path(unit.path).read_text()}", ""

    def _show(self, names: list[str], values: list[str]) -> Answer:
        blocks: list[str] = []
        for name in names:
            unit, service = units.find(name), self._service(name)
            state = self._is_active(name)[1].strip()
            properties = {
                "Id": name,
                "LoadState": "masked" if _masked(name) else "loaded" if unit else "not-found",
                "ActiveState": state,
                "SubState": {"active": "running" if service and service.pid else "exited"}.get(state, "dead"),
                "UnitFileState": self._is_enabled(name)[1].strip(),
                "FragmentPath": unit.path if unit else "",
                "MainPID": str(service.pid if service else 0),
                "NRestarts": str(max(0, service.starts - 1) if service else 0),
            }
            wanted = [key for value in values for key in value.split(",")] or list(properties)
            blocks.append("".join(f"{key}={properties[key]}\n" for key in wanted if key in properties))
        return 0, "\n".join(blocks), ""

    def _list(self) -> Answer:
        names = {path.name for folder in units.UNIT_FOLDERS for path in folder.glob("*.service")}
        lines = [
            f"{name} {self._is_enabled(name)[1].strip():9} {self._is_active(name)[1].strip()}"
            for name in sorted(names)
        ]
        return 0, "".join(line + "\n" for line in lines), ""


def _masked(name: str) -> bool:
    return os.path.realpath(_WANTS / name) == "/dev/null"


def _split(words: list[str]) -> tuple[set[str], list[str], list[str]]:
    """Flags, values of `--property`, and the plain words."""
    flags: set[str] = set()
    values: list[str] = []
    plain: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in _FLAGS_WITH_VALUE:
            value = next(rest, "")
            values += [value] if word in {"-p", "--property"} else []
        elif word.startswith("--property="):
            values.append(word.partition("=")[2])
        elif word.startswith("-"):
            flags.add(word)
        else:
            plain.append(word)
    return flags, values, plain

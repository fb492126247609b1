"""The lab's service manager: starts, watches, restarts and stops the processes of units. Part of PID 1."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from daiku.lab.hosts.guest import units
from daiku.lab.hosts.guest.units import Command, Unit

LOGS = Path("/var/log/units")
_STOP_SECONDS = 10.0


@dataclass(slots=True)
class Service:
    """What is known of one started unit. `wanted` is false once somebody stopped it."""

    unit: Unit
    active: bool = False
    failed: bool = False
    wanted: bool = False
    recorded_only: bool = False
    pid: int = 0
    status: int = 0
    starts: int = 0


class Services:
    """All units that were ever started on this boot. Methods may be called from any thread."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._services: dict[str, Service] = {}
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._exits: dict[int, int] = {}

    def get(self, name: str) -> Service | None:
        with self._lock:
            return self._services.get(name)

    def start(self, unit: Unit) -> str:
        """Start the unit; returns what went wrong, or nothing. An active unit is left alone."""
        with self._lock:
            service = self._services.setdefault(unit.name, Service(unit))
            if service.active and (service.pid or not unit.start or service.recorded_only or unit.oneshot):
                return ""
            service.unit, service.wanted, service.failed, service.starts = (
                unit,
                True,
                False,
                service.starts + 1,
            )
        return self._run(service)

    def stop(self, name: str) -> None:
        """Run ExecStop, then end the main process and its process group; returns when they are gone."""
        with self._lock:
            service = self._services.get(name)
            if service is None:
                return
            service.wanted = service.failed = False
            pid, unit = service.pid, service.unit
        for command in unit.stop if pid or service.active else ():
            self._call(service, command)
        for number, patience in ((signal.SIGTERM, _STOP_SECONDS), (signal.SIGKILL, 1.0)):
            if self._signal(service, number) and self._wait_exit(pid, patience):
                break
        with self._lock:
            service.active = service.recorded_only = False

    def reload(self, name: str) -> str:
        service = self.get(name)
        if service is None or not service.active:
            return f"{name} is not active, cannot reload."
        for command in service.unit.reload:
            if self._call(service, command) and not command.ignore_failure:
                return f"Job for {name} failed."
        return ""

    def stop_all(self) -> None:
        """End every process of the host: first politely, after a second for good."""
        with self._lock:
            for service in self._services.values():
                service.wanted = False
        for number, patience in ((signal.SIGTERM, 1.0), (signal.SIGKILL, 1.0)):
            try:
                os.kill(-1, number)
            except ProcessLookupError:
                return
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline and _others_live():
                self.reap()
                time.sleep(0.02)

    def reap(self) -> None:
        """Note every child that has ended, orphans too. Only PID 1's main loop calls this.

        Under the lock, so that no child is noted before whoever started it has written it down.
        """
        with self._changed:
            while True:
                try:
                    pid, raw = os.waitpid(-1, os.WNOHANG)
                except ChildProcessError:
                    break
                if not pid:
                    break
                child = self._children.pop(pid, None)
                if child is not None:
                    child.returncode = self._exits[pid] = os.waitstatus_to_exitcode(raw)
                    for service in self._services.values():
                        if service.pid == pid:
                            self._main_exited(service, child.returncode)
            self._changed.notify_all()

    def _run(self, service: Service) -> str:
        unit = service.unit
        failed = f"Job for {unit.name} failed because the control process exited with error code."
        for command in unit.pre:
            if self._call(service, command) and not command.ignore_failure:
                return self._fail(service, failed)
        if unit.oneshot or unit.kind == "forking":
            for command in unit.start:
                if self._call(service, command) and not command.ignore_failure:
                    return self._fail(service, failed)
            with self._lock:
                service.active = unit.remain_after_exit or unit.kind == "forking" or not unit.start
        elif unit.start:
            self._start_main(service)
        else:
            service.active = True
        for command in unit.post:
            self._call(service, command)
        return ""

    def _start_main(self, service: Service) -> None:
        unit = service.unit
        program = Path(unit.start[0].words[0])
        # systemd's own daemons do nothing useful without systemd; a program that is not installed is only recorded.
        if "/lib/systemd/" in str(program) or not (program.is_absolute() and program.exists()):
            _log(unit.name, f"{program} does not run in the lab: the unit is only recorded as active")
            with self._lock:
                service.active = service.recorded_only = True
            return
        with self._lock:
            if not service.wanted:
                return
            service.pid = self._spawn(service, unit.start[0])
            service.active = service.pid != 0
            service.failed = not service.active

    def _main_exited(self, service: Service, status: int) -> None:
        service.pid, service.status, service.active = 0, status, False
        service.failed = service.wanted and status not in {0, -signal.SIGTERM}
        _log(service.unit.name, f"main process ended with status {status}")
        if service.wanted and service.unit.restarts_after(status):
            timer = threading.Timer(service.unit.restart_seconds, self._restart, (service,))
            timer.daemon = True
            timer.start()

    def _restart(self, service: Service) -> None:
        with self._lock:
            if not service.wanted or service.pid:
                return
            service.starts += 1
        self._run(service)

    def _fail(self, service: Service, message: str) -> str:
        with self._lock:
            service.active, service.failed = False, True
        return message

    def _call(self, service: Service, command: Command) -> int:
        """Run a command of the unit to its end; its exit status, 203 when it cannot be executed."""
        with self._lock:
            pid = self._spawn(service, command)
        return self._await(pid) if pid else 203

    def _spawn(self, service: Service, command: Command) -> int:
        unit = service.unit
        environment = {"PATH": units.DEFAULT_PATH, "LANG": "C.UTF-8", **dict(unit.environment)}
        for name in unit.environment_files:
            path = Path(name.lstrip("-"))
            if path.is_file():
                environment.update(units.read_environment_file(path.read_text()))
        environment["MAINPID"] = str(service.pid)
        account = pwd.getpwnam(unit.user) if unit.user else None
        LOGS.mkdir(parents=True, exist_ok=True)
        with (LOGS / f"{unit.name}.log").open("ab") as log:
            try:
                child = subprocess.Popen(
                    units.expand(command, environment),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=environment,
                    cwd=unit.directory if Path(unit.directory).is_dir() else "/",
                    start_new_session=True,
                    user=account.pw_uid if account else None,
                    group=account.pw_gid if account else None,
                )
            except OSError as error:
                log.write(f"cannot run {command.words[0]}: {error.strerror}\n".encode())
                return 0
        self._children[child.pid] = child
        return child.pid

    def _await(self, pid: int) -> int:
        with self._changed:
            self._changed.wait_for(lambda: pid in self._exits)
            return self._exits.pop(pid)

    def _wait_exit(self, pid: int, patience: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: pid not in self._children, patience)

    def _signal(self, service: Service, number: int) -> bool:
        with self._lock:
            if not service.pid:
                return False
            try:
                target = os.kill if service.unit.only_main_process else os.killpg
                target(service.pid, number)
            except ProcessLookupError:
                return False
        return True


def _others_live() -> bool:
    return any(entry.name.isdigit() and entry.name != "1" for entry in Path("/proc").iterdir())


def _log(name: str, line: str) -> None:
    LOGS.mkdir(parents=True, exist_ok=True)
    with (LOGS / f"{name}.log").open("a") as log:
        log.write(line + "\n")

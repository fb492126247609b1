"""Static pods of a folder of manifests, kept running as processes."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from daiku.lab.hosts.guest.kubelet import processes
from daiku.lab.hosts.guest.kubelet.manifest import Manifests, StaticPod, image_parts, run_of
from daiku.lab.hosts.guest.kubelet.processes import Process

_GRACE_SECONDS = 30.0
_PAUSE, _LONGEST_PAUSE = 2.0, 30.0
"""Seconds from an end to the next start: at first as long as a kubelet takes to notice and to act, then twice that."""
LOGS = Path("/var/log/pods")


@dataclass(slots=True)
class _Container:
    restarts: int = -1
    next_start: float = 0.0
    dead: bool = False
    kill_at: float = 0.0
    waiting: str = "ContainerCreating"
    told: str = ""


@dataclass(slots=True)
class StaticPods:
    """`program` gives an image's program by name and version, None while it is not there. `log` gets a line a change.

    For one thread, apart from `pods` and `state`, which any thread may read.
    """

    folder: Path
    node: str
    program: Callable[[str, str], Path | None]
    log: Callable[[str], None]
    records: Path = processes.RECORDS
    logs: Path = LOGS
    pods: dict[str, StaticPod] = field(default_factory=dict[str, StaticPod])
    _containers: dict[str, _Container] = field(default_factory=dict[str, _Container])
    _manifests: Manifests = field(init=False)

    def __post_init__(self) -> None:
        self._manifests = Manifests(self.folder, self.log)

    def sync(self) -> None:
        """One look at the manifests and the processes: start, stop and restart what differs."""
        processes.reap()
        wanted = self._manifests.read()
        keys = {
            self._key(pod.file, container["name"]): (pod, container)
            for pod in wanted.values()
            for container in pod.containers
        }
        for record in sorted(self.records.glob("*.json")):
            process = processes.find(record)
            pod = keys.get(record.stem, (None, None))[0]
            if process is None:
                if pod is None:
                    self._forget(record)
            elif pod is None or pod.digest != process.digest:
                self._end(record.stem, process)
        for key, (pod, container) in keys.items():
            if processes.find(self._record(key)) is None:
                self._start(key, pod, container)
        self.pods = wanted

    def state(self, pod: StaticPod, container: str) -> tuple[Process | None, int, str]:
        """The living process of a container, how often it was started again, and what it waits for."""
        key = self._key(pod.file, container)
        known = self._containers.get(key) or _Container()
        return processes.find(self._record(key)), max(known.restarts, 0), known.waiting

    def _start(self, key: str, pod: StaticPod, container: dict[str, Any]) -> None:
        known = self._containers.setdefault(key, _Container())
        known.kill_at = 0.0
        if known.restarts >= 0 and not known.dead:
            known.dead = True
            known.next_start = time.monotonic() + min(_LONGEST_PAUSE, max(_PAUSE, 2.0**known.restarts))
        if time.monotonic() < known.next_start:
            return
        name, version = image_parts(container.get("image", ""))
        program = self.program(name, version)
        if program is None:
            known.waiting = "ErrImagePull"
            self._tell(known, f"{key}: there is no program for the image {container.get('image')} (yet)")
            return
        known.restarts += 1
        known.dead = False
        known.waiting = "CrashLoopBackOff"
        try:
            run = run_of(pod, container, program)
            for folder in run.folders:
                Path(folder).mkdir(parents=True, exist_ok=True)
            for file in run.files:
                Path(file).touch()
            where = (
                self.logs
                / f"{pod.namespace}_{pod.name}-{self.node}_{pod.digest}"
                / container["name"]
                / "0.log"
            )
            process = processes.start(
                self._record(key), pod.digest, run.words, run.environment, run.directory, where
            )
        except (OSError, ValueError) as error:
            self._tell(known, f"{key}: cannot start: {error}")
            return
        known.told = ""
        self.log(f"{key}: started as process {process.pid}")

    def _end(self, key: str, process: Process) -> None:
        known = self._containers.setdefault(key, _Container())
        if not known.kill_at:
            self.log(f"{key}: its manifest changed or is gone: ending process {process.pid}")
            known.kill_at = time.monotonic() + _GRACE_SECONDS
            # What comes next is another pod: it starts at once and counts anew.
            known.restarts, known.next_start, known.dead = -1, 0.0, False
            processes.send(process, signal.SIGTERM)
        elif time.monotonic() > known.kill_at:
            processes.send(process, signal.SIGKILL)

    def _forget(self, record: Path) -> None:
        record.unlink(missing_ok=True)
        self._containers.pop(record.stem, None)

    def _tell(self, known: _Container, line: str) -> None:
        if known.told != line:
            known.told = line
            self.log(line)

    def _key(self, file: str, container: str) -> str:
        return f"{file}.{container}"

    def _record(self, key: str) -> Path:
        return self.records / f"{key}.json"

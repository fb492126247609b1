"""Kubernetes' programs in the lab's hosts: a folder of links that every host sees, also those that run already."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from daiku.lab.hosts.guest.boot import TOOLS_SHOWN
from daiku.lab.tools.build import provide_all
from daiku.lab.tools.cache import cache_root
from daiku.lab.tools.catalog import KUBERNETES, KWOK, Tool
from daiku.lab.tools.progress import Progress

FOLDER = "programs"


class Programs:
    """`STATE/programs`; `daiku.lab.hosts.guest.programs` says what it holds. It starts empty."""

    def __init__(self, state: Path) -> None:
        self._folder = state / FOLDER
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir(mode=0o755)
        self._folder.chmod(0o755)
        version = next(tool.version for tool in KUBERNETES if tool.name == "kubeadm")
        (self._folder / "kubernetes").write_text(version + "\n")

    def build(self, progress: Progress, environ: Mapping[str, str] = os.environ) -> None:
        """Find or build everything that hosts run and publish each as it comes. Raises MissingToolError."""
        self.provide((*KUBERNETES, KWOK), progress, environ)

    def provide(
        self, tools: Sequence[Tool], progress: Progress, environ: Mapping[str, str] = os.environ
    ) -> None:
        """The same for some programs only, or for those of another version: hosts see every version there is."""

        def told(line: str) -> None:
            self.tell(line)
            progress(line)

        self.tell("it is being looked for")
        provide_all(tools, told, environ, ready=self.publish)

    def publish(self, tool: Tool, path: Path) -> None:
        """Show a program to the hosts: a link into the cache, which they see too; else a copy."""
        place = self._folder / tool.name / tool.version / tool.name
        place.parent.mkdir(parents=True, exist_ok=True)
        fresh = place.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        if path.is_relative_to(cache_root()):
            fresh.symlink_to(Path("/", TOOLS_SHOWN, path.relative_to(cache_root())))
        else:
            shutil.copy2(path, fresh)
        fresh.replace(place)

    def tell(self, line: str) -> None:
        """What is being done, for whoever waits on a host."""
        self._say("progress", line)

    def fail(self, reason: str) -> None:
        """Tell whoever waits on a host that nothing more comes."""
        self._say("failed", reason)

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def _say(self, name: str, line: str) -> None:
        fresh = self._folder / f".{name}"
        fresh.write_text(line + "\n")
        fresh.replace(self._folder / name)

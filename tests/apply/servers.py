"""A bastion and four hosts behind it: SSH servers of this process, each with a folder for its root."""

from __future__ import annotations

import sys
from pathlib import Path

from daiku.apply.fleet import Settings, run
from daiku.apply.report import FleetReport
from daiku.apply.targets import Target, Targets
from daiku.render.bundle import HostBundle, HostFile, Trigger
from tests.apply.rehearsal import bundle_of, file, noting
from tests.ssh.server import Pins, Sshd, key_text, make_key

NAMES = ("mgmt-0", "g0", "g1", "g2", "g3")
HERE = Settings(root=".", timeout=5)


class Fleet:
    """A bastion (the first) and hosts, each an SSH server whose commands run in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        client = make_key(folder / "key")
        (folder / "bin").mkdir()
        (folder / "bin/python3").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
        (folder / "bin/python3").chmod(0o755)
        self.servers: dict[str, Sshd] = {}
        for name in NAMES:
            (folder / name).mkdir()
            self.servers[name] = Sshd(
                make_key(folder / f"{name}.key"),
                {key_text(client)},
                env={"PATH": f"{folder}/bin:/usr/bin:/bin"},
                cwd=folder / name,
            )
        self.pins = Pins()
        self.events: list[tuple[str, str, str]] = []

    @property
    def targets(self) -> Targets:
        hosts = [Target(name, self.servers[name].endpoint()) for name in NAMES]
        return Targets(hosts[0], tuple(hosts[1:]))

    def run(
        self, bundles: dict[str, HostBundle], targets: Targets | None = None, **options: object
    ) -> FleetReport:
        settings: dict[str, object] = {
            "key_file": self.folder / "key",
            "host_keys": self.pins,
            "settings": HERE,
            "on_event": lambda *event: self.events.append(event),
            **options,
        }
        return run(targets or self.targets, bundles, **settings)  # type: ignore[arg-type]

    def connections(self) -> dict[str, int]:
        return {name: server.connections for name, server in self.servers.items()}


def bundle(name: str, *parts: HostFile | Trigger) -> HostBundle:
    made = bundle_of(file("/etc/hostname", f"{name}\n", trigger="t"), noting("t", 1, "/etc/hostname"), *parts)
    return HostBundle(name, made.files, made.triggers)


ALL = {name: bundle(name) for name in NAMES}

"""A fleet of lab hosts behind a bastion: where they are reached and how they are converged."""

from __future__ import annotations

from daiku.apply.fleet import Settings, run
from daiku.apply.report import FleetReport
from daiku.apply.targets import Target, Targets
from daiku.ledger.host_keys import PinnedHostKeys
from daiku.render.bundle import HostBundle
from daiku.wire.ssh_types import Endpoint
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

LOOPBACKS = [f"127.77.210.{n}" for n in range(1, 17)]
"""One a test worker."""


def targets(lab: Lab) -> Targets:
    bastion = Target("host2", Endpoint(lab.address, 2202, "ubuntu"))
    users = {3: "root", 4: "ubuntu", 5: "ubuntu"}
    return Targets(
        bastion, tuple(Target(f"host{n}", Endpoint(f"10.10.0.{n}", 22, u)) for n, u in users.items())
    )


def converge(
    lab: Lab, bundles: dict[str, HostBundle], pins: Pins | PinnedHostKeys, **options: object
) -> FleetReport:
    settings = Settings(timeout=30, patience=90)
    return run(
        targets(lab), bundles, **{"key_file": lab.key, "host_keys": pins, "settings": settings, **options}
    )  # type: ignore[arg-type]

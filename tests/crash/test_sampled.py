"""A few of the points of `make crash`, so that the sweep itself cannot rot."""

from __future__ import annotations

from pathlib import Path

import pytest

from daiku.ledger.host_keys import PinnedHostKeys
from daiku.wire.ssh import connect
from daiku.wire.ssh_types import Endpoint
from tests.apply.lab_fleet import LOOPBACKS
from tests.crash import api, hosts, ledger
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins


@pytest.mark.slow
def test_the_ledger_at_some_points(tmp_path: Path) -> None:
    swept = ledger.sweep(tmp_path, lambda points: points[5::17])
    assert swept.total > 15
    assert swept.wrong == []


def test_a_sweep_sees_what_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that forgets a pin whenever it follows one that was killed."""
    pinned = PinnedHostKeys.pinned
    monkeypatch.setattr(
        PinnedHostKeys, "pinned", lambda self, host: None if host == "g1" else pinned(self, host)
    )
    swept = ledger.sweep(tmp_path, lambda points: points[-1:])
    assert all("every pin is there" in line for line in swept.wrong)
    assert len(swept.wrong) == swept.total == 3


@pytest.mark.slow
def test_the_provider_at_some_calls() -> None:
    """Some of all, and all while the server boots: a state that the API does not tell."""
    for swept in api.sweep(lambda points: [*points[9:90:41], *points[96:104]]):
        assert (swept.total > 0, swept.wrong) == (True, [])


@pytest.mark.lab
@pytest.mark.allow_hosts(LOOPBACKS)
def test_a_lab_host_at_some_points(lab: Lab) -> None:
    lab.apply(*(lab.machine(number) for number in (2, 3)))
    machines = [
        hosts.Host(
            connect(
                f"host{number}",
                Endpoint(lab.address, 2200 + number, "root"),
                key_file=lab.key,
                host_keys=Pins(),
                timeout=60,
            )
        )
        for number in (2, 3)
    ]
    for phase in hosts.phases(6):
        swept = hosts.sweep(machines, phase, lambda points: points[7::31])
        assert (swept.total > 2, swept.wrong) == (True, [])
        assert max(swept.repeated) <= 1

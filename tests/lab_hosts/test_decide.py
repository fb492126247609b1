"""What has to happen for the running machines to equal the topology."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daiku.lab.hosts.decide import Decision, Known, PortChanges, decide, port_changes, wiped_roots
from daiku.lab.topology import Machine, Nic

NIC = Nic("eth0", "02:00:00:00:00:01", "node", ("10.0.0.1/24",))
MACHINE = Machine("a", "vm", True, 1, "disk", "host", "root", ("key",), (NIC,))
RUNNING = {"a": Known(MACHINE, alive=True)}


@pytest.mark.parametrize(
    ("known", "wanted", "expected"),
    [
        pytest.param({}, [MACHINE], Decision(boot=(MACHINE,)), id="power on"),
        pytest.param({}, [replace(MACHINE, power=False)], Decision(), id="stays off"),
        pytest.param({}, [replace(MACHINE, root="")], Decision(), id="no disk"),
        pytest.param(RUNNING, [MACHINE], Decision(), id="same"),
        pytest.param(RUNNING, [], Decision(halt=("a",)), id="removed"),
        pytest.param(RUNNING, [replace(MACHINE, power=False)], Decision(halt=("a",)), id="power off"),
        pytest.param(RUNNING, [replace(MACHINE, root="")], Decision(halt=("a",)), id="disk detached"),
        pytest.param(
            RUNNING, [replace(MACHINE, hostname="b", authorized_keys=())], Decision(), id="first boot only"
        ),
        pytest.param(
            {"a": Known(MACHINE, alive=False, left=True)},
            [MACHINE],
            Decision(),
            id="powered itself off: left alone",
        ),
        pytest.param(
            {"a": Known(MACHINE, alive=False)},
            [MACHINE],
            Decision(halt=("a",), boot=(MACHINE,)),
            id="crashed",
        ),
    ],
)
def test_decisions(known: dict[str, Known], wanted: list[Machine], expected: Decision) -> None:
    assert decide(known, wanted) == expected


@pytest.mark.parametrize("change", [{"boots": 2}, {"root": "other"}])
def test_a_reboot_or_reinstall_ends_and_boots(change: dict[str, object]) -> None:
    wanted = replace(MACHINE, **change)  # type: ignore[arg-type]
    assert decide(RUNNING, [wanted]) == Decision(halt=("a",), boot=(wanted,))


def test_another_segment_is_a_live_change() -> None:
    wanted = replace(MACHINE, nics=(replace(NIC, segment=None),))
    assert decide(RUNNING, [wanted]) == Decision(replug=(wanted,))


def test_ports_are_the_same_while_name_and_mac_are() -> None:
    second, other_mac = Nic("eth1", "02:00:00:00:00:02", "node"), replace(NIC, mac="02:00:00:00:00:09")
    assert port_changes([NIC, second], [NIC, second]) == PortChanges((), (), ())
    assert port_changes([NIC], [replace(NIC, addresses=())]) == PortChanges((), (), ())
    assert port_changes([NIC, second], [other_mac]) == PortChanges(("eth0", "eth1"), (other_mac,), ())
    moved = replace(NIC, segment="rail")
    assert port_changes([NIC], [moved, second]) == PortChanges((), (second,), (moved,))


def test_a_reinstalled_server_loses_its_old_disk_and_a_vm_keeps_every_disk() -> None:
    phy = replace(MACHINE, kind="phy")
    assert wiped_roots([phy], [replace(phy, root="new")]) == ("disk",)
    assert wiped_roots([phy], [replace(phy, power=False)]) == ()
    assert wiped_roots([MACHINE], [replace(MACHINE, root="new")]) == ()

"""Triggers that restart the machine: last, once for all of them, waited for, and never twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from daiku.apply.helper import reboot
from daiku.errors import HostError
from daiku.lab.topology import Machine
from daiku.plan.durations import of_host
from daiku.render.bundle import Expectation, HostBundle, HostFile, Trigger
from tests.apply.lab_fleet import LOOPBACKS, converge
from tests.apply.rehearsal import Rehearsal, bundle_of, file, noting, order_of, run
from tests.lab_hosts.kit import Lab
from tests.ssh.server import Pins

BOOT = "proc/sys/kernel/random/boot_id"
RESTART = f"echo restart >> log/order; echo second > {BOOT}; kill -9 $PPID"


def machine(root: Path) -> Path:
    (root / BOOT).parent.mkdir(parents=True)
    (root / BOOT).write_text("first\n")
    (root / "log").mkdir()
    return root


def bundle(content: str = "quiet", command: str = RESTART) -> HostBundle:
    return bundle_of(
        file("/etc/default/grub", content, trigger="reboot-kernel"),
        file("/etc/pages", content, trigger="reboot-pages"),
        file("/etc/a", content, trigger="z"),
        Trigger("reboot-kernel", ("sh", "-c", command), 1, reboot=True),
        Trigger("reboot-pages", ("sh", "-c", command), 2, reboot=True),
        noting("z", 90, "/etc/a"),
    )


def test_it_comes_last_and_once_and_the_run_goes_on_after_it(tmp_path: Path) -> None:
    root, session = machine(tmp_path), Rehearsal()
    steps: list[tuple[str, str]] = []
    report = run(
        root, bundle(), session, run_id="r1", reconnect=lambda: session, on_step=lambda *s: steps.append(s)
    )
    assert order_of(root) == ["z", "restart"]
    assert [t.name for t in report.triggers] == ["z", "reboot-kernel", "reboot-pages"]
    assert [c.path for c in report.changes] == ["/etc/a", "/etc/default/grub", "/etc/pages"]
    assert ("reboot", "reboot-kernel, reboot-pages") in steps
    assert steps[-1][0] == "reconnect"
    again = run(root, bundle())
    assert (again.changed, again.round_trips) == (False, 1)


def test_a_run_that_died_over_the_restart_is_finished_without_another_one(tmp_path: Path) -> None:
    root = machine(tmp_path)
    with pytest.raises(HostError):
        run(root, bundle(), run_id="r1")
    planned = run(root, bundle(), dry_run=True)
    done = run(root, bundle(), run_id="r2")
    assert (planned.changed, done.changed) == (False, False)
    assert order_of(root) == ["z", "restart"]
    assert not (root / "var/lib/daiku/intent.json").exists()


def test_killed_before_the_restart_happened_it_is_done_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reboot, "LEAVE_SECONDS", 0.2)
    root = machine(tmp_path)
    with pytest.raises(HostError):
        run(root, bundle(command="kill -9 $PPID"), run_id="r1")
    session = Rehearsal()
    report = run(root, bundle(), session, run_id="r2", reconnect=lambda: session)
    assert order_of(root) == ["z", "restart"]
    assert [t.name for t in report.triggers] == ["reboot-kernel", "reboot-pages"]


def test_a_machine_that_does_not_restart_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reboot, "LEAVE_SECONDS", 0.2)
    root = machine(tmp_path)
    with pytest.raises(HostError, match="did not restart within"):
        run(root, bundle(command="true"))
    with pytest.raises(HostError, match="exit status 1"):
        run(root, bundle(command="false"))
    session = Rehearsal()
    assert run(root, bundle(), session, run_id="r3", reconnect=lambda: session).changed


def test_the_plan_says_what_it_disturbs() -> None:
    takes = of_host(1, ["reboot-kernel"])
    assert takes.high >= 600
    assert "the machine restarts" in takes.disturbs
    for wrong in ({"name": "kernel"}, {"guarded": True}, {"packages": (("a", "1"),)}):
        with pytest.raises(ValueError, match="restarts the machine"):
            replace(Trigger("reboot", ("true",), 1, reboot=True), **wrong)  # type: ignore[arg-type]


@pytest.mark.lab
@pytest.mark.allow_hosts(LOOPBACKS)
def test_lab_hosts_restart_and_the_bastion_last(lab: Lab, machines: dict[int, Machine]) -> None:
    order = Trigger("reboot", ("systemctl", "reboot"), 99, reboot=True)
    note = Trigger("note", ("sh", "-c", "echo >> /var/log/noted"), 1)
    bundles = {
        f"host{n}": HostBundle(
            f"host{n}",
            (
                HostFile("/etc/motd", b"new\n", trigger="note"),
                HostFile("/etc/cmdline", b"new\n", trigger="reboot"),
            ),
            (note, order),
            (Expectation("unit-state", "ssh.service", "active", "note"),),
        )
        for n in (2, 3, 4)
    }
    boots = {n: lab.ssh(n, f"cat /{BOOT}", "root" if n == 3 else "ubuntu") for n in (2, 3, 4, 5)}
    pins = Pins()
    steps: list[tuple[str, str]] = []
    report = converge(
        lab, bundles, pins, run_id="r1", on_event=lambda host, step, _: steps.append((host, step))
    )
    assert report.failures == ()
    assert [r.host for r in report.reports] == sorted(bundles)
    assert {tuple(t.name for t in r.triggers) for r in report.reports} == {("note", "reboot")}
    asked = [host for host, step in steps if step == "reboot"]
    assert (sorted(asked), asked[-1]) == (sorted(bundles), "host2")
    for n, user in ((2, "ubuntu"), (3, "root"), (4, "ubuntu"), (5, "ubuntu")):
        assert (lab.ssh(n, f"cat /{BOOT}", user) != boots[n]) == (n != 5)
    assert lab.ssh(3, "wc -l < /var/log/noted; ls /var/lib/daiku") == "1\nlock\nprevious\nreceipt.json"
    again = converge(lab, bundles, pins)
    assert not any(r.changed for r in again.reports)
    assert {r.round_trips for r in again.reports} == {1}

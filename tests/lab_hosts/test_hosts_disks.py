"""Disks outlive processes; a reinstall is another disk with another host key."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.lab_hosts.kit import Lab

pytestmark = pytest.mark.lab


def test_applying_the_same_topology_again_touches_nothing(lab: Lab) -> None:
    machine = lab.machine(2)
    lab.apply(machine)
    before = lab.status("m2")
    assert before.running
    assert before.addresses == ("10.10.0.2/20",)
    lab.apply(machine)
    assert lab.status("m2") == before


def test_the_pid_is_a_process_of_this_machine(lab: Lab) -> None:
    lab.apply(lab.machine(3))
    pid = lab.status("m3").pid
    assert Path(f"/proc/{pid}/comm").read_text() == "daiku-init\n"


def test_a_reboot_keeps_files_and_host_key_and_ends_processes(lab: Lab) -> None:
    machine = lab.machine(4)
    lab.apply(machine)
    key, boot = lab.host_key(4), lab.ssh(4, "cat /proc/sys/kernel/random/boot_id")
    lab.ssh(4, "echo kept > /root/note; touch /run/gone; nohup sleep 1000 >/dev/null 2>&1 &")
    lab.apply(replace(machine, boots=2))
    assert lab.ssh(4, "cat /root/note; ls /run/gone 2>/dev/null; pgrep -c sleep || true") == "kept\n0"
    assert lab.host_key(4) == key
    assert lab.ssh(4, "cat /proc/sys/kernel/random/boot_id") != boot


def test_power_off_and_on_keeps_the_disk(lab: Lab) -> None:
    machine = lab.machine(5)
    lab.apply(machine)
    lab.ssh(5, "echo kept > /etc/note")
    lab.apply(replace(machine, power=False))
    assert not lab.status("m5").running
    lab.apply(replace(machine, boots=2))
    assert lab.ssh(5, "cat /etc/note") == "kept"


def test_a_reinstall_gives_a_fresh_disk_and_a_new_host_key(lab: Lab) -> None:
    machine = lab.machine(6, kind="phy")
    lab.apply(machine)
    key = lab.host_key(6)
    lab.ssh(6, "echo old > /root/note")
    lab.apply(replace(machine, root=machine.root + "-again", hostname="fresh"))
    assert lab.ssh(6, "hostname; ls /root") == "fresh"
    assert lab.host_key(6) != key


def test_a_disk_can_move_to_another_machine(lab: Lab) -> None:
    machine = lab.machine(7)
    lab.apply(machine)
    lab.ssh(7, "echo moved > /root/note")
    lab.apply(lab.machine(8))
    other = lab.machine(9, root=machine.root, nics=(lab.nic(7),))
    lab.apply(other)
    assert lab.ssh(7, "cat /root/note") == "moved"


def test_a_reboot_from_inside_comes_back_by_itself(lab: Lab) -> None:
    lab.apply(lab.machine(10))
    boot = lab.ssh(10, "cat /proc/sys/kernel/random/boot_id; reboot").split()[0]
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        done = lab.try_ssh(10, "cat /proc/sys/kernel/random/boot_id")
        if done.returncode == 0 and done.stdout.strip() != boot:
            return
        time.sleep(0.1)
    pytest.fail("the machine did not come back")


def test_a_machine_that_powers_itself_off_stays_off_until_it_is_booted(lab: Lab) -> None:
    machine = lab.machine(11)
    lab.apply(machine)
    lab.ssh(11, "echo kept > /root/note; poweroff")
    deadline = time.monotonic() + 10
    while lab.status("m11").running and time.monotonic() < deadline:
        time.sleep(0.05)
    lab.apply(machine)
    assert not lab.status("m11").running
    assert ("m11", 1) in lab.left
    lab.apply(replace(machine, boots=2))
    assert lab.ssh(11, "cat /root/note") == "kept"

"""systemctl of a host: units from files, real processes, restarts."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from tests.lab_hosts.kit import Lab

pytestmark = pytest.mark.lab

SERVICE = """[Unit]
Description=A counter
[Service]
Environment=WORD=first
ExecStart=/usr/local/bin/counter ${WORD}
ExecReload=/bin/sh -c 'echo reloaded >> /run/counter'
Restart=always
RestartSec=50ms
[Install]
WantedBy=multi-user.target
"""
PROGRAM = "#!/bin/sh\\necho $1 $$ >> /run/counter\\nexec sleep 1000\\n"


@pytest.fixture
def host(lab: Lab) -> Lab:
    lab.apply(lab.machine(2))
    lab.write(2, "/etc/systemd/system/counter.service", SERVICE)
    lab.ssh(2, f"printf '{PROGRAM}' > /usr/local/bin/counter; chmod +x /usr/local/bin/counter")
    return lab


def test_a_service_is_enabled_started_reloaded_and_stopped(host: Lab) -> None:
    said = host.ssh(
        2, "systemctl daemon-reload && systemctl enable --now counter 2>&1; systemctl is-active counter"
    )
    assert said.splitlines()[-1] == "active"
    assert "Created symlink" in said
    assert host.ssh(2, "systemctl is-enabled counter; sleep 0.1; systemctl reload counter") == "enabled"
    assert host.ssh(2, "cut -d' ' -f1 /run/counter").split() == ["first", "reloaded"]
    assert host.try_ssh(2, "systemctl stop counter; systemctl is-active counter").returncode == 3
    assert host.ssh(2, "pgrep -xc sleep || true") == "0"


def test_a_service_that_dies_comes_back_and_one_that_was_stopped_does_not(host: Lab) -> None:
    host.ssh(
        2, "systemctl start counter; sleep 0.1; kill -9 $(systemctl show -p MainPID counter | cut -d= -f2)"
    )
    assert host.ssh(2, "sleep 0.4; systemctl is-active counter; wc -l < /run/counter") == "active\n2"
    host.ssh(2, "systemctl stop counter; sleep 0.3")
    assert host.ssh(2, "wc -l < /run/counter; pgrep -xc sleep || true") == "2\n0"


def test_a_drop_in_changes_the_unit(host: Lab) -> None:
    host.write(
        2, "/etc/systemd/system/counter.service.d/10-word.conf", "[Service]\nEnvironment=WORD=second\n"
    )
    assert host.ssh(2, "systemctl restart counter; sleep 0.1; cut -d' ' -f1 /run/counter") == "second"


def test_an_enabled_service_starts_at_boot(host: Lab) -> None:
    machine = host.machine(3)
    host.apply(machine)
    host.write(3, "/etc/systemd/system/mark.service", ONESHOT % "touch /run/marked")
    host.ssh(3, "systemctl enable mark; test ! -e /run/marked")
    host.apply(replace(machine, boots=2))
    assert host.ssh(
        3, "for i in 1 2 3 4 5 6 7 8 9; do test -e /run/marked && break; sleep 0.1; done; ls /run/marked"
    )


ONESHOT = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c '%s'
[Install]
WantedBy=multi-user.target
"""


def test_a_oneshot_really_runs_and_its_failure_is_told(host: Lab) -> None:
    host.write(2, "/etc/systemd/system/good.service", ONESHOT % "echo ran > /run/good")
    host.write(2, "/etc/systemd/system/bad.service", ONESHOT % "exit 3")
    assert host.ssh(2, "systemctl start good; cat /run/good; systemctl is-active good") == "ran\nactive"
    done = host.try_ssh(2, "systemctl start bad")
    assert done.returncode == 1
    assert "Job for bad.service failed" in done.stderr
    assert host.try_ssh(2, "systemctl is-failed bad").stdout == "failed\n"


def test_a_program_that_is_not_installed_is_recorded_and_says_so(host: Lab) -> None:
    host.write(2, "/etc/systemd/system/absent.service", "[Service]\nExecStart=/usr/bin/not-here\n")
    assert "active (recorded only)" in host.ssh(2, "systemctl start absent; systemctl status absent")


def test_an_unknown_unit_has_the_exit_status_of_the_real_one(host: Lab) -> None:
    assert host.try_ssh(2, "systemctl start nowhere").returncode == 5
    assert host.try_ssh(2, "systemctl status nowhere").returncode == 4
    assert host.try_ssh(2, "systemctl is-active nowhere").returncode == 3


def test_hostnamectl_names_the_host(host: Lab) -> None:
    assert host.ssh(2, "hostnamectl set-hostname other && hostname && cat /etc/hostname") == "other\nother"


def test_sshd_is_reloaded_and_comes_back_when_killed(host: Lab) -> None:
    host.ssh(2, "systemctl reload sshd")
    host.ssh(2, "kill -9 $(systemctl show -p MainPID ssh | cut -d= -f2)")
    deadline = time.monotonic() + 20
    while host.try_ssh(2, "systemctl is-active ssh").stdout != "active\n":
        assert time.monotonic() < deadline, "sshd did not come back"
        time.sleep(0.1)

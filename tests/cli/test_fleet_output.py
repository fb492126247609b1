"""What would change, or was changed, on hosts: as people, machines and the journal see it."""

from __future__ import annotations

import pytest

from daiku.apply.report import Drift, FileChange, FleetReport, HostReport, Rights, TriggerRun
from daiku.cli import fleet
from daiku.cli.host_words import did

WANTED = Rights(0o644, "root", "root")


def report(*, dry_run: bool = True) -> FleetReport:
    """One host with a file made public, a file that is missing, and a route that somebody took away."""
    changes = (
        FileChange("/etc/hosts", ("mode", "owner"), Rights(0o777, "1000", "0"), WANTED, "", private=False),
        FileChange("/etc/new", ("create",), None, WANTED, "--- a\n+++ b\n@@ -0,0 +1 @@\n+x\n", private=False),
    )
    drift = (Drift("route", "eno2 10.64.0.0/16 10.10.0.1", "absent", "present", "netplan"),)
    triggers = (TriggerRun("netplan", None if dry_run else 0.1),)
    one = HostReport("node-1", "0" * 64, changes, triggers, dry_run, 10, 1, 0.1, drift)
    return FleetReport((one,), (), (), interrupted=False, connections=1, seconds=0.1)


def test_every_difference_is_shown_with_before_and_after(capsys: pytest.CaptureFixture[str]) -> None:
    fleet.show(report(), diffs=True)
    assert capsys.readouterr().out.splitlines()[-7:] == [
        "node-1: /etc/hosts (mode 0777 -> 0644, owner 1000:0 -> root:root)",
        "node-1: /etc/new (create)",
        "    --- a",
        "    +++ b",
        "    @@ -0,0 +1 @@",
        "    +x",
        "node-1: route eno2 10.64.0.0/16 10.10.0.1: absent -> present, mended by trigger netplan",
    ]


def test_machines_are_told_the_same() -> None:
    (host,) = fleet.as_json(report())["hosts"]
    assert host["files"][0] == {
        "path": "/etc/hosts",
        "what": ["mode", "owner"],
        "before": "0777 1000:0",
        "after": "0644 root:root",
        "diff": "",
    }
    assert host["running"] == [
        {
            "kind": "route",
            "name": "eno2 10.64.0.0/16 10.10.0.1",
            "before": "absent",
            "after": "present",
            "trigger": "netplan",
        }
    ]


def test_the_journal_holds_what_differed() -> None:
    assert did(report(dry_run=False).reports[0]) == (
        "/etc/hosts (mode 0777 -> 0644, owner 1000:0 -> root:root); /etc/new (create); "
        "route eno2 10.64.0.0/16 10.10.0.1: absent -> present; trigger netplan"
    )

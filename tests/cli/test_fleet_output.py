"""What would change, or was changed, on hosts: as people, machines and the journal see it."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click
import pytest

from daiku.apply.fleet import Settings
from daiku.apply.report import Drift, FileChange, FleetReport, HostReport, Rights, TriggerRun
from daiku.cli import fleet
from daiku.cli.common import HostOptions, command, host_options, reading_options
from daiku.cli.host_words import did
from daiku.errors import ApplyError, HostUnreachableError

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


def test_what_a_host_holds_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    (one,) = report().reports
    file = replace(one.changes[1], diff="--- a\n+++ b\n-\x1b[2J\x9b31mold\n+\tnew\n")
    drift = replace(one.drift[0], before="absent\x1b]0;title\x07")
    fleet.show(replace(report(), reports=(replace(one, changes=(file,), drift=(drift,)),)), diffs=True)
    out = capsys.readouterr().out
    assert "    -?[2J?31mold\n    +\tnew\n" in out
    assert "absent?]0;title? -> present" in out


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


def test_hosts_that_are_not_done_are_named_with_the_command_that_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    failure = HostUnreachableError("no route", host="node-2", step="connect", hint="see that it is on")
    stopped = replace(
        report(dry_run=False), failures=(failure,), skipped=("node-3", "node-4"), over_budget=True
    )
    fleet.show(stopped)
    rows = capsys.readouterr().out.splitlines()[3:]
    assert [row.split()[:3] for row in rows if row] == [
        ["node-1", "changed", "2"],
        ["node-2", "failed:", "connect"],
        ["node-3", "not", "begun"],
        ["node-4", "not", "begun"],
    ]
    assert fleet.as_json(stopped)["not_begun"] == ["node-3", "node-4"]
    with pytest.raises(ApplyError, match="1 of 4 hosts failed: node-2; not begun: 2") as raised:
        fleet.check(stopped, again="daiku apply node-2 node-3 node-4")
    assert raised.value.hint == "mend the cause, then run: daiku apply node-2 node-3 node-4"


@pytest.mark.parametrize(
    ("in_lab", "file", "words"),
    [
        (False, "cluster.yaml", "daiku apply node-2"),
        (True, "cluster.yaml", "daiku --lab apply node-2"),
        (False, "my site/c.yaml", "daiku apply node-2 -f 'my site/c.yaml'"),
        (False, "from-environment.yaml", "daiku apply node-2"),
    ],
)
def test_a_command_to_go_on_with_is_for_the_same_world(
    in_lab: bool, file: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAIKU_FILE", "from-environment.yaml")
    with click.Context(click.Command("daiku"), info_name="daiku") as context:
        context.params["in_lab"] = in_lab
        assert command("apply", Path(file), "node-2") == words


def test_the_settings_of_the_fleet_are_options_with_its_defaults() -> None:
    given: list[HostOptions] = []

    @click.command()
    @host_options
    def verb(how: HostOptions) -> None:
        given.append(how)

    verb.main([], standalone_mode=False)
    words = "--parallel 4 --timeout 2 --retries 0 --max-failures 3 --patience 1"
    verb.main(words.split(), standalone_mode=False)
    assert given == [HostOptions(patience=120.0), HostOptions(1.0, 4, 2.0, 0, 3)]
    assert Settings(**asdict(HostOptions())) == Settings()


def test_verbs_that_change_no_host_have_the_settings_of_its_connection() -> None:
    given: list[HostOptions] = []

    @click.command()
    @reading_options
    def verb(how: HostOptions) -> None:
        given.append(how)

    verb.main([], standalone_mode=False)
    verb.main(["--parallel", "4", "--timeout", "2", "--retries", "0"], standalone_mode=False)
    assert given == [HostOptions(), HostOptions(parallel=4, timeout=2.0, retries=0)]
    with pytest.raises(click.NoSuchOption):
        verb.main(["--max-failures", "3"], standalone_mode=False)


def test_the_journal_holds_what_differed() -> None:
    assert did(report(dry_run=False).reports[0]) == (
        "/etc/hosts (mode 0777 -> 0644, owner 1000:0 -> root:root); /etc/new (create); "
        "route eno2 10.64.0.0/16 10.10.0.1: absent -> present; trigger netplan"
    )

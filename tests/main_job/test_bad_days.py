"""Bad days of a standing cluster: each ends with one message, its own exit code, and the next run goes on."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from daiku.wire.ssh_types import fingerprint
from tests.main_job.kit import Rehearsal, eventually

NOBODY = "http://127.0.0.1:9/cloud/zone"
NO_TOKEN = {"SAKURA_ACCESS_TOKEN": "", "SAKURACLOUD_ACCESS_TOKEN": ""}
WRONG_TOKEN = {"SAKURA_ACCESS_TOKEN": "0" * 36}


@pytest.mark.parametrize(
    ("verb", "change", "code", "word"),
    [
        (["up", "--yes"], NO_TOKEN, 10, "SAKURACLOUD_ACCESS_TOKEN"),
        (["up", "--yes"], WRONG_TOKEN, 10, "SAKURACLOUD_ACCESS_TOKEN"),
        (["up", "--yes"], {"SAKURA_API_ROOT_URL": NOBODY}, 11, "Connection refused"),
        (["up", "--yes"], {"SAKURA_PHY_API_ROOT_URL": NOBODY}, 11, "Connection refused"),
        (["up", "--yes"], {"DAIKU_AWS_CONNECT_SECRET": ""}, 10, "DAIKU_AWS_CONNECT_SECRET"),
        (["plan"], WRONG_TOKEN, 10, "SAKURACLOUD_ACCESS_TOKEN"),
        (["down", "--yes"], WRONG_TOKEN, 10, "SAKURACLOUD_ACCESS_TOKEN"),
        (["status"], WRONG_TOKEN, 10, "SAKURACLOUD_ACCESS_TOKEN"),
        (["status"], {"SAKURA_API_ROOT_URL": NOBODY}, 11, "Connection refused"),
    ],
)
def test_an_api_that_is_closed_is_told_before_anything_is_begun(
    cluster: Rehearsal, verb: list[str], change: dict[str, str], code: int, word: str
) -> None:
    failed = cluster.run(*verb, **cluster.client | change)
    failed.failed(code, word)
    assert "Pulumi" not in failed.err
    assert failed.out == ""


@pytest.fixture
def off(cluster: Rehearsal) -> Iterator[str]:
    """A VM without power."""
    name = "ishikari-cp-3"
    cluster.power(name, on=False)
    try:
        yield name
    finally:
        cluster.power(name, on=True)
        cluster.ok("--lab", "apply", name)


def test_a_host_that_does_not_answer_stops_no_other(cluster: Rehearsal, off: str) -> None:
    cluster.on("ishikari-cp-1", "rm /etc/daiku/release.json")
    failed = cluster.run("--lab", "apply", "--patience", "0")
    failed.failed(20, off, "cannot reach", "1 of 9 hosts failed", f"run: daiku --lab apply {off}")
    assert re.search(r"ishikari-cp-1 +changed", failed.out)
    assert re.search(rf"{off} +failed", failed.out)
    assert len(re.findall(r" unchanged ", failed.out)) == 7
    history = cluster.ok("--lab", "history", "--json").json
    assert (history[0]["verb"], history[0]["outcome"]) == ("apply", "failed")
    status = cluster.ok("--lab", "status").out
    assert re.search(rf"{off} .* down +unreachable", status)


def test_one_run_at_a_time_and_a_dead_one_holds_nothing(cluster: Rehearsal, off: str) -> None:
    first = cluster.start("--lab", "apply", "--patience", "600")
    eventually(lambda: held(cluster) == "apply")
    second = cluster.run("--lab", "up", "--yes")
    second.failed(6, "`daiku apply`", str(first.process.pid))
    assert second.out == ""
    first.kill(group=True)
    assert held(cluster) == "apply"
    assert cluster.ok("--lab", "history", "--json").json[0]["outcome"] == "killed"
    cluster.ok("--lab", "apply", "ishikari-cp-1")
    assert held(cluster) == ""


def test_ctrl_c_while_hosts_are_waited_for(cluster: Rehearsal, off: str) -> None:
    run = cluster.start("--lab", "apply", "--patience", "600")
    run.wait_for(r"10 s: ")  # nothing is silent for long
    done = run.interrupt()
    assert done.code == 130, done.err
    assert "interrupted: " in done.err
    assert "Traceback" not in done.err
    assert cluster.ok("--lab", "history", "--json").json[0]["outcome"] == "interrupted"


def held(cluster: Rehearsal) -> str:
    """Which verb holds the cluster's lock."""
    with closing(sqlite3.connect(cluster.state / "ledger.sqlite")) as ledger:
        return " ".join(row[0] for row in ledger.execute("SELECT verb FROM lock"))


def test_a_changed_host_key_is_refused_until_it_is_trusted(cluster: Rehearsal) -> None:
    host = "ishikari-cp-2"
    shown = "cat /etc/ssh/ssh_host_ed25519_key.pub"
    before = fingerprint(cluster.on(host, shown))
    cluster.on(
        host,
        "cd /etc/ssh; rm ssh_host_ed25519_key*; ssh-keygen -q -t ed25519 -N '' -f ssh_host_ed25519_key\n"
        "kill -HUP $(pgrep -of 'sshd.*listener')",
    )
    try:
        after = fingerprint(cluster.on(host, shown))
        assert before != after
        for _ in range(2):  # refusing does not pin the new key
            failed = cluster.run("--lab", "apply")
            failed.failed(21, host, before, after, f"daiku node trust {host}")
            assert len(re.findall(r" unchanged ", failed.out)) == 8
        cluster.run("--lab", "node", "trust", host).failed(4, before, after, "--yes")
    finally:
        trusted = cluster.ok("--lab", "node", "trust", host, "--yes", "--json").json
    assert trusted == {"host": host, "before": before, "after": after}
    cluster.ok("--lab", "apply")


def test_a_full_disk_changes_nothing_on_its_host(cluster: Rehearsal) -> None:
    host = "ishikari-h100-002"
    cluster.on(host, "rm /etc/sysctl.d/90-daiku.conf")
    cluster.on("ishikari-h100-003", "rm /etc/sysctl.d/90-daiku.conf")
    cluster.on(
        host,
        "mount -t tmpfs -o size=4k tmpfs /etc/sysctl.d; head -c 4096 /dev/zero > /etc/sysctl.d/full",
    )
    try:
        failed = cluster.run("--lab", "apply")
        failed.failed(24, host, "no space left", "/etc/sysctl.d", "nothing was changed")
        assert re.search(r"ishikari-h100-003 +changed", failed.out)
        assert cluster.on(host, "ls -A /etc/sysctl.d").split() == ["full"]
    finally:
        cluster.on(host, "umount /etc/sysctl.d")
    mended = cluster.ok("--lab", "apply", "--json").json
    assert [one["host"] for one in mended["hosts"] if one["changed"]] == [host]


@pytest.fixture
def damaged(cluster: Rehearsal, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file of daiku's own that holds nonsense; whole again afterwards."""
    path = cluster.state / request.param
    whole = path.read_bytes()
    path.write_bytes(b"\x00 this is no such file \xff" * 400)
    try:
        yield path
    finally:
        path.write_bytes(whole)


@pytest.mark.parametrize("damaged", ["facts.json"], indirect=True)
def test_facts_that_are_damaged_are_named_and_written_anew_by_up(cluster: Rehearsal, damaged: Path) -> None:
    for verb in (["status"], ["diff"], ["apply"], ["render", "--out", "tree"]):
        cluster.run("--lab", *verb).failed(8, str(damaged), "daiku up")
    cluster.ok("--lab", "up", "--yes")
    cluster.ok("--lab", "diff")


@pytest.mark.parametrize("damaged", ["ledger.sqlite", "keys/deploy"], indirect=True)
def test_a_damaged_ledger_or_key_is_named(cluster: Rehearsal, damaged: Path) -> None:
    for verb in (["status"], ["apply"], ["up", "--yes"]):
        cluster.run("--lab", *verb).failed(8, str(damaged))


def test_a_damaged_memory_of_the_last_run_stops_nothing(cluster: Rehearsal) -> None:
    path = cluster.state / "applied.json"
    whole = path.read_bytes()
    path.write_bytes(b"\xff\x00")
    try:
        assert cluster.ok("--lab", "plan", "--no-refresh", "--json").json["settings"] == []
    finally:
        path.write_bytes(whole)


def test_no_lab_here(cluster: Rehearsal, tmp_path: Path) -> None:
    for verb in (["--lab", "status"], ["--lab", "up"], ["lab", "status"], ["lab", "env"]):
        cluster.run(*verb, DAIKU_LAB_DIR=str(tmp_path)).failed(30, "daiku lab up")


def test_a_second_lab_does_not_take_the_firsts_port(cluster: Rehearsal, tmp_path: Path) -> None:
    failed = cluster.run("lab", "up", DAIKU_LAB_DIR=str(tmp_path / "second"))
    failed.failed(30, str(cluster.port), "access.bastionPort")
    assert not (tmp_path / "second").exists()
    assert "the lab runs already" in cluster.ok("lab", "up").err


def test_folders_that_cannot_be_made_are_named(cluster: Rehearsal) -> None:
    other = cluster.folder / "other.yaml"
    other.write_text(cluster.file.read_text().replace(str(cluster.port), "20999"))
    nowhere = {"DAIKU_LAB_DIR": "/proc/nowhere/lab"}
    cluster.run("lab", "up", "-f", str(other), **nowhere).failed(30, "/proc/nowhere/lab", "DAIKU_LAB_DIR")
    nowhere = cluster.client | {"DAIKU_STATE_DIR": "/proc/nowhere"}
    cluster.run("status", **nowhere).failed(8, "/proc/nowhere")
    cluster.run("--lab", "render", "--out", "/proc/nowhere").failed(8, "/proc/nowhere")


@pytest.mark.parametrize(
    "verb",
    [
        ["check"],
        ["explain"],
        ["--lab", "status", "--no-hosts"],
        ["--lab", "history"],
        ["--lab", "render", "--out", "tree"],
        ["--lab", "diff"],
        ["--lab", "apply"],
        ["lab", "status"],
        ["lab", "env"],
        ["lab", "up"],
    ],
    ids=" ".join,
)
def test_json_is_json_and_nothing_else(cluster: Rehearsal, verb: list[str]) -> None:
    done = cluster.ok(*verb, "--json")
    assert done.json is not None
    assert "\x1b" not in done.out + done.err

"""A plan that was saved holds for the secrets as they were then: `up --plan` refuses another value."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daiku.apply import planfile
from daiku.cli.job import Job, open_job
from daiku.cli.kubernetes import Ahead
from daiku.cli.saved import saved_plan
from daiku.errors import UnreachableError
from daiku.plan.given import ALERTMANAGER, BACKUP, DATASET
from daiku.wire.sealing import pyrage
from tests.cli.conftest import Daiku, Done
from tests.render.plans import EXAMPLE

CANARY = "anary/of/the/bucket00"
VALUE = f"[default]\naws_access_key_id = AKIAEXAMPLE000000\naws_secret_access_key = {CANARY}\n"
OTHER = VALUE.replace("anary", "another")
RECEIVERS = "route: {receiver: a}\nreceivers: [{name: a}]\n"


@dataclass
class World:
    """An engine that cannot be reached: whoever looks at the world is counted and sent away."""

    looks: int = 0

    def outputs(self) -> None:
        return None

    def preview(self, **_: object) -> Any:
        self.looks += 1
        raise UnreachableError("the world is looked at")


@pytest.fixture(params=["plain", "sealed"])
def world(
    request: pytest.FixtureRequest, daiku: Daiku, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> World:
    """A folder with a saved plan that brings two given secrets and the key of etcd's encryption somewhere."""
    for name in ("AGE_IDENTITY", "AGE_RECIPIENTS", "PASSPHRASE_FILE", "PASSPHRASE_COMMAND"):
        monkeypatch.delenv(f"DAIKU_{name}", raising=False)
    if request.param == "sealed":
        seal(tmp_path, monkeypatch)
    shutil.copytree(EXAMPLE.parent, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    give(daiku, BACKUP, VALUE)
    give(daiku, ALERTMANAGER, RECEIVERS)
    planfile.write(Path("saved.json"), saved_plan(opened(), [], None, None, Ahead()))
    world = World()
    monkeypatch.setattr(Job, "engine", lambda *_: world)
    return world


def seal(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "me.txt").write_text(f"{pyrage.x25519.Identity.generate()}\n")
    monkeypatch.setenv("DAIKU_AGE_IDENTITY", str(folder / "me.txt"))


def opened() -> Job:
    return open_job(Path("cluster.yaml"))


def give(daiku: Daiku, name: str, value: str) -> None:
    Path("value").write_text(value)
    done = daiku("secret", "set", name, "--from", "value")
    assert done.code == 0, done.err


def carry_out(daiku: Daiku) -> Done:
    return daiku("up", "--yes", "--plan", "saved.json")


def refused(daiku: Daiku, world: World, line: str) -> None:
    """Exit code 5 with the line, and nobody looked at the world."""
    done = carry_out(daiku)
    assert (done.code, f"\n  {line}\n" in done.err) == (5, True), done.err
    assert "make a new plan" in done.err
    assert world.looks == 0


def accepted(daiku: Daiku, world: World) -> None:
    """The plan is held against the world."""
    before, done = world.looks, carry_out(daiku)
    assert (done.code, world.looks) == (11, before + 1), done.err


def test_another_value_of_a_secret_is_refused_until_the_old_one_is_back(daiku: Daiku, world: World) -> None:
    give(daiku, BACKUP, OTHER)
    refused(daiku, world, f"the secret {BACKUP} was set anew")
    give(daiku, ALERTMANAGER, RECEIVERS.replace(" a}", " b}"))
    refused(daiku, world, f"the secret {ALERTMANAGER} was set anew")
    give(daiku, BACKUP, VALUE)
    give(daiku, ALERTMANAGER, RECEIVERS)
    accepted(daiku, world)


def test_a_secret_that_was_removed_or_set_is_named(daiku: Daiku, world: World) -> None:
    assert daiku("secret", "remove", BACKUP, "--yes").code == 0
    refused(daiku, world, f"the secret {BACKUP} was removed")
    planfile.write(Path("saved.json"), saved_plan(opened(), [], None, None, Ahead()))
    accepted(daiku, world)
    world.looks = 0
    give(daiku, BACKUP, VALUE)
    refused(daiku, world, f"the secret {BACKUP} was set")


def test_the_clusters_own_key_counts_and_a_secret_that_nothing_uses_does_not(
    daiku: Daiku, world: World
) -> None:
    give(daiku, DATASET, VALUE)
    accepted(daiku, world)
    world.looks = 0
    (key,) = opened().secrets().directory.glob("etcd-encryption*")
    key.unlink()
    refused(daiku, world, "the secret etcd-encryption was set anew")


def test_sealing_a_secret_does_not_change_it(
    daiku: Daiku, world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not list(tmp_path.glob("me.txt")):
        seal(tmp_path, monkeypatch)
    accepted(daiku, world)
    assert {path.suffix for path in opened().secrets().given.directory.iterdir()} == {".age"}
    assert CANARY not in Path("saved.json").read_text()

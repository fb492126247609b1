"""Where the state is, who holds it, and what a killed run left: without an engine."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from pathlib import Path

import pytest

from daiku.errors import LockHeldError, StateError
from daiku.stacks.backend import (
    Backend,
    break_dead_locks,
    drop_pending_operations,
    engine_environment,
    open_backend,
)

URN = "urn:pulumi:ishikari::daiku::{type}::{name}"


@pytest.fixture
def backend(tmp_path: Path) -> Backend:
    return open_backend(tmp_path / ".daiku" / "ishikari", {})


def test_the_state_is_private_and_local(backend: Backend) -> None:
    assert backend.url == f"file://{backend.directory / 'pulumi'}"
    assert backend.directory.stat().st_mode & 0o777 == 0o700
    assert backend.work_dir.stat().st_mode & 0o777 == 0o700


def test_a_backend_of_the_users_choice_is_left_to_itself(tmp_path: Path) -> None:
    backend = open_backend(tmp_path, {"PULUMI_BACKEND_URL": "s3://states"})
    assert (backend.url, backend.local) == ("s3://states", None)
    break_dead_locks(backend, "ishikari")
    assert drop_pending_operations(backend, "ishikari") == ()


def test_the_passphrase_is_made_once_and_only_its_place_is_told(backend: Backend) -> None:
    first = engine_environment(backend, {})
    file = Path(first["PULUMI_CONFIG_PASSPHRASE_FILE"])
    assert file.stat().st_mode & 0o777 == 0o600
    assert len(file.read_text()) >= 32
    assert engine_environment(backend, {}) == first
    assert file.read_text() not in json.dumps(first)


@pytest.mark.parametrize("name", ["PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE"])
def test_a_passphrase_of_the_users_own_is_used(backend: Backend, name: str) -> None:
    assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in engine_environment(backend, {name: "x"})
    assert not (backend.directory / "passphrase").exists()


def test_an_emptied_passphrase_is_an_error_and_not_a_new_one(backend: Backend) -> None:
    (backend.directory / "passphrase").write_text("")
    with pytest.raises(StateError, match="passphrase"):
        engine_environment(backend, {})


def test_the_engine_calls_nobody(backend: Backend) -> None:
    environ = engine_environment(backend, {})
    assert environ["PULUMI_SKIP_UPDATE_CHECK"] == "true"
    assert environ["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def lock(backend: Backend, **content: object) -> Path:
    path = backend.work_dir / ".pulumi" / "locks" / "organization" / "daiku" / "ishikari" / "1.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"username": "op", "timestamp": "2026-11-01T00:00:00Z", **content}))
    return path


def dead_pid() -> int:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
        return gone.pid


def test_a_dead_holders_lock_is_broken(backend: Backend) -> None:
    held = lock(backend, pid=dead_pid(), hostname=socket.gethostname())
    break_dead_locks(backend, "ishikari")
    assert not held.exists()


def test_a_living_holders_lock_and_those_of_other_machines_are_kept(backend: Backend) -> None:
    held = lock(backend, pid=os.getpid(), hostname=socket.gethostname())
    with pytest.raises(LockHeldError, match=str(os.getpid())):
        break_dead_locks(backend, "ishikari")
    held.unlink()
    held.parent.rmdir()
    held = lock(backend, pid=dead_pid(), hostname="another-machine")
    with pytest.raises(LockHeldError, match="another-machine"):
        break_dead_locks(backend, "ishikari")
    assert held.exists()


def test_another_stacks_lock_is_not_ours(backend: Backend) -> None:
    lock(backend, pid=os.getpid(), hostname=socket.gethostname())
    break_dead_locks(backend, "tokyo")


def state(backend: Backend, latest: object) -> Path:
    path = backend.work_dir / ".pulumi" / "stacks" / "daiku" / "ishikari.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"version": 3, "checkpoint": {"stack": "ishikari", "latest": latest}}))
    return path


def test_pending_operations_are_dropped_and_creates_are_named(backend: Backend) -> None:
    vpc, vm = (
        URN.format(type="aws:ec2/vpc:Vpc", name="vpc"),
        URN.format(type="sakura:cloud:Server", name="cp"),
    )
    sealed = {"ciphertext": "v1:abc"}
    place = state(
        backend,
        {
            "resources": [{"urn": vm, "inputs": {"secret": sealed}}],
            "pending_operations": [
                {"type": "creating", "resource": {"urn": vpc}},
                {"type": "updating", "resource": {"urn": vm}},
            ],
        },
    )
    assert drop_pending_operations(backend, "ishikari") == (vpc,)
    kept = json.loads(place.read_text())["checkpoint"]["latest"]
    assert kept == {"resources": [{"urn": vm, "inputs": {"secret": sealed}}]}
    assert place.stat().st_mode & 0o077 == 0
    assert drop_pending_operations(backend, "ishikari") == ()


@pytest.mark.parametrize("latest", [None, {}, {"resources": []}])
def test_a_state_without_pending_operations_is_not_touched(backend: Backend, latest: object) -> None:
    place = state(backend, latest)
    before = place.stat().st_mtime_ns
    assert drop_pending_operations(backend, "ishikari") == ()
    assert place.stat().st_mtime_ns == before


def test_a_damaged_state_is_named(backend: Backend) -> None:
    state(backend, None).write_text("{")
    with pytest.raises(StateError, match="cannot be read") as failed:
        drop_pending_operations(backend, "ishikari")
    assert ".bak" in failed.value.hint

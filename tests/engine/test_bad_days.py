"""Wrong keys, killed runs, interruptions and locks under the real engine."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest

from daiku.errors import DaikuError, EngineError, LockHeldError
from daiku.lab.sakura.iaas.models import Disk, Server
from daiku.lab.sakura.records import Record
from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.stacks.changes import Step
from tests.engine.conftest import Datacentre, example

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def sakura_only() -> Plan:
    return make(example(lambda text: re.sub(r"\naws:.*", "\n", text, flags=re.DOTALL)))


def test_a_wrong_token_is_one_message_with_its_own_exit_code(datacentre: Datacentre) -> None:
    datacentre.environ["SAKURA_ACCESS_TOKEN_SECRET"] = "wrong"
    with pytest.raises(EngineError) as failed:
        datacentre.engine(sakura_only()).up()
    assert failed.value.exit_code == 10
    assert "\n" not in failed.value.message
    assert "urn:pulumi" not in failed.value.message
    assert "Traceback" not in failed.value.message
    assert failed.value.hint


def test_a_fault_of_the_program_is_told_as_itself(datacentre: Datacentre) -> None:
    engine = datacentre.engine(sakura_only())

    def fails() -> None:
        raise DaikuError("the program's own words")

    engine._program = fails  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(DaikuError, match="the program's own words"):
        engine.preview()


def names(datacentre: Datacentre, kind: type[Record]) -> list[str]:
    return sorted(row.name for row in datacentre.rows(kind))


class Killer:
    """Acts once, in the middle of a run: when the first server is being made."""

    def __init__(self, act: object) -> None:
        self.act = act
        self.done = threading.Event()

    def __call__(self, step: Step) -> None:
        if step.type == "sakura:cloud:Server" and step.stage == "started" and not self.done.is_set():
            self.done.set()
            threading.Thread(target=self.act).start()  # pyright: ignore[reportArgumentType]


def child_of_this_process(name: str) -> int:
    """The engine that this test started."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                command = (entry / "comm").read_text().strip()
            except OSError:
                continue
            if int(fields[1]) == os.getpid() and command == name:
                return int(entry.name)
    raise AssertionError(f"no {name} is running")


def test_after_a_killed_run_the_next_goes_on_and_makes_nothing_twice(datacentre: Datacentre) -> None:
    plan = sakura_only()
    engine = datacentre.engine(plan)
    killer = Killer(lambda: os.kill(child_of_this_process("pulumi"), signal.SIGKILL))
    with pytest.raises(EngineError):
        engine.up(killer)
    assert killer.done.is_set()
    # What the killed run left is told by the run that goes on, so who only looks leaves it there.
    state = datacentre.folder / ".daiku" / plan.cluster / "pulumi" / ".pulumi"
    left = (state / "stacks" / "daiku" / f"{plan.cluster}.json").read_text()
    assert datacentre.engine(plan).outputs() is None
    assert datacentre.engine(plan).preview()
    assert datacentre.engine(plan).preview(refresh=True)
    assert (state / "stacks" / "daiku" / f"{plan.cluster}.json").read_text() == left
    # The plugin notices that the engine is gone; what it was making may be half made.
    made = datacentre.engine(plan).up()
    assert [node.name for node in made.facts.nodes] == [node.name for node in plan.nodes]
    vms = sorted(node.name for node in plan.nodes)
    assert names(datacentre, Server) == vms
    assert names(datacentre, Disk) == vms
    assert datacentre.engine(plan).preview(refresh=True) == ()


def test_ctrl_c_ends_the_run_in_order_and_the_next_goes_on(datacentre: Datacentre) -> None:
    plan = sakura_only()
    engine = datacentre.engine(plan)
    with pytest.raises(KeyboardInterrupt):
        engine.up(Killer(engine.cancel))
    state = datacentre.folder / ".daiku" / plan.cluster / "pulumi" / ".pulumi"
    assert list((state / "locks").rglob("*.json")) == []
    assert "pending_operations" not in (state / "stacks" / "daiku" / f"{plan.cluster}.json").read_text()
    datacentre.engine(plan).up()
    assert names(datacentre, Server) == sorted(node.name for node in plan.nodes)


def lock_of(datacentre: Datacentre, plan: Plan, pid: int) -> Path:
    folder = datacentre.folder / ".daiku" / plan.cluster / "pulumi" / ".pulumi" / "locks" / "organization"
    path = folder / "daiku" / plan.cluster / "11111111-1111-1111-1111-111111111111.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {
        "pid": pid,
        "username": "op",
        "hostname": socket.gethostname(),
        "timestamp": "2026-11-01T00:00:00Z",
    }
    path.write_text(json.dumps(content))
    return path


def test_a_living_holder_keeps_its_lock_and_a_dead_ones_is_broken(datacentre: Datacentre) -> None:
    plan = sakura_only()
    engine = datacentre.engine(plan)
    with subprocess.Popen(["sleep", "60"]) as holder:
        lock = lock_of(datacentre, plan, holder.pid)
        with pytest.raises(LockHeldError, match=str(holder.pid)):
            engine.up()
        assert lock.exists()
        holder.kill()
        holder.wait()
    assert engine.up().counts["create"] > 0
    assert not lock.exists()


def test_the_plugins_end_with_a_killed_engine(datacentre: Datacentre) -> None:
    killer = Killer(lambda: os.kill(child_of_this_process("pulumi"), signal.SIGKILL))
    with pytest.raises(EngineError):
        datacentre.engine(sakura_only()).up(killer)
    deadline = time.monotonic() + 20
    marker = str(datacentre.folder).encode()
    while time.monotonic() < deadline and _running_with(marker):
        time.sleep(0.2)
    assert _running_with(marker) == []


def _running_with(marker: bytes) -> list[str]:
    """Processes other than ours whose environment names this test's folder."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if marker in (entry / "environ").read_bytes():
                    found.append((entry / "cmdline").read_text())
            except OSError:
                continue
    return found


class Lease:
    """Held until a run is in the middle of its work."""

    def __init__(self) -> None:
        self.lost = threading.Event()

    def check(self) -> None:
        if self.lost.is_set():
            raise LockHeldError("another run holds the cluster")


def test_a_run_that_loses_its_lease_makes_nothing_more_and_the_next_goes_on(datacentre: Datacentre) -> None:
    plan = sakura_only()
    lease = Lease()
    # Slow enough that the lease is missed long before all is made.
    datacentre.environ["SAKURA_RATE_LIMIT"] = "4"
    engine = datacentre.engine(plan)

    def on_step(step: Step) -> None:
        if step.stage == "done":
            lease.lost.set()

    with pytest.raises(LockHeldError, match="another run holds the cluster"):
        engine.up(on_step, check=lease.check)
    assert lease.lost.is_set()
    assert set(names(datacentre, Server)) < {node.name for node in plan.nodes}
    state = datacentre.folder / ".daiku" / plan.cluster / "pulumi" / ".pulumi"
    assert list((state / "locks").rglob("*.json")) == []
    datacentre.environ["SAKURA_RATE_LIMIT"] = "0"
    writes = datacentre.writes()
    with pytest.raises(LockHeldError, match="another run holds the cluster"):
        datacentre.engine(plan).destroy(check=lease.check)
    assert datacentre.writes() == writes
    datacentre.engine(plan).up(check=Lease().check)
    assert names(datacentre, Server) == sorted(node.name for node in plan.nodes)

"""The plugin under the real Pulumi engine, against the emulator."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from daiku.lab.tools.build import find_or_build
from daiku.wire.sakura_kinds import DISK, LOCAL_ROUTER, SERVER, SWITCH
from tests.provider.conftest import TOKEN, Lab

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]


@dataclass
class Stack:
    """A stack with a file backend; the plugin is found on PATH, as a user's is."""

    lab: Lab
    folder: Path
    engine: Path

    def run(self, verb: str, *, cpu: int = 2, size: int = 40) -> dict[str, Any]:
        order = {
            "verb": verb,
            "cpu": cpu,
            "size": size,
            "folder": str(self.folder),
            "engine": str(self.engine.parent.parent),
            "environ": {
                "PULUMI_BACKEND_URL": f"file://{self.folder}",
                "PULUMI_CONFIG_PASSPHRASE": "passphrase",
                "PULUMI_SKIP_UPDATE_CHECK": "true",
                "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
                "PATH": f"{Path(sys.executable).parent}:{self.engine.parent}:{os.environ['PATH']}",
            },
            "settings": {
                "token": TOKEN,
                "secret": self.lab.secret,
                "api_root_url": self.lab.cloud_root,
                "zone": "is1b",
                "rate_limit": "0",
                "poll_interval": "0.02",
            },
        }
        done = subprocess.run(
            [sys.executable, "-m", "tests.provider.engine_driver"],
            input=json.dumps(order).encode(),
            capture_output=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def up(self, **program: int) -> dict[str, Any]:
        """`up` that must succeed."""
        answer = self.run("up", **program)
        assert answer["error"] == ""
        return answer

    def ids(self, *kinds: Any) -> list[str]:
        client = self.lab.context().cloud
        return sorted(item["ID"] for kind in kinds for item in client.find(kind))


@pytest.fixture
def stack(lab: Lab, tmp_path: Path) -> Stack:
    lab.clock.scale = 3600.0
    lab.clock.start()
    return Stack(lab, tmp_path, find_or_build("pulumi", lambda _: None))


def test_up_again_change_refresh_and_destroy(lab: Lab, stack: Stack) -> None:
    assert stack.run("preview")["changes"] == {"create": 7}
    assert lab.calls(writes=True) == []
    first = stack.up()
    assert first["changes"] == {"create": 7}
    assert len(first["outputs"]["macs"]) == 1
    assert [first["outputs"]["server"]] == stack.ids(SERVER)

    writes = len(lab.calls(writes=True))
    assert stack.up()["changes"] == {}
    assert len(lab.calls(writes=True)) == writes

    written = [file.read_bytes() for file in (stack.folder / ".pulumi").rglob("*") if file.is_file()]
    for hidden in (lab.secret, "disk-pass-1", "peer-secret"):
        assert not any(hidden.encode() in content for content in written)

    changed = stack.up(cpu=4)
    assert changed["changes"] == {"update": 1}
    assert "cpu stops and starts it again; the API gives it a new ID" in changed["told"]
    assert changed["outputs"]["server"] != first["outputs"]["server"]

    lab.context().cloud.update(SWITCH, stack.ids(SWITCH)[0], {"Name": "by hand"})
    stack.run("refresh", cpu=4)
    assert stack.up(cpu=4)["changes"] == {"update": 1}
    assert [s["Name"] for s in lab.context().cloud.find(SWITCH)] == ["nodes"]

    assert stack.run("destroy")["error"] == ""
    assert stack.ids(SERVER, DISK, SWITCH, LOCAL_ROUTER) == []


def test_a_failed_up_is_one_text_and_goes_on(lab: Lab, stack: Stack) -> None:
    lab.world.faults.add(r"^PUT .*/power$", "404")
    failed = stack.run("up")["error"]
    assert "[daiku-12]" in failed
    assert "Traceback" not in failed
    made = stack.ids(SERVER)
    assert len(made) == 1
    stack.up()
    assert stack.ids(SERVER) == made
    assert stack.up()["changes"] == {}


def test_a_lost_state_is_found_again(stack: Stack) -> None:
    """The state file is gone, as after a kill before it was written: nothing is made twice."""
    stack.up()
    ids = stack.ids(SERVER, DISK, SWITCH)
    for file in (stack.folder / ".pulumi" / "stacks").rglob("*.json"):
        file.unlink()
    stack.up()
    assert stack.ids(SERVER, DISK, SWITCH) == ids


def test_a_replacement_is_in_the_preview_with_its_reason(lab: Lab, stack: Stack) -> None:
    stack.up()
    servers = stack.ids(SERVER)
    preview = stack.run("preview", size=60)
    assert preview["changes"] == {"replace": 1, "update": 1}
    assert "sizeGb deletes it and makes a new one: the API cannot change it" in preview["told"]
    assert "disks stops and starts it again" in preview["told"]
    stack.up(size=60)
    assert [disk["SizeMB"] for disk in lab.context().cloud.find(DISK)] == [60 * 1024]
    assert stack.ids(SERVER) == servers
    assert lab.context().cloud.find(SERVER)[0]["Instance"]["Status"] == "up"

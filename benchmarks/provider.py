"""What an unchanged stack costs: `python benchmarks/provider.py [VMS DISKS SERVERS]`, against an emulator of its own.

A stack of 60 VMs, 200 disks and switches and 100 PHY servers is made once; then preview, `up` and refresh are measured:
API calls, and time as a ratio to as many resources that do nothing, in the same engine, in the same run.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
TOKEN = "bench"
NODE_NETWORK = "113000000201"
VERBS = ("preview", "up", "refresh")


def main() -> int:
    """Print each figure as soon as it is known."""
    vms, disks, servers = (int(word) for word in sys.argv[1:4]) if len(sys.argv) > 3 else (60, 200, 100)
    from daiku.lab.tools.build import find_or_build

    engine = find_or_build("pulumi", show)
    world, root = serve(servers)
    with tempfile.TemporaryDirectory(prefix="daiku-bench-") as folder:
        order = {"folder": folder, "engine": str(engine), "vms": vms, "disks": disks, "servers": servers}
        order["settings"] = {
            "token": TOKEN,
            "secret": world.inventory.account.secret,
            "api_root_url": f"{root}/cloud/zone",
            "zone": "is1b",
            "rate_limit": "0",
            "poll_interval": "0.02",
        }
        plugin(Path(folder))
        count = vms + disks + servers
        show(f"{vms} VMs, {disks} disks and switches, {servers} PHY servers: {count} resources")
        for stack in ("real", "nothing"):
            taken = run({**order, "stack": stack, "verb": "up"})
            show(f"{'first up, ' + stack:<28} {taken['seconds']:6.1f} s")
        for verb in VERBS:
            floor = min(run({**order, "stack": "nothing", "verb": verb})["seconds"] for _ in range(2))
            best, calls = float("inf"), Counter[str]()
            for _ in range(2):
                before = len(world.audit)
                taken = run({**order, "stack": "real", "verb": verb})
                assert not taken["changes"], taken["changes"]
                best = min(best, taken["seconds"])
                calls = Counter(named(entry) for entry in list(world.audit)[before:])
            total = sum(calls.values())
            show(
                f"{'unchanged ' + verb:<28} {best:6.1f} s, {best / floor:4.2f} x as many that do nothing; "
                f"{total} API calls, {total / count:.3f} a resource"
            )
            for call, times in sorted(calls.items()):
                show(f"    {times:4} {call}")
    return 0


def show(line: str) -> None:
    """One line of the result."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def named(entry: Any) -> str:
    parts = entry.path.removeprefix("/cloud/zone/").split("/")
    return f"{entry.method} {'/'.join('N' if part.isdigit() else part for part in parts)}"


def serve(servers: int) -> tuple[Any, str]:
    """An emulator on a free port of this machine, an hour in a second; the world behind it and its address."""
    import uvicorn

    from daiku.lab.clock import Clock
    from daiku.lab.sakura import Inventory, World, create_app

    ordered = {
        "account": {"token": TOKEN, "secret": secrets.token_urlsafe(16)},
        "phy_servers": [
            {
                "service_id": f"11300001{n:04d}",
                "nickname": f"gpu-{n}",
                "installed": "ubuntu2204",
                "ports": [
                    {"nic": "eno1", "mac": f"02:00:00:00:{n // 256:02x}:{n % 256:02x}", "nickname": "private"}
                ],
            }
            for n in range(servers)
        ],
        "private_networks": [{"service_id": NODE_NETWORK, "nickname": "nodes", "vlan_id": 100}],
    }
    clock = Clock(scale=3600.0)
    clock.start()
    world = World(clock, Inventory.load(ordered), seed=7)
    app = create_app(world, admin_token=secrets.token_urlsafe(16))
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="critical", lifespan="off")
    )
    threading.Thread(target=server.run, daemon=True).start()
    while not server.started:
        time.sleep(0.01)
    return world, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


def plugin(folder: Path) -> None:
    """The plugin whose resources do nothing, where the engine finds it."""
    script = folder / "bin" / "pulumi-resource-nothing"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nexec {sys.executable} {__file__} --nothing "$@"\n')
    script.chmod(0o755)


def run(order: dict[str, Any]) -> dict[str, Any]:
    """One verb of the engine, in a process of its own; its wall time and what it changed."""
    done = subprocess.run(
        [sys.executable, __file__, "--drive"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr[-4000:])
    return json.loads(done.stdout)


# In the processes of their own


def drive() -> None:
    """The engine with an inline program."""
    import pulumi
    from pulumi import automation as auto

    order = json.load(sys.stdin)
    folder = order["folder"]
    environ = {
        "PULUMI_BACKEND_URL": f"file://{folder}",
        "PULUMI_CONFIG_PASSPHRASE": "passphrase",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_SKIP_CHECKPOINTS": "true",
        "PATH": f"{folder}/bin:{Path(sys.executable).parent}:{Path(order['engine']).parent}:{os.environ['PATH']}",
    }
    options = auto.LocalWorkspaceOptions(
        work_dir=folder,
        pulumi_home=f"{folder}/home",
        env_vars=environ,
        pulumi_command=auto.PulumiCommand(str(Path(order["engine"]).parent.parent)),
    )
    declare = nothing if order["stack"] == "nothing" else cluster
    stack = auto.create_or_select_stack(
        order["stack"], project_name="bench", program=lambda: declare(pulumi, order), opts=options
    )
    began = time.monotonic()
    result: Any = getattr(stack, order["verb"])()
    seconds = time.monotonic() - began
    changes = result.change_summary if order["verb"] == "preview" else result.summary.resource_changes
    changed = {kind: n for kind, n in (changes or {}).items() if kind != "same"}
    json.dump({"seconds": seconds, "changes": changed}, sys.stdout)


def cluster(pulumi: Any, order: dict[str, Any]) -> None:
    from daiku.provider import sdk

    opts = pulumi.ResourceOptions(provider=sdk.Provider("sakura", order["settings"]))
    switches = order["disks"] // 4
    nets = [sdk.Switch(f"net-{n}", {"name": f"net-{n}"}, opts) for n in range(switches)]
    disks = [sdk.Disk(f"disk-{n}", {"name": f"disk-{n}"}, opts) for n in range(order["disks"] - switches)]
    for n in range(order["vms"]):
        nics = [{"upstream": nets[n % switches].resource_id}]
        args = {"name": f"vm-{n}", "network_interfaces": nics, "disks": [disks[n].resource_id]}
        sdk.Server(f"vm-{n}", args, opts)
    for n in range(order["servers"]):
        sdk.PhyServer(f"gpu-{n}", {"server_id": f"11300001{n:04d}"}, opts)


def nothing(pulumi: Any, order: dict[str, Any]) -> None:
    for n in range(order["vms"] + order["disks"] + order["servers"]):
        pulumi.CustomResource("nothing:index:Nothing", f"n-{n}", {"name": f"n-{n}"})


def serve_nothing() -> None:
    """A plugin of our own adapter whose one resource does nothing."""
    from daiku.provider.adapter import serve as serve_plugin
    from daiku.provider.fields import STRING, Field, Props, ResourceType
    from daiku.provider.handler import Hint, Plugin

    class Nothing:
        type = ResourceType(
            name="nothing:index:Nothing",
            description="Does nothing.",
            fields=(Field(name="name", type=STRING, description="Name.", required=True),),
        )

        def check(self, inputs: Props) -> list[Any]:
            return []

        def create(self, ctx: None, hint: Hint, inputs: Props) -> tuple[str, Props]:
            return inputs["name"], inputs

        def read(self, ctx: None, resource_id: str, state: Props) -> Props:
            return state

        def update(self, ctx: None, hint: Hint, resource_id: str, olds: Props, news: Props) -> Props:
            return news

        def delete(self, ctx: None, resource_id: str, state: Props) -> None:
            return

    made = Plugin(
        "nothing", "0.0.1", "Does nothing.", (), (Nothing(),), (), lambda _: {}, lambda *_: object()
    )
    serve_plugin(made, sys.argv[2:])


if __name__ == "__main__":
    if "--drive" in sys.argv:
        drive()
    elif "--nothing" in sys.argv:
        serve_nothing()
    else:
        sys.exit(main())

"""The lab's process: the emulated APIs on loopback, moto for AWS, and the hosts that follow what the APIs say.

python -m daiku.lab.daemon FOLDER        (started by `daiku lab up`; ends on SIGTERM and leaves nothing)
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from daiku.errors import DaikuError
from daiku.lab import restore
from daiku.lab.aws.server import HostedInterface
from daiku.lab.aws.server import start as start_aws
from daiku.lab.builds import Builds
from daiku.lab.clock import Clock
from daiku.lab.files import LabConfig, LabState, write_private
from daiku.lab.follow import Follower
from daiku.lab.front import Front
from daiku.lab.hosts import Hosts
from daiku.lab.inventory import inventory
from daiku.lab.sakura.app import create_app
from daiku.lab.sakura.inventory import Account
from daiku.lab.sakura.left import powered_itself_off
from daiku.lab.sakura.world import World
from daiku.lab.serve import Served
from daiku.plan.make import make
from daiku.spec.load import load

_log = logging.getLogger("daiku.lab")


def run(folder: Path, stop: threading.Event) -> None:
    """Serve until `stop` is set."""
    config = LabConfig.model_validate_json((folder / "config.json").read_text(encoding="utf-8"))
    loaded = load(Path(config.cluster_file))
    cluster, plan = loaded.cluster, make(loaded)
    account = Account(token=config.token, secret=config.secret)
    secrets = {cluster.aws.connect.secret_key.from_env: config.connect_secret} if cluster.aws else {}
    world_clock = Clock(scale=config.scale)
    ordered = inventory(cluster, account=account, secrets=secrets, spares=config.spares)
    world = (
        restore.world(Path(config.restore), world_clock, ordered)
        if config.restore
        else World(clock=world_clock, inventory=ordered, seed=config.seed)
    )
    aws = start_aws(
        host="127.0.0.1",
        port=0,
        virtual_interfaces=(HostedInterface.of_plan(plan.aws),) if plan.aws else (),
    )
    hosts = Hosts(folder / "hosts", log=_log.info, left=partial(powered_itself_off, world))
    follower = Follower(world, hosts)
    builds = Builds(hosts.programs)

    def status() -> dict[str, Any]:
        return {
            "hosts": [
                {"id": h.id, "name": h.name, "running": h.running, "addresses": list(h.addresses)}
                for h in hosts.status()
            ],
            "api_calls": calls(world),
            "failures": follower.failures(),
            "kubernetes": builds.line(),
            "virtual_seconds": round(world_clock.now(), 1),
        }

    app = create_app(world, admin_token=config.admin_token)
    served = Served(Front(app, admin_token=config.admin_token, status=status))
    try:
        world_clock.start()
        follower.start()
        builds.start()
        served.start()
        state = LabState(pid=os.getpid(), sakura_url=served.url, aws_url=aws.url, config=config)
        write_private(folder / "lab.json", state.model_dump_json(indent=1))
        _log.info("up: Sakura at %s, AWS at %s", served.url, aws.url)
        stop.wait()
    finally:
        served.stop()
        builds.stop()
        world_clock.stop()
        follower.stop()
        aws.stop()
        hosts.close()
        # Last: as long as the file is there, another lab does not start in this folder.
        (folder / "lab.json").unlink(missing_ok=True)
        _log.info("down")


def calls(world: World) -> dict[str, int]:
    """How often the Sakura APIs were called, reads and writes apart."""
    with world.lock:
        reads = sum(1 for entry in world.audit if entry.method == "GET")
        return {"reads": reads, "writes": len(world.audit) - reads}


def main() -> int:
    """Run until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    logging.getLogger("botocore").setLevel(logging.WARNING)
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    try:
        run(Path(sys.argv[1]), stop)
    except DaikuError as error:
        _log.error("%s%s", error, f" - {error.hint}" if error.hint else "")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())

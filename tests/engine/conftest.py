"""The real engine with both plugins, against the emulated Sakura APIs and moto. Hosts are not needed: no GPU pool."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daiku.lab.aws.server import AwsServer, HostedInterface
from daiku.lab.aws.server import start as start_aws
from daiku.lab.clock import Clock
from daiku.lab.inventory import inventory
from daiku.lab.sakura.app import create_app
from daiku.lab.sakura.inventory import Account
from daiku.lab.sakura.records import Record
from daiku.lab.sakura.world import World
from daiku.lab.serve import Served
from daiku.lab.tools.build import find_or_build
from daiku.plan.make import make
from daiku.plan.model import Plan
from daiku.spec.load import Loaded, parse
from daiku.stacks.engine import Engine
from daiku.stacks.inputs import gather
from daiku.stacks.program import declare
from daiku.wire.aws import Aws
from tests.stacks.recorder import DEPLOY_KEY, EXAMPLE

REGION = "ap-northeast-1"


def pytest_configure(config: pytest.Config) -> None:
    # pulumi_aws.s3 imports its own deprecated names.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:pulumi_aws")


def example(edit: Callable[[str], str] = lambda text: text) -> Loaded:
    """The example without its GPU pool: bare metal is reached by SSH, which the lab's own tests do."""
    text = re.sub(r"\ngpuPools:.*?\n(?=aws:)", "\n", EXAMPLE.read_text(), flags=re.DOTALL)
    text = re.sub(r"\n(storage|tenants):.*?(?=\n\w|\Z)", "", text, flags=re.DOTALL)
    return parse(edit(text), "cluster.yaml")


@dataclass
class Datacentre:
    """Both clouds, and what a client's environment must hold to reach them."""

    world: World
    clock: Clock
    aws: AwsServer
    environ: dict[str, str]
    folder: Path
    files: dict[str, Path] = field(default_factory=dict)

    def writes(self) -> int:
        """How many calls to Sakura's APIs changed something, or tried to."""
        with self.world.lock:
            return sum(1 for entry in self.world.audit if entry.method != "GET")

    def rows(self, *kinds: type[Record]) -> list[Record]:
        """What the emulated cloud holds of these kinds."""
        with self.world.lock:
            return [row for kind in kinds for row in self.world.rows(kind)]

    def call(self, service: str, operation: str, **parameters: object) -> dict[str, object]:
        aws = Aws(REGION, endpoint_url=self.aws.url, access_key="lab", secret_key="lab")
        return aws.call(service, operation, **parameters)

    def engine(self, plan: Plan) -> Engine:
        inputs = gather(plan, DEPLOY_KEY, self.environ, key_file=self.folder / "deploy")
        return Engine(
            lambda: declare(inputs),
            plan.cluster,
            directory=self.folder / ".daiku" / plan.cluster,
            binary=Path(self.environ["DAIKU_TEST_ENGINE"]),
            environ=self.environ,
            plugin_dirs=[self.folder / "bin"],
        )


def write_starter(script: Path, module: str) -> None:
    """A program that runs a module of ours with this interpreter."""
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
    script.chmod(0o755)


@pytest.fixture
def datacentre(tmp_path: Path) -> Iterator[Datacentre]:
    loaded = example()
    plan = make(loaded)
    assert plan.aws is not None
    account = Account(token="lab-token", secret="lab-secret-of-the-test")
    clock = Clock(scale=3600.0)
    world = World(
        clock=clock,
        inventory=inventory(
            loaded.cluster, account=account, secrets={"DAIKU_AWS_CONNECT_SECRET": "peer-key"}
        ),
    )
    aws = start_aws(virtual_interfaces=[HostedInterface.of_plan(plan.aws)])
    served = Served(create_app(world, admin_token="admin-of-the-test"))
    bin_dir = tmp_path / "bin"
    bin_dir.mkdir()
    write_starter(bin_dir / "pulumi-resource-aws", "daiku.lab.aws.plugin")
    environ = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SAKURA", "PULUMI_", "DAIKU_"))},
        "SAKURA_ACCESS_TOKEN": account.token,
        "SAKURA_ACCESS_TOKEN_SECRET": account.secret,
        "SAKURA_API_ROOT_URL": f"{served.url}/cloud/zone",
        "SAKURA_RATE_LIMIT": "0",
        "SAKURA_POLL_INTERVAL": "0.02",
        "AWS_ENDPOINT_URL": aws.url,
        "DAIKU_AWS_CONNECT_SECRET": "peer-key",
        "PULUMI_HOME": str(tmp_path / "pulumi-home"),
        "DAIKU_TEST_ENGINE": str(find_or_build("pulumi", lambda _: None)),
    }
    clock.start()
    served.start()
    try:
        yield Datacentre(world, clock, aws, environ, tmp_path)
    finally:
        served.stop()
        clock.stop()
        aws.stop()

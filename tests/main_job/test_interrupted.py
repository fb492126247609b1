"""A cluster that is made in spite of everything, and taken down until nothing is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daiku.wire.aws import Aws
from tests.main_job.conftest import rehearsal
from tests.main_job.kit import CLUSTER_KINDS, LONG, PUBLIC, Rehearsal, eventually
from tests.main_job.test_standing import HOSTS, VMS, changed

AWS = (
    ("ec2", "describe_instances", "Reservations", "InstanceId"),
    ("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    ("ec2", "describe_key_pairs", "KeyPairs", "KeyPairId"),
    ("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    ("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    ("ec2", "describe_subnets", "Subnets", "SubnetId"),
    ("ec2", "describe_volumes", "Volumes", "VolumeId"),
    ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    ("ec2", "describe_vpn_gateways", "VpnGateways", "VpnGatewayId"),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerArn"),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupArn"),
    ("route53", "list_hosted_zones", "HostedZones", "Id"),
    ("s3", "list_buckets", "Buckets", "Name"),
)
"""service, operation, its listing, the name of a row."""


@pytest.fixture(scope="module")
def trouble(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsal]:
    """A lab for runs that are killed."""
    with rehearsal(tmp_path_factory.mktemp("interrupted")) as made:
        yield made


def test_killed_interrupted_and_taken_down(trouble: Rehearsal) -> None:
    servers = [trouble.bare_metal(number) for number in range(1, 5)]
    aws = aws_objects(trouble)
    processes = descendants(int(trouble.ok("lab", "up", "--json").json["pid"]))

    up = trouble.start("--lab", "up", "--yes")
    up.wait_for(r"create +sakura:cloud:Disk")
    up.kill(group=True)

    up = trouble.start("--lab", "up", "--yes")
    up.wait_for(r"create +sakura:cloud:Server")
    done = up.interrupt()
    assert done.code == 130, done.err
    assert "interrupted: " in done.err
    assert "Traceback" not in done.err

    # Only daiku dies; its engine notices and ends by itself, or is told of as the one that holds the stack.
    up = trouble.start("--lab", "up", "--yes")
    eventually(lambda: trouble.bare_metal(1) != servers[0])
    up.kill(group=False)
    assert "✓ infrastructure" not in up.text

    up = go_on(trouble)
    up.wait_for(r"▸ hosts")
    time.sleep(0.5)
    up.kill(group=True)

    whole = trouble.ok("--lab", "up", "--yes", "--json").json
    assert whole["fleet"]["failures"] == []
    assert sorted(item["Name"] for item in trouble.listed("server")) == VMS
    assert sorted(item["Name"] for item in trouble.listed("disk")) == VMS
    assert sorted(item["Name"] for item in trouble.listed("appliance")) == ["ishikari-lb", "ishikari-router"]
    assert len(trouble.listed("internet")) == 1
    status = trouble.ok("--lab", "status", "--json").json
    seen = {host: (state["state"], state["failure"]) for host, state in status["hosts"].items()}
    assert seen == dict.fromkeys(HOSTS, ("configured", ""))
    before = trouble.writes()
    again = trouble.ok("--lab", "up", "--yes", "--json").json
    assert (again["changes"], changed(again["fleet"]), trouble.writes()) == ([], [], before)

    trouble.run("--lab", "down").failed(4, "5 VMs", "4 GPU servers", "--yes")
    assert trouble.writes() == before
    down = trouble.start("--lab", "down", "--yes")
    down.wait_for(r"delete +sakura:cloud:Server")
    assert down.interrupt().code == 130
    assert "is gone" in trouble.ok("--lab", "down", "--yes").out
    for kind in CLUSTER_KINDS:
        assert trouble.listed(kind) == [], kind
    for zone in ("is1a", "is1b"):
        assert trouble.listed("commonserviceitem", zone=zone) == []
    assert [trouble.bare_metal(number) for number in range(1, 5)] == servers
    assert aws_objects(trouble) == aws
    before = trouble.writes()
    assert "nothing to remove" in trouble.ok("--lab", "down", "--yes").out
    assert trouble.writes() == before

    processes |= descendants(int(trouble.ok("lab", "up", "--json").json["pid"]))
    assert "the lab is down" in trouble.ok("lab", "down").out
    eventually(lambda: not [pid for pid in processes if Path(f"/proc/{pid}").exists()])
    assert not (trouble.folder / "lab").exists()
    assert str(trouble.folder) not in Path("/proc/self/mounts").read_text()
    listeners = f"{int.from_bytes(bytes(map(int, PUBLIC.split('.'))), 'little'):08X}:{trouble.port:04X}"
    assert listeners not in Path("/proc/net/tcp").read_text()
    assert "no lab was running" in trouble.ok("lab", "down").out
    trouble.run("--lab", "down", "--yes").failed(30, "daiku lab up")


def go_on(trouble: Rehearsal) -> Any:
    """`up` again, as often as the engine of the run that was killed is still at work: exit code 6, and why."""
    end = time.monotonic() + LONG
    while True:
        up = trouble.start("--lab", "up", "--yes")
        eventually(lambda up=up: up.process.poll() is not None or "create" in up.text or "▸ hosts" in up.text)
        if up.process.poll() is None:
            return up
        up.end().failed(6, "held by process")
        assert time.monotonic() < end, "the engine of a killed run does not end"
        time.sleep(1)


def descendants(pid: int) -> set[int]:
    """A process and all that it started."""
    found, waiting = set[int](), [pid]
    while waiting:
        found.add(one := waiting.pop())
        for task in Path(f"/proc/{one}/task").iterdir():
            waiting += [int(word) for word in (task / "children").read_text().split()]
    return found


def aws_objects(lab: Rehearsal) -> dict[str, list[str]]:
    """The IDs of what the AWS account holds, by kind; what is terminated or deleted does not count."""
    aws = Aws(
        "ap-northeast-1", endpoint_url=lab.client["AWS_ENDPOINT_URL"], access_key="lab", secret_key="lab"
    )

    def found(service: str, operation: str, listing: str, ident: str) -> list[str]:
        rows = aws.call(service, operation)[listing]
        if listing == "Reservations":
            rows = [instance for row in rows for instance in row["Instances"]]
        return sorted(row[ident] for row in rows if state(row) not in ("terminated", "deleted"))

    def state(row: dict[str, Any]) -> str:
        given = row.get("State", "")
        return given.get("Name", given.get("Code", "")) if isinstance(given, dict) else given

    return {listing: found(service, operation, listing, ident) for service, operation, listing, ident in AWS}

"""A cluster's life under the real engine: plan, make, nothing more to do, change, drift, remove."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from daiku.lab.sakura.iaas.models import Appliance, Disk, Interface, Internet, LocalRouter, Server, Switch
from daiku.plan.make import make
from daiku.stacks.changes import Step
from tests.engine.conftest import Datacentre, example

OURS = (Appliance, Disk, Interface, Internet, LocalRouter, Server, Switch)

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def test_plan_is_apply_and_a_second_up_changes_nothing(datacentre: Datacentre) -> None:
    plan = make(example())
    engine = datacentre.engine(plan)
    planned = engine.preview()
    assert {change.op for change in planned} == {"create"}
    assert datacentre.writes() == 0

    steps: list[Step] = []
    made = engine.up(steps.append)
    assert [(c.urn, c.op) for c in made.changes] == [(c.urn, c.op) for c in planned]
    assert made.counts == {"create": len(planned)}
    done = Counter(step.stage for step in steps if step.op)
    assert done["started"] == done["done"] == len(planned)
    assert [node.name for node in made.facts.nodes] == [node.name for node in plan.nodes]
    assert made.facts == engine.outputs()
    assert_no_secret(datacentre.folder / ".daiku", datacentre)

    before = datacentre.writes()
    again = engine.up()
    assert (again.changes, again.counts) == ((), {})
    assert again.facts == made.facts
    assert engine.preview(refresh=True) == ()
    assert datacentre.writes() == before

    assert engine.destroy() == {"delete": len(planned)}
    assert engine.outputs() is None
    assert left(datacentre) == []


def assert_no_secret(folder: Path, datacentre: Datacentre) -> None:
    secrets = [
        datacentre.environ[name] for name in ("DAIKU_AWS_CONNECT_SECRET", "SAKURA_ACCESS_TOKEN_SECRET")
    ]
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    for path in files:
        text = path.read_text(errors="replace")
        assert [s for s in secrets if s in text] == [], path


def left(datacentre: Datacentre) -> list[str]:
    """Objects of ours that are still there, on both clouds."""
    found = [f"{type(row).__name__} {row.name}" for row in datacentre.rows(*OURS)]
    call = datacentre.call
    vpcs: object = call("ec2", "describe_vpcs", Filters=[{"Name": "isDefault", "Values": ["false"]}])["Vpcs"]
    found += [f"left: {vpcs}"] if vpcs else []
    found += [f"left: {b}" for b in [call("s3", "list_buckets")["Buckets"]] if b]
    found += [f"left: {z}" for z in [call("route53", "list_hosted_zones")["HostedZones"]] if z]
    return found


def test_an_edit_is_planned_field_by_field_and_only_it_is_done(datacentre: Datacentre) -> None:
    datacentre.engine(make(example())).up()

    def edited(text: str) -> str:
        text = text.replace("bandwidthMbps: 500", "bandwidthMbps: 1000")
        return text.replace("management: { count: 2", "management: { count: 3")

    engine = datacentre.engine(make(example(edited)))
    planned = {change.name: change for change in engine.preview()}
    uplink = planned["uplink"]
    assert uplink.op == "update"
    (bandwidth,) = uplink.properties
    assert (bandwidth.path, bandwidth.before, bandwidth.after) == ("bandwidthMbps", "500", "1000")
    assert any("new router" in note or "new ID" in note for note in uplink.notes)
    assert planned["ishikari-mgmt-3"].op == "create"
    assert {n: c.op for n, c in planned.items() if c.op == "create"} == {
        "ishikari-mgmt-3": "create",
        "ishikari-mgmt-3-ubuntu-24.04-latest": "create",
    }
    made = engine.up()
    assert {c.name: c.op for c in made.changes} == {n: c.op for n, c in planned.items()}
    assert made.facts.node("ishikari-mgmt-3") is not None
    assert engine.preview(refresh=True) == ()


def test_a_change_that_replaces_says_which_property_does_it(datacentre: Datacentre) -> None:
    datacentre.engine(make(example())).up()
    edited = example(lambda text: text.replace("apiVip", "vrid: 7\n  apiVip"))
    planned = {c.name: c for c in datacentre.engine(make(edited)).preview()}
    assert planned["load-balancer"].op == "replace"
    assert planned["load-balancer"].replace_reasons == ("vrid",)


def test_drift_is_found_shown_and_mended(datacentre: Datacentre) -> None:
    engine = datacentre.engine(make(example()))
    facts = engine.up().facts
    vpc, instance = facts.resources["vpc"], facts.resources["managementInstance"]
    datacentre.call("ec2", "modify_vpc_attribute", VpcId=vpc, EnableDnsHostnames={"Value": False})
    (change,) = engine.preview(refresh=True)
    assert (change.name, change.op) == ("vpc", "update")
    assert [(p.path, p.before, p.after) for p in change.properties] == [
        ("enableDnsHostnames", "false", "true")
    ]
    assert engine.up(refresh=True).counts == {"update": 1}

    datacentre.call("ec2", "modify_vpc_attribute", VpcId=vpc, EnableDnsHostnames={"Value": False})
    datacentre.call("ec2", "terminate_instances", InstanceIds=[instance])
    changed, gone = engine.refresh()
    assert [(d.name, d.op) for d in (changed, gone)] == [("vpc", "update"), ("management", "delete")]
    assert [(p.path, p.before, p.after) for p in changed.properties] == [
        ("enableDnsHostnames", "true", "false")
    ]
    assert engine.up().counts == {"create": 1, "update": 1}
    assert engine.refresh() == ()

"""The lab's AWS plugin against moto: what the stack asks for is made, read back as it was asked for, and removed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from moto import mock_aws

from daiku.errors import LabError
from daiku.lab.aws.plugin import PLUGIN, configure
from daiku.plan.model import Plan
from daiku.provider.handler import Hint
from tests.lab_aws.little_engine import NoInterrupt, make_all, remove_all, waiting_interface
from tests.stacks.recorder import example

WAYS = [("private", "virtual-private"), ("private", "direct-connect"), ("transit", "direct-connect")]


def plan_of(kind: str, gateway: str) -> Plan:
    plan = example()
    assert plan.aws is not None
    connect = plan.aws.connect.model_copy(update={"type": kind, "gateway": gateway})
    return plan.model_copy(update={"aws": plan.aws.model_copy(update={"connect": connect})})


@pytest.fixture(params=WAYS, ids="-".join)
def plan(request: pytest.FixtureRequest) -> Iterator[Plan]:
    with mock_aws():
        made = plan_of(*request.param)
        waiting_interface(made)
        yield made


@pytest.fixture
def simple() -> Iterator[Plan]:
    with mock_aws():
        made = plan_of(*WAYS[0])
        waiting_interface(made)
        yield made


def test_what_was_made_reads_back_as_it_was_asked_for(plan: Plan) -> None:
    engine = make_all(plan)
    assert len(engine.made) >= 24
    for resource in engine.made:
        live = resource.handler.read(engine.cloud, resource.id, resource.state)
        assert live is not None, resource.name
        assert [str(c) for c in resource.difference(live).changes] == [], resource.name


def test_a_second_create_adopts_what_a_killed_run_left(plan: Plan) -> None:
    first, second = make_all(plan), make_all(plan)
    assert {(r.type, r.name): r.id for r in first.made} == {(r.type, r.name): r.id for r in second.made}


def test_everything_goes_and_a_second_removal_is_no_error(plan: Plan) -> None:
    engine = make_all(plan)
    remove_all(engine)
    for resource in engine.made:
        assert resource.handler.read(engine.cloud, resource.id, resource.state) is None, resource.name
    remove_all(engine)


def test_after_a_removal_all_can_be_made_again(plan: Plan) -> None:
    remove_all(make_all(plan))
    engine = make_all(plan)
    accepter = engine.of_type("Accepter") or engine.of_type("Acceptor")
    assert len(accepter) == 1


def test_a_terminated_instance_is_gone_and_its_address_is_free_again(simple: Plan) -> None:
    engine = make_all(simple)
    (host,) = engine.of_type(":Instance")
    engine.cloud.call("ec2", "terminate_instances", InstanceIds=[host.id])
    assert host.handler.read(engine.cloud, host.id, host.state) is None
    ident, state = host.handler.create(engine.cloud, Hint("urn:new", host.name), host.inputs)
    assert ident != host.id
    assert state["privateIp"] == "10.64.0.10"


def test_a_change_outside_is_seen_and_mended(simple: Plan) -> None:
    engine = make_all(simple)
    (vpc,) = engine.of_type(":Vpc")
    engine.cloud.call("ec2", "modify_vpc_attribute", VpcId=vpc.id, EnableDnsHostnames={"Value": False})
    engine.cloud.call("ec2", "create_tags", Resources=[vpc.id], Tags=[{"Key": "Name", "Value": "other"}])
    live = vpc.handler.read(engine.cloud, vpc.id, vpc.state)
    assert live is not None
    assert {c.path for c in vpc.difference(live).changes} == {"enableDnsHostnames", "tags.Name"}
    after = vpc.handler.update(engine.cloud, Hint("", ""), vpc.id, live, vpc.inputs)
    assert vpc.difference(after).changes == ()


def test_a_deleted_rule_is_seen_and_mended(simple: Plan) -> None:
    engine = make_all(simple)
    group = next(g for g in engine.of_type(":SecurityGroup") if g.name == "management")
    listed = engine.cloud.call("ec2", "describe_security_groups", GroupIds=[group.id])["SecurityGroups"][0]
    engine.cloud.call(
        "ec2",
        "revoke_security_group_ingress",
        GroupId=group.id,
        IpPermissions=listed["IpPermissions"][:1],
    )
    live = group.handler.read(engine.cloud, group.id, group.state)
    assert live is not None
    assert group.difference(live).changes != ()
    after = group.handler.update(engine.cloud, Hint("", ""), group.id, live, group.inputs)
    assert group.difference(after).changes == ()


@pytest.mark.parametrize(
    ("ending", "name", "value"),
    [
        (":Record", "records", ["10.10.0.99"]),
        (":Zone", "comment", "another"),
        (":LoadBalancer", "enableCrossZoneLoadBalancing", False),
        (":BucketVersioning", "versioningConfiguration", {"status": "Suspended"}),
        (":BucketPublicAccessBlock", "blockPublicAcls", False),
        (":Instance", "instanceType", "m6i.xlarge"),
    ],
)
def test_an_edit_is_applied_in_place(simple: Plan, ending: str, name: str, value: object) -> None:
    engine = make_all(simple)
    resource = engine.of_type(ending)[0]
    wanted = {**resource.inputs, name: value}
    after = resource.handler.update(engine.cloud, Hint("", ""), resource.id, resource.state, wanted)
    assert after[name] == value
    live = resource.handler.read(engine.cloud, resource.id, after)
    assert live is not None
    assert live[name] == value


@pytest.mark.parametrize("endpoint", ["https://ec2.ap-northeast-1.amazonaws.com", "http://192.0.2.1:5000"])
def test_the_plugin_of_the_lab_never_leaves_this_machine(endpoint: str) -> None:
    settings = {"region": "ap-northeast-1", "endpoints": f'[{{"ec2":"{endpoint}"}}]', "accessKey": "lab"}
    with pytest.raises(LabError, match="loopback"):
        configure({**settings, "secretKey": "lab"}, NoInterrupt())


def test_it_can_tell_its_schema() -> None:
    assert '"aws:ec2/vpc:Vpc"' in PLUGIN.schema()

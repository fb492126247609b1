"""The whole program over Pulumi's mocks: no engine, no network."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from daiku.errors import CredentialsError
from daiku.plan.facts import Facts
from daiku.stacks.inputs import gather
from tests.stacks.recorder import DEPLOY_KEY, SECRET, declared, example, inputs


def test_the_example_needs_exactly_these_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, _ = declared(monkeypatch, example())
    count = Counter(r.type for r in recorder.found if r.custom)
    assert count == {
        "pulumi:providers:sakura": 2,
        "pulumi:providers:aws": 1,
        "sakura:cloud:Switch": 1,
        "sakura:cloud:Internet": 1,
        "sakura:cloud:VpcRouter": 1,
        "sakura:cloud:Disk": 5,
        "sakura:cloud:Server": 5,
        "sakura:cloud:LoadBalancer": 1,
        "sakura:cloud:LocalRouter": 1,
        "sakura:cloud:AwsConnect": 1,
        "sakura:phy:PhyServer": 4,
        "sakura:phy:PhyNetwork": 4,
        "aws:ec2/vpc:Vpc": 1,
        "aws:ec2/internetGateway:InternetGateway": 1,
        "aws:ec2/subnet:Subnet": 2,
        "aws:ec2/routeTable:RouteTable": 1,
        "aws:ec2/routeTableAssociation:RouteTableAssociation": 2,
        "aws:ec2/route:Route": 1,
        "aws:ec2/vpnGateway:VpnGateway": 1,
        "aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation": 1,
        "aws:ec2/securityGroup:SecurityGroup": 2,
        "aws:ec2/keyPair:KeyPair": 1,
        "aws:ec2/instance:Instance": 1,
        "aws:directconnect/hostedPrivateVirtualInterfaceAccepter:HostedPrivateVirtualInterfaceAccepter": 1,
        "aws:lb/loadBalancer:LoadBalancer": 1,
        "aws:lb/targetGroup:TargetGroup": 1,
        "aws:lb/targetGroupAttachment:TargetGroupAttachment": 1,
        "aws:lb/listener:Listener": 1,
        "aws:s3/bucket:Bucket": 1,
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": 1,
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration": 1,
        "aws:s3/bucketVersioning:BucketVersioning": 1,
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration": 1,
        "aws:route53/zone:Zone": 1,
        "aws:route53/record:Record": 2,
    }


def test_every_resource_has_a_component_and_an_explicit_provider(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, _ = declared(monkeypatch, example())
    for resource in recorder.found:
        if resource.type.startswith("pulumi:providers:"):
            continue
        if resource.custom:
            assert "daiku:cluster:" in resource.parent, resource.name
            package = resource.type.partition(":")[0]
            assert f"pulumi:providers:{package}::" in resource.provider, resource.name
            assert "default" not in resource.provider, resource.name


def test_bare_metal_is_reached_through_the_bastion(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, _ = declared(monkeypatch, example())
    settings = recorder.named("pulumi:providers:sakura", "bare-metal").inputs
    assert settings["bastionHost"] == "203.0.113.4"
    assert settings["sshKeyFile"] == "/keys/deploy"
    for server in (*recorder.of("sakura:phy:PhyServer"), *recorder.of("sakura:phy:PhyNetwork")):
        assert "bare-metal" in server.provider
    assert all("sakura::sakura" in r.provider for r in recorder.of("sakura:cloud:Server"))


def test_facts_are_plain_complete_and_hold_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = example()
    _, output = declared(monkeypatch, plan)
    facts = Facts.model_validate(output)
    assert [node.name for node in facts.nodes] == [node.name for node in plan.nodes]
    assert facts.plan_digest == plan.digest()
    assert facts.router_address == "203.0.113.4"
    first, gpu = facts.node("ishikari-cp-1"), facts.node("ishikari-h100-001")
    assert first is not None
    assert first.provider_id == "sakura://is1b/ishikari-cp-1-rid"
    assert first.incarnation == "ishikari-cp-1-ubuntu-24.04-latest-rid"
    assert gpu is not None
    assert (gpu.provider_id, gpu.host_key) == ("sakura-phy://113600000001", "ssh-ed25519 ishikari-h100-001")
    assert set(facts.resources) >= {
        "switch",
        "router",
        "loadBalancer",
        "localRouter",
        "vpc",
        "bucket",
        "dnsZone",
    }
    assert SECRET not in json.dumps(output)


def test_the_same_plan_registers_the_same_things(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (declared(monkeypatch, example()) for _ in range(2))
    assert sorted(map(repr, first[0].found)) == sorted(map(repr, second[0].found))
    assert json.dumps(first[1]) == json.dumps(second[1])


def test_without_an_aws_part_nothing_of_aws_is_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    def cut(text: str) -> str:
        begin, end = text.index("\naws:"), text.index("\nstorage:")
        return text[:begin] + text[end:]

    recorder, output = declared(monkeypatch, example(cut))
    assert [r.name for r in recorder.found if "aws" in r.type.lower()] == []
    assert "vpc" not in output["resources"]


def test_the_plugin_for_real_accounts_is_bound_to_the_account(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = declared(monkeypatch, example())[0].one("pulumi:providers:aws").inputs
    assert json.loads(settings["allowedAccountIds"]) == ["123456789012"]
    assert "endpoints" not in settings
    assert "secretKey" not in settings


def test_with_an_endpoint_every_service_goes_there_with_dummy_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder, _ = declared(monkeypatch, example(), {"AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    settings = recorder.one("pulumi:providers:aws").inputs
    (endpoints,) = json.loads(settings["endpoints"])
    services = {
        r.type.partition(":")[2].partition("/")[0] for r in recorder.found if r.type.startswith("aws:")
    }
    renamed = {"lb": "elbv2", "ec2transitgateway": "ec2"}
    assert {renamed.get(s, s) for s in services} <= set(endpoints)
    assert set(endpoints.values()) == {"http://127.0.0.1:9"}


def test_a_missing_secret_names_its_variable() -> None:
    with pytest.raises(CredentialsError, match="DAIKU_AWS_CONNECT_SECRET"):
        gather(example(), DEPLOY_KEY, {}, key_file=inputs(example()).key_file)

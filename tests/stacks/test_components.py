"""Each component: the right inputs for what the plan says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daiku.plan.model import Plan, RouterPlan
from daiku.stacks.aws_interconnect import transit_asn
from daiku.stacks.network import firewall
from tests.stacks.recorder import SECRET, SECRET_MARK, Recorder, declared, example

ACCEPTER = "aws:directconnect/hostedPrivateVirtualInterfaceAccepter:HostedPrivateVirtualInterfaceAccepter"


def recorded(monkeypatch: pytest.MonkeyPatch, plan: Plan | None = None) -> Recorder:
    return declared(monkeypatch, plan or example())[0]


def with_connect(plan: Plan, **changes: object) -> Plan:
    assert plan.aws is not None
    connect = plan.aws.connect.model_copy(update=changes)
    return plan.model_copy(update={"aws": plan.aws.model_copy(update={"connect": connect})})


def test_a_redundant_router_takes_the_first_addresses_of_its_uplink(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    router = recorder.one("sakura:cloud:VpcRouter").inputs
    assert recorder.one("sakura:cloud:Internet").inputs["bandwidthMbps"] == 500
    public, (private,) = router["publicInterface"], router["privateInterfaces"]
    assert (public["switchId"], public["virtualIpAddress"]) == ("uplink-switch", "203.0.113.4")
    assert public["ipAddresses"] == ["203.0.113.5", "203.0.113.6"]
    assert private["virtualIpAddress"] == "10.10.0.1"
    assert len(private["ipAddresses"]) == 2
    (forward,) = router["portForwardings"]
    assert (forward["globalPort"], forward["privateAddress"], forward["privatePort"]) == (
        20022,
        "10.10.0.31",
        22,
    )
    assert router["internetConnection"] is True


def test_a_standard_router_is_single_and_has_no_uplink(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = example(lambda text: text.replace("router: premium, bandwidthMbps: 500", "router: standard"))
    recorder = recorded(monkeypatch, plan)
    assert recorder.of("sakura:cloud:Internet") == []
    router = recorder.one("sakura:cloud:VpcRouter").inputs
    assert "publicInterface" not in router
    (private,) = router["privateInterfaces"]
    assert private["ipAddresses"] == ["10.10.0.1"]
    assert "virtualIpAddress" not in private


def router(*allow_from: str) -> RouterPlan:
    return example().router.model_copy(update={"allow_from": allow_from})


def test_the_bastions_port_is_open_to_all_only_when_the_plan_says_so() -> None:
    assert firewall(router("0.0.0.0/0", "198.51.100.0/24")) == []


def first_match(rules: list[Any], source: str, port: str) -> str:
    for rule in rules:
        if rule["source_network"] in ("", source) and rule["destination_port"] == port:
            return rule["action"]
    return "allow"


@pytest.mark.parametrize("port", ["20022", "22"], ids=["before forwarding", "after forwarding"])
def test_the_bastions_port_is_left_to_those_who_may_come(port: str) -> None:
    (table,) = firewall(router("198.51.100.0/24", "203.0.113.7/32"))
    rules = list(table.get("receive", []))
    assert table.get("index") == 0
    assert first_match(rules, "203.0.113.7/32", port) == "allow"
    assert first_match(rules, "198.51.100.0/24", port) == "allow"
    assert first_match(rules, "192.0.2.1/32", port) == "deny"
    assert first_match(rules, "192.0.2.1/32", "443") == "allow"


def test_a_vm_boots_its_own_disk_with_the_plans_address_and_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    server = recorder.named("sakura:cloud:Server", "ishikari-cp-2").inputs
    assert (server["cpu"], server["memoryGb"]) == (4, 16)
    assert server["disks"] == ["ishikari-cp-2-ubuntu-24.04-latest-rid"]
    assert server["networkInterfaces"] == [{"upstream": "nodes-rid", "userIpAddress": "10.10.0.12"}]
    edit = server["diskEdit"]
    assert (edit["ipAddress"], edit["networkMaskLen"], edit["gateway"]) == ("10.10.0.12", 20, "10.10.0.1")
    assert edit["sshKeys"][0].startswith("ssh-ed25519 ")
    assert edit["disablePasswordAuth"] is True


def test_running_machines_survive_a_new_image_publication_and_new_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = recorded(monkeypatch)
    assert all(disk.ignored == ("sourceArchiveId",) for disk in recorder.of("sakura:cloud:Disk"))
    assert all(server.ignored == ("diskEdit.sshKeys",) for server in recorder.of("sakura:cloud:Server"))


def test_another_image_is_another_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def newer(text: str) -> str:
        return text.replace("controlPlane: {", "controlPlane: { image: ubuntu-26.04-latest,")

    names = {d.name for d in recorded(monkeypatch).of("sakura:cloud:Disk")}
    others = {d.name for d in recorded(monkeypatch, example(newer)).of("sakura:cloud:Disk")}
    assert len(names & others) == 2  # the management nodes'
    assert "ishikari-cp-1-ubuntu-26.04-latest" in others


def test_one_image_is_looked_up_once_a_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert recorded(monkeypatch).calls == [("sakura:cloud:getArchive", {"tags": ["ubuntu-24.04-latest"]})] * 2


def test_virtual_ips_carry_their_checks_and_real_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = example()
    balancer = recorded(monkeypatch, plan).one("sakura:cloud:LoadBalancer").inputs
    assert balancer["switchId"] == "nodes-rid"
    assert [(v["virtualIpAddress"], v["port"]) for v in balancer["vips"]] == [
        (v.address, v.port) for v in plan.load_balancer.vips
    ]
    api = balancer["vips"][0]
    assert [s["ipAddress"] for s in api["servers"]] == ["10.10.0.11", "10.10.0.12", "10.10.0.13"]
    assert {(s["protocol"], s["path"]) for s in api["servers"]} == {("https", "/readyz")}


def test_a_gpu_node_is_installed_then_wired_and_its_public_port_sealed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recorder = recorded(monkeypatch)
    server = recorder.named("sakura:phy:PhyServer", "ishikari-h100-003")
    assert server.inputs["serverId"] == "113600000003"
    assert server.inputs["releasePolicy"] == "detach"
    assert server.inputs["localAddress"]["address"] == "10.10.1.3/20"
    wiring = recorder.named("sakura:phy:PhyNetwork", "ishikari-h100-003-wiring")
    assert wiring.inputs["privateNetworkIds"] == ["113500000001"]
    assert (wiring.inputs["port"], wiring.inputs["disablePorts"]) == ("eno2", ["eno1"])
    assert any(urn.endswith("sakura:phy:PhyServer::ishikari-h100-003") for urn in wiring.after)


def test_the_peers_key_is_a_secret_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    connect = recorder.one("sakura:cloud:AwsConnect").inputs
    assert SECRET_MARK in connect["secretKey"]
    assert connect["secretKey"]["value"] == SECRET
    assert connect["vlan"] == 1201
    others = [r for r in recorder.found if r.type != "sakura:cloud:AwsConnect"]
    assert SECRET not in json.dumps([r.inputs for r in others])


def test_a_virtual_private_gateway_takes_the_interface_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    accepter = recorder.one(ACCEPTER).inputs
    assert accepter["virtualInterfaceId"] == "dxvif-0a1b2c3d"
    assert accepter["vpnGatewayId"] == "vpn-gateway-id"
    assert "dxGatewayId" not in accepter
    assert recorder.one("aws:ec2/vpnGateway:VpnGateway").inputs["amazonSideAsn"] == "64512"
    propagation = recorder.one("aws:ec2/vpnGatewayRoutePropagation:VpnGatewayRoutePropagation").inputs
    assert propagation == {"vpnGatewayId": "vpn-gateway-id", "routeTableId": "routes-id"}


def test_a_direct_connect_gateway_stands_in_front_of_the_vpc(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch, with_connect(example(), gateway="direct-connect"))
    assert recorder.one(ACCEPTER).inputs["dxGatewayId"] == "dx-gateway-id"
    association = recorder.one("aws:directconnect/gatewayAssociation:GatewayAssociation").inputs
    assert association["associatedGatewayId"] == "vpn-gateway-id"
    assert association["allowedPrefixes"] == ["10.64.0.0/16"]
    assert "amazonSideAsn" not in recorder.one("aws:ec2/vpnGateway:VpnGateway").inputs


def test_a_transit_interface_goes_to_a_transit_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = with_connect(example(), type="transit", gateway="direct-connect")
    recorder = recorded(monkeypatch, plan)
    assert recorder.of(ACCEPTER) == []
    accepter = "aws:directconnect/hostedTransitVirtualInterfaceAcceptor:HostedTransitVirtualInterfaceAcceptor"
    assert recorder.one(accepter).inputs["dxGatewayId"] == "dx-gateway-id"
    back = recorder.named("aws:ec2/route:Route", "to-sakura-0").inputs
    assert (back["destinationCidrBlock"], back["transitGatewayId"]) == ("10.10.0.0/20", "transit-gateway-id")
    hub = recorder.one("aws:ec2transitgateway/transitGateway:TransitGateway").inputs
    assert hub["amazonSideAsn"] not in (64512, 65010)


@pytest.mark.parametrize(("amazon", "customer"), [(64512, 65010), (64512, 64513), (64513, 64512), (1, 2)])
def test_a_transit_gateway_has_an_asn_of_its_own(amazon: int, customer: int) -> None:
    assert transit_asn(amazon, customer) not in (amazon, customer)
    assert 64512 <= transit_asn(amazon, customer) <= 65534


def test_users_reach_the_ingress_vip_through_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    balancer = recorder.one("aws:lb/loadBalancer:LoadBalancer").inputs
    assert (balancer["loadBalancerType"], balancer["internal"]) == ("network", False)
    target = recorder.one("aws:lb/targetGroupAttachment:TargetGroupAttachment").inputs
    assert (target["targetId"], target["port"], target["availabilityZone"]) == ("10.10.0.101", 443, "all")
    group = recorder.named("aws:ec2/securityGroup:SecurityGroup", "users").inputs
    assert [r["cidrBlocks"] for r in group["egress"]] == [["10.10.0.101/32"]]


def test_nobody_from_the_internet_enters_the_management_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    group = recorder.named("aws:ec2/securityGroup:SecurityGroup", "management").inputs
    assert {cidr for rule in group["ingress"] for cidr in rule["cidrBlocks"]} == {"10.10.0.0/20"}
    instance = recorder.one("aws:ec2/instance:Instance").inputs
    assert instance["metadataOptions"]["httpTokens"] == "required"
    assert instance["rootBlockDevice"]["encrypted"] is True
    assert instance["privateIp"] == "10.64.0.10"


def test_snapshots_are_versioned_encrypted_private_and_end(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    block = recorder.one("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock").inputs
    assert {k: v for k, v in block.items() if k != "bucket"} == {
        "blockPublicAcls": True,
        "blockPublicPolicy": True,
        "ignorePublicAcls": True,
        "restrictPublicBuckets": True,
    }
    versioning = recorder.one("aws:s3/bucketVersioning:BucketVersioning").inputs
    assert versioning["versioningConfiguration"] == {"status": "Enabled"}
    (rule,) = recorder.one("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration").inputs["rules"]
    assert rule["expiration"]["days"] == rule["noncurrentVersionExpiration"]["noncurrentDays"] == 30


def test_names_of_the_cluster_are_in_its_own_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = recorded(monkeypatch)
    assert recorder.one("aws:route53/zone:Zone").inputs["vpcs"] == [{"vpcId": "vpc-id"}]
    records = {r.inputs["name"]: r.inputs["records"] for r in recorder.of("aws:route53/record:Record")}
    assert records == {
        "api.ishikari.internal": ["10.10.0.100"],
        "ingress.ishikari.internal": ["10.10.0.101"],
    }

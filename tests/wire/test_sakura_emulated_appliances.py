"""Routers, balancers and filters against the lab's emulator, on its own clock."""

from __future__ import annotations

import pytest

from daiku.errors import ConflictError, NotFoundError
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import INTERNET, LOAD_BALANCER, LOCAL_ROUTER, PACKET_FILTER, SWITCH, VPC_ROUTER
from daiku.wire.sakura_models import Appliance, Internet, LocalRouter, PacketFilter

ROUTER = {"Router": {"InternetConnection": {"Enabled": "True"}}}


def make_router(lab: SakuraCloud) -> str:
    remark = {"Switch": {"Scope": "shared"}, "Servers": [{}], "Router": {"VPCRouterVersion": 2}}
    body = {"Name": "nat", "Plan": {"ID": 1}, "Remark": remark, "Settings": ROUTER}
    return lab.create(VPC_ROUTER, body)["ID"]


def test_a_vpc_router_is_built_changed_and_removed(lab: SakuraCloud) -> None:
    switch = lab.create(SWITCH, {"Name": "nodes"})["ID"]
    router = make_router(lab)
    assert lab.wait_available(VPC_ROUTER, router)["Availability"] == "available"
    lab.connect_appliance(VPC_ROUTER, router, 1, switch)
    private = {"IPAddress": ["192.168.0.1"], "NetworkMaskLen": 24}
    settings = {"Router": {"InternetConnection": {"Enabled": "True"}, "Interfaces": [None, private]}}
    saved = Appliance.of(lab.apply_settings(VPC_ROUTER, router, settings))
    up = Appliance.of(lab.power_on(VPC_ROUTER, router))
    assert up.instance.status == "up"
    assert up.settings_hash == saved.settings_hash
    nic = up.interfaces[1]
    assert nic is not None
    assert nic.switch is not None
    assert nic.switch.id == switch
    assert lab.switch_users(switch) == ("vpcrouter nat",)
    lab.power_off(VPC_ROUTER, router, force=True)
    lab.delete_when_free(VPC_ROUTER, router)
    lab.delete_switch(switch)
    assert lab.find(VPC_ROUTER) == []


def test_a_router_changed_elsewhere_is_not_overwritten(lab: SakuraCloud) -> None:
    router = make_router(lab)
    mine = Appliance.of(lab.wait_available(VPC_ROUTER, router)).settings_hash
    theirs = {"Router": {"InternetConnection": {"Enabled": "True"}, "SyslogHost": "192.0.2.1"}}
    lab.apply_settings(VPC_ROUTER, router, theirs)
    with pytest.raises(ConflictError) as caught:
        lab.apply_settings(VPC_ROUTER, router, ROUTER, settings_hash=mine)
    assert "refresh" in caught.value.hint
    assert Appliance.of(lab.read(VPC_ROUTER, router)).settings["Router"]["SyslogHost"] == "192.0.2.1"


def test_a_load_balancer_gets_its_virtual_addresses(lab: SakuraCloud) -> None:
    switch = lab.create(SWITCH, {"Name": "nodes"})["ID"]
    body = {
        "Name": "api",
        "Plan": {"ID": 1},
        "Remark": {
            "Plan": {"ID": 1},
            "Switch": {"ID": switch},
            "VRRP": {"VRID": 1},
            "Network": {"DefaultRoute": "192.168.0.1", "NetworkMaskLen": 24},
            "Servers": [{"IPAddress": "192.168.0.250"}],
        },
        "Settings": {"LoadBalancer": []},
    }
    balancer = lab.create(LOAD_BALANCER, body)["ID"]
    lab.wait_available(LOAD_BALANCER, balancer)
    check = {"Protocol": "tcp", "Retry": "2", "ConnectTimeout": "6"}
    real = {"IPAddress": "192.168.0.11", "Port": "6443", "Enabled": "True", "HealthCheck": check}
    vip = {"VirtualIPAddress": "192.168.0.100", "Port": "6443", "DelayLoop": "10", "Servers": [real]}
    lab.apply_settings(LOAD_BALANCER, balancer, {"LoadBalancer": [vip]})
    read = Appliance.of(lab.power_on(LOAD_BALANCER, balancer))
    assert read.settings["LoadBalancer"][0]["VirtualIPAddress"] == "192.168.0.100"
    assert lab.switch_users(switch) == ("loadbalancer api",)
    assert [item["ID"] for item in lab.find(LOAD_BALANCER)] == [balancer]
    assert lab.find(VPC_ROUTER) == []


def test_a_bandwidth_moves_the_router_to_another_id_and_keeps_its_switch(lab: SakuraCloud) -> None:
    made = lab.create(INTERNET, {"Name": "wan", "BandWidthMbps": 100, "NetworkMaskLen": 28})["ID"]
    before = Internet.of(lab.wait_available(INTERNET, made))
    after = Internet.of(lab.change_bandwidth(made, 250))
    assert after.id != made
    assert after.bandwidth_mbps == 250
    assert after.switch.id == before.switch.id
    with pytest.raises(NotFoundError):
        lab.read(INTERNET, made)
    successor = lab.find_successor(INTERNET, made)
    assert successor is not None
    assert successor["ID"] == after.id


def test_filter_rules_are_held_by_their_hash(lab: SakuraCloud) -> None:
    rule = {"Protocol": "tcp", "DestinationPort": "22", "Action": "allow"}
    made = PacketFilter.of(lab.create(PACKET_FILTER, {"Name": "nodes", "Expression": [rule]}))
    deny = {"Protocol": "ip", "Action": "deny"}
    changed = PacketFilter.of(
        lab.update_packet_filter(made.id, {"Name": "nodes", "Expression": [rule, deny]})
    )
    assert [r.action for r in changed.expression] == ["allow", "deny"]
    with pytest.raises(ConflictError):
        lab.update_packet_filter(
            made.id, {"Name": "nodes", "Expression": []}, expression_hash=made.expression_hash
        )


def test_a_local_router_is_global(lab: SakuraCloud) -> None:
    switch = lab.create(SWITCH, {"Name": "nodes"}, zone="tk1b")["ID"]
    made = LocalRouter.of(lab.create(LOCAL_ROUTER, {"Name": "to-aws"}))
    assert made.secret_keys
    settings = {
        "LocalRouter": {
            "Switch": {"Code": switch, "Category": "cloud", "ZoneID": "tk1b"},
            "Interface": {
                "VirtualIPAddress": "192.168.0.1",
                "IPAddress": ["192.168.0.2", "192.168.0.3"],
                "NetworkMaskLen": 24,
                "VRID": 10,
            },
        }
    }
    saved = LocalRouter.of(lab.save_settings(LOCAL_ROUTER, made.id, settings))
    assert saved.settings["LocalRouter"]["Switch"]["Code"] == switch
    assert [item["ID"] for item in lab.find(LOCAL_ROUTER, zone="is1b")] == [made.id]

"""Routers, load balancers, filters and the AWS connection."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.errors import DaikuError
from daiku.provider.fields import Change
from daiku.provider.handler import IncompleteError
from daiku.provider.resources.aws_connect import AwsConnectHandler
from daiku.provider.resources.cloud_object import Goal
from daiku.provider.resources.internet import InternetHandler
from daiku.provider.resources.load_balancer import LoadBalancerHandler
from daiku.provider.resources.local_router import LocalRouterHandler
from daiku.provider.resources.packet_filter import PacketFilterHandler
from daiku.provider.resources.vpc_router import VpcRouterHandler
from daiku.wire.sakura_kinds import INTERNET, LOAD_BALANCER, LOCAL_ROUTER, PACKET_FILTER, VPC_ROUTER
from tests.provider.conftest import AWS, Lab
from tests.provider.play import Play
from tests.provider.test_machines import switch

WIREGUARD_KEY = "l0kNbQlCxCdKz6rOjjnWn1ExFRVNMsN+JDLsmMOk1Qc="


def router_inputs(switch_id: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "edge",
        "privateInterfaces": [
            {"index": 1, "switchId": switch_id, "ipAddresses": ["10.10.0.1"], "networkMaskLen": 24}
        ],
        "portForwardings": [{"globalPort": 20022, "privateAddress": "10.10.0.5", "privatePort": 22}],
        **more,
    }


FULL: dict[str, Any] = {
    "firewalls": [
        {
            "index": 0,
            "receive": [
                {"protocol": "tcp", "destinationPort": "20022", "sourceNetwork": "192.0.2.0/24"},
                {"protocol": "ip", "action": "deny", "logging": True, "description": "the rest"},
            ],
        }
    ],
    "dhcpServers": [
        {
            "index": 1,
            "rangeStart": "10.10.0.100",
            "rangeStop": "10.10.0.120",
            "dnsServers": ["133.242.0.3"],
        }
    ],
    "dhcpStaticMappings": [{"macAddress": "02:00:00:00:00:09", "ipAddress": "10.10.0.130"}],
    "dnsForwarding": {"index": 1, "dnsServers": ["133.242.0.3"]},
    "staticRoutes": [{"prefix": "10.200.0.0/16", "nextHop": "10.10.0.9"}],
    "l2tp": {"rangeStart": "10.10.0.200", "rangeStop": "10.10.0.210", "preSharedSecret": "not-so-secret"},
    "users": [{"name": "ops", "password": "pass-word-1"}],
    "wireGuard": {
        "ipAddress": "192.168.99.1/24",
        "peers": [{"name": "me", "ipAddress": "192.168.99.2", "publicKey": WIREGUARD_KEY}],
    },
    "siteToSite": [
        {
            "peer": "203.0.113.9",
            "remoteId": "203.0.113.9",
            "preSharedSecret": "site-secret",
            "routes": ["10.50.0.0/16"],
            "localPrefixes": ["10.10.0.0/24"],
        }
    ],
    "syslogHost": "10.10.0.7",
    "maintenance": {"dayOfWeek": 0, "hour": 3},
}


def config_calls(lab: Lab) -> int:
    return sum(call.endswith("/config") for call in lab.calls(writes=True))


def test_a_router_is_made_wired_configured_and_running(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(VpcRouterHandler(), ctx, "edge")
    inputs = router_inputs(switch(ctx).id)
    play.up(inputs)
    assert play.state["publicIp"]
    assert play.state["applied"] is True
    assert play.imported() == play.state
    live = ctx.cloud.read(VPC_ROUTER, play.id)
    assert live["Instance"]["Status"] == "up"
    before = len(lab.calls(writes=True))
    play.up(inputs)
    assert len(lab.calls(writes=True)) == before
    play.down()
    assert ctx.cloud.find(VPC_ROUTER) == []


def test_every_settings_block_comes_and_goes_while_it_runs(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(VpcRouterHandler(), ctx, "edge")
    inputs = router_inputs(switch(ctx).id)
    play.up(inputs)
    power = sum("/power" in call for call in lab.calls(writes=True))
    assert play.up(inputs | FULL).gravest is Change.LIVE
    assert play.state["wireGuardPublicKey"]
    assert play.up(inputs).gravest is Change.LIVE
    assert play.state["wireGuardPublicKey"] == ""
    assert sum("/power" in call for call in lab.calls(writes=True)) == power
    assert config_calls(lab) == 3


def test_another_private_switch_restarts_the_router_and_says_so(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(VpcRouterHandler(), ctx, "edge")
    play.up(router_inputs(switch(ctx).id))
    difference = play.up(router_inputs(switch(ctx, "other").id))
    assert difference.gravest is Change.RESTART
    assert "while the router is down" in str(difference.changes[0])


def test_a_redundant_router_stands_on_a_router_and_switch(lab: Lab) -> None:
    ctx = lab.context()
    internet = Play(InternetHandler(), ctx, "net")
    internet.up({"name": "net", "bandwidthMbps": 500})
    a, b, vip, alias = internet.state["ipAddresses"][:4]
    inputs: dict[str, Any] = {
        "name": "edge",
        "plan": "premium",
        "publicInterface": {
            "switchId": internet.state["switchId"],
            "virtualIpAddress": vip,
            "ipAddresses": [a, b],
            "vrid": 10,
            "aliases": [alias],
        },
        "privateInterfaces": [
            {
                "index": 2,
                "switchId": switch(ctx).id,
                "virtualIpAddress": "10.10.0.1",
                "ipAddresses": ["10.10.0.2", "10.10.0.3"],
                "networkMaskLen": 24,
            }
        ],
        "staticNat": [{"globalAddress": alias, "privateAddress": "10.10.0.50"}],
    }
    play = Play(VpcRouterHandler(), ctx, "edge")
    play.up(inputs)
    assert play.state["publicIp"] == vip
    assert play.imported() == play.state
    other = inputs | {"publicInterface": inputs["publicInterface"] | {"vrid": 11}}
    assert play.plan(other).replaces == ("publicInterface",)
    play.down()
    internet.down()


def test_settings_saved_but_not_applied_are_a_difference_and_are_mended(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(VpcRouterHandler(), ctx, "edge")
    inputs = router_inputs(switch(ctx).id)
    play.up(inputs)
    changed = inputs | {"portForwardings": []}
    lab.world.faults.add(r"^PUT .*/config$", "eof", after=False)
    with pytest.raises(DaikuError):
        play.up(changed)
    play.ctx = lab.context()
    lab.clock.advance(60)
    play.refresh()
    assert [c.path for c in play.plan(changed).changes] == ["applied"]
    applied = config_calls(lab)
    play.up(changed)
    assert config_calls(lab) == applied + 1
    assert play.state["applied"] is True


def test_wireguard_that_somebody_saved_and_did_not_apply_does_not_hold_up_a_refresh(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(VpcRouterHandler(), ctx, "edge")
    inputs = router_inputs(switch(ctx).id)
    play.up(inputs)
    hand = lab.context().cloud
    live = hand.read(VPC_ROUTER, play.id)
    block = {"Enabled": "True", "Config": {"IPAddress": "192.168.99.1/24", "Peers": []}}
    settings = {"Router": {**live["Settings"]["Router"], "WireGuardServer": block}}
    hand.update(VPC_ROUTER, play.id, {"Settings": settings, "SettingsHash": live["SettingsHash"]})
    play.ctx = lab.context()
    before = lab.clock.now()
    assert play.refresh()
    assert lab.clock.now() - before < 10
    assert play.state["wireGuardPublicKey"] == ""
    assert [c.path for c in play.plan(inputs).changes] == ["wireGuard"]
    play.up(inputs)


@pytest.mark.parametrize("kind", ["eof", "404"])
def test_a_router_survives_a_crash_at_any_write(lab: Lab, kind: Any) -> None:
    ctx = lab.context()
    inputs = router_inputs(switch(ctx).id)
    before = len(lab.calls(writes=True))
    first = Play(VpcRouterHandler(), ctx, "count")
    first.up(inputs)
    writes = len(lab.calls(writes=True)) - before
    first.down()
    assert writes >= 6
    for n in range(writes):
        play = Play(VpcRouterHandler(), lab.context(), f"crash-{n}")
        if n:
            lab.world.faults.add(r"^(POST|PUT|DELETE) ", "slow", times=n, seconds=0.0)
        lab.world.faults.add(r"^(POST|PUT|DELETE) ", kind, after=kind == "eof")
        try:
            play.up(inputs)
        except IncompleteError:
            play.ctx = lab.context()
            play.up(inputs)
        except DaikuError:
            assert (n, kind) == (0, "404")
            play = Play(VpcRouterHandler(), lab.context(), f"crash-{n}")
            play.up(inputs)
        lab.world.faults.clear()
        assert len(play.ctx.cloud.find(VPC_ROUTER)) == 1
        play.down()


def balancer_inputs(switch_id: str, **more: Any) -> dict[str, Any]:
    servers = [{"ipAddress": f"10.10.0.{n}"} for n in (11, 12, 13)]
    return {
        "name": "lb",
        "switchId": switch_id,
        "vrid": 5,
        "ipAddresses": ["10.10.0.3", "10.10.0.4"],
        "networkMaskLen": 24,
        "defaultRoute": "10.10.0.1",
        "vips": [{"virtualIpAddress": "10.10.0.10", "port": 6443, "servers": servers}],
        **more,
    }


def test_a_load_balancer_and_its_real_servers(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(LoadBalancerHandler(), ctx, "lb")
    inputs = balancer_inputs(switch(ctx).id)
    play.up(inputs)
    assert play.imported() == play.state
    web = {
        "virtualIpAddress": "10.10.0.20",
        "port": 443,
        "delayLoop": 20,
        "sorryServer": "10.10.0.30",
        "description": "ingress",
        "servers": [
            {
                "ipAddress": "10.10.0.21",
                "enabled": False,
                "protocol": "https",
                "path": "/healthz",
                "status": 204,
            }
        ],
    }
    assert play.up(inputs | {"vips": [*inputs["vips"], web]}).gravest is Change.LIVE
    assert play.up(inputs | {"name": "lb-2"}).gravest is Change.LIVE
    assert play.plan(inputs | {"vrid": 6}).replaces == ("vrid",)
    before = len(lab.calls(writes=True))
    play.up(inputs | {"name": "lb-2"})
    assert len(lab.calls(writes=True)) == before
    play.down()
    assert ctx.cloud.find(LOAD_BALANCER) == []


@pytest.mark.parametrize("n", range(1, 4))
def test_a_load_balancer_half_made_is_finished(lab: Lab, n: int) -> None:
    """Killed after its n-th write: the state is lost."""
    ctx = lab.context()
    inputs = balancer_inputs(switch(ctx).id)
    lab.world.faults.add(r"^(POST|PUT|DELETE) ", "slow", times=n, seconds=0.0)
    lab.world.faults.add(r"^(POST|PUT|DELETE) ", "eof", after=True)
    with pytest.raises(DaikuError):
        Play(LoadBalancerHandler(), lab.context(), "lb").up(inputs)
    again = Play(LoadBalancerHandler(), lab.context(), "lb")
    again.up(inputs)
    assert len(ctx.cloud.find(LOAD_BALANCER)) == 1


def test_a_killed_creation_that_hides_still_leaves_one_object(lab: Lab) -> None:
    """The first run is killed right after its POST, the second starts while the object cannot be seen yet."""
    ctx = lab.context()
    inputs = balancer_inputs(switch(ctx).id)
    handler = LoadBalancerHandler()
    killed = Play(handler, lab.context(), "lb")
    goal = Goal(killed.check(inputs), killed.ctx.identity(killed.hint.urn), "is1b", {})
    hidden = handler.make(killed.ctx, goal)
    assert ctx.cloud.find(LOAD_BALANCER) == []
    again = Play(handler, lab.context(), "lb")
    again.up(inputs)
    assert [item["ID"] for item in ctx.cloud.find(LOAD_BALANCER)] == [again.id]
    assert again.id != hidden["ID"]


def test_a_router_and_switch_changes_its_bandwidth_and_keeps_its_addresses(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(InternetHandler(), ctx, "net")
    play.up({"name": "net"})
    made, addresses, old = play.id, play.state["ipAddresses"], play.state["resourceId"]
    assert play.imported() == play.state
    assert len(addresses) >= 10
    assert play.up({"name": "net", "bandwidthMbps": 250}).gravest is Change.ID_CHANGE
    assert play.id == made
    assert play.state["resourceId"] != old
    assert play.state["ipAddresses"] == addresses
    assert play.plan({"name": "net", "networkMaskLen": 27}).replaces == ("networkMaskLen",)
    play.down()
    assert ctx.cloud.find(INTERNET) == []


def test_filter_rules_keep_their_order(lab: Lab) -> None:
    ctx = lab.context()
    play = Play(PacketFilterHandler(), ctx, "pf")
    rules = [
        {"protocol": "tcp", "destinationPort": "22", "sourceNetwork": "192.0.2.0/24"},
        {"protocol": "ip", "action": "deny"},
    ]
    play.up({"name": "pf", "rules": rules, "description": "ssh only"})
    assert play.imported() == play.state
    play.up({"name": "pf", "rules": rules[::-1]})
    play.up({"name": "pf"})
    play.down()
    assert ctx.cloud.find(PACKET_FILTER) == []


def local_router_inputs(switch_id: str, **more: Any) -> dict[str, Any]:
    return {
        "name": "aws",
        "switchId": switch_id,
        "virtualIpAddress": "10.10.0.241",
        "ipAddresses": ["10.10.0.242", "10.10.0.243"],
        "networkMaskLen": 24,
        "vrid": 100,
        **more,
    }


def test_a_local_router_and_its_aws_peer_are_two_resources(lab: Lab) -> None:
    ctx = lab.context()
    router = Play(LocalRouterHandler(), ctx, "aws")
    inputs = local_router_inputs(switch(ctx).id)
    router.up(inputs)
    assert router.imported() == router.state
    assert router.state["secretKeys"]
    peer = Play(AwsConnectHandler(), ctx, "peer")
    peer_inputs = {"localRouterId": router.id, "peerId": AWS, "secretKey": "peer-secret", "vlan": 101}
    peer.up(peer_inputs)
    assert peer.state["routes"] == ["10.200.0.0/16"]
    route = {"prefix": "10.77.0.0/16", "nextHop": "10.10.0.9"}
    router.up(inputs | {"staticRoutes": [route], "vrid": 101})
    assert peer.refresh()
    peer.up(peer_inputs | {"description": "tokyo"})
    peer.down()
    assert router.refresh()
    assert router.plan(inputs | {"staticRoutes": [route], "vrid": 101}).changes == ()
    peer.up(peer_inputs)
    router.down()
    assert ctx.cloud.find(LOCAL_ROUTER) == []


def test_a_peer_is_put_in_though_the_router_changes_meanwhile(lab: Lab) -> None:
    ctx = lab.context()
    router = Play(LocalRouterHandler(), ctx, "aws")
    router.up(local_router_inputs(switch(ctx).id))
    lab.world.faults.add(rf"^PUT .*/commonserviceitem/{router.id}$", "409")
    peer = Play(AwsConnectHandler(), ctx, "peer")
    peer.up({"localRouterId": router.id, "peerId": AWS, "secretKey": "peer-secret"})

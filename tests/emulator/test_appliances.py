"""VPC routers and load balancers: the window after create, saved against live, legs, delete."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from daiku.lab.sakura import World
from daiku.lab.topology import Forward, RealServer

from .conftest import Caller
from .test_networks import internet

ROUTER = {
    "Class": "vpcrouter",
    "Name": "egress",
    "Description": "",
    "Tags": [],
    "Icon": {"ID": 0},
    "Plan": {"ID": 1},
    "Remark": {"Switch": {"Scope": "shared"}, "Servers": [{}], "Router": {"VPCRouterVersion": 2}},
    "Settings": {"Router": {"InternetConnection": {"Enabled": "True"}}},
}
FORWARDS = {
    "Enabled": "True",
    "Config": [
        {"Protocol": "tcp", "GlobalPort": "2222", "PrivateAddress": "10.10.0.5", "PrivatePort": "22"},
        {"Protocol": "udp", "GlobalPort": 53, "PrivateAddress": "10.10.0.5", "PrivatePort": 53},
    ],
}


def made(api: Caller, body: dict[str, Any]) -> dict[str, Any]:
    """Create, see it hidden, wait until it is there."""
    answer = api.cloud("POST", "/appliance", {"Appliance": body})
    assert (answer.status, answer.json["Success"]) == (202, "Accepted"), answer.raw
    path = f"/appliance/{answer.json['Appliance']['ID']}"
    assert api.cloud("GET", path).status == 404
    assert api.cloud("PUT", f"{path}/config").status == 404
    api.wait(10)
    assert api.read(path, "Appliance")["Availability"] == "migrating"
    for call in (("PUT", f"{path}/config"), ("PUT", f"{path}/power"), ("DELETE", path)):
        assert api.cloud(*call).json["error_code"] == "still_creating"
    api.wait(50)
    return api.read(path, "Appliance")


def save(api: Caller, row: dict[str, Any], settings: dict[str, Any]) -> dict[str, Any]:
    body = {"Appliance": {"Settings": settings, "SettingsHash": row["SettingsHash"]}}
    return api.do("PUT", f"/appliance/{row['ID']}", body).json["Appliance"]


def test_a_routers_settings_are_saved_first_and_live_after_config(api: Caller, world: World) -> None:
    row = made(api, ROUTER)
    path = f"/appliance/{row['ID']}"
    assert row["Instance"]["Status"] == "down"
    assert row["Interfaces"][0]["IPAddress"] == "127.77.0.10"
    assert row["Interfaces"][1:] == [None] * 7
    switch = api.make("/switch", "Switch", {"Name": "node-net"})["ID"]
    api.do("PUT", f"{path}/interface/1/to/switch/{switch}")
    legs = [None, {"IPAddress": ["10.10.0.1"], "NetworkMaskLen": 20}]
    settings = {"InternetConnection": {"Enabled": "True"}, "Interfaces": legs, "PortForwarding": FORWARDS}
    saved = save(api, row, {"Router": settings})
    assert saved["Settings"]["Router"]["PortForwarding"]["Config"][1]["GlobalPort"] == "53"
    api.do("PUT", f"{path}/power")
    api.wait(15)
    dark = world.topology().routers[0]
    assert (dark.power, dark.nat, dark.forwards, dark.nics[1].addresses) == (True, False, (), ())
    api.do("PUT", f"{path}/config")
    live = world.topology().routers[0]
    assert (live.nat, live.public_address) == (True, "127.77.0.10")
    assert live.forwards == (Forward(2222, "10.10.0.5", 22),)
    assert (live.nics[1].name, live.nics[1].segment, live.nics[1].addresses) == (
        "eth1",
        f"sw-{switch}",
        ("10.10.0.1/20",),
    )
    save(api, saved, {"Router": {"InternetConnection": {"Enabled": "False"}}})
    assert world.topology().routers[0].nat is True
    assert (
        api.cloud(
            "PUT", path, {"Appliance": {"Settings": {"Router": {}}, "SettingsHash": row["SettingsHash"]}}
        ).status
        == 409
    )


def test_a_routers_legs_move_only_while_it_is_down(api: Caller) -> None:
    row = made(api, ROUTER)
    path = f"/appliance/{row['ID']}"
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    for nic in (0, 8):
        assert api.cloud("PUT", f"{path}/interface/{nic}/to/switch/{switch}").status == 404
    api.do("PUT", f"{path}/interface/2/to/switch/{switch}")
    assert api.cloud("PUT", f"{path}/interface/2/to/switch/{switch}").status == 409
    view = api.read(path, "Appliance")["Interfaces"]
    assert [nic is not None for nic in view] == [True, False, True, False, False, False, False, False]
    assert api.cloud("DELETE", f"/switch/{switch}").status == 409
    api.do("PUT", f"{path}/power")
    assert api.cloud("DELETE", f"{path}/interface/2/to/switch").status == 409
    api.wait(15)
    assert api.read(f"{path}/status", "Router")["WireGuard"] is None
    assert api.cloud("DELETE", path).status == 409
    api.do("DELETE", f"{path}/power", {"Force": True})
    api.wait(3)
    assert api.cloud("GET", f"{path}/status").status == 503
    api.do("DELETE", f"{path}/interface/2/to/switch")
    assert api.cloud("DELETE", f"{path}/interface/2/to/switch").status == 409
    api.do("DELETE", path)
    api.do("DELETE", f"/switch/{switch}")


def test_every_settings_block_of_a_router_goes_in_and_comes_back(api: Caller) -> None:
    everything = {
        "InternetConnection": {"Enabled": "True"},
        "Interfaces": [None, {"IPAddress": ["192.168.0.1"], "NetworkMaskLen": 24}],
        "PortForwarding": {"Enabled": "True", "Config": FORWARDS["Config"][:1]},
        "Firewall": {
            "Enabled": "True",
            "Config": [
                {
                    "Receive": [
                        {
                            "Protocol": "tcp",
                            "SourceNetwork": "192.0.2.0/24",
                            "SourcePort": "",
                            "DestinationNetwork": "",
                            "DestinationPort": "22",
                            "Action": "allow",
                            "Logging": "True",
                            "Description": "ssh",
                        }
                    ],
                    "Send": [],
                },
                *[{"Receive": [], "Send": []}] * 7,
            ],
        },
        "DHCPServer": {
            "Enabled": "True",
            "Config": [
                {
                    "Interface": "eth1",
                    "RangeStart": "192.168.0.10",
                    "RangeStop": "192.168.0.20",
                    "DNSServers": ["1.1.1.1"],
                }
            ],
        },
        "DHCPStaticMapping": {
            "Enabled": "True",
            "Config": [{"MACAddress": "aa:bb:cc:aa:bb:cc", "IPAddress": "192.168.0.30"}],
        },
        "DNSForwarding": {"Enabled": "True", "Interface": "eth1", "DNSServers": ["1.1.1.1"]},
        "PPTPServer": {
            "Enabled": "True",
            "Config": {"RangeStart": "192.168.0.40", "RangeStop": "192.168.0.50"},
        },
        "L2TPIPsecServer": {
            "Enabled": "True",
            "Config": {"RangeStart": "192.168.0.60", "RangeStop": "192.168.0.70", "PreSharedSecret": "psk"},
        },
        "WireGuardServer": {
            "Enabled": "True",
            "Config": {
                "IPAddress": "192.168.9.1/24",
                "Peers": [{"Name": "p", "IPAddress": "192.168.9.11", "PublicKey": "A" * 43 + "="}],
            },
        },
        "RemoteAccessUsers": {"Enabled": "True", "Config": [{"UserName": "u", "Password": "p"}]},
        "SiteToSiteIPsecVPN": {
            "Enabled": "True",
            "Config": [
                {
                    "Peer": "203.0.113.9",
                    "PreSharedSecret": "s",
                    "RemoteID": "r",
                    "Routes": ["10.0.0.0/8"],
                    "LocalPrefix": ["192.168.0.0/24"],
                }
            ],
            "IKE": {"Lifetime": 28800, "DPD": {"Interval": 15, "Timeout": 30}},
            "ESP": {"Lifetime": 1800},
            "EncryptionAlgo": "aes256",
            "HashAlgo": "sha256",
            "DHGroup": "modp2048",
        },
        "StaticRoutes": {
            "Enabled": "True",
            "Config": [{"Prefix": "172.16.0.0/16", "NextHop": "192.168.0.2"}],
        },
        "SyslogHost": "192.168.0.3",
        "ScheduledMaintenance": {"DayOfWeek": 0, "Hour": 3},
    }
    row = made(api, ROUTER)
    saved = save(api, row, {"Router": everything})
    assert saved["Settings"]["Router"] == everything
    path = f"/appliance/{row['ID']}"
    api.do("PUT", f"{path}/config")
    api.do("PUT", f"{path}/power")
    api.wait(15)
    assert len(api.read(f"{path}/status", "Router")["WireGuard"]["PublicKey"]) == 44
    for block, bad in (
        (
            "StaticNAT",
            {"Enabled": "True", "Config": [{"GlobalAddress": "1.2.3.4", "PrivateAddress": "10.0.0.1"}]},
        ),
        ("PortForwarding", {"Enabled": "True", "Config": FORWARDS["Config"][:1] * 2}),
        ("PortForwarding", {"Enabled": "True", "Config": [FORWARDS["Config"][0] | {"GlobalPort": "0"}]}),
        ("PortForwarding", {"Enabled": "maybe"}),
        (
            "DHCPServer",
            {"Config": [{"Interface": "eth0", "RangeStart": "10.0.0.1", "RangeStop": "10.0.0.2"}]},
        ),
        ("Interfaces", [None] * 9),
        ("VRID", 256),
    ):
        answer = api.cloud("PUT", path, {"Appliance": {"Settings": {"Router": {block: bad}}}})
        assert answer.status == 400, block
    assert api.read(path, "Appliance")["Settings"]["Router"] == everything


def premium(switch: int, *real: str, virtual: str = "127.77.1.4") -> dict[str, Any]:
    body = copy.deepcopy(ROUTER)
    body["Plan"] = {"ID": 2}
    body["Remark"]["Switch"] = {"ID": switch}
    body["Remark"]["Servers"] = [{"IPAddress": address} for address in real]
    public = {"IPAddress": list(real), "VirtualIPAddress": virtual, "IPAliases": [], "NetworkMaskLen": 28}
    body["Settings"]["Router"] |= {"Interfaces": [public], "VRID": 10}
    return body


def test_a_premium_router_hangs_off_a_router_switch(api: Caller, world: World) -> None:
    switch = internet(api)["Switch"]["ID"]
    plain = api.make("/switch", "Switch", {"Name": "plain"})["ID"]
    good = premium(switch, "127.77.1.5", "127.77.1.6")
    for bad in (
        premium(plain, "127.77.1.5", "127.77.1.6"),
        premium(switch, "127.77.1.5"),
        premium(switch, "127.77.1.5", "127.77.1.5"),
        premium(switch, "127.77.1.5", "127.77.1.1"),
        premium(switch, "127.77.1.5", "127.77.1.6", virtual=""),
        good | {"Plan": {"ID": 1}},
        good | {"Plan": {"ID": 9}},
    ):
        assert api.cloud("POST", "/appliance", {"Appliance": bad}).status == 400
    row = made(api, good)
    assert world.topology().routers[0].public_address == "127.77.1.4"
    moved = copy.deepcopy(good["Settings"])
    moved["Router"]["Interfaces"][0]["VirtualIPAddress"] = "127.77.1.7"
    assert api.cloud("PUT", f"/appliance/{row['ID']}", {"Appliance": {"Settings": moved}}).status == 400
    assert (
        api.cloud("DELETE", f"/internet/{api.cloud('GET', '/internet').json['Internet'][0]['ID']}").status
        == 409
    )


def balancer(switch: int, **remark: Any) -> dict[str, Any]:
    return {
        "Class": "loadbalancer",
        "Name": "api",
        "Plan": {"ID": 1},
        "Remark": {
            "Switch": {"ID": switch},
            "VRRP": {"VRID": 1},
            "Network": {"DefaultRoute": "10.10.0.1", "NetworkMaskLen": 20},
            "Servers": [{"IPAddress": "10.10.0.2"}, {"IPAddress": "10.10.0.3"}],
            "Plan": {"ID": 1},
        }
        | remark,
        "Settings": {
            "LoadBalancer": [
                {
                    "VirtualIPAddress": "10.10.0.100",
                    "Port": "6443",
                    "DelayLoop": "10",
                    "Servers": [
                        {
                            "IPAddress": "10.10.0.11",
                            "Port": "6443",
                            "Enabled": "True",
                            "HealthCheck": {"Protocol": "https", "Path": "/healthz", "Status": "200"},
                        }
                    ],
                }
            ]
        },
    }


def test_a_load_balancer_boots_itself_and_changes_at_config(api: Caller, world: World) -> None:
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    row = made(api, balancer(switch))
    path = f"/appliance/{row['ID']}"
    api.wait(15)
    assert api.read(path, "Appliance")["Instance"]["Status"] == "up"
    live = world.topology().balancers[0]
    assert live.nic.addresses == ("10.10.0.2/20", "10.10.0.3/20")
    assert live.vips[0].servers == (RealServer("10.10.0.11", 6443, True, "https", "/healthz", 200),)
    settings = copy.deepcopy(balancer(switch)["Settings"])
    settings["LoadBalancer"][0]["Port"] = 443
    save(api, row, settings)
    assert world.topology().balancers[0].vips[0].port == 6443
    api.do("PUT", f"{path}/config")
    assert world.topology().balancers[0].vips[0].port == 443
    state = api.cloud("GET", f"{path}/status").json["LoadBalancer"][0]
    assert (state["VirtualIPAddress"], state["Port"], state["Servers"][0]["Status"]) == (
        "10.10.0.100",
        "443",
        "down",
    )
    world.probe = lambda address, port: (address, port) == ("10.10.0.11", 6443)
    assert api.cloud("GET", f"{path}/status").json["LoadBalancer"][0]["Servers"][0]["Status"] == "up"


@pytest.mark.parametrize(
    "change",
    [
        {"Servers": []},
        {"Servers": [{"IPAddress": "10.10.0.2"}] * 3},
        {"Servers": [{"IPAddress": "10.10.0.2"}, {"IPAddress": "10.99.0.2"}]},
        {"Servers": [{"IPAddress": "10.10.0.1"}]},
        {"VRRP": {"VRID": 0}},
        {"Network": {"DefaultRoute": "10.10.0.1", "NetworkMaskLen": 30}},
        {"Plan": {"ID": 2}},
        {"Switch": None},
    ],
)
def test_a_load_balancers_network_is_checked(api: Caller, change: dict[str, Any]) -> None:
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    assert api.cloud("POST", "/appliance", {"Appliance": balancer(switch, **change)}).status == 400


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("VirtualIPAddress", ""),
        ("VirtualIPAddress", "10.10.0.2"),
        ("Port", "0"),
        ("Port", "x"),
        ("DelayLoop", "5"),
        ("Servers", [{"IPAddress": "10.10.0.11", "Port": "6443", "HealthCheck": {"Protocol": "http"}}]),
        ("Servers", [{"IPAddress": "10.10.0.11", "Port": "6443"}] * 2),
    ],
)
def test_virtual_addresses_are_checked(api: Caller, key: str, value: Any) -> None:
    body = balancer(api.make("/switch", "Switch", {"Name": "sw"})["ID"])
    body["Settings"]["LoadBalancer"][0][key] = value
    assert api.cloud("POST", "/appliance", {"Appliance": body}).status == 400
    twice = balancer(body["Remark"]["Switch"]["ID"])
    twice["Settings"]["LoadBalancer"] *= 2
    assert api.cloud("POST", "/appliance", {"Appliance": twice}).status == 400

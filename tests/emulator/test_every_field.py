"""What is sent comes back: each resource with every field that a user can set, created, changed, read and listed."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.lab.sakura import World

from .conftest import GPU1, NETWORK, PROD, SUBNET, Caller
from .phy_calls import assign
from .phy_calls import server as phy_server
from .test_appliances import ROUTER, balancer
from .test_networks import KEY
from .test_servers import archive, disk, server

ICON = 112901627749
WORDS = {"Description": "what it is for", "Tags": ["a", "b"], "Icon": {"ID": ICON}}
OTHER = {"Description": "what else it is for", "Tags": ["c"], "Icon": {"ID": 0}}


def check(view: dict[str, Any], given: dict[str, Any]) -> None:
    """The view shows what was given; an icon of 0 means none."""
    for key, value in given.items():
        assert view[key] == (None if value == {"ID": 0} else value), key


def bare(given: dict[str, Any], *without: str) -> dict[str, Any]:
    return {key: value for key, value in given.items() if key not in without}


@pytest.mark.parametrize(
    ("path", "key", "listed", "create", "without"),
    [
        (
            "/switch",
            "Switch",
            "Switches",
            {"UserSubnet": {"DefaultRoute": "10.0.0.1", "NetworkMaskLen": 20}},
            (),
        ),
        (
            "/note",
            "Note",
            "Notes",
            {"Class": "yaml_cloud_config", "Content": "#cloud-config"},
            ("Description",),
        ),
        ("/sshkey", "SSHKey", "SSHKeys", {"PublicKey": KEY}, ("Tags", "Icon")),
        ("/bridge", "Bridge", "Bridges", {}, ("Tags", "Icon")),
        ("/packetfilter", "PacketFilter", "PacketFilters", {}, ("Tags", "Icon")),
        ("/internet", "Internet", "Internet", {"BandWidthMbps": 100, "NetworkMaskLen": 28}, ()),
        (
            "/disk",
            "Disk",
            "Disks",
            {"SizeMB": 40960, "Connection": "ide", "EncryptionAlgorithm": "aes256_xts"},
            (),
        ),
        ("/archive", "Archive", "Archives", {"SizeMB": 20480}, ()),
        ("/cdrom", "CDROM", "CDROMs", {"SizeMB": 5120}, ()),
        ("/privatehost", "PrivateHost", "PrivateHosts", {}, ()),
        ("/server", "Server", "Servers", {"InterfaceDriver": "e1000"}, ()),
        ("/appliance", "Appliance", "Appliances", {"Class": "vpcrouter"}, ()),
        ("/commonserviceitem", "CommonServiceItem", "CommonServiceItems", {}, ()),
    ],
)
def test_a_thing_is_made_changed_read_and_listed(
    api: Caller, path: str, key: str, listed: str, create: dict[str, Any], without: tuple[str, ...]
) -> None:
    wanted = {"Name": "first"} | bare(WORDS, *without) | create
    more: dict[str, Any] = {
        "/disk": {"Plan": {"ID": 2}},
        "/privatehost": {"Plan": {"ID": 112900526366}},
        "/server": {"ServerPlan": {"CPU": 1, "MemoryMB": 1024}},
        "/appliance": bare(ROUTER, "Name", "Description", "Tags", "Icon", "Class"),
        "/commonserviceitem": {"Provider": {"Class": "localrouter"}},
    }
    made = api.make(path, key, wanted | more.get(path, {}))
    check(made, wanted)
    api.wait(30)
    change = {"Name": "second"} | bare(OTHER, *without)
    changed = api.do("PUT", f"{path}/{made['ID']}", {key: change}).json[key]
    check(changed, wanted | change)
    check(api.read(f"{path}/{made['ID']}", key), wanted | change)
    everything = api.do("GET", path).json
    mine = next(view for view in everything[listed] if view["ID"] == made["ID"])
    check(mine, wanted | change)


def test_a_server_of_a_chosen_plan(api: Caller) -> None:
    plan = {
        "CPU": 2,
        "MemoryMB": 4096,
        "CPUModel": "uncategorized",
        "Commitment": "dedicatedcpu",
        "Generation": 100,
    }
    wish = {"ServerPlan": plan | {"ConfidentialVM": False}, "WaitDiskMigration": False}
    made = server(api, **wish)
    check(made["ServerPlan"], plan | {"ConfidentialVM": False, "GPU": 0})
    gpu = {"CPU": 4, "MemoryMB": 56 * 1024, "GPU": 1, "GPUModel": "nvidia_v100_32gbvram"}
    more = {"CPUModel": "uncategorized", "Generation": 200, "Commitment": "standard"}
    moved = api.do("PUT", f"/server/{made['ID']}/plan", gpu | more).json["Server"]
    check(moved["ServerPlan"], gpu | more)


def test_a_server_shows_its_nics_with_subnet_and_filter(api: Caller) -> None:
    subnet = {"DefaultRoute": "10.0.0.1", "NetworkMaskLen": 20}
    switch = api.make("/switch", "Switch", {"Name": "n", "UserSubnet": subnet})["ID"]
    row = server(api, {"ID": switch})
    rule = {
        "Protocol": "tcp",
        "SourceNetwork": "192.0.2.0/24",
        "SourcePort": "1024-65535",
        "DestinationPort": "22",
        "Action": "allow",
        "Description": "ssh",
    }
    given = {"Name": "f", "Description": "d", "Expression": [rule]}
    made = api.make("/packetfilter", "PacketFilter", given)
    check(api.read(f"/packetfilter/{made['ID']}", "PacketFilter"), given)
    nic = row["Interfaces"][0]["ID"]
    api.do("PUT", f"/interface/{nic}/to/packetfilter/{made['ID']}")
    shown = api.read(f"/server/{row['ID']}", "Server")["Interfaces"][0]
    assert shown["Switch"]["UserSubnet"] == subnet
    assert shown["PacketFilter"] == {"ID": made["ID"], "Name": "f"}
    assert [view["ID"] for view in api.do("GET", "/interface").json["Interfaces"]] == [nic]
    api.do("DELETE", f"/interface/{nic}/to/switch")
    api.do("DELETE", f"/interface/{nic}")
    assert api.cloud("GET", f"/interface/{nic}").status == 404


def test_a_disk_with_every_edit(api: Caller, world: World) -> None:
    key = api.make("/sshkey", "SSHKey", {"Name": "k", "PublicKey": KEY})["ID"]
    note = api.make("/note", "Note", {"Name": "n", "Class": "shell", "Content": "x"})["ID"]
    edit = {
        "Password": "correct1horse",
        "SSHKey": {"ID": key},
        "SSHKeys": [{"ID": key}, {"PublicKey": KEY}],
        "DisablePWAuth": True,
        "EnableDHCP": True,
        "ChangePartitionUUID": True,
        "HostName": "cp-1",
        "Notes": [{"ID": note, "Variables": {"role": "cp"}, "APIKey": {"ID": 112900000001}}],
        "UserIPAddress": "10.0.0.11",
        "UserSubnet": {"DefaultRoute": "10.0.0.1", "NetworkMaskLen": 24},
        "Background": False,
    }
    first = disk(api)["ID"]
    outer = {
        "Config": edit,
        "BootAtAvailable": False,
        "DistantFrom": [first],
        "KMSKey": {"ID": 112900000002},
        "TargetDedicatedStorageContract": {"ID": 112900000003},
    }
    made = disk(api, {"SourceArchive": {"ID": archive(api)}}, **outer)["ID"]
    other_key = {"HostName": "cp-2", "SSHKey": {"PublicKey": KEY}}
    api.wait(600)
    copy = disk(api, {"SourceDisk": {"ID": made}}, Config=other_key)
    assert copy["SourceDisk"]["ID"] == made
    vm = server(api)["ID"]
    api.do("PUT", f"/disk/{made}/to/server/{vm}")
    api.do("PUT", f"/disk/{made}/config", other_key)
    api.do("PUT", f"/disk/{made}/config", edit | {"HostName": "cp-3", "Background": True})
    machine = next(m for m in world.topology().machines if m.id == str(vm))
    assert (machine.hostname, machine.authorized_keys) == ("cp-3", (KEY,))


def test_a_router_and_its_switch_show_all_of_their_network(api: Caller) -> None:
    made = api.make("/internet", "Internet", {"Name": "i", "BandWidthMbps": 100, "NetworkMaskLen": 28})
    api.wait(10)
    net = api.do("POST", f"/internet/{made['ID']}/ipv6net").json["IPv6Net"]
    low = made["Switch"]["Subnets"][0]["IPAddresses"]["Min"]
    api.do("POST", f"/internet/{made['ID']}/subnet", {"NetworkMaskLen": 28, "NextHop": low})
    switch = api.read(f"/internet/{made['ID']}", "Internet")["Switch"]
    assert [shown["IPv6Prefix"] for shown in switch["IPv6Nets"]] == [net["IPv6Prefix"]]
    assert [subnet["NextHop"] for subnet in switch["Subnets"]] == [None, low]


def test_a_switch_names_its_bridge(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "n"})["ID"]
    bridge = api.make("/bridge", "Bridge", {"Name": "b"})["ID"]
    api.do("PUT", f"/switch/{switch}/to/bridge/{bridge}")
    assert api.read(f"/switch/{switch}", "Switch")["Bridge"] == {"ID": bridge, "Name": "b"}


def test_a_load_balancer_with_every_field_of_a_real_server(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "n"})["ID"]
    check_ = {"Protocol": "http", "Path": "/healthz", "Status": "200", "Retry": "2", "ConnectTimeout": "6"}
    real = {"IPAddress": "10.0.0.21", "Port": "80", "Enabled": "True", "HealthCheck": check_}
    vip = {"VirtualIPAddress": "10.0.0.50", "Port": "80", "DelayLoop": "20", "SorryServer": "10.0.0.60"}
    wanted = [vip | {"Description": "front", "Servers": [real]}]
    row = api.make("/appliance", "Appliance", balancer(switch))["ID"]
    api.wait(90)
    body = {"Appliance": {"Settings": {"LoadBalancer": wanted}}}
    assert api.do("PUT", f"/appliance/{row}", body).json["Appliance"]["Settings"] == {"LoadBalancer": wanted}
    api.do("PUT", f"/appliance/{row}/config")
    api.do("PUT", f"/appliance/{row}/reset")
    for page in ("cpu/monitor", "interface/monitor"):
        data = api.do("GET", f"/appliance/{row}/{page}").json["Data"]
        assert {value for point in data.values() for value in point.values()} == {0}
    assert api.cloud("GET", f"/appliance/{row}/download/log/VPNLogs").status == 404


def premium(api: Caller) -> tuple[int, int, list[str]]:
    """A premium router with one leg: its id, the leg's switch and its public addresses."""
    net = api.make("/internet", "Internet", {"Name": "i", "BandWidthMbps": 100, "NetworkMaskLen": 28})
    api.wait(10)
    subnet = api.do("GET", "/subnet").json["Subnets"][0]
    public = [view["IPAddress"] for view in subnet["IPAddresses"]][:4]
    front = {
        "VirtualIPAddress": public[0],
        "IPAddress": public[1:3],
        "IPAliases": [public[3]],
        "NetworkMaskLen": 28,
    }
    body = ROUTER | {
        "Plan": {"ID": 2},
        "Remark": {
            "Switch": {"ID": net["Switch"]["ID"]},
            "Servers": [{"IPAddress": address} for address in public[1:3]],
            "Router": {"VPCRouterVersion": 2},
        },
        "Settings": {"Router": {"VRID": 10, "Interfaces": [front]}},
    }
    row = api.make("/appliance", "Appliance", body)["ID"]
    switch = api.make("/switch", "Switch", {"Name": "inside"})["ID"]
    api.wait(90)
    api.do("PUT", f"/appliance/{row}/interface/1/to/switch/{switch}")
    inside = {"VirtualIPAddress": "10.0.0.1", "IPAddress": ["10.0.0.2", "10.0.0.3"], "NetworkMaskLen": 24}
    nat = {"GlobalAddress": public[3], "PrivateAddress": "10.0.0.11", "Description": "to cp-1"}
    forward = {
        "Protocol": "tcp",
        "GlobalPort": "2222",
        "PrivateAddress": "10.0.0.11",
        "PrivatePort": "22",
        "Description": "ssh",
    }
    send = [
        {
            "Protocol": "udp",
            "SourceNetwork": "10.0.0.0/24",
            "SourcePort": "1024-65535",
            "DestinationNetwork": "192.0.2.53",
            "DestinationPort": "53",
            "Action": "allow",
            "Logging": "True",
            "Description": "names",
        }
    ]
    router = {
        "VRID": 10,
        "Interfaces": [front, inside],
        "StaticNAT": {"Enabled": "True", "Config": [nat]},
        "PortForwarding": {"Enabled": "True", "Config": [forward]},
        "Firewall": {"Enabled": "True", "Config": [{"Receive": [], "Send": send}]},
    }
    saved = api.do("PUT", f"/appliance/{row}", {"Appliance": {"Settings": {"Router": router}}}).json[
        "Appliance"
    ]
    assert saved["Settings"]["Router"]["StaticNAT"]["Config"] == [nat]
    assert saved["Settings"]["Router"]["PortForwarding"]["Config"] == [forward]
    assert saved["Settings"]["Router"]["Firewall"]["Config"][0]["Send"] == send
    api.do("PUT", f"/appliance/{row}/config")
    return row, switch, public


def test_a_router_pings_what_runs_on_its_legs(api: Caller) -> None:
    row, switch, public = premium(api)
    path = f"/appliance/{row}"
    assert api.cloud("POST", f"{path}/vpcrouter/ping/10.0.0.11").status == 503
    api.do("PUT", f"{path}/power")
    vm = server(api, {"ID": switch})["ID"]
    nic = api.read(f"/server/{vm}", "Server")["Interfaces"][0]["ID"]
    api.do("PUT", f"/interface/{nic}", {"Interface": {"UserIPAddress": "10.0.0.11"}})
    api.do("PUT", f"/server/{vm}/power")
    api.wait(15)

    def answers(address: str) -> bool:
        lines = api.do("POST", f"{path}/vpcrouter/ping/{address}").json["VPCRouter"]["Result"]
        return "3 received" in lines[-1]

    assert answers("10.0.0.11")
    assert answers("10.0.0.1")
    assert answers(public[0])
    assert not answers("10.0.0.12")
    assert api.cloud("POST", f"{path}/vpcrouter/ping/999.1.1.1").status == 400
    assert api.do("GET", f"{path}/download/log/VPNLogs").json["VPCRouter"] == {"Log": ""}
    for page in ("cpu", "interface", "interface/1"):
        assert api.do("GET", f"{path}/{page}/monitor").json["Data"]
    assert api.cloud("GET", f"{path}/interface/5/monitor").status == 404
    assert api.read(path, "Appliance")["Icon"] is None


def test_a_local_router_is_read_by_its_id(api: Caller) -> None:
    given = {"Name": "l", "Provider": {"Class": "localrouter"}} | WORDS
    made = api.make("/commonserviceitem", "CommonServiceItem", given)
    assert api.read(f"/commonserviceitem/{made['ID']}", "CommonServiceItem") == made


PAGE = "limit=5&offset=0&tag=prod&free_word=prod"


@pytest.mark.parametrize(
    ("kind", "key", "service"),
    [("servers", "server", GPU1), ("private_networks", "private_network", NETWORK),
     ("dedicated_subnets", "dedicated_subnet", SUBNET), ("services", "service", GPU1)],
)  # fmt: skip
def test_tags_of_what_was_ordered_are_shown_and_searched(
    api: Caller, kind: str, key: str, service: str
) -> None:
    found = api.phy("GET", f"/{kind}/", query=PAGE).json
    assert found["meta"]["count"] == {"services": 3}.get(kind, 1)
    one = api.phy(
        "GET", f"/{kind}/{service}/", query="refresh=true" if kind == "dedicated_subnets" else ""
    ).json[key]
    assert (one if kind == "services" else one["service"])["tags"] == [PROD]
    assert api.phy("GET", f"/{kind}/", query="tag=test").json["meta"]["count"] == 0


def test_a_hybrid_connection_is_seen_from_the_list_too(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "n", "Tags": [f"hybrid={NETWORK}"]})["ID"]
    found = api.phy("GET", "/private_networks/", query="tag=prod").json["private_networks"][0]
    assert found["hybrid"]["destinations"][0]["destination_side_id"] == str(switch)


def test_a_port_names_what_it_carries(api: Caller) -> None:
    first, second = (port["port_id"] for port in phy_server(api)["ports"])
    subnet = {"internet_type": "dedicated_subnet", "dedicated_subnet_id": SUBNET}
    both = subnet | {"mode": "trunk", "private_network_ids": [NETWORK]}
    answer = assign(api, 0, second, **both).json["port"]
    assert answer["internet"]["dedicated_subnet"] == {"dedicated_subnet_id": SUBNET, "nickname": "global-01"}
    assert answer["private_networks"] == [{"private_network_id": NETWORK, "nickname": "node-net"}]
    path = f"/servers/{GPU1}/ports/{second}/"
    assert api.phy("GET", path).json["port"] == answer
    assert api.phy("POST", f"{path}enable/", {"enable": True}).json["port"] == answer
    renamed = api.phy("PATCH", path, {"nickname": "uplink"}).json["port"]
    assert renamed == answer | {"nickname": "uplink"}
    assert api.phy("GET", f"/servers/{GPU1}/").json["server"]["ports"][1] == renamed
    assert api.phy("GET", "/servers/", query=f"internet={SUBNET}").json["servers"][0]["ports"][1] == renamed
    span = "since=2026-11-01T00:00:00%2B09:00&until=2026-11-01T00:00:00%2B09:00&step=300"
    graph = api.phy("GET", f"{path.replace(str(second), str(first))}traffic_graph/", query=span)
    assert len(graph.json["traffic_graph"]["transmit"]) == 1

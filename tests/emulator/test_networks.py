"""Switches, bridges, packet filters, notes, keys, router+switch: what they refuse and what changes under the caller."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.lab.sakura import World

from .conftest import NETWORK, OTHER_NETWORK, Caller

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICH8nlozujNPhuaMeMSyUf+wm+YmKWqN7wZk2YDaalSf me"
PLAN = {"CPU": 1, "MemoryMB": 1024}


def test_a_switch_is_created_read_updated_and_deleted(api: Caller) -> None:
    body = {
        "Name": "sw",
        "Description": "d",
        "Tags": ["a", "a", "b"],
        "UserSubnet": {"DefaultRoute": "10.0.0.1", "NetworkMaskLen": 20},
    }
    made = api.make("/switch", "Switch", body)
    assert made["Tags"] == ["a", "b"]
    assert made["Scope"] == "user"
    api.wait(5)
    changed = api.do("PUT", f"/switch/{made['ID']}", {"Switch": {"Name": "sw2", "UserSubnet": None}}).json[
        "Switch"
    ]
    assert (changed["Name"], changed["Description"], changed["UserSubnet"]) == ("sw2", "d", None)
    assert changed["ModifiedAt"] > changed["CreatedAt"]
    assert api.do("DELETE", f"/switch/{made['ID']}").json["Switch"]["Name"] == "sw2"
    assert api.cloud("GET", f"/switch/{made['ID']}").status == 404


def test_a_switch_belongs_to_its_zone_and_a_note_to_all(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "sw"}, zone="tk1v")
    assert api.cloud("GET", f"/switch/{switch['ID']}", zone="is1a").status == 404
    assert api.cloud("GET", f"/switch/{switch['ID']}", zone="tk1v").status == 200
    note = api.make("/note", "Note", {"Name": "n", "Class": "shell", "Content": "#!/bin/sh\n"})
    assert api.cloud("GET", f"/note/{note['ID']}", zone="tk1b").status == 200


def test_a_used_switch_is_not_deleted(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    server = api.make(
        "/server", "Server", {"Name": "s", "ServerPlan": PLAN, "ConnectedSwitches": [{"ID": switch}]}
    )
    assert api.cloud("DELETE", f"/switch/{switch}").status == 409
    listed = api.cloud("GET", f"/switch/{switch}/server").json
    assert [row["ID"] for row in listed["Servers"]] == [server["ID"]]
    assert api.read(f"/switch/{switch}", "Switch")["ServerCount"] == 1
    api.do("DELETE", f"/server/{server['ID']}")
    api.do("DELETE", f"/switch/{switch}")


def test_a_hybrid_connection_shows_on_the_switch_and_refuses_a_second(api: Caller, world: World) -> None:
    tagged = api.make("/switch", "Switch", {"Name": "sw", "Tags": [f"hybrid={NETWORK}"]})
    services = tagged["HybridConnection"]["Services"]
    assert {s["ServiceCode"] for s in services if not s["IsMyself"]} == {NETWORK}
    second = api.make("/switch", "Switch", {"Name": f"hybrid={NETWORK}"})
    assert second["HybridConnection"] is None
    with pytest.raises(ValueError, match="joined"):
        world.join_hybrid(second["ID"], NETWORK)
    world.join_hybrid(second["ID"], OTHER_NETWORK)
    assert api.read(f"/switch/{second['ID']}", "Switch")["HybridConnection"] is not None
    with pytest.raises(LookupError):
        world.join_hybrid(1, NETWORK)
    api.do("DELETE", f"/switch/{tagged['ID']}")
    freed = api.do(
        "PUT",
        f"/switch/{api.make('/switch', 'Switch', {'Name': 'n'})['ID']}",
        {"Switch": {"Tags": [f"hybrid={NETWORK}"]}},
    )
    assert freed.json["Switch"]["HybridConnection"] is not None


def test_a_bridge_joins_one_switch_a_zone(api: Caller) -> None:
    bridge = api.make("/bridge", "Bridge", {"Name": "b", "Description": ""})["ID"]
    one = api.make("/switch", "Switch", {"Name": "one"})["ID"]
    two = api.make("/switch", "Switch", {"Name": "two"})["ID"]
    far = api.make("/switch", "Switch", {"Name": "far"}, zone="is1b")["ID"]
    tokyo = api.make("/switch", "Switch", {"Name": "tokyo"}, zone="tk1a")["ID"]
    api.do("PUT", f"/switch/{one}/to/bridge/{bridge}")
    assert api.cloud("PUT", f"/switch/{one}/to/bridge/{bridge}").status == 409
    assert api.cloud("PUT", f"/switch/{two}/to/bridge/{bridge}").status == 409
    assert api.cloud("PUT", f"/switch/{far}/to/bridge/{bridge}", zone="is1b").status == 200
    assert api.cloud("PUT", f"/switch/{tokyo}/to/bridge/{bridge}", zone="tk1a").status == 400
    view = api.read(f"/bridge/{bridge}", "Bridge")
    assert [s["Name"] for s in view["Info"]["Switches"]] == ["one", "far"]
    assert view["SwitchInZone"]["ID"] == one
    assert api.cloud("DELETE", f"/bridge/{bridge}").status == 409
    assert api.cloud("DELETE", f"/switch/{one}").status == 409
    api.do("DELETE", f"/switch/{one}/to/bridge")
    assert api.cloud("DELETE", f"/switch/{one}/to/bridge").status == 409
    assert api.cloud("DELETE", f"/switch/{far}/to/bridge", zone="is1b").status == 200
    api.do("PUT", f"/bridge/{bridge}", {"Bridge": {"Name": "b2"}})
    api.do("DELETE", f"/bridge/{bridge}")


def test_packet_filter_rules_are_guarded_by_their_hash(api: Caller) -> None:
    rules = [
        {"Protocol": "tcp", "SourceNetwork": "0.0.0.0/0", "DestinationPort": "22", "Action": "allow"},
        {"Protocol": "ip", "Action": "deny"},
    ]
    made = api.make("/packetfilter", "PacketFilter", {"Name": "pf", "Expression": rules})
    path = f"/packetfilter/{made['ID']}"
    stale = made["ExpressionHash"]
    body = {"PacketFilter": {"Name": "pf", "Expression": rules[:1]}, "OriginalExpressionHash": stale}
    changed = api.do("PUT", path, body).json["PacketFilter"]
    assert changed["ExpressionHash"] != stale
    assert len(changed["Expression"]) == 1
    assert api.cloud("PUT", path, body).status == 409
    for bad in (
        [{"Protocol": "gre", "Action": "allow"}],
        [{"Protocol": "tcp", "Action": "allow", "DestinationPort": "70000"}],
        [{"Protocol": "tcp", "Action": "allow", "DestinationPort": "9-1"}],
        rules[1:] * 31,
    ):
        assert api.cloud("PUT", path, {"PacketFilter": {"Expression": bad}}).status == 400
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    server = api.make(
        "/server", "Server", {"Name": "s", "ServerPlan": PLAN, "ConnectedSwitches": [{"ID": switch}]}
    )
    nic = server["Interfaces"][0]["ID"]
    api.do("PUT", f"/interface/{nic}/to/packetfilter/{made['ID']}")
    assert api.read(f"/interface/{nic}", "Interface")["PacketFilter"]["ID"] == made["ID"]
    assert api.cloud("DELETE", path).status == 409
    api.do("DELETE", f"/interface/{nic}/to/packetfilter")
    api.do("DELETE", path)


def test_a_notes_description_comes_from_its_content(api: Caller) -> None:
    content = "#!/bin/sh\n# @sacloud-desc first line\n# @sacloud-desc second\n"
    note = api.make("/note", "Note", {"Name": "n", "Class": "shell", "Content": content, "Tags": []})
    assert note["Description"] == "first line\nsecond"
    changed = api.do(
        "PUT", f"/note/{note['ID']}", {"Note": {"Content": "#cloud-config\n", "Class": "yaml_cloud_config"}}
    )
    assert changed.json["Note"]["Class"] == "yaml_cloud_config"
    assert api.cloud("PUT", f"/note/{note['ID']}", {"Note": {"Class": "perl"}}).status == 400
    api.do("DELETE", f"/note/{note['ID']}")


@pytest.mark.parametrize(
    "key",
    ["", "hello", "ssh-rsa", "ssh-rsa !!!!", "ssh-rsa AAAA", f"{KEY}\n{KEY}", "ssh-dss " + KEY.split()[1]],
)
def test_only_ssh_keys_are_keys(api: Caller, key: str) -> None:
    assert api.cloud("POST", "/sshkey", {"SSHKey": {"Name": "k", "PublicKey": key}}).status == 400


def test_a_key_has_a_fingerprint_and_never_changes(api: Caller) -> None:
    key = api.make("/sshkey", "SSHKey", {"Name": "k", "Description": "", "PublicKey": KEY})
    assert key["Fingerprint"].count(":") == 15
    path = f"/sshkey/{key['ID']}"
    assert api.do("PUT", path, {"SSHKey": {"Name": "k2", "Description": "x"}}).json["SSHKey"]["Name"] == "k2"
    assert api.cloud("PUT", path, {"SSHKey": {"PublicKey": KEY.replace("ICH8", "ICH9")}}).status == 400
    api.do("DELETE", path)


def internet(api: Caller, **given: Any) -> dict[str, Any]:
    made = api.make(
        "/internet", "Internet", {"Name": "router", "BandWidthMbps": 100, "NetworkMaskLen": 28} | given
    )
    assert api.cloud("GET", f"/internet/{made['ID']}").status == 404
    api.wait(10)
    return api.read(f"/internet/{made['ID']}", "Internet")


def test_a_router_hides_after_create_and_brings_a_switch_with_its_block(api: Caller) -> None:
    first, second = internet(api), internet(api, Name="other")
    subnet = first["Switch"]["Subnets"][0]
    assert (subnet["NetworkAddress"], subnet["NetworkMaskLen"], subnet["DefaultRoute"]) == (
        "127.77.1.0",
        28,
        "127.77.1.1",
    )
    assert subnet["IPAddresses"] == {"Min": "127.77.1.4", "Max": "127.77.1.14"}
    assert second["Switch"]["Subnets"][0]["NetworkAddress"] == "127.77.1.16"
    switch = api.read(f"/switch/{first['Switch']['ID']}", "Switch")
    assert switch["Internet"]["BandWidthMbps"] == 100
    assert api.cloud("DELETE", f"/switch/{switch['ID']}").status == 409


def test_a_bandwidth_change_gives_the_router_a_new_id_and_keeps_its_switch(api: Caller) -> None:
    old = internet(api)
    answer = api.do("PUT", f"/internet/{old['ID']}/bandwidth", {"Internet": {"BandWidthMbps": 500}})
    new = answer.json["Internet"]
    assert new["ID"] != old["ID"]
    assert (new["BandWidthMbps"], new["Switch"]["ID"]) == (500, old["Switch"]["ID"])
    assert api.cloud("GET", f"/internet/{old['ID']}").status == 404
    assert api.read(f"/switch/{new['Switch']['ID']}", "Switch")["Internet"]["ID"] == new["ID"]
    assert (
        api.cloud("PUT", f"/internet/{new['ID']}/bandwidth", {"Internet": {"BandWidthMbps": 123}}).status
        == 400
    )


def test_subnets_and_ipv6_keep_a_router_from_going(api: Caller) -> None:
    router = internet(api)
    path = f"/internet/{router['ID']}"
    assert api.cloud("POST", f"{path}/subnet", {"NetworkMaskLen": 28, "NextHop": "10.0.0.1"}).status == 400
    subnet = api.do("POST", f"{path}/subnet", {"NetworkMaskLen": 28, "NextHop": "127.77.1.4"}).json["Subnet"]
    assert (
        api.do("PUT", f"{path}/subnet/{subnet['ID']}", {"NextHop": "127.77.1.5"}).json["Subnet"]["NextHop"]
        == "127.77.1.5"
    )
    net = api.do("POST", f"{path}/ipv6net").json["IPv6Net"]
    assert api.cloud("DELETE", path).status == 409
    api.do("DELETE", f"{path}/subnet/{subnet['ID']}")
    assert api.cloud("DELETE", path).status == 409
    api.do("DELETE", f"{path}/ipv6net/{net['ID']}")
    api.do("DELETE", path)
    assert api.cloud("GET", f"/switch/{router['Switch']['ID']}").status == 404


@pytest.mark.parametrize("given", [{"BandWidthMbps": 101}, {"NetworkMaskLen": 24}, {"Name": None}])
def test_router_parameters_are_checked(api: Caller, given: dict[str, Any]) -> None:
    body = {"Name": "r", "BandWidthMbps": 100, "NetworkMaskLen": 28} | given
    assert api.cloud("POST", "/internet", {"Internet": body}).status == 400


def local_router(api: Caller, **given: Any) -> dict[str, Any]:
    body = {"Name": "lr", "Description": "", "Tags": [], "Provider": {"Class": "localrouter"}} | given
    return api.make("/commonserviceitem", "CommonServiceItem", body)


def leg(api: Caller, third: int) -> dict[str, Any]:
    switch = api.make("/switch", "Switch", {"Name": f"sw{third}"})["ID"]
    return {
        "Switch": {"Code": str(switch), "Category": "cloud", "ZoneID": "is1a"},
        "Interface": {
            "VirtualIPAddress": f"10.0.{third}.1",
            "IPAddress": [f"10.0.{third}.2", f"10.0.{third}.3"],
            "NetworkMaskLen": 24,
            "VRID": 1,
        },
    }


def put(api: Caller, item: int, router: dict[str, Any], settings_hash: str = "") -> Any:
    body = {"CommonServiceItem": {"Settings": {"LocalRouter": router}, "SettingsHash": settings_hash}}
    return api.cloud("PUT", f"/commonserviceitem/{item}", body)


def test_a_local_router_takes_switch_then_peers_and_gives_them_up_first(api: Caller) -> None:
    router = local_router(api)
    assert router["Settings"] is None
    item, network = router["ID"], leg(api, 0)
    peer = {"ID": "500000000001", "SecretKey": "aws-peer-secret", "Enabled": True, "Description": ""}
    assert put(api, item, network | {"Peers": [peer]}).status == 400
    saved = put(api, item, network, router["SettingsHash"])
    assert saved.status == 200
    assert put(api, item, network, router["SettingsHash"]).status == 409
    assert put(api, item, network | {"Peers": [peer | {"ID": 500000000001}]}).status == 400
    assert put(api, item, network | {"Peers": [peer | {"SecretKey": "guess"}]}).status == 400
    routes = [{"Prefix": "172.16.0.0/16", "NextHop": "10.0.0.9"}]
    assert put(api, item, network | {"Peers": [peer], "StaticRoutes": routes}).status == 200
    health = api.read(f"/commonserviceitem/{item}/health", "LocalRouter")
    assert health["Peers"] == [{"ID": "500000000001", "Status": "up", "Routes": ["172.16.0.0/16"]}]
    assert api.cloud("DELETE", f"/commonserviceitem/{item}").status == 409
    assert api.cloud("DELETE", f"/switch/{network['Switch']['Code']}").status == 409
    assert put(api, item, network | {"Peers": []}).status == 200
    api.do("DELETE", f"/commonserviceitem/{item}")
    api.do("DELETE", f"/switch/{network['Switch']['Code']}")


def test_two_local_routers_are_up_when_both_name_each_other(api: Caller) -> None:
    one, two = local_router(api), local_router(api, Name="two")
    legs = {one["ID"]: leg(api, 1), two["ID"]: leg(api, 2)}
    for item, network in legs.items():
        assert put(api, item, network).status == 200
    assert put(api, two["ID"], legs[one["ID"]]).status == 409

    def peer(other: dict[str, Any]) -> dict[str, Any]:
        return {"Peers": [{"ID": str(other["ID"]), "SecretKey": other["Status"]["SecretKeys"][0]}]}

    def status() -> str:
        return api.read(f"/commonserviceitem/{one['ID']}/health", "LocalRouter")["Peers"][0]["Status"]

    put(api, one["ID"], legs[one["ID"]] | peer(two))
    assert status() == "down"
    put(api, two["ID"], legs[two["ID"]] | peer(one))
    assert status() == "up"
    listed = api.cloud("GET", "/commonserviceitem", query='{"Filter":{"Provider.Class":"localrouter"}}')
    assert listed.json["Total"] == 2

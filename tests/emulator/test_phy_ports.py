"""Ports of PHY servers: networks assigned as a whole, bonding, and the budget of such calls."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.lab.sakura import World

from .conftest import GPU1, GPU2, NETWORK, OTHER_NETWORK, SUBNET, Caller
from .phy_calls import assign, server


def test_networks_are_assigned_as_a_whole(api: Caller, world: World) -> None:
    public, private = (port["port_id"] for port in server(api)["ports"])
    answer = assign(api, 0, private, private_network_ids=[NETWORK])
    assert answer.status == 200
    assert answer.json["port"]["private_networks"] == [
        {"private_network_id": NETWORK, "nickname": "node-net"}
    ]
    nics = {nic.name: nic for nic in world.topology().machines[0].nics}
    assert (nics["eno1"].segment, nics["eno1"].addresses) == ("internet", ("198.51.100.11/24",))
    assert (nics["eno2"].segment, nics["eno2"].addresses) == (f"pn-{NETWORK}", ())
    trunk = assign(api, 0, public, mode="trunk", private_network_ids=[NETWORK, OTHER_NETWORK])
    assert trunk.json["port"]["internet"] is None
    nics = {nic.name: nic for nic in world.topology().machines[0].nics}
    assert nics["eno1"].segment is None
    assert nics[f"eno1.{OTHER_NETWORK}"].segment == f"pn-{OTHER_NETWORK}"
    listed = api.phy("GET", "/private_networks/").json["private_networks"]
    assert [(n["vlan_id"], n["server_count"]) for n in listed] == [(101, 1), (102, 1)]
    void = assign(api, 0, public, mode="trunk")
    assert (void.status, void.json["port"]["private_networks"]) == (200, [])


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({}, "non_field_errors", "inconsistent"),
        (
            {"internet_type": "common_subnet", "private_network_ids": [NETWORK]},
            "non_field_errors",
            "inconsistent",
        ),
        ({"private_network_ids": [NETWORK, OTHER_NETWORK]}, "non_field_errors", "inconsistent"),
        ({"mode": "trunk", "private_network_ids": [NETWORK, NETWORK]}, "non_field_errors", "inconsistent"),
        ({"internet_type": "dedicated_subnet"}, "non_field_errors", "inconsistent"),
        (
            {"internet_type": "common_subnet", "dedicated_subnet_id": SUBNET},
            "non_field_errors",
            "inconsistent",
        ),
        (
            {"internet_type": "dedicated_subnet", "dedicated_subnet_id": NETWORK},
            "dedicated_subnet_id",
            "does_not_exist",
        ),
        ({"private_network_ids": [SUBNET]}, "private_network_ids", "does_not_exist"),
        ({"mode": "hybrid"}, "mode", "invalid_choice"),
        ({"private_network_ids": NETWORK}, "private_network_ids", "invalid"),
    ],
)
def test_inconsistent_assignments_are_refused(
    api: Caller, given: dict[str, Any], field: str, code: str
) -> None:
    before = server(api)["ports"]
    answer = assign(api, 0, before[1]["port_id"], **given)
    assert answer.status == 400
    assert answer.json["invalid_parameters"][field][0]["code"] == code
    assert server(api)["ports"] == before


def test_every_field_of_an_assignment_is_required(api: Caller) -> None:
    port = server(api)["ports"][1]["port_id"]
    answer = api.phy("POST", f"/servers/{GPU1}/ports/{port}/assign_network/", {})
    wanted = {"mode", "internet_type", "dedicated_subnet_id", "private_network_ids"}
    assert set(answer.json["invalid_parameters"]) == wanted


def test_a_dedicated_subnet_can_be_assigned(api: Caller, world: World) -> None:
    port = server(api)["ports"][0]["port_id"]
    answer = assign(api, 0, port, internet_type="dedicated_subnet", dedicated_subnet_id=SUBNET)
    assert answer.json["port"]["internet"]["dedicated_subnet"]["dedicated_subnet_id"] == SUBNET
    assert world.topology().machines[0].nics[0].segment == f"ds-{SUBNET}"
    assert api.phy("GET", f"/dedicated_subnets/{SUBNET}/").json["dedicated_subnet"]["server_count"] == 1
    assert api.phy("GET", "/dedicated_subnets/").json["meta"]["count"] == 1
    found = api.phy("GET", "/servers/", query=f"internet={SUBNET}").json["servers"]
    assert [row["server_id"] for row in found] == [GPU1]


def test_bonding_renumbers_the_ports_and_wipes_them(api: Caller, world: World) -> None:
    view = server(api)
    channel = view["port_channels"][0]["port_channel_id"]
    path = f"/servers/{GPU1}/port_channels/{channel}"
    old = set(view["port_channels"][0]["ports"])
    bonded = api.phy(
        "POST", f"{path}/configure_bonding/", {"bonding_type": "lacp", "port_nicknames": ["bond"]}
    )
    assert bonded.status == 200
    assert len(bonded.json["port_channel"]["ports"]) == 1
    assert not old & set(bonded.json["port_channel"]["ports"])
    port = server(api)["ports"][0]
    assert (port["nickname"], port["mode"], port["internet"], port["private_networks"]) == (
        "bond",
        None,
        None,
        [],
    )
    assert assign(api, 0, port["port_id"], private_network_ids=[NETWORK]).status == 200
    assert [nic.segment for nic in world.topology().machines[0].nics[:2]] == [f"pn-{NETWORK}", None]
    wrong = api.phy(
        "POST", f"{path}/configure_bonding/", {"bonding_type": "single", "port_nicknames": ["one"]}
    )
    assert "port_nicknames" in wrong.json["invalid_parameters"]
    split = api.phy("POST", f"{path}/configure_bonding/", {"bonding_type": "single", "port_nicknames": None})
    assert len(split.json["port_channel"]["ports"]) == 2
    assert api.phy("GET", f"{path}/").json["port_channel"]["bonding_type"] == "single"


def test_ports_are_renamed_and_disabled(api: Caller, world: World) -> None:
    port = server(api)["ports"][0]["port_id"]
    path = f"/servers/{GPU1}/ports/{port}/"
    assert api.phy("PATCH", path, {"nickname": "uplink"}).json["port"]["nickname"] == "uplink"
    assert api.phy("PATCH", path, {"nickname": "x" * 51}).status == 400
    assert api.phy("POST", f"{path}enable/", {"enable": False}).json["port"]["enabled"] is False
    assert world.topology().machines[0].nics[0].segment is None
    assert api.phy("GET", path).json["port"]["enabled"] is False


def test_a_server_has_5_network_calls_in_5_minutes(api: Caller) -> None:
    port = server(api)["ports"][1]["port_id"]
    other = server(api, GPU2)["ports"][1]["port_id"]
    for _ in range(5):
        api.wait(10)
        assert assign(api, 0, port, private_network_ids=[NETWORK]).status == 200
    refused = assign(api, 0, port, private_network_ids=[NETWORK])
    assert (refused.status, refused.headers["retry-after"]) == (429, "260")
    assert assign(api, 1, other, private_network_ids=[NETWORK]).status == 200
    api.wait(260)
    assert assign(api, 0, port, private_network_ids=[NETWORK]).status == 200

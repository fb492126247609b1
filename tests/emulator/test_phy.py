"""The PHY API: 21 operations, their validation, locks, budgets, and the hour-long reinstall."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.lab.sakura import World
from daiku.lab.sakura.phy.wire import routes

from .conftest import GPU1, GPU2, NETWORK, OTHER_NETWORK, SUBNET, Caller
from .test_networks import KEY

INSTALL = {
    "os_image_id": "ubuntu2404",
    "password": "correct1horse",
    "manual_partition": False,
    "ssh_public_keys": [KEY],
    "allow_password_login": False,
}


def server(api: Caller, service_id: str = GPU1) -> dict[str, Any]:
    answer = api.phy("GET", f"/servers/{service_id}/")
    assert answer.status == 200, answer.raw
    return answer.json["server"]


def assign(api: Caller, number: int, port: int, **given: Any) -> Any:
    body = {
        "mode": "access",
        "internet_type": None,
        "dedicated_subnet_id": None,
        "private_network_ids": None,
    } | given
    return api.phy("POST", f"/servers/{[GPU1, GPU2][number]}/ports/{port}/assign_network/", body)


def test_every_operation_of_the_specification_is_there() -> None:
    assert len(routes.listing()) == 21
    assert len({pattern for _, pattern in routes.listing()}) == 19


def test_a_server_object_has_every_field(api: Caller) -> None:
    view = server(api)
    assert view["server_id"] == GPU1
    assert view["service"]["nickname"] == "gpu-01"
    assert view["ipv4"] == {
        "type": "common_ip_address",
        "ip_address": "198.51.100.11",
        "network_address": "198.51.100.0",
        "prefix_length": 24,
        "gateway_address": "198.51.100.1",
        "name_servers": ["198.51.100.2", "198.51.100.3"],
    }
    assert view["cached_power_status"]["status"] == "off"
    assert view["lock_status"] is None
    assert len(view["port_channels"]) == 1
    assert [port["mode"] for port in view["ports"]] == ["access", None]
    assert view["ports"][0]["internet"]["subnet_type"] == "common_subnet"
    assert view["spec"]["total_storage_device_count"] == 6
    assert "rail" not in str(view)


@pytest.mark.parametrize(
    "path",
    [
        "/servers",
        f"/servers/{GPU1}",
        "/servers/1/",
        "/servers/999999999999/",
        f"/servers/{NETWORK}/",
        f"/servers/{GPU1}/ports/1/",
    ],
)
def test_unknown_and_slashless_paths_are_404_problems(api: Caller, path: str) -> None:
    answer = api.phy("GET", path)
    assert answer.status == 404
    assert (answer.json["type"], answer.json["title"], answer.json["status"]) == (
        "about:blank",
        "not_found",
        404,
    )


def test_writes_need_the_ajax_header(api: Caller) -> None:
    path = f"/servers/{GPU1}/power_control/"
    refused = api.phy("POST", path, {"operation": "on"}, ajax=False)
    assert (refused.status, refused.json["title"]) == (400, "invalid")
    assert api.phy("GET", f"/servers/{GPU1}/", ajax=False).status == 200
    assert server(api)["cached_power_status"]["status"] == "off"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["gpu-02", "gpu-01"]),
        ("ordering=nickname", ["gpu-01", "gpu-02"]),
        ("ordering=-nickname&limit=1", ["gpu-02"]),
        ("ordering=nickname&limit=1&offset=1", ["gpu-02"]),
        ("power_status=on", []),
        ("power_status=off&ordering=nickname", ["gpu-01", "gpu-02"]),
        ("internet=void", []),
        ("internet=common&free_word=01", ["gpu-01"]),
        (f"private_network={NETWORK}", []),
        ("private_network=void&ordering=power_status_stored", ["gpu-01", "gpu-02"]),
        ("tag=x", []),
    ],
)
def test_servers_are_filtered_and_paged(api: Caller, query: str, names: list[str]) -> None:
    body = api.phy("GET", "/servers/", query=query).json
    assert [row["service"]["nickname"] for row in body["servers"]] == names


@pytest.mark.parametrize(
    "query", ["limit=x", "limit=-1", "ordering=age", "power_status=up", "&".join(["free_word=a"] * 6)]
)
def test_bad_queries_name_the_parameter(api: Caller, query: str) -> None:
    answer = api.phy("GET", "/servers/", query=query)
    assert answer.status == 400
    assert query.split("=", maxsplit=1)[0] in answer.json["invalid_parameters"]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"os_image_id": "windows"}, "os_image_id"),
        ({"password": "short1"}, "password"),
        ({"password": "onlyletters"}, "password"),
        ({"password": "12345678"}, "password"),
        ({"password": "with space 1"}, "password"),
        ({"password": 12345678}, "password"),
        ({"manual_partition": "no"}, "manual_partition"),
        ({"ssh_public_keys": []}, "ssh_public_keys"),
        ({"ssh_public_keys": ["nonsense"]}, "ssh_public_keys"),
        ({"ssh_public_keys": [KEY] * 21}, "ssh_public_keys"),
        ({"ssh_public_keys": None}, "ssh_public_keys"),
        ({"os_image_id": "vmware8"}, "ssh_public_keys"),
        ({"os_image_id": "vmware8", "manual_partition": True, "ssh_public_keys": []}, "manual_partition"),
        (None, "allow_password_login"),
    ],
)
def test_an_install_is_validated_field_by_field(
    api: Caller, change: dict[str, Any] | None, fault: str
) -> None:
    body = INSTALL | change if change is not None else {k: v for k, v in INSTALL.items() if k != fault}
    answer = api.phy("POST", f"/servers/{GPU1}/os_install/", body)
    assert (answer.status, answer.json["title"]) == (400, "invalid")
    assert all(set(f) == {"code", "message"} for f in answer.json["invalid_parameters"][fault])
    assert server(api)["lock_status"] is None


def test_a_reinstall_locks_for_45_minutes_and_ends_with_a_new_root(api: Caller, world: World) -> None:
    path = f"/servers/{GPU1}"
    port = server(api)["ports"][0]["port_id"]
    assert api.phy("POST", f"{path}/os_install/", INSTALL).status == 204
    assert server(api)["lock_status"] == "os_install"
    assert server(api)["port_channels"][0]["locked"] is True
    for answer in (
        api.phy("POST", f"{path}/os_install/", INSTALL),
        api.phy("POST", f"{path}/power_control/", {"operation": "off"}),
        api.phy("POST", f"{path}/ports/{port}/enable/", {"enable": False}),
        assign(api, 0, port, private_network_ids=[NETWORK]),
    ):
        assert (answer.status, answer.json["title"]) == (409, "conflict")
    api.wait(45 * 60 - 1)
    during = world.topology().machines[0]
    assert (during.power, during.root) == (False, "")
    api.wait(1)
    first = world.topology().machines[0]
    assert (first.power, first.boots, first.login, first.authorized_keys) == (True, 1, "ubuntu", (KEY,))
    assert first.root == f"phy-{GPU1}-1"
    assert server(api)["lock_status"] is None
    assert api.phy("GET", f"{path}/power_status/").json == {"power_status": {"status": "on"}}
    api.phy("POST", f"{path}/os_install/", INSTALL | {"os_image_id": "almalinux9"})
    api.wait(45 * 60)
    second = world.topology().machines[0]
    assert (second.root, second.login, second.boots) == (f"phy-{GPU1}-2", "root", 2)
    assert "correct1horse" not in world.to_json()


def test_power_control_acts_at_once_but_for_soft(api: Caller, world: World) -> None:
    path = f"/servers/{GPU1}"

    def control(operation: Any) -> int:
        return api.phy("POST", f"{path}/power_control/", {"operation": operation}).status

    assert [control(x) for x in ("soft", "reset", "off")] == [204] * 3
    assert world.topology().machines[0].boots == 0
    assert api.phy("GET", f"{path}/raid_status/").status == 503
    assert [control(x) for x in ("on", "on", "reset")] == [204] * 3
    assert (world.topology().machines[0].power, world.topology().machines[0].boots) == (True, 2)
    assert (
        api.phy("GET", f"{path}/raid_status/", query="refresh=true").json["raid_status"]["overall_status"]
        == "ok"
    )
    assert control("soft") == 204
    assert world.topology().machines[0].power is True
    api.wait(20)
    assert world.topology().machines[0].power is False
    assert server(api)["cached_power_status"]["status"] == "on"
    assert api.phy("GET", f"{path}/power_status/").json["power_status"]["status"] == "off"
    assert server(api)["cached_power_status"]["status"] == "off"
    assert [control(x) for x in ("reboot", None, 1)] == [400] * 3


def test_the_cached_power_state_is_at_most_five_minutes_old(api: Caller) -> None:
    api.phy("POST", f"/servers/{GPU1}/power_control/", {"operation": "on"})
    api.phy("POST", f"/servers/{GPU1}/power_control/", {"operation": "soft"})
    api.wait(299)
    assert server(api)["cached_power_status"]["status"] == "on"
    api.wait(1)
    assert server(api)["cached_power_status"]["status"] == "off"


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


def test_services_are_listed_and_renamed(api: Caller) -> None:
    body = api.phy("GET", "/services/", query="limit=3").json
    assert (body["meta"]["count"], len(body["services"])) == (5, 3)
    found = api.phy("GET", "/services/", query="product_category=private_network&ordering=nickname").json[
        "services"
    ]
    assert [row["nickname"] for row in found] == ["node-net", "storage-net"]
    path = f"/services/{GPU1}/"
    changed = api.phy("PATCH", path, {"nickname": "trainer", "description": None})
    assert changed.json["service"]["nickname"] == "trainer"
    assert server(api)["service"]["nickname"] == "trainer"
    assert (
        api.phy("PATCH", path, {"nickname": "trainer"}).json["invalid_parameters"]["description"][0]["code"]
        == "required"
    )
    assert api.phy("GET", path).json["service"]["product_category"] == "server"


def test_a_hybrid_connection_shows_on_the_private_network(api: Caller) -> None:
    assert api.phy("GET", f"/private_networks/{NETWORK}/").json["private_network"]["hybrid"] is None
    switch = api.make("/switch", "Switch", {"Name": "sw", "Tags": [f"hybrid={NETWORK}"]})
    ends = api.phy("GET", f"/private_networks/{NETWORK}/").json["private_network"]["hybrid"]["destinations"]
    assert [end["destination_side_id"] for end in ends] == [str(switch["ID"])]


def test_os_images_and_traffic(api: Caller) -> None:
    images = api.phy("GET", f"/servers/{GPU1}/os_images/").json["os_images"]
    assert {"os_image_id": "ubuntu2404", "superuser_name": "ubuntu"}.items() <= images[0].items()
    path = f"/servers/{GPU1}/ports/{server(api)['ports'][0]['port_id']}/traffic_graph/"
    api.wait(7200)
    assert len(api.phy("GET", path, query="step=600").json["traffic_graph"]["transmit"]) == 7
    for query in ("step=7", "since=yesterday", "since=2020-01-01T00:00:00Z", "until=2026-10-01T00:00:00Z"):
        assert api.phy("GET", path, query=query).status == 400


def test_an_account_has_300_calls_an_hour(api: Caller) -> None:
    statuses = [api.phy("GET", "/services/").status for _ in range(300)]
    assert set(statuses) == {200}
    api.wait(600)
    refused = api.phy("GET", "/services/")
    assert (refused.status, refused.json["title"], refused.headers["retry-after"]) == (
        429,
        "throttled",
        "3000",
    )
    api.wait(3000)
    assert api.phy("GET", "/services/").status == 200


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


@pytest.mark.parametrize(
    ("raw", "title"),
    [(b"{", "parse_error"), (b"", "parse_error"), (b"[]", "invalid"), (b"\xff", "parse_error")],
)
def test_broken_bodies_are_problems(api: Caller, raw: bytes, title: str) -> None:
    headers = {"Authorization": api.basic(), "X-Requested-With": "XMLHttpRequest"}
    path = f"/cloud/api/dedicated-phy/1.0/servers/{GPU1}/power_control/"
    answer = api.raw("POST", path, body=raw, headers=headers)
    assert (answer.status, answer.json["title"]) == (400, title)

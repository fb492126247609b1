"""The PHY API: 21 operations, listings and their filters, services, and what an account may ask."""

from __future__ import annotations

import pytest

from daiku.lab.sakura.phy.wire import routes

from .conftest import GPU1, NETWORK, Caller
from .phy_calls import server


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


@pytest.mark.parametrize(
    ("raw", "title"),
    [(b"{", "parse_error"), (b"", "parse_error"), (b"[]", "invalid"), (b"\xff", "parse_error")],
)
def test_broken_bodies_are_problems(api: Caller, raw: bytes, title: str) -> None:
    headers = {"Authorization": api.basic(), "X-Requested-With": "XMLHttpRequest"}
    path = f"/cloud/api/dedicated-phy/1.0/servers/{GPU1}/power_control/"
    answer = api.raw("POST", path, body=raw, headers=headers)
    assert (answer.status, answer.json["title"]) == (400, title)

"""The wire itself: keys, envelopes, errors, both id encodings, the JSON query, empty objects."""

from __future__ import annotations

import json
import socket
import threading
import time
from base64 import b64encode
from collections.abc import Iterator

import pytest
import uvicorn

from daiku.lab.clock import Clock
from daiku.lab.sakura import Inventory, World, create_app

from .conftest import ADMIN, INVENTORY, SECRET, TOKEN, Caller

SWITCHES = "/cloud/zone/is1a/api/cloud/1.1/switch"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Basic",
        "Basic !!!",
        "Bearer " + TOKEN,
        Caller.basic(TOKEN, "wrong"),
        Caller.basic("", ""),
        "Basic " + b64encode(b"nocolon").decode(),
    ],
)
def test_a_wrong_key_is_401_in_cloud_style_on_both_apis(api: Caller, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    cloud = api.raw("GET", SWITCHES, headers=headers)
    assert (cloud.status, cloud.json["error_code"], cloud.json["is_fatal"]) == (401, "unauthorized", True)
    phy = api.raw("GET", "/cloud/api/dedicated-phy/1.0/servers/", headers=headers)
    assert phy.status == 401
    assert phy.json == {
        "status": "401 Unauthorized",
        "error_code": "unauthorized",
        "error_msg": "error-unauthorized",
    }


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/switch/123", 404, "not_found"),
        ("GET", "/switch/abc", 404, "not_found"),
        ("GET", "/switch/1234567890123", 404, "not_found"),
        ("PATCH", "/switch", 405, "method_not_allowed"),
        ("POST", "/switch/", 404, "not_found"),
    ],
)
def test_errors_come_in_the_envelope(api: Caller, method: str, path: str, status: int, code: str) -> None:
    answer = api.cloud(method, path)
    assert answer.status == status
    assert answer.json["error_code"] == code
    assert answer.json["status"].startswith(f"{status} ")
    assert len(answer.json["serial"]) == 32


@pytest.mark.parametrize("path", ["/", "/cloud", "/cloud/zone/is1z/api/cloud/1.1/switch", "/x\ny"])
def test_unknown_paths_are_the_apis_404(api: Caller, path: str) -> None:
    answer = api.raw("GET", path, headers={"Authorization": api.basic()})
    assert (answer.status, answer.json["error_code"]) == (404, "not_found")


def test_error_text_follows_the_language(api: Caller) -> None:
    path = "/cloud/zone/is1a/api/cloud/1.1/switch/1"
    japanese = api.raw("GET", path, headers={"Authorization": api.basic()}).json["error_msg"]
    english = api.raw("GET", path, headers={"Authorization": api.basic(), "Accept-Language": "en-US"}).json
    assert "対象が見つかりません" in japanese
    assert english["error_msg"].startswith("Not found")


def test_single_and_list_envelopes(api: Caller) -> None:
    answer = api.cloud("POST", "/switch", {"Switch": {"Name": "node-net", "Description": "", "Tags": ["a"]}})
    assert answer.status == 201
    assert answer.json["is_ok"] is True
    assert answer.json["Success"] is True
    assert len(str(answer.json["Switch"]["ID"])) == 12
    listed = api.cloud("GET", "/switch").json
    assert (listed["From"], listed["Count"], listed["Total"], listed["is_ok"]) == (0, 1, 1, True)
    assert listed["Switches"][0]["Index"] == 0


def test_ids_are_strings_unless_numbers_are_asked_for(api: Caller) -> None:
    made = api.make("/switch", "Switch", {"Name": "a"})
    assert isinstance(made["ID"], int)
    as_text = api.cloud("GET", f"/switch/{made['ID']}", bigint=False).json["Switch"]
    assert as_text["ID"] == str(made["ID"])
    assert as_text["Zone"]["ID"] == 31001


def test_ids_are_accepted_as_strings_and_numbers_and_zero_is_none(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "a", "Icon": {"ID": 0}})
    plan = {"CPU": 1, "MemoryMB": 1024}
    for given in (switch["ID"], str(switch["ID"])):
        server = api.make(
            "/server", "Server", {"Name": "s", "ServerPlan": plan, "ConnectedSwitches": [{"ID": given}]}
        )
        assert server["Interfaces"][0]["Switch"]["ID"] == switch["ID"]


def test_empty_objects_are_arrays_as_php_writes_them() -> None:
    world = World(Clock(), Inventory.load(INVENTORY), seed=1)
    plain = World(Clock(), Inventory.load(INVENTORY), seed=1, php_empties=False)
    body = {
        "Class": "vpcrouter",
        "Name": "r",
        "Plan": {"ID": 1},
        "Remark": {"Switch": {"Scope": "shared"}, "Servers": [{}]},
    }
    quirky, straight = (Caller(w).make("/appliance", "Appliance", body) for w in (world, plain))
    assert quirky["Remark"]["Servers"] == [[]]
    assert quirky["Settings"] is None
    assert straight["Remark"]["Servers"] == [{}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[1]", 400),
        (b'"x"', 400),
        (b"\xff\xfe", 400),
        (b"[" * 100_000, 400),
        (b"", 400),
        (b'{"Switch": 5}', 400),
        (b'{"Switch": {"Name": 5}}', 400),
        (b'{"Switch": {"Name": ""}}', 400),
        (b'{"Switch": {"Name": "' + b"x" * 65 + b'"}}', 400),
        (b'{"Switch": {"Name": "\\ud800"}}', 400),
        (
            b'{"Switch": {"Name": "n", "UserSubnet": {"DefaultRoute": "10.0.0.300", "NetworkMaskLen": 24}}}',
            400,
        ),
        (b'{"Switch": {"Name": "n"}}' + b" " * 3_000_000, 413),
    ],
)
def test_broken_bodies_change_nothing(api: Caller, body: bytes, status: int) -> None:
    answer = api.raw("POST", SWITCHES, body=body, headers={"Authorization": api.basic()})
    assert answer.status == status
    assert api.cloud("GET", "/switch").json["Total"] == 0


def test_unknown_keys_are_ignored_and_noted(api: Caller, world: World) -> None:
    api.make(
        "/switch", "Switch", {"Name": "a", "Colour": "red", "UserSubnet": {"NetworkMaskLen": 24, "Gate": 1}}
    )
    assert world.audit[-1].warnings == ["unknown key Colour", "unknown key UserSubnet.Gate"]


def test_the_audit_log_says_who_did_what_and_holds_no_secret(api: Caller, world: World) -> None:
    api.make("/note", "Note", {"Name": "n", "Content": "top-secret", "Class": "shell"})
    api.raw("GET", SWITCHES, headers={"Authorization": api.basic(TOKEN, "wrong-key")})
    first, second = (entry.model_dump() for entry in world.audit)
    assert (first["method"], first["status"], first["who"], first["api"]) == ("POST", 201, "ishikari", "iaas")
    assert (second["status"], second["who"]) == (401, "-")
    assert not any(word in json.dumps([first, second]) for word in ("top-secret", "wrong-key", SECRET, TOKEN))


@pytest.fixture
def port(world: World) -> Iterator[int]:
    """The application behind a real uvicorn on a loopback port."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(world, admin_token=ADMIN), log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join()


def exchange(port: int, head: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        lines = [head, "Host: x", f"Authorization: {Caller.basic()}", "Connection: close", "", ""]
        connection.sendall("\r\n".join(lines).encode())
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


@pytest.mark.parametrize(
    "query",
    [
        '{"Count":0,"From":0,"Filter":{"Name":["two%20words"]}}',
        "%7B%22Filter%22%3A%7B%22Name%22%3A%22two%20words%22%7D%7D",
        '{"Filter":{"Name":"words%20tw"}}',
    ],
)
def test_raw_and_encoded_json_queries_over_a_real_socket(api: Caller, port: int, query: str) -> None:
    api.make("/switch", "Switch", {"Name": "two words"})
    api.make("/switch", "Switch", {"Name": "other"})
    received = exchange(port, f"GET {SWITCHES}?{query} HTTP/1.1")
    assert received.startswith(b"HTTP/1.1 200")
    body = json.loads(received.split(b"\r\n\r\n", 1)[1])
    assert [s["Name"] for s in body["Switches"]] == ["two words"]


def test_an_eof_fault_cuts_a_real_connection(world: World, port: int) -> None:
    world.faults.add("GET .*/switch", "eof")
    head, _, rest = exchange(port, f"GET {SWITCHES} HTTP/1.1").partition(b"\r\n\r\n")
    assert b"content-length: 1000000" in head
    assert rest == b""
    assert exchange(port, f"GET {SWITCHES} HTTP/1.1").startswith(b"HTTP/1.1 200")

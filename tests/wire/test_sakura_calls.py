"""The verbs: paths, envelopes, queries and IDs as the API wants them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scripted import API, Script

from daiku.errors import ApiError, NotFoundError
from daiku.wire.sakura_calls import encode_query, even
from daiku.wire.sakura_cloud import SakuraCloud
from daiku.wire.sakura_kinds import (
    APPLIANCE,
    DISK,
    INTERNET,
    KINDS,
    LOAD_BALANCER,
    LOCAL_ROUTER,
    NOTE,
    SERVER,
    SWITCH,
    VPC_ROUTER,
    Kind,
)


def page(plural: str, items: list[dict[str, Any]], total: int, start: int = 0) -> dict[str, Any]:
    return {"From": start, "Count": len(items), "Total": total, plural: items, "is_ok": True}


def test_a_creation_is_wrapped_and_unwrapped(cloud: SakuraCloud, script: Script) -> None:
    script.say("POST", f"{API}/switch", {"Switch": {"ID": 112900000001, "Name": "sw"}, "Success": True}, 201)
    made = cloud.create(SWITCH, {"Name": "sw"})
    assert script.seen[0].body == {"Switch": {"Name": "sw"}}
    assert made == {"ID": "112900000001", "Name": "sw"}


def test_what_goes_beside_the_envelope(cloud: SakuraCloud, script: Script) -> None:
    script.say("POST", f"{API}/disk", {"Disk": {"ID": "1"}}, 202)
    cloud.create(DISK, {"Name": "d"}, extra={"Config": {"HostName": "h"}, "BootAtAvailable": True})
    assert script.seen[0].body == {
        "Disk": {"Name": "d"},
        "Config": {"HostName": "h"},
        "BootAtAvailable": True,
    }


@pytest.mark.parametrize(
    ("kind", "path", "body"),
    [
        (VPC_ROUTER, "appliance", {"Appliance": {"Class": "vpcrouter", "Name": "x"}}),
        (LOAD_BALANCER, "appliance", {"Appliance": {"Class": "loadbalancer", "Name": "x"}}),
        (
            LOCAL_ROUTER,
            "commonserviceitem",
            {"CommonServiceItem": {"Name": "x", "Provider": {"Class": "localrouter"}}},
        ),
    ],
)
def test_kinds_that_share_a_path_carry_their_class(
    cloud: SakuraCloud, script: Script, kind: Kind, path: str, body: dict[str, Any]
) -> None:
    script.say("POST", f"{API}/{path}", {kind.single: {"ID": 1}})
    cloud.create(kind, {"Name": "x"})
    assert script.seen[0].body == body


def test_internets_listing_is_called_internet_again(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/internet", page("Internet", [{"ID": 7}], 1))
    assert cloud.find(INTERNET) == [{"ID": "7"}]


@pytest.mark.parametrize("ids", [[112900000001, 112900000002], ["112900000001", "112900000002"]])
def test_both_encodings_of_ids_read_alike(cloud: SakuraCloud, script: Script, ids: list[Any]) -> None:
    item = {"ID": ids[0], "Server": {"ID": ids[1]}, "SizeMB": 20480, "Plan": {"ID": 4}, "Index": 0}
    script.say("GET", f"{API}/disk/112900000001", {"Disk": item})
    read = cloud.read(DISK, "112900000001")
    assert (read["ID"], read["Server"]["ID"]) == ("112900000001", "112900000002")
    assert read["SizeMB"] == 20480


def test_a_find_is_a_json_query(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/server", page("Servers", [], 0))
    cloud.find(SERVER, filter={"Name": ["a b+c&d"], "ServerPlan.CPU>=": 4}, sort=["-Name"], include=["ID"])
    assert json.loads(script.seen[0].query) == {
        "From": 0,
        "Count": 500,
        "Filter": {"Name": ["a b+c&d"], "ServerPlan.CPU>=": 4},
        "Sort": ["-Name"],
        "Include": ["ID"],
    }


def test_a_query_has_no_byte_that_a_server_must_guess() -> None:
    encoded = encode_query({"Filter": {"Name": "さくら a+b"}})
    assert encoded.isascii()
    assert not set(encoded) & set('{}" +&#[]')


def test_a_find_reads_every_page_and_each_object_once(cloud: SakuraCloud, script: Script) -> None:
    items = [{"ID": n, "Name": f"s{n}"} for n in range(1, 6)]
    script.say("GET", f"{API}/server", page("Servers", items[:2], 5))
    script.say("GET", f"{API}/server", page("Servers", items[1:4], 5, 2))  # one moved between the pages
    script.say("GET", f"{API}/server", page("Servers", items[4:], 5, 5))
    found = cloud.find(SERVER)
    assert [item["ID"] for item in found] == ["1", "2", "3", "4", "5"]
    starts = [json.loads(seen.query)["From"] for seen in script.seen]
    assert starts == [0, 2, 5]


def test_a_find_ends_where_the_api_has_no_more(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/server", page("Servers", [{"ID": 1}], 99))
    script.say("GET", f"{API}/server", page("Servers", [], 99))
    assert len(cloud.find(SERVER)) == 1


def test_a_listing_that_is_null_is_empty(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/server", {"Servers": None, "Total": 0})
    assert cloud.find(SERVER) == []


def test_appliances_of_another_class_are_left_out(cloud: SakuraCloud, script: Script) -> None:
    both = [{"ID": 1, "Class": "vpcrouter"}, {"ID": 2, "Class": "vpcrouter-like"}]
    script.say("GET", f"{API}/appliance", page("Appliances", both, 2))
    assert [item["ID"] for item in cloud.find(VPC_ROUTER)] == ["1"]
    assert json.loads(script.seen[0].query)["Filter"] == {"Class": "vpcrouter"}
    assert len(cloud.find(APPLIANCE)) == 2


def test_global_kinds_go_through_one_zone(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/note/5", {"Note": {"ID": 5}}).say(
        "GET", "/tk1v/api/cloud/1.1/switch/6", {"Switch": {"ID": 6}}
    )
    cloud.read(NOTE, "5", zone="tk1v")
    cloud.read(SWITCH, "6", zone="tk1v")
    assert script.calls() == [f"GET {API}/note/5", "GET /tk1v/api/cloud/1.1/switch/6"]


def test_find_by_tag_checks_the_tags_again(cloud: SakuraCloud, script: Script) -> None:
    items = [{"ID": 1, "Tags": ["a", "b"]}, {"ID": 2, "Tags": ["a"]}, {"ID": 3, "Tags": None}]
    script.say("GET", f"{API}/server", page("Servers", items, 3))
    assert [item["ID"] for item in cloud.find_by_tag(SERVER, "a", "b")] == ["1"]
    assert json.loads(script.seen[0].query)["Filter"] == {"Tags.Name": [["a", "b"]]}


def test_find_by_name_is_exact(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/server", page("Servers", [{"ID": 1, "Name": "a"}, {"ID": 2, "Name": "ab"}], 2))
    assert [item["ID"] for item in cloud.find_by_name(SERVER, "a")] == ["1"]


def test_a_deletion_may_carry_a_body(cloud: SakuraCloud, script: Script) -> None:
    script.say("DELETE", f"{API}/server/1", {"is_ok": True})
    cloud.delete(SERVER, "1", {"WithDisk": ["2"]})
    assert script.seen[0].body == {"WithDisk": ["2"]}


def test_an_object_that_appears_late_is_waited_for(cloud: SakuraCloud, script: Script, time: Any) -> None:
    path = f"{API}/internet/1"
    script.refuse("GET", path, 404, "not_found").say("GET", path, {"Internet": {"ID": 1}})
    assert cloud.read(INTERNET, "1", appear_within=90)["ID"] == "1"
    assert time.slept == [3]


def test_an_object_that_does_not_exist(cloud: SakuraCloud, script: Script) -> None:
    script.refuse("GET", f"{API}/switch/1", 404, "not_found", "not found")
    with pytest.raises(NotFoundError, match="not found"):
        cloud.read(SWITCH, "1")


def test_an_answer_without_its_object_is_an_error(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/switch/1", {"is_ok": True})
    with pytest.raises(ApiError, match="no Switch"):
        cloud.read(SWITCH, "1")


def test_an_id_cannot_leave_its_place_in_the_path(cloud: SakuraCloud, script: Script) -> None:
    with pytest.raises(NotFoundError):
        cloud.read(SWITCH, "../server/1?x")
    assert script.calls() == [f"GET {API}/switch/..%2Fserver%2F1%3Fx"]


def test_reads_do_not_count_as_changes(cloud: SakuraCloud, script: Script) -> None:
    script.say("GET", f"{API}/switch/1", {"Switch": {"ID": 1}}).refuse("PUT", f"{API}/switch/1", 400, "bad")
    cloud.read(SWITCH, "1")
    assert cloud.generation == 0
    with pytest.raises(ApiError):
        cloud.update(SWITCH, "1", {"Name": "x"})
    assert cloud.generation == 1


def test_only_ids_become_text() -> None:
    value = {"ID": 1, "List": [{"ID": "2", "CPU": 3}, None, []], "Deep": {"ID": None, "IDs": 4}}
    assert even(value) == {
        "ID": "1",
        "List": [{"ID": "2", "CPU": 3}, None, []],
        "Deep": {"ID": None, "IDs": 4},
    }


def test_every_kind_has_one_name() -> None:
    assert {kind.name for kind in KINDS.values()} == set(KINDS)
    assert KINDS["vpc-router"] is VPC_ROUTER

"""Find semantics: partial and exact matches, tags, operators, sorting, paging, selection."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from .conftest import Caller


@pytest.fixture
def listed(api: Caller) -> Caller:
    api.make("/switch", "Switch", {"Name": "alpha node net", "Tags": ["prod", "blue"]})
    api.make("/switch", "Switch", {"Name": "beta node net", "Tags": ["prod"]})
    api.make("/switch", "Switch", {"Name": "gamma", "Tags": ["blue", "a+b"], "Description": "last"})
    return api


A, B, G = "alpha node net", "beta node net", "gamma"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({}, [A, B, G]),
        ({"Filter": {}}, [A, B, G]),
        ({"Filter": []}, [A, B, G]),
        ({"Filter": {"Name": "node"}}, [A, B]),
        ({"Filter": {"Name": "net alpha"}}, [A]),
        ({"Filter": {"Name": ["node"]}}, []),
        ({"Filter": {"Name": [G, A]}}, [A, G]),
        ({"Filter": {"Tags.Name": [["prod", "blue"]]}}, [A]),
        ({"Filter": {"Tags.Name": [["blue"]]}}, [A, G]),
        ({"Filter": {"Tags.Name": ["prod"]}}, [A, B]),
        ({"Filter": {"Tags.Name": [["a+b"]]}}, [G]),
        ({"Filter": {"Zone.ID": 31001}}, [A, B, G]),
        ({"Filter": {"Zone.ID": "31002"}}, []),
        ({"Filter": {"Zone.Name": "is1a", "Name": "beta"}}, [B]),
        ({"Filter": {"ServerCount": 0}}, [A, B, G]),
        ({"Filter": {"ServerCount>": 0}}, []),
        ({"Filter": {"ServerCount>=": 0, "ServerCount<": 1, "ServerCount<=": 0}}, [A, B, G]),
        ({"Filter": {"CreatedAt>": "2026-01-01"}}, [A, B, G]),
        ({"Filter": {"Nothing.Here": "x"}}, []),
        ({"Filter": {"Bridge": None}}, [A, B, G]),
        ({"Sort": ["-Name"]}, [G, B, A]),
        ({"Sort": ["Description", "-Name"]}, [B, A, G]),
        ({"From": 1, "Count": 1}, [B]),
        ({"From": 9}, []),
        ({"Count": "2"}, [A, B]),
    ],
)
def test_filters_sort_and_pages(listed: Caller, query: dict[str, object], names: list[str]) -> None:
    body = listed.cloud("GET", "/switch", query=quote(json.dumps(query))).json
    assert [row["Name"] for row in body["Switches"]] == names
    assert body["Count"] == len(names)


def test_total_counts_what_the_filter_lets_through(listed: Caller) -> None:
    body = listed.cloud("GET", "/switch", query='{"Filter":{"Name":"node"},"Count":1,"From":1}').json
    assert (body["From"], body["Count"], body["Total"]) == (1, 1, 2)
    assert body["Switches"][0]["Index"] == 1


def test_include_and_exclude_choose_fields(listed: Caller) -> None:
    only = listed.cloud("GET", "/switch", query='{"Include":["ID","Name"]}').json["Switches"][0]
    assert set(only) == {"Index", "ID", "Name"}
    less = listed.cloud("GET", "/switch", query='{"Exclude":["Tags"]}').json["Switches"][0]
    assert "Tags" not in less
    assert "Name" in less


@pytest.mark.parametrize(
    "query",
    [
        '{"Filter":',
        '{"Filter":5}',
        '{"Sort":5}',
        '{"Sort":[1]}',
        '{"Count":-1}',
        '{"Count":"x"}',
        '{"From":1e99}',
    ],
)
def test_bad_queries_are_400(api: Caller, query: str) -> None:
    assert api.cloud("GET", "/switch", query=query).status == 400


def test_a_query_that_is_no_document_is_ignored(listed: Caller) -> None:
    assert listed.cloud("GET", "/switch", query="_=1700000000").json["Total"] == 3


def test_public_archives_are_found_by_tag_in_every_zone(api: Caller) -> None:
    seen: set[int] = set()
    for zone in ("is1a", "is1b", "is1c", "tk1a", "tk1b", "tk1v"):
        for distro in ("ubuntu-24.04", "ubuntu-22.04", "debian-12", "alma-9", "rocky-9"):
            tag = f"{distro}-latest"
            query = json.dumps({"Filter": {"Tags.Name": [[tag]], "Scope": ["shared"]}}, separators=(",", ":"))
            found = api.cloud("GET", "/archive", query=query, zone=zone).json["Archives"]
            assert len(found) == 1
            assert found[0]["Availability"] == "available"
            seen.add(found[0]["ID"])
    assert len(seen) == 30


def test_server_plans_are_found_by_shape(api: Caller) -> None:
    query = '{"Filter":{"CPU":4,"MemoryMB":8192,"Commitment":"standard","ConfidentialVM":0},"Sort":["-Generation"]}'
    plans = api.cloud("GET", "/product/server", query=query).json["ServerPlans"]
    assert [plan["Generation"] for plan in plans] == [200, 100]
    gpu = api.cloud("GET", "/product/server", query='{"Filter":{"GPU":1}}')
    assert "nvidia_v100_32gbvram" in {plan["GPUModel"] for plan in gpu.json["ServerPlans"]}
    assert api.cloud("GET", "/product/server", query='{"Filter":{"GPU":1}}', zone="tk1a").json["Total"] == 0


def test_plans_zones_and_regions_are_read_by_id(api: Caller) -> None:
    for path, key, list_key in (
        ("/product/server", "ServerPlan", "ServerPlans"),
        ("/product/disk", "DiskPlan", "DiskPlans"),
        ("/product/internet", "InternetPlan", "InternetPlans"),
        ("/zone", "Zone", "Zones"),
        ("/region", "Region", "Regions"),
    ):
        first = api.cloud("GET", path).json[list_key][0]
        assert api.read(f"{path}/{first['ID']}", key)["Name"] == first["Name"]
        assert api.cloud("GET", f"{path}/7").status == 404

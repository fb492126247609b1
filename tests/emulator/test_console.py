"""What belongs to a machine rather than to its disk: screen, keys, ISO images, private hosts, activity monitors."""

from __future__ import annotations

import json
from urllib.parse import quote

import pytest

from .conftest import Caller
from .test_servers import server


def running(api: Caller) -> int:
    row = server(api, {"Scope": "shared"})["ID"]
    api.do("PUT", f"/server/{row}/power")
    api.wait(15)
    return row


def test_a_running_server_has_a_vnc_proxy_with_everything_at_the_top_of_the_answer(api: Caller) -> None:
    row = running(api)
    answer = api.do("GET", f"/server/{row}/vnc/proxy").json
    assert answer["Status"] == "OK"
    assert answer["Host"].endswith(".invalid")
    assert answer["Port"].isdigit()
    assert answer["Password"] in answer["VNCFile"]
    api.do("PUT", f"/server/{row}/reset")
    assert api.do("GET", f"/server/{row}/vnc/proxy").json["Password"] != answer["Password"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("GET", "vnc/proxy", None), ("PUT", "keyboard", {"Key": "ctrl-alt-delete"}), ("PUT", "qemu/nmi", {})],
)
def test_a_server_that_is_off_has_no_console(api: Caller, method: str, path: str, body: object) -> None:
    row = server(api)["ID"]
    assert api.cloud(method, f"/server/{row}/{path}", body).status == 409


def test_keys_and_interrupts_reach_a_running_server(api: Caller) -> None:
    row = running(api)
    for body in ({"Key": "ctrl-alt-delete"}, {"Keys": ["a", "b"]}):
        api.do("PUT", f"/server/{row}/keyboard", body)
    assert api.cloud("PUT", f"/server/{row}/keyboard", {}).status == 400
    api.do("PUT", f"/server/{row}/qemu/nmi")


def test_an_iso_image_goes_into_the_drive_and_out_again(api: Caller) -> None:
    row = server(api)["ID"]
    image = api.do("GET", "/cdrom").json["CDROMs"][0]["ID"]
    api.do("PUT", f"/server/{row}/cdrom", {"CDROM": {"ID": image}})
    assert api.read(f"/server/{row}", "Server")["Instance"]["CDROM"]["ID"] == image
    assert api.cloud("PUT", f"/server/{row}/cdrom", {"CDROM": {"ID": image}}).status == 409
    assert api.cloud("DELETE", f"/server/{row}/cdrom", {"CDROM": {"ID": row}}).status == 409
    api.do("DELETE", f"/server/{row}/cdrom", {"CDROM": {"ID": image}})
    assert api.read(f"/server/{row}", "Server")["Instance"]["CDROM"] is None
    assert api.cloud("DELETE", f"/server/{row}/cdrom", {}).status == 409
    for body, status in (({}, 400), ({"CDROM": {"ID": row}}, 404)):
        assert api.cloud("PUT", f"/server/{row}/cdrom", body).status == status


def test_an_iso_image_of_ones_own_is_uploaded_before_it_can_be_used(api: Caller) -> None:
    answer = api.do("POST", "/cdrom", {"CDROM": {"Name": "rescue", "SizeMB": 5120, "Tags": ["os"]}}).json
    image, account = answer["CDROM"]["ID"], answer["FTPServer"]
    assert answer["CDROM"]["Availability"] == "uploading"
    assert account["User"] == f"cdrom{image}"
    row = server(api)["ID"]
    assert api.cloud("PUT", f"/server/{row}/cdrom", {"CDROM": {"ID": image}}).status == 409
    assert api.cloud("PUT", f"/cdrom/{image}/ftp", {}).status == 409
    again = api.do("PUT", f"/cdrom/{image}/ftp", {"ChangePassword": True}).json["FTPServer"]
    assert again["Password"] != account["Password"]
    api.do("DELETE", f"/cdrom/{image}/ftp")
    assert api.cloud("DELETE", f"/cdrom/{image}/ftp").status == 409
    api.do("PUT", f"/cdrom/{image}", {"CDROM": {"Name": "rescue-2"}})
    api.do("PUT", f"/server/{row}/cdrom", {"CDROM": {"ID": image}})
    assert api.cloud("DELETE", f"/cdrom/{image}").status == 409
    api.do("DELETE", f"/server/{row}/cdrom")
    api.do("DELETE", f"/cdrom/{image}")
    assert api.cloud("GET", f"/cdrom/{image}").status == 404
    assert api.cloud("POST", "/cdrom", {"CDROM": {"Name": "n", "SizeMB": 7}}).status == 400


def test_what_the_service_offers_to_everybody_cannot_be_changed(api: Caller) -> None:
    image = api.do("GET", "/cdrom").json["CDROMs"][0]["ID"]
    icon = api.do("GET", "/icon").json["Icons"][0]["ID"]
    for path, key in ((f"/cdrom/{image}", "CDROM"), (f"/icon/{icon}", "Icon")):
        assert api.read(path, key)["Scope"] == "shared"
        assert api.cloud("PUT", path, {key: {"Name": "mine"}}).status == 403
        assert api.cloud("DELETE", path).status == 403


def test_a_private_host_counts_what_runs_on_it(api: Caller) -> None:
    plan = api.do("GET", "/product/privatehost").json["PrivateHostPlans"][0]
    assert api.read(f"/product/privatehost/{plan['ID']}", "PrivateHostPlan") == {
        key: value for key, value in plan.items() if key != "Index"
    }
    host = api.make("/privatehost", "PrivateHost", {"Name": "own", "Plan": {"ID": plan["ID"]}})
    assert (host["AssignedCPU"], host["Plan"]["CPU"]) == (0, plan["CPU"])
    row = server(api)["ID"]
    api.do("PUT", f"/server/{row}", {"Server": {"PrivateHost": {"ID": host["ID"]}}})
    path = f"/privatehost/{host['ID']}"
    assert api.read(path, "PrivateHost")["AssignedMemoryMB"] > 0
    assert api.read(f"/server/{row}", "Server")["PrivateHost"] == {"ID": host["ID"], "Name": "own"}
    assert api.cloud("DELETE", path).status == 409
    api.do("PUT", f"/server/{row}", {"Server": {"PrivateHost": {"ID": 0}}})
    api.do("PUT", path, {"PrivateHost": {"Name": "renamed"}})
    assert api.do("GET", "/privatehost").json["PrivateHosts"][0]["Name"] == "renamed"
    api.do("DELETE", path)
    assert api.cloud("PUT", f"/server/{row}", {"Server": {"PrivateHost": {"ID": row}}}).status == 404
    assert api.cloud("POST", "/privatehost", {"PrivateHost": {"Name": "n", "Plan": {"ID": 1}}}).status == 400
    assert api.cloud("GET", "/product/privatehost/1").status == 404


def test_activity_monitors_show_a_value_each_five_minutes(api: Caller) -> None:
    row = running(api)
    disk = api.make("/disk", "Disk", {"Name": "d", "Plan": {"ID": 4}, "SizeMB": 20480})["ID"]
    nic = api.read(f"/server/{row}", "Server")["Interfaces"][0]["ID"]
    router = api.make("/internet", "Internet", {"Name": "i", "BandWidthMbps": 100, "NetworkMaskLen": 28})[
        "ID"
    ]
    local = api.make(
        "/commonserviceitem", "CommonServiceItem", {"Name": "l", "Provider": {"Class": "localrouter"}}
    )
    api.wait(1785)
    for path, names, value in (
        (f"/server/{row}", {"CPU-TIME"}, 0),
        (f"/disk/{disk}", {"Read", "Write"}, None),
        (f"/interface/{nic}", {"Receive", "Send"}, 0),
        (f"/internet/{router}", {"In", "Out"}, 0),
        (
            f"/commonserviceitem/{local['ID']}/activity/localrouter",
            {"receiveBytesPerSec", "sendBytesPerSec"},
            None,
        ),
    ):
        data = api.do("GET", f"{path}/monitor").json["Data"]
        assert len(data) == 13
        assert all(set(point) == names and set(point.values()) == {value} for point in data.values())
    assert list(data) == sorted(data)


@pytest.mark.parametrize(
    ("query", "points"),
    [
        ({"Start": "0001-01-01T00:00:00Z", "End": "0001-01-01T00:00:00Z"}, 13),
        ({"Start": "2026-11-01T00:00:00+09:00", "End": "2026-11-01T00:10:00+09:00"}, 3),
        ({"Start": "2026-10-31T15:01:00Z", "End": "2026-10-31T15:04:00Z"}, 0),
        ({"Start": "1700-01-01T00:00:00Z"}, 2001),
    ],
)
def test_a_monitor_is_asked_for_a_span(api: Caller, query: dict[str, str], points: int) -> None:
    row = server(api)["ID"]
    api.wait(3600)
    answer = api.cloud("GET", f"/server/{row}/monitor", query=quote(json.dumps(query)))
    assert len(answer.json["Data"]) == points
    for bad in ('{"Start": "soon"}', '{"End": 7}'):
        assert api.cloud("GET", f"/server/{row}/monitor", query=quote(bad)).status == 400

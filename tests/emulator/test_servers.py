"""Servers, disks, archives and interfaces: power in virtual time, copies, edits, plan changes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from daiku.lab.sakura import World

from .conftest import Caller
from .test_networks import KEY, PLAN


def server(api: Caller, *switches: Any, **given: Any) -> dict[str, Any]:
    body = {"Name": "s", "ServerPlan": PLAN, "ConnectedSwitches": list(switches)} | given
    return api.make("/server", "Server", body)


def archive(api: Caller, tag: str = "ubuntu-24.04-latest") -> int:
    found = api.cloud("GET", "/archive", query=f'{{"Filter":{{"Tags.Name":[["{tag}"]]}}}}').json
    return found["Archives"][0]["ID"]


def disk(api: Caller, given: dict[str, Any] | None = None, **outer: Any) -> dict[str, Any]:
    body = {"Name": "d", "Plan": {"ID": 4}, "SizeMB": 20480, "Connection": "virtio"} | (given or {})
    answer = api.cloud("POST", "/disk", {"Disk": body, **outer})
    assert answer.status == 201, answer.raw
    return answer.json["Disk"]


def status(api: Caller, server_id: int) -> str:
    return api.read(f"/server/{server_id}", "Server")["Instance"]["Status"]


def test_interfaces_follow_the_order_of_connected_switches(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    nics = server(api, {"ID": switch}, None, {"Scope": "shared"})["Interfaces"]
    assert [(nic["Switch"] or {}).get("Scope") for nic in nics] == ["user", None, "shared"]
    assert nics[0]["Switch"]["Subnet"] is None
    assert nics[2]["Switch"]["Subnet"]["DefaultRoute"] == "198.51.100.1"
    assert nics[2]["IPAddress"].startswith("198.51.100.")
    assert len({nic["MACAddress"] for nic in nics}) == 3


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"ServerPlan": {"CPU": 1, "MemoryMB": 999}}, 400),
        ({"ServerPlan": None}, 400),
        ({"Name": None}, 400),
        ({"ConnectedSwitches": [None] * 11}, 400),
        ({"ConnectedSwitches": [{"ID": 112999999999}]}, 404),
        ({"InterfaceDriver": "rtl8139"}, 400),
        ({"ServerPlan": {"CPU": 4, "MemoryMB": 57344, "GPU": 1, "GPUModel": "nvidia_v100_32gbvram"}}, 201),
    ],
)
def test_a_server_wants_a_plan_that_exists(api: Caller, given: dict[str, Any], status: int) -> None:
    body = {"Name": "s", "ServerPlan": PLAN} | given
    assert api.cloud("POST", "/server", {"Server": body}).status == status
    if status != 201:
        assert api.cloud("GET", "/server").json["Total"] == 0


def test_power_goes_up_and_down_in_virtual_time(api: Caller) -> None:
    path = f"/server/{server(api)['ID']}"
    power = f"{path}/power"
    assert api.cloud("DELETE", power, {}).status == 409
    api.do("PUT", power, {})
    assert api.cloud("PUT", power, {}).status == 409
    assert status(api, int(path.rsplit("/", maxsplit=1)[-1])) == "down"
    api.wait(15)
    view = api.read(path, "Server")["Instance"]
    assert (view["Status"], view["BeforeStatus"]) == ("up", "down")
    api.do("PUT", f"{path}/reset")
    assert api.cloud("DELETE", path).status == 409
    api.do("DELETE", power, {"Force": False})
    assert api.cloud("DELETE", power, {"Force": False}).status == 409
    api.wait(19)
    assert api.read(path, "Server")["Instance"]["Status"] == "up"
    api.wait(1)
    assert api.read(path, "Server")["Instance"]["Status"] == "down"
    assert api.cloud("PUT", f"{path}/reset").status == 409


def test_pulling_the_plug_overtakes_a_slow_shutdown(api: Caller) -> None:
    made = server(api)["ID"]
    api.do("PUT", f"/server/{made}/power")
    api.wait(15)
    api.do("DELETE", f"/server/{made}/power", {})
    api.do("DELETE", f"/server/{made}/power", {"Force": True})
    assert status(api, made) == "cleaning"
    api.wait(3)
    assert status(api, made) == "down"
    api.do("PUT", f"/server/{made}/power")
    api.wait(17)
    assert status(api, made) == "up"


def test_a_plan_change_gives_a_new_id_and_takes_disks_and_nics_along(api: Caller, world: World) -> None:
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    old = server(api, {"ID": switch})
    kept = disk(api, {"Server": {"ID": old["ID"]}})
    machine = world.topology().machines[-1].id
    api.do("PUT", f"/server/{old['ID']}/power")
    api.wait(15)
    change = {"CPU": 2, "MemoryMB": 4096, "Commitment": "standard"}
    assert api.cloud("PUT", f"/server/{old['ID']}/plan", change).status == 409
    api.do("DELETE", f"/server/{old['ID']}/power", {"Force": True})
    api.wait(3)
    new = api.do("PUT", f"/server/{old['ID']}/plan", change).json["Server"]
    assert new["ID"] != old["ID"]
    assert new["ServerPlan"]["CPU"] == 2
    assert api.cloud("GET", f"/server/{old['ID']}").status == 404
    assert new["Interfaces"][0]["ID"] == old["Interfaces"][0]["ID"]
    assert api.read(f"/disk/{kept['ID']}", "Disk")["Server"]["ID"] == new["ID"]
    assert world.topology().machines[-1].id == machine
    api.do("PUT", f"/server/{new['ID']}/power")
    api.wait(15)
    assert status(api, new["ID"]) == "up"


def test_a_disk_is_copied_in_virtual_time(api: Caller) -> None:
    made = disk(api, {"SourceArchive": {"ID": archive(api)}})
    path = f"/disk/{made['ID']}"
    seen = [made["MigratedMB"]]
    assert made["Availability"] == "migrating"
    assert api.cloud("DELETE", path).status == 409
    assert api.cloud("PUT", f"{path}/config", {"HostName": "h"}).json["error_code"] == "still_creating"
    for _ in range(3):
        api.wait(25)
        seen.append(api.read(path, "Disk")["MigratedMB"])
    assert seen == sorted(set(seen))
    assert seen[-1] < 20480
    api.wait(60)
    done = api.read(path, "Disk")
    assert (done["Availability"], done["MigratedMB"]) == ("available", 20480)
    api.do("DELETE", path)


def test_a_server_waits_for_its_disk_and_may_boot_by_itself(api: Caller) -> None:
    waiting, eager = server(api)["ID"], server(api)["ID"]
    disk(api, {"SourceArchive": {"ID": archive(api)}, "Server": {"ID": waiting}})
    disk(api, {"SourceArchive": {"ID": archive(api)}, "Server": {"ID": eager}}, BootAtAvailable=True)
    assert api.cloud("PUT", f"/server/{waiting}/power").json["error_code"] == "still_creating"
    api.wait(120)
    assert (status(api, waiting), status(api, eager)) == ("down", "up")
    api.do("PUT", f"/server/{waiting}/power")


@pytest.mark.parametrize(
    "given",
    [
        {"Plan": {"ID": 3}},
        {"SizeMB": 20481},
        {"SizeMB": 1024},
        {"Plan": {"ID": 2}},
        {"SizeMB": -1},
        {"Connection": "scsi"},
        {"EncryptionAlgorithm": "rot13"},
        {"Name": ""},
    ],
)
def test_disks_come_in_sizes(api: Caller, given: dict[str, Any]) -> None:
    body = {"Name": "d", "Plan": {"ID": 4}, "SizeMB": 20480} | given
    assert api.cloud("POST", "/disk", {"Disk": body}).status == 400
    assert api.cloud("GET", "/disk").json["Total"] == 0


def test_disks_are_attached_detached_and_kept_or_deleted_with_their_server(api: Caller) -> None:
    made = server(api)["ID"]
    first = disk(api, {"Server": {"ID": made}})["ID"]
    second = disk(api)["ID"]
    assert api.cloud("DELETE", f"/disk/{first}").status == 409
    api.do("PUT", f"/disk/{second}/to/server/{made}")
    assert api.cloud("PUT", f"/disk/{second}/to/server/{made}").status == 409
    view = api.read(f"/server/{made}", "Server")
    assert [(d["ID"], d["ConnectionOrder"]) for d in view["Disks"]] == [(first, 1), (second, 2)]
    api.do("DELETE", f"/disk/{second}/to/server")
    assert api.cloud("DELETE", f"/disk/{second}/to/server").status == 409
    api.do("PUT", f"/disk/{second}/to/server", {"Server": {"ID": made}})
    assert api.cloud("DELETE", f"/server/{made}", {"WithDisk": [first, 112999999999]}).status == 400
    api.do("DELETE", f"/server/{made}", {"WithDisk": [first]})
    assert api.cloud("GET", f"/disk/{first}").status == 404
    assert api.read(f"/disk/{second}", "Disk")["Server"] is None


def test_a_disk_edit_writes_what_it_says(api: Caller, world: World) -> None:
    key = api.make("/sshkey", "SSHKey", {"Name": "k", "PublicKey": KEY})["ID"]
    made = server(api)["ID"]
    boot = disk(
        api,
        {"SourceArchive": {"ID": archive(api)}, "Server": {"ID": made}},
        Config={
            "HostName": "cp1",
            "SSHKeys": [{"ID": key}],
            "Password": "hunter2-hunter2",
            "DisablePWAuth": True,
        },
    )["ID"]
    api.wait(120)
    assert api.read(f"/server/{made}", "Server")["HostName"] == "cp1"
    api.do(
        "PUT",
        f"/disk/{boot}/config",
        {"UserIPAddress": "10.0.0.9", "UserSubnet": {"DefaultRoute": "10.0.0.1", "NetworkMaskLen": 24}},
    )
    assert api.read(f"/server/{made}", "Server")["HostName"] == "cp1"
    assert "hunter2" not in world.to_json()
    assert api.cloud("PUT", f"/disk/{boot}/config", {"SSHKey": {"ID": 112999999999}}).status == 404
    assert api.cloud("PUT", f"/disk/{boot}/config", {"SSHKey": {"PublicKey": "x"}}).status == 400
    assert api.cloud("PUT", f"/disk/{boot}/config", {"HostName": "a b"}).status == 400
    assert api.cloud("PUT", f"/disk/{disk(api)['ID']}/config", {"HostName": "x"}).status == 400
    api.do("PUT", f"/disk/{boot}/resize-partition", {"Background": True})
    api.do("PUT", f"/server/{made}/power")
    assert api.cloud("PUT", f"/disk/{boot}/config", {"HostName": "x"}).status == 409


def test_the_address_of_a_disk_edit_shows_on_the_first_nic(api: Caller) -> None:
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    subnet = {"DefaultRoute": "10.0.0.1", "NetworkMaskLen": 24}
    edit = {"UserIPAddress": "10.0.0.9", "UserSubnet": subnet}

    def edited(*switches: Any) -> tuple[str, list[dict[str, Any]]]:
        made = server(api, ConnectedSwitches=list(switches))["ID"]
        boot = disk(api, {"SourceArchive": {"ID": archive(api)}, "Server": {"ID": made}}, Config=edit)["ID"]
        return boot, api.read(f"/server/{made}", "Server")["Interfaces"]

    boot, nics = edited({"ID": switch}, {"ID": switch})
    assert [nic["UserIPAddress"] for nic in nics] == ["10.0.0.9", None]
    assert [nic["Switch"]["UserSubnet"] for nic in nics] == [subnet, None]
    api.wait(120)
    api.do("PUT", f"/disk/{boot}/config", {"HostName": "cp1"})
    nic = f"/interface/{nics[0]['ID']}"
    assert api.read(nic, "Interface")["UserIPAddress"] == "10.0.0.9"
    api.do("PUT", f"/disk/{boot}/config", {"UserIPAddress": ""})
    seen = api.read(nic, "Interface")
    assert (seen["UserIPAddress"], seen["Switch"]["UserSubnet"]) == (None, None)
    assert [nic["UserIPAddress"] for nic in edited({"Scope": "shared"})[1]] == [None]
    edited()


def test_cloud_init_comes_with_the_boot(api: Caller, world: World) -> None:
    made = server(api)["ID"]
    source = archive(api, "ubuntu-24.04-cloudimg")
    boot = disk(api, {"SourceArchive": {"ID": source}, "Server": {"ID": made}})["ID"]
    api.wait(120)
    assert api.cloud("PUT", f"/disk/{boot}/config", {"HostName": "x"}).status == 400
    data = f"#cloud-config\nhostname: ci\nssh_authorized_keys:\n  - {KEY}\n"
    api.do("PUT", f"/server/{made}/power", {"UserBootVariables": {"CloudInit": {"UserData": data}}})
    api.wait(15)
    machine = world.topology().machines[-1]
    assert (machine.hostname, machine.authorized_keys) == ("ci", (KEY,))


def test_own_archives_are_copied_uploaded_and_deleted_but_public_ones_stay(api: Caller) -> None:
    public = archive(api)
    assert api.cloud("DELETE", f"/archive/{public}").status == 403
    source = disk(api)["ID"]
    own = api.make("/archive", "Archive", {"Name": "mine", "SourceDisk": {"ID": source}})
    assert own["Availability"] == "migrating"
    assert api.cloud("DELETE", f"/archive/{own['ID']}").status == 409
    api.wait(120)
    assert api.read(f"/archive/{own['ID']}", "Archive")["Availability"] == "available"
    blank = api.make("/archive", "Archive", {"Name": "blank", "SizeMB": 20480})
    assert blank["FTPServer"]["User"]
    api.do("DELETE", f"/archive/{blank['ID']}/ftp")
    assert api.cloud("DELETE", f"/archive/{blank['ID']}/ftp").status == 409
    assert api.do("PUT", f"/archive/{blank['ID']}/ftp").json["FTPServer"]["Password"]
    api.do("DELETE", f"/archive/{own['ID']}")


def test_interfaces_are_added_plugged_and_removed_while_the_server_is_down(api: Caller) -> None:
    made = server(api)["ID"]
    switch = api.make("/switch", "Switch", {"Name": "sw"})["ID"]
    nic = api.make("/interface", "Interface", {"Server": {"ID": made}})["ID"]
    assert api.cloud("DELETE", f"/interface/{nic}/to/switch").status == 409
    api.do("PUT", f"/interface/{nic}/to/switch/shared")
    assert api.cloud("PUT", f"/interface/{nic}/to/switch/{switch}").status == 409
    assert api.cloud("DELETE", f"/interface/{nic}").status == 409
    api.do("DELETE", f"/interface/{nic}/to/switch")
    api.do("PUT", f"/interface/{nic}/to/switch/{switch}")
    assert (
        api.do("PUT", f"/interface/{nic}", {"Interface": {"UserIPAddress": "10.0.0.5"}}).json["Interface"][
            "UserIPAddress"
        ]
        == "10.0.0.5"
    )
    api.do("PUT", f"/server/{made}/power")
    for method, path in (("DELETE", f"/interface/{nic}/to/switch"), ("DELETE", f"/interface/{nic}")):
        assert api.cloud(method, path).status == 409
    assert api.cloud("POST", "/interface", {"Interface": {"Server": {"ID": made}}}).status == 409
    assert api.cloud("GET", f"/server/{made}/interface").json["Interfaces"][0]["ID"] == nic


def test_when_the_shared_segment_is_full_no_half_made_server_is_left(api: Caller, world: World) -> None:
    while True:
        before = world.to_json()
        wish = {"Name": "s", "ServerPlan": {"CPU": 1, "MemoryMB": 1024}}
        answer = api.cloud(
            "POST", "/server", {"Server": wish | {"ConnectedSwitches": [{"Scope": "shared"}] * 10}}
        )
        if answer.status != 201:
            break
    assert answer.json["error_code"] == "busy"
    assert json.loads(world.to_json())["rows"] == json.loads(before)["rows"]

"""The lesser resources that clients list: addresses, blocks, IPv6 networks, icons, generated keys, licences."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_private_key

from .conftest import ADMIN, GPU1, Caller
from .test_servers import server

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()


def router(api: Caller) -> dict[str, object]:
    made = api.make("/internet", "Internet", {"Name": "i", "BandWidthMbps": 100, "NetworkMaskLen": 28})
    api.wait(10)
    return made


def test_the_accounts_addresses_are_listed_and_named(api: Caller) -> None:
    row = server(api, {"Scope": "shared"})
    router(api)
    answer = api.do("GET", "/ipaddress").json
    assert answer["Total"] == 1 + 11
    shared, *block = answer["IPAddress"]
    assert shared["Interface"]["Server"]["ID"] == row["ID"]
    assert block[0]["Subnet"]["NetworkMaskLen"] == 28
    path = f"/ipaddress/{block[0]['IPAddress']}"
    for name in ("www.example.jp", "api.example.jp"):
        api.do("PUT", path, {"IPAddress": {"HostName": name}})
        assert api.read(path, "IPAddress")["HostName"] == name
    subnet = api.do("GET", "/subnet").json["Subnets"][0]
    assert subnet["IPAddresses"][0] == {"IPAddress": block[0]["IPAddress"], "HostName": "api.example.jp"}
    api.do("PUT", path, {"IPAddress": {"HostName": ""}})
    assert api.read(path, "IPAddress")["HostName"] is None
    assert api.cloud("PUT", path, {"IPAddress": {"HostName": "-no-"}}).status == 400
    for unknown in ("192.0.2.1", "999.1.1.1", "300"):
        assert api.cloud("GET", f"/ipaddress/{unknown}").status == 404


def test_blocks_and_ipv6_networks_are_resources_too(api: Caller) -> None:
    made = router(api)
    path = f"/internet/{made['ID']}"
    low = api.do("GET", "/subnet").json["Subnets"][0]["IPAddresses"][0]["IPAddress"]
    added = api.do("POST", f"{path}/subnet", {"NetworkMaskLen": 28, "NextHop": low}).json["Subnet"]
    assert len(added["IPAddresses"]) == 16
    read = api.read(f"/subnet/{added['ID']}", "Subnet")
    assert (read["NextHop"], read["DefaultRoute"]) == (low, None)
    assert read["Switch"]["Internet"]["ID"] == made["ID"]
    net = api.do("POST", f"{path}/ipv6net").json["IPv6Net"]
    assert api.do("GET", "/ipv6net").json["IPv6Nets"][0]["IPv6Prefix"] == net["IPv6Prefix"]
    assert api.read(f"/ipv6net/{net['ID']}", "IPv6Net")["IPv6PrefixLen"] == 64
    for unknown in ("/subnet/1", "/ipv6net/1"):
        assert api.cloud("GET", unknown).status == 404


def test_an_icon_is_a_png_with_a_name(api: Caller) -> None:
    icon = api.make("/icon", "Icon", {"Name": "gpu", "Tags": ["b", "a", "b"], "Image": PNG})
    path = f"/icon/{icon['ID']}"
    assert (icon["Scope"], icon["Tags"], icon["URL"]) == ("user", ["b", "a"], f"icon/{icon['ID']}.png")
    api.do("PUT", path, {"Icon": {"Name": "gpu-2", "Tags": None}})
    assert (api.read(path, "Icon")["Name"], api.read(path, "Icon")["Tags"]) == ("gpu-2", [])
    api.do("DELETE", path)
    assert api.cloud("GET", path).status == 404
    for bad in ({"Name": "n", "Image": "R0lGODdh"}, {"Name": "n", "Image": "?"}, {"Image": PNG}):
        assert api.cloud("POST", "/icon", {"Icon": bad}).status == 400


@pytest.mark.parametrize("phrase", ["", "open sesame"])
def test_a_key_pair_is_made_and_its_private_half_shown_once(api: Caller, phrase: str) -> None:
    wish = {"Name": "made", "GenerateFormat": "openssh", "PassPhrase": phrase}
    pair = api.do("POST", "/sshkey/generate", {"SSHKey": wish}).json["SSHKey"]
    private = load_ssh_private_key(pair["PrivateKey"].encode(), phrase.encode() or None)
    line = private.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    assert pair["PublicKey"] == line
    assert "PrivateKey" not in api.read(f"/sshkey/{pair['ID']}", "SSHKey")
    door = api.raw("GET", "/_lab/state", headers={"Authorization": f"Bearer {ADMIN}"})
    assert b"PRIVATE KEY" not in door.raw


def test_an_archive_is_carried_into_another_zone(api: Caller) -> None:
    blank = api.do("POST", "/archive", {"Archive": {"Name": "own", "SizeMB": 20480}}).json
    source = blank["Archive"]["ID"]
    assert blank["FTPServer"]["User"] == f"archive{source}"
    body = {"Archive": {"Name": "copy"}}
    assert api.cloud("POST", f"/archive/{source}/to/zone/31002", body).json["error_code"] == "still_creating"
    renewed = api.do("PUT", f"/archive/{source}/ftp", {"ChangePassword": True}).json["FTPServer"]
    assert renewed["Password"] != blank["FTPServer"]["Password"]
    api.do("DELETE", f"/archive/{source}/ftp")
    assert api.cloud("POST", f"/archive/{source}/to/zone/31001", body).status == 400
    assert api.cloud("POST", f"/archive/{source}/to/zone/1", body).status == 404
    copy = api.do("POST", f"/archive/{source}/to/zone/31002", body).json["Archive"]
    assert copy["Availability"] == "transfering"
    assert copy["SourceInfo"]["ArchiveUnderZone"]["Zone"]["Name"] == "is1a"
    path = f"/archive/{copy['ID']}"
    assert api.cloud("GET", path).status == 404
    assert api.cloud("DELETE", path, zone="is1b").status == 409
    api.wait(600)
    arrived = api.cloud("GET", path, zone="is1b").json["Archive"]
    assert (arrived["Availability"], arrived["SourceArchive"]) == ("available", None)


def test_a_key_says_whose_it_is(api: Caller) -> None:
    status = api.do("GET", "/auth-status").json
    assert (status["IsAPIKey"], status["Permission"]) == (True, "create")
    assert "dedicatedphy" in status["ExternalPermission"]
    assert status["Account"]["Name"] == "ishikari"


def test_what_the_lab_does_not_have_is_an_empty_list(api: Caller) -> None:
    for path in ("/license", "/product/license"):
        assert api.do("GET", path).json["Total"] == 0
    assert api.cloud("GET", "/appliance", query='{"Filter":{"Class":"nfs"}}').json["Total"] == 0


def test_phy_answers_at_the_root_as_well(api: Caller) -> None:
    headers = {"Authorization": api.basic()}
    answer = api.raw("GET", f"/servers/{GPU1}/", headers=headers)
    assert answer.json["server"]["server_id"] == GPU1
    assert api.raw("GET", "/servers/1/", headers=headers).json["title"] == "not_found"
    assert api.raw("GET", "/nothing/", headers=headers).json["error_code"] == "not_found"

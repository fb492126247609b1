"""Zones: what belongs to one is unknown in the others, what has none is the same in each."""

from __future__ import annotations

from typing import Any

import pytest

from daiku.lab.sakura import World

from .conftest import Caller
from .test_appliances import balancer
from .test_listings import PNG
from .test_networks import KEY
from .test_never_500 import KINDS, state


def everywhere() -> dict[str, dict[str, Any]]:
    """What has no zone: it is called through any."""
    return {
        "bridge": {"Bridge": {"Name": "b"}},
        "commonserviceitem": {"CommonServiceItem": {"Name": "l", "Provider": {"Class": "localrouter"}}},
        "icon": {"Icon": {"Name": "i", "Image": PNG}},
        "note": {"Note": {"Name": "n", "Class": "shell", "Content": "x"}},
        "sshkey": {"SSHKey": {"Name": "k", "PublicKey": KEY}},
    }


def of_a_zone(api: Caller, word: str) -> dict[str, Any]:
    match word:
        case "appliance":
            return {"Appliance": balancer(api.make("/switch", "Switch", {"Name": "n"})["ID"])}
        case "interface":
            server = {"Name": "s", "ServerPlan": {"CPU": 1, "MemoryMB": 1024}}
            return {"Interface": {"Server": {"ID": api.make("/server", "Server", server)["ID"]}}}
        case _:
            return {
                "archive": {"Archive": {"Name": "a", "SizeMB": 20480}},
                "cdrom": {"CDROM": {"Name": "c", "SizeMB": 5120}},
                "disk": {"Disk": {"Name": "d", "Plan": {"ID": 4}, "SizeMB": 20480}},
                "internet": {"Internet": {"Name": "i", "BandWidthMbps": 100, "NetworkMaskLen": 28}},
                "packetfilter": {"PacketFilter": {"Name": "p"}},
                "privatehost": {"PrivateHost": {"Name": "h", "Plan": {"ID": 112900526366}}},
                "server": {"Server": {"Name": "s", "ServerPlan": {"CPU": 1, "MemoryMB": 1024}}},
                "switch": {"Switch": {"Name": "n"}},
            }[word]


@pytest.mark.parametrize("word", sorted(KINDS.keys() - everywhere().keys()))
def test_an_id_of_another_zone_is_unknown_here(world: World, word: str) -> None:
    api = Caller(world)
    ((key, fields),) = of_a_zone(api, word).items()
    row = api.make(f"/{word}", key, fields)["ID"]
    api.wait(30)
    before = state(world)
    for method, body in (("GET", None), ("PUT", {key: {"Name": "stolen"}}), ("DELETE", None)):
        assert api.cloud(method, f"/{word}/{row}", body, zone="is1b").status == 404
    assert api.cloud("GET", f"/{word}", zone="is1b").json["Total"] in (0, 3, 6)
    assert state(world) == before


@pytest.mark.parametrize("word", sorted(everywhere()))
def test_what_has_no_zone_is_the_same_in_each(world: World, word: str) -> None:
    api = Caller(world)
    ((key, fields),) = everywhere()[word].items()
    path = f"/{word}/{api.make(f'/{word}', key, fields)['ID']}"
    assert api.cloud("PUT", path, {key: {"Name": "renamed"}}, zone="is1b").json[key]["Name"] == "renamed"
    assert api.cloud("GET", path).json[key]["Name"] == "renamed"
    assert api.cloud("DELETE", path, zone="is1b").status == 200
    assert api.cloud("GET", path).status == 404

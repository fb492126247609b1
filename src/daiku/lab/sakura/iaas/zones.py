"""Zones and regions."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.wire import Call, Reply, not_found, routes, single

REGIONS = {
    210: ("東京", ["210.188.224.10", "210.188.224.11"]),
    290: ("Sandbox", ["133.242.0.3", "133.242.0.4"]),
    310: ("石狩", ["133.242.0.3", "133.242.0.4"]),
}
_ZONES = {
    "is1a": (31001, 310, "石狩第1ゾーン"),
    "is1b": (31002, 310, "石狩第2ゾーン"),
    "is1c": (31003, 310, "石狩第3ゾーン"),
    "tk1a": (21001, 210, "東京第1ゾーン"),
    "tk1b": (21002, 210, "東京第2ゾーン"),
    "tk1v": (29001, 290, "Sandbox"),
}
ZONES = tuple(_ZONES)
DEFAULT_ZONE = "is1a"


def zone_id(zone: str) -> int:
    return _ZONES[zone][0]


def region_of(zone: str) -> int:
    """The id of the region that a zone lies in."""
    return _ZONES[zone][1]


def region_view(region: int) -> dict[str, Any]:
    name, servers = REGIONS[region]
    return {"ID": region, "Name": name, "Description": name, "NameServers": servers}


def zone_view(zone: str) -> dict[str, Any]:
    number, region, description = _ZONES[zone]
    return {
        "ID": number,
        "DisplayOrder": number,
        "Name": zone,
        "Description": description,
        "IsDummy": zone == "tk1v",
        "VNCProxy": {"HostName": f"sac-{zone}-vnc.lab.invalid", "IPAddress": "192.0.2.10"},
        "FTPServer": {"HostName": f"sac-{zone}-ftp.lab.invalid", "IPAddress": "192.0.2.11"},
        "Region": region_view(region),
    }


@routes.on("GET", "/zone")
def find_zones(call: Call) -> Reply:
    return listing(call, "Zones", [zone_view(zone) for zone in ZONES])


@routes.on("GET", "/zone/{id}")
def read_zone(call: Call) -> Reply:
    for zone in ZONES:
        if str(zone_id(zone)) == call.holes["id"]:
            return single("Zone", zone_view(zone))
    raise not_found()


@routes.on("GET", "/region")
def find_regions(call: Call) -> Reply:
    return listing(call, "Regions", [region_view(region) for region in REGIONS])


@routes.on("GET", "/region/{id}")
def read_region(call: Call) -> Reply:
    for region in REGIONS:
        if str(region) == call.holes["id"]:
            return single("Region", region_view(region))
    raise not_found()

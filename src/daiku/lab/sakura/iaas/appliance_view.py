"""An appliance as the API shows it; its interfaces are eight places, empty ones null."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.addresses import SHARED_PUBLIC
from daiku.lab.sakura.iaas.models import Appliance, ApplianceNic
from daiku.lab.sakura.iaas.server_view import instance_view, nic_switch_view
from daiku.lab.sakura.iaas.wire import Id, common_view, fingerprint
from daiku.lab.sakura.world import World

PLACES = 8


def appliance_view(world: World, row: Appliance) -> dict[str, Any]:
    places: list[dict[str, Any] | None] = [None] * PLACES
    for nic in row.nics:
        places[nic.index] = _nic_view(world, row, nic)
    first = places[0] or {}
    return common_view(row) | {
        "Class": row.class_,
        "ServiceClass": f"cloud/appliance/{row.class_}/{row.plan}",
        "Plan": {"ID": row.plan},
        "Availability": row.availability,
        "Instance": instance_view(row.power, row.zone),
        "Switch": first.get("Switch"),
        "Interfaces": places,
        "Remark": _remark_view(row.remark),
        "Settings": _settings_view(row),
        "SettingsHash": fingerprint(row.settings),
    }


def _settings_view(row: Appliance) -> dict[str, Any] | None:
    """Null before anything was saved: clients cannot read `[]` where settings stand."""
    if not row.settings:
        return None
    return {"Router": row.settings} if row.class_ == "vpcrouter" else row.settings


def _remark_view(remark: dict[str, Any]) -> dict[str, Any]:
    switch = remark["Switch"]
    return remark | {"Switch": {"ID": Id(switch["ID"])} if "ID" in switch else switch}


def _nic_view(world: World, row: Appliance, nic: ApplianceNic) -> dict[str, Any]:
    address = None
    servers = [server["IPAddress"] for server in row.remark["Servers"] if server.get("IPAddress")]
    if nic.index == 0:
        address = row.public if nic.shared else servers[0]
    network, gateway = str(SHARED_PUBLIC.network_address), str(SHARED_PUBLIC[1])
    return {
        "ID": Id(nic.id),
        "MACAddress": nic.mac,
        "IPAddress": address,
        "UserIPAddress": None,
        "HostName": None,
        "Switch": nic_switch_view(world, nic.switch, shared=nic.shared, network=network, gateway=gateway),
        "PacketFilter": None,
    }

"""Plans of servers, disks and routers."""

from __future__ import annotations

from typing import Any

from daiku.lab.sakura.iaas.catalog import BANDWIDTHS_MBPS, DISK_KINDS, DISK_PLANS, disk_sizes_gb, server_plans
from daiku.lab.sakura.iaas.find import listing
from daiku.lab.sakura.iaas.server_view import server_plan_view
from daiku.lab.sakura.iaas.wire import Call, Reply, not_found, routes, single


def _one(call: Call, key: str, views: list[dict[str, Any]]) -> Reply:
    for view in views:
        if str(view["ID"]) == call.holes["id"]:
            return single(key, view)
    raise not_found()


def _server(call: Call) -> list[dict[str, Any]]:
    return [server_plan_view(plan) for plan in server_plans(call.zone)]


def _disk() -> list[dict[str, Any]]:
    return [
        {
            "ID": plan,
            "Name": name,
            "StorageClass": storage,
            "Availability": "available",
            "Size": [
                {
                    "SizeMB": size * 1024,
                    "DisplaySize": size,
                    "DisplaySuffix": "GB",
                    "Availability": "available",
                    "ServiceClass": f"cloud/disk/{DISK_KINDS[plan]}/{size}g",
                }
                for size in disk_sizes_gb(plan)
            ],
        }
        for plan, (name, storage) in DISK_PLANS.items()
    ]


def _internet() -> list[dict[str, Any]]:
    return [
        {
            "ID": mbps,
            "Name": f"{mbps}Mbps共有",
            "BandWidthMbps": mbps,
            "ServiceClass": f"cloud/internet/router/{mbps}m",
            "Availability": "available",
        }
        for mbps in BANDWIDTHS_MBPS
    ]


@routes.on("GET", "/product/server")
def find_server_plans(call: Call) -> Reply:
    return listing(call, "ServerPlans", _server(call))


@routes.on("GET", "/product/server/{id}")
def read_server_plan(call: Call) -> Reply:
    return _one(call, "ServerPlan", _server(call))


@routes.on("GET", "/product/disk")
def find_disk_plans(call: Call) -> Reply:
    return listing(call, "DiskPlans", _disk())


@routes.on("GET", "/product/disk/{id}")
def read_disk_plan(call: Call) -> Reply:
    return _one(call, "DiskPlan", _disk())


@routes.on("GET", "/product/internet")
def find_internet_plans(call: Call) -> Reply:
    return listing(call, "InternetPlans", _internet())


@routes.on("GET", "/product/internet/{id}")
def read_internet_plan(call: Call) -> Reply:
    return _one(call, "InternetPlan", _internet())
